"""What HubSpot tells of an account: whose it is, its owners, pipelines and properties."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.errors import Reauthorize
from connectors.facts import Field, Identity, Payload, Pipeline, Stage, User
from connectors.paths import follow_path
from connectors.values import read_id, read_text

HOSTS = "hubspot.com"
SEVERAL = "checkbox"
"""The fieldType of an enumeration of which a record can have several."""
FLAG = "bool"
"""The type of what is true or false. Older properties are enumerations with a single checkbox instead."""
FORMS = {SEVERAL: SEVERAL, "booleancheckbox": FLAG}
"""What an enumeration is by its fieldType, where that is more than one of its options."""


def read_identity(rows: Sequence[Payload]) -> Identity:
    """`/account-info/…/details`: the account, which has a number and no name. Whose token it is, it does not say."""
    details: Payload = rows[0] if rows else {}
    portal = read_id(details.get("portalId"))
    if portal is None:
        raise Reauthorize("HubSpot does not say which account the token is for.", crm="HUBSPOT")
    host = read_text(details.get("uiDomain")) or ""
    host = host if host.endswith(HOSTS) else f"app.{HOSTS}"
    return Identity(
        account_id=portal,
        account_name=f"HubSpot {portal}",
        account_url=f"https://{host}/contacts/{portal}",
        time_zone=read_text(details.get("timeZone")),
    )


def read_portal(rows: Sequence[Payload]) -> Mapping[str, str]:
    """The account's own currency, as words: {"currency": "EUR"}."""
    currency = read_text(rows[0].get("companyCurrency")) if rows else None
    return {"currency": currency} if currency else {}


def read_owners(active: Sequence[Payload], archived: Sequence[Payload]) -> tuple[User, ...]:
    """`/crm/owners/…`: by the owner's id, which records name; the user's id, which consents name, is another."""
    found = {
        str(row["id"]): User(
            external_id=str(row["id"]),
            name=" ".join(part for name in ("firstName", "lastName") if (part := read_text(row.get(name)))) or None,
            email=read_text(row.get("email")),
            is_active=row.get("archived") is not True,
            login=read_id(row.get("userId")),
        )
        for row in (*archived, *active)
        if read_id(row.get("id"))
    }
    return tuple(found.values())


def read_pipelines(rows: Sequence[Payload]) -> tuple[Pipeline, ...]:
    """`/crm/pipelines/…/deals`, with their stages, in the order in which the board shows them."""
    return tuple(
        Pipeline(
            external_id=str(row["id"]),
            name=read_text(row.get("label")) or "",
            stages=tuple(
                _stage(stage) for stage in sorted(_rows(row.get("stages")), key=_order) if not stage.get("archived")
            ),
        )
        for row in sorted(rows, key=_order)
        if read_id(row.get("id")) and not row.get("archived")
    )


def _rows(value: Any) -> list[Payload]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _order(row: Payload) -> int:
    order = row.get("displayOrder")
    return order if isinstance(order, int) else 0


def _stage(row: Payload) -> Stage:
    """The probability and the mark come as texts."""
    closed = str(follow_path(row, "metadata.isClosed")).lower()
    return Stage(
        external_id=str(row.get("id")),
        name=read_text(row.get("label")) or "",
        position=_order(row),
        probability=read_part(follow_path(row, "metadata.probability")),
        is_closed={"true": True, "false": False}.get(closed),
    )


def read_part(value: Any) -> int | None:
    """A part of one, as a text, in per cent; None for what is none."""
    try:
        part = float(value)
    except (TypeError, ValueError):
        return None
    return round(part * 100) if 0 <= part <= 1 else None


def read_properties(external_type: str) -> Callable[[Sequence[Payload]], tuple[Field, ...]]:
    """`/crm/properties/…/{type}`."""

    def read(rows: Sequence[Payload]) -> tuple[Field, ...]:
        return tuple(_field(external_type, row) for row in rows if read_text(row.get("name")))

    return read


def _field(external_type: str, row: Payload) -> Field:
    name = str(row["name"])
    kind = str(row.get("type") or "")
    locked = follow_path(row, "modificationMetadata.readOnlyValue") is True
    options = [one for one in _rows(row.get("options")) if read_text(one.get("value"))]
    return Field(
        external_type=external_type,
        name=name,
        label=read_text(row.get("label")) or name,
        type=FORMS.get(str(row.get("fieldType")), kind) if kind == "enumeration" else kind,
        is_custom=row.get("hubspotDefined") is not True,
        is_writable=not locked and row.get("calculated") is not True,
        options=tuple((str(one["value"]), read_text(one.get("label")) or str(one["value"])) for one in options),
    )
