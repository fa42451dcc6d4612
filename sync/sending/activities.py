"""An activity that was logged here, on its way into a CRM."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from connectors.declaration import ExternalType
from connectors.writing import Draft
from storage import sending
from storage.outbound import Push
from storage.records import ActivityKind
from storage.shapes import RecordType
from sync.outcomes import Committed, Outcome, Refused, Skipped
from sync.sending.desk import Desk
from sync.sending.owners import find_owner

WRITTEN: Final = ("kind", "subject", "body", "due_on", "due_at", "duration_minutes", "is_done")


async def push_activity(desk: Desk, push: Push) -> Outcome:
    """Raises a CrmError, Doubtful, Taken."""
    database, integration, label = desk.database, desk.integration.id, desk.client.connector.label
    async with database.session(push.workspace_id) as session:
        row = await sending.find_record(database, session, RecordType.ACTIVITY, push.record_id)
        if row is None or row["archived_at"]:
            return Skipped("The activity is archived.")
        people = await sending.find_contacts(database, session, push.record_id)
        others = [row[name] for name in ("organization_id", "deal_id") if row[name]]
        links = await sending.find_links(database, session, integration, [push.record_id, *people, *others])
        wanted = await sending.find_wanted_owner(database, session, push.record_id)
    if push.record_id in links:
        link = links[push.record_id][0]
        return Committed(external_type=link["external_type"], external_id=link["external_id"])
    refs = {
        "contacts": _refer(links, people),
        "organization": _refer(links, [row["organization_id"]])[:1],
        "deal": _refer(links, [row["deal_id"]])[:1],
    }
    if not refs["contacts"]:
        return Skipped(f"None of its contacts is in {label} any more.")
    tried = push.progress.get("activity", {}).get("type")  # its kind may have changed since
    external = desk.client.connector.type(tried) if tried else _find_type(desk, row["kind"])
    if external is None:
        return Refused(f"{label} has no kind of activity for {row['kind']}.")
    values = {name: row[name] for name in WRITTEN if row[name] is not None and has_place(external, name)}
    owner = await find_owner(desk, push, wanted)
    draft = Draft(values=values, refs={name: ends for name, ends in refs.items() if ends}, owner=owner)
    made = await desk.make(push, "activity", external, draft)
    mapped = await desk.confirm(push, "activity", external, made)
    done = push.progress["activity"]
    store = partial(desk.take_over, external, [mapped] if mapped else [], {made: push.record_id}, done=done)
    note = " ".join([*explain_subject(external, row, label), *desk.list_left(push)]) or None
    return Committed(external_type=external.name, external_id=made, note=note, store=store)


def _find_type(desk: Desk, kind: str) -> ExternalType | None:
    connector = desk.client.connector
    found = connector.activities.get(ActivityKind(kind))
    return connector.type(found[0]) if found else None


def has_place(external: ExternalType, column: str) -> bool:
    """Whether records of the type have it at all: what a kind of activity lacks in a CRM need not be told of each."""
    writes = external.writes
    return writes is not None and column in writes.fills.keys() | writes.at_first


def explain_subject(external: ExternalType, row: Mapping[str, Any], label: str) -> list[str]:
    """That the subject stays here, where the CRM has a text alone, which says something else."""
    subject, body = row["subject"], row["body"]
    has_subject = external.writes is not None and "subject" in external.writes.fills
    if has_subject or not subject or not body or str(body).startswith(subject):
        return []
    return [f"The subject was left out: a note has none in {label}."]


def _refer(links: Mapping[Any, list[Mapping[str, Any]]], records: list[Any]) -> list[tuple[str, str]]:
    """What records are in the CRM, each once; those that are not there are left out."""
    return [(links[one][0]["external_type"], links[one][0]["external_id"]) for one in records if one in links]
