"""Pipedrive's persons, organizations, deals and leads in our shapes."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.declaration import Convert
from connectors.facts import Catalog, Payload, Reference
from connectors.pipedrive.custom import custom_fields
from connectors.pipedrive.names import names_of, read_labels
from connectors.pipedrive.parts import ADDRESS, gather_parts, linked_id, split_address
from connectors.values import (
    read_day,
    read_decimal,
    read_domain,
    read_entries,
    read_moment,
    read_phones,
    read_text,
)
from storage.records import ContactKind, DealStatus

STATUSES = {"open": DealStatus.OPEN, "won": DealStatus.WON, "lost": DealStatus.LOST}


# ---------------------------------------------------------------- shared


def pick(payload: Payload, names: Iterable[str]) -> Any:
    """The first of several fields that the payload has."""
    for name in names:
        value = payload.get(name)
        if value is not None:
            return value
    return None


def point_at(external: str, *fields: str) -> Convert:
    """A reference to the record that the first of these fields names."""

    def convert(payload: Payload, _: Catalog) -> list[Reference]:
        found = linked_id(pick(payload, fields))
        return [(external, found)] if found else []

    return convert


def labels_of(external: str) -> Convert:
    """The names of the labels."""
    return partial(read_labels, external)


def custom_of(external: str) -> Convert:
    """The custom fields by name."""
    return partial(custom_fields, external)


def day_of(field: str) -> Callable[[Payload, Catalog], date | None]:
    """The day in a field."""
    return lambda payload, _: read_day(payload.get(field), field)


def read_owner(payload: Payload, _: Catalog) -> str | None:
    """The user who owns the record."""
    return linked_id(pick(payload, ("owner_id", "user_id")))


def is_deleted(payload: Payload, _: Catalog) -> bool:
    """v2 says `is_deleted`, or a status; v1 says `active_flag: false`, or of deals `deleted`."""
    if payload.get("is_deleted") is True or payload.get("deleted") is True or payload.get("status") == "deleted":
        return True
    return payload.get("active_flag") is False


def read_address(field: str) -> Convert:
    """The address in a field with parts, or written in one line; v1 has the parts beside it."""

    def convert(payload: Payload, _: Catalog) -> dict[str, str] | None:
        value = payload.get(field)
        return None if value is None else split_address(gather_parts(payload, field, value, ADDRESS))

    return convert


# ---------------------------------------------------------------- persons and organizations


def lead_first(_payload: Payload, _catalog: Catalog) -> ContactKind:
    """A person alone is a LEAD: a deal makes a CONTACT of it."""
    return ContactKind.LEAD


def read_name(payload: Payload, _: Catalog) -> str | None:
    """The full name; where only its parts are given, those."""
    whole = read_text(payload.get("name"))
    parts = (read_text(payload.get("first_name")), read_text(payload.get("last_name")))
    return whole or " ".join(part for part in parts if part) or None


def read_emails(payload: Payload, _: Catalog) -> list[dict[str, Any]]:
    """All addresses, invalid ones too: the CRM holds them."""
    return read_entries(pick(payload, ("emails", "email")))


def read_numbers(payload: Payload, catalog: Catalog) -> list[dict[str, Any]]:
    """All phone numbers."""
    return read_phones(pick(payload, ("phones", "phone")), catalog.region)


def domain_of(payload: Payload, _: Catalog) -> str | None:
    """The domain of the website."""
    return read_domain(payload.get("website"))


def read_industry(payload: Payload, catalog: Catalog) -> str | None:
    """The line of business by name: the field has options, and the number of one says nothing by itself."""
    value = payload.get("industry")
    return names_of(catalog).industries.get(str(value)) or (read_text(value) if isinstance(value, str) else None)


# ---------------------------------------------------------------- deals and leads


def read_amount(payload: Payload, _: Catalog) -> Decimal | None:
    """A deal's value is a number; a lead's an object with amount and currency."""
    value = payload.get("value")
    return read_decimal(value.get("amount") if isinstance(value, dict) else value, "value")


def read_currency(payload: Payload, _: Catalog) -> str | None:
    """The currency beside the value."""
    value = payload.get("value")
    return read_text(value.get("currency") if isinstance(value, dict) else payload.get("currency"))


def read_status(payload: Payload, _: Catalog) -> DealStatus | None:
    """Open, won or lost; a deleted deal does not say which."""
    return STATUSES.get(str(payload.get("status")))


def always_open(_payload: Payload, _catalog: Catalog) -> DealStatus:
    """A lead is neither won nor lost: it becomes a deal or is archived."""
    return DealStatus.OPEN


def read_stage(payload: Payload, catalog: Catalog) -> str | None:
    """The name of the stage."""
    return names_of(catalog).stages.get(str(payload.get("stage_id")), (None, None))[0]


def read_pipeline(payload: Payload, catalog: Catalog) -> str | None:
    """The name of the pipeline."""
    return names_of(catalog).pipelines.get(str(payload.get("pipeline_id")))


def read_probability(payload: Payload, catalog: Catalog) -> Any:
    """The deal's own, else its stage's."""
    own = payload.get("probability")
    return own if own is not None else names_of(catalog).stages.get(str(payload.get("stage_id")), (None, None))[1]


def read_closed(payload: Payload, _: Catalog) -> datetime | None:
    """When it was won or lost: `won_time` or `lost_time`, else `close_time`. A deal opened again keeps the times of its
    past, which no longer count."""
    status = payload.get("status")
    if status not in ("won", "lost"):
        return None
    field = f"{status}_time" if payload.get(f"{status}_time") else "close_time"
    return read_moment(payload.get(field), field)
