"""What Pipedrive tells of an account: whose it is, its users, pipelines, fields and words."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.declaration import Removed
from connectors.errors import Reauthorize
from connectors.facts import Catalog, Field, Identity, Payload, Pipeline, Stage, User
from connectors.pipedrive.mapping import is_deleted, pick
from connectors.pipedrive.names import LABELS
from connectors.values import read_id, read_text

HASH = re.compile(r"[0-9a-f]{40}")
"""The key of a custom field: different in every company. https://pipedrive.readme.io/docs/core-api-concepts-custom-fields"""
FAILED = "Validation failed: "
COMPLAINT = re.compile(r"(?:^|; )([\w.]+): (.+?)(?=; [\w.]+: |$)", re.DOTALL)
"""One of the fields that a validation has failed for, and why."""
READ_ONLY = re.compile(r"'(\w+)' is a read-only field")
DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
COMPUTED = {
    "id", "add_time", "update_time", "is_deleted", "is_archived", "archive_time", "creator_user_id", "picture_id",
    "won_time", "lost_time", "close_time", "stage_change_time", "local_won_date", "local_lost_date", "local_close_date",
    "marked_as_done_time", "weighted_value", "acv", "arr", "mrr", "origin", "origin_id", "channel", "channel_id",
    "first_won_time", "source_lead_id", "first_name", "last_name",
}  # fmt: skip
"""Built-in fields that no write takes; v2 does not say so of them, v1 did by `edit_flag`. Those that lists show only when
asked are counted by Pipedrive itself."""


def read_identity(rows: Sequence[Payload]) -> Identity:
    """`/v1/users/me`: the user, and the company that the token belongs to."""
    me: Payload = rows[0] if rows else {}
    company, user = read_id(me.get("company_id")), read_id(me.get("id"))
    if company is None or user is None:
        raise Reauthorize("Pipedrive does not say whose token this is.", crm="PIPEDRIVE")
    domain = str(me.get("company_domain") or "").lower()
    return Identity(
        account_id=company,
        account_name=read_text(me.get("company_name")),
        account_url=f"https://{domain}.pipedrive.com" if DOMAIN.fullmatch(domain) else None,
        user=User(external_id=user, name=read_text(me.get("name")), email=read_text(me.get("email"))),
    )


def read_users(rows: Sequence[Payload]) -> tuple[User, ...]:
    """`/v1/users`."""
    return tuple(
        User(
            external_id=str(row["id"]),
            name=read_text(row.get("name")),
            email=read_text(row.get("email")),
            is_active=bool(row.get("active_flag", True)) and not row.get("is_deleted"),
        )
        for row in rows
        if read_id(row.get("id"))
    )


def read_pipelines(pipelines: Sequence[Payload], stages: Sequence[Payload]) -> tuple[Pipeline, ...]:
    """`/api/v2/pipelines` and `/api/v2/stages`, in the order in which the board shows them."""
    return tuple(
        Pipeline(
            external_id=str(row["id"]),
            name=read_text(row.get("name")) or "",
            stages=tuple(
                _stage(stage) for stage in sorted(stages, key=_order) if stage.get("pipeline_id") == row["id"]
            ),
        )
        for row in sorted(pipelines, key=_order)
        if read_id(row.get("id")) and not row.get("is_deleted")
    )


def _stage(row: Payload) -> Stage:
    probability = row.get("deal_probability")
    return Stage(
        external_id=str(row.get("id")),
        name=read_text(row.get("name")) or "",
        position=_order(row),
        probability=int(probability) if isinstance(probability, int | float) else None,
    )


def _order(row: Payload) -> int:
    order = row.get("order_nr")
    return order if isinstance(order, int) else 0


def read_fields(external_type: str) -> Callable[[Sequence[Payload]], tuple[Field, ...]]:
    """The fields of a type, in v2's words (`field_code`) or v1's (`key`)."""

    def read(rows: Sequence[Payload]) -> tuple[Field, ...]:
        return tuple(_field(external_type, row) for row in rows if read_id(pick(row, ("field_code", "key"))))

    return read


def _field(external_type: str, row: Payload) -> Field:
    key = str(pick(row, ("field_code", "key")))
    is_custom = bool(row.get("is_custom_field", HASH.fullmatch(key) is not None))
    editable = row.get("bulk_edit_allowed", row.get("edit_flag"))
    computed = key in COMPUTED or row.get("is_optional_response_field") is True
    required = row.get("required_fields")
    return Field(
        external_type=external_type,
        name=key,
        label=read_text(pick(row, ("field_name", "name"))) or key,
        type=str(row.get("field_type") or ""),
        is_custom=is_custom,
        is_writable=bool(is_custom or (not computed if editable is None else editable)),
        is_required=bool(
            required.get("enabled") if isinstance(required, Mapping) else row.get("mandatory_flag") is True
        ),
        options=tuple(_options(row.get("options"))),
    )


def _options(options: Any) -> list[tuple[str, str]]:
    found = options if isinstance(options, list) else []
    return [(str(one["id"]), str(one.get("label"))) for one in found if isinstance(one, dict) and "id" in one]


def find_label_options(rows: Sequence[Payload]) -> tuple[str, list[tuple[str, str]]] | None:
    """The key of the built-in field of labels, with (id, label) of its options; None where there is none."""
    for row in rows:
        key = pick(row, ("field_code", "key"))
        if key in LABELS and not row.get("is_custom_field"):
            return str(key), _options(row.get("options"))
    return None


def read_active(rows: Sequence[Payload]) -> Mapping[str, str]:
    """The types of activities that can be used, by key."""
    active = [row for row in rows if row.get("active_flag") not in (False, 0)]
    return read_words("key_string", "name")(active)


def find_complaint(body: Any) -> list[tuple[str, str]]:
    """What an error says, and of which fields: v2 names them in its words, and a custom one beside them.

    https://github.com/pipedrive/client-nodejs/issues/651
    """
    if not isinstance(body, dict) or not isinstance(words := body.get("error"), str):
        return []
    prefix, _, several = words.partition(FAILED)
    found = [(one[1].rpartition(".")[2], one[2]) for one in COMPLAINT.finditer(several)] if not prefix else []
    field = body.get("field_code")
    if isinstance(field, str) and field not in dict(found):
        return [(field, words)]
    named = READ_ONLY.match(words)
    return found or [(named[1] if named else "", words)]


def read_words(key: str, name: str) -> Callable[[Sequence[Payload]], Mapping[str, str]]:
    """Names by key, out of rows that have both."""

    def read(rows: Sequence[Payload]) -> Mapping[str, str]:
        return {str(row[key]): row[name] for row in rows if row.get(key) is not None and isinstance(row.get(name), str)}

    return read


def find_refusal(body: Any) -> int | None:
    """The status that a 200 with `success: false` stands for; 422 where it does not say."""
    if not isinstance(body, dict) or body.get("success") is not False:
        return None
    code = body.get("errorCode")
    return code if isinstance(code, int) and 400 <= code < 600 else 422


ITEMS = {
    "person": "Person",
    "organization": "Organization",
    "deal": "Deal",
    "activity": "Activity",
    "note": "Note",
}
"""What recents call the types; other items, such as files, are none of ours."""


def read_removals(rows: Sequence[Payload]) -> list[Removed]:
    """Those of the recent changes that are deletions, in v1's words."""
    return [
        Removed(external_type=ITEMS[row["item"]], external_id=str(row["id"]))
        for row in rows
        if row.get("item") in ITEMS and read_id(row.get("id")) and marks_deleted(row.get("data"))
    ]


def marks_deleted(data: Any) -> bool:
    """Whether a record of v1 says that it is deleted."""
    return isinstance(data, dict) and is_deleted(data, Catalog())
