"""HubSpot's contacts, companies and deals in our shapes."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.declaration import Convert
from connectors.errors import Unmappable
from connectors.facts import Catalog, Payload, Reference, Stage
from connectors.hubspot.metadata import read_part
from connectors.hubspot.names import label_of, names_of, properties_of
from connectors.hubspot.times import read_time
from connectors.values import (
    Json,
    read_decimal,
    read_domain,
    read_entries,
    read_id,
    read_phones,
    read_text,
)
from storage.records import ContactKind, DealStatus

KINDS: Mapping[str, ContactKind] = {
    "subscriber": ContactKind.LEAD,
    "lead": ContactKind.LEAD,
    "marketingqualifiedlead": ContactKind.LEAD,
    "salesqualifiedlead": ContactKind.LEAD,
    "opportunity": ContactKind.CONTACT,
    "customer": ContactKind.CONTACT,
    "evangelist": ContactKind.CONTACT,
}
"""By lifecycle stage: with an opportunity there is business. `other`, and stages that a company has added, say nothing.
https://knowledge.hubspot.com/records/use-lifecycle-stages"""

CLOSED: Mapping[int | None, DealStatus] = {100: DealStatus.WON, 0: DealStatus.LOST}
"""By the probability of a closed stage, in per cent."""

ADDRESS = {"city": "city", "region": "state", "postal_code": "zip", "country": "country"}


# ---------------------------------------------------------------- shared


def require_properties(payload: Payload) -> Mapping[str, Any]:
    """The record's properties. Raises Unmappable where there are none at all: it is no record of this API."""
    if not isinstance(payload.get("properties"), dict):
        raise Unmappable("The record has no properties.", field="properties")
    return properties_of(payload)


def time_of(name: str) -> Convert:
    """The moment in a property."""
    return lambda payload, _: read_time(require_properties(payload).get(name), name)


def refer_to(target: str) -> Convert:
    """References to the records of a type that it is associated with, the primary one first."""

    def convert(payload: Payload, _: Catalog) -> list[Reference]:
        ends = associated(payload, target)
        return [(target, one) for end in ends if isinstance(end, dict) and (one := read_id(end.get("id")))]

    return convert


def associated(payload: Payload, target: str) -> list[Any]:
    """The far ends of the record's associations with a type."""
    associations = payload.get("associations")
    found = associations.get(target) if isinstance(associations, dict) else None
    ends = found.get("results") if isinstance(found, dict) else None
    return ends if isinstance(ends, list) else []


def read_merged(payload: Payload, _: Catalog) -> list[str]:
    """The ids of those that have become part of it, apart by semicolons."""
    own, ids = read_id(payload.get("id")), read_text(properties_of(payload).get("hs_merged_object_ids"))
    several = (one.strip() for one in ids.split(";")) if ids else ()
    return list(dict.fromkeys(one for one in several if one.isdecimal() and one != own))


def read_address(payload: Payload, _: Catalog) -> dict[str, str] | None:
    """The address, whose parts are properties of their own."""
    given = require_properties(payload)
    lines = [read_text(given.get(name)) for name in ("address", "address2")]
    address = {"street": ", ".join(line for line in lines if line) or None}
    address |= {part: read_text(given.get(name)) for part, name in ADDRESS.items()}
    return {part: text for part, text in address.items() if text} or None


LEAD_STATUS = label_of("hs_lead_status")


def read_tags(payload: Payload, catalog: Catalog) -> list[str]:
    """The lead status, which is what HubSpot has in the place of labels."""
    status = LEAD_STATUS(payload, catalog)
    return [status] if status else []


# ---------------------------------------------------------------- contacts and companies


def read_kind(payload: Payload, _: Catalog) -> ContactKind | None:
    """LEAD or CONTACT by lifecycle stage; None where that says nothing."""
    return KINDS.get(str(require_properties(payload).get("lifecyclestage")).lower())


def read_name(payload: Payload, _: Catalog) -> str | None:
    """Given name and family name."""
    given = require_properties(payload)
    parts = (read_text(given.get(name)) for name in ("firstname", "lastname"))
    return " ".join(part for part in parts if part) or None


def read_emails(payload: Payload, _: Catalog) -> list[Json]:
    """The primary address, and the additional ones, which are apart by semicolons."""
    given = require_properties(payload)
    more = read_text(given.get("hs_additional_emails")) or ""
    return read_entries([given.get("email"), *more.split(";")])


def read_numbers(payload: Payload, catalog: Catalog) -> list[Json]:
    """The phone number and the mobile one."""
    given = require_properties(payload)
    mobile = {"value": given.get("mobilephone"), "label": "mobile"}
    return read_phones([given.get("phone"), mobile], catalog.region)


def employed_by(payload: Payload, catalog: Catalog) -> list[Reference]:
    """The companies, the primary one first; where no associations were read, the one that `associatedcompanyid` names."""
    if "associations" in payload:
        found: list[Reference] = COMPANIES(payload, catalog)
        return found
    only = read_id(properties_of(payload).get("associatedcompanyid"))
    return [("companies", only)] if only else []


COMPANIES = refer_to("companies")


def read_company_domain(payload: Payload, _: Catalog) -> str | None:
    """The domain, else the website's."""
    given = require_properties(payload)
    return read_domain(given.get("domain")) or read_domain(given.get("website"))


def read_headcount(payload: Payload, _: Catalog) -> int | None:
    """How many people work there: a number as a text."""
    count = read_decimal(require_properties(payload).get("numberofemployees"), "numberofemployees")
    return None if count is None else int(count)


# ---------------------------------------------------------------- deals


def read_amount(payload: Payload, _: Catalog) -> Decimal | None:
    """The amount, as it was written."""
    return read_decimal(require_properties(payload).get("amount"), "amount")


def read_currency(payload: Payload, catalog: Catalog) -> str | None:
    """The deal's own currency; the account's where it has an amount and no currency of its own, as with one currency."""
    given = require_properties(payload)
    own = read_text(given.get("deal_currency_code"))
    if own or read_text(given.get("amount")) is None:
        return own
    return catalog.words.get("portal", {}).get("currency")


def find_stage(payload: Payload, catalog: Catalog) -> Stage | None:
    """The deal's stage; None where the account has it no more."""
    return names_of(catalog).stages.get(str(require_properties(payload).get("dealstage")))


def read_stage(payload: Payload, catalog: Catalog) -> str | None:
    """The name of the stage."""
    stage = find_stage(payload, catalog)
    return stage.name if stage else None


def read_pipeline(payload: Payload, catalog: Catalog) -> str | None:
    """The name of the pipeline."""
    return names_of(catalog).pipelines.get(str(require_properties(payload).get("pipeline")))


def read_status(payload: Payload, catalog: Catalog) -> DealStatus | None:
    """WON or LOST as its own marks have it, else as its stage does: closed at 100 or 0 per cent. None where neither says."""
    given = require_properties(payload)
    marks = {name: str(given.get(f"hs_is_{name}")).lower() for name in ("closed_won", "closed_lost", "closed")}
    if marks["closed_won"] == "true":
        return DealStatus.WON
    if marks["closed_lost"] == "true" or (marks["closed"], marks["closed_won"]) == ("true", "false"):
        return DealStatus.LOST
    stage = find_stage(payload, catalog)
    closed = stage.is_closed if stage else {"true": True, "false": False}.get(marks["closed"])
    if not closed:
        return DealStatus.OPEN if closed is False else None
    return CLOSED.get(stage.probability if stage else None)


def read_probability(payload: Payload, catalog: Catalog) -> int | None:
    """Per cent: the deal's own, else its stage's."""
    own = read_part(require_properties(payload).get("hs_deal_stage_probability"))
    stage = find_stage(payload, catalog)
    return own if own is not None else stage.probability if stage else None


def read_expected(payload: Payload, catalog: Catalog) -> date | None:
    """The day of `closedate`, which for a deal that is not over is the expected one."""
    moment = read_time(require_properties(payload).get("closedate"), "closedate")
    is_over = read_status(payload, catalog) in (DealStatus.WON, DealStatus.LOST)
    return moment.date() if moment and not is_over else None


def read_closed(payload: Payload, catalog: Catalog) -> datetime | None:
    """`closedate` of a deal that is over."""
    moment = read_time(require_properties(payload).get("closedate"), "closedate")
    is_over = read_status(payload, catalog) in (DealStatus.WON, DealStatus.LOST)
    return moment if is_over else None
