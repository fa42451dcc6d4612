"""Fields that were changed here, on their way into a CRM: what it has now is looked at first."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.errors import Ambiguous, CrmError, Rejected
from connectors.facts import Mapped
from connectors.unmapping import fit_draft, leave_out
from connectors.writing import Draft
from storage import local, sending
from storage.declare import Relation, declared
from storage.outbound import LocalValue, Push
from storage.records import BY_TYPE
from storage.shapes import RecordType
from sync.local import ARCHIVED, CUSTOM_FIELD, OWNED, SENT, find_unit, list_followers
from sync.naming import PARTS, WHOLE
from sync.outbox import OUTWARD
from sync.outcomes import Committed, Outcome, Refused, Retry, Skipped, judge
from sync.sending.desk import Desk


@dataclass(kw_only=True)
class Edit:
    """A push and one record of the CRM that it is about."""

    push: Push
    external: ExternalType
    external_id: str
    draft: Draft | None = None
    """None: there is nothing to be written."""
    is_lost: bool = False
    """Something that it is about does not stand here any more."""
    is_contested: bool = False
    """Of something that it is about a person has yet to say what counts."""
    sent: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: CrmError | None = None
    read: Mapped | None = None


async def push_edits(desk: Desk, group: Sequence[Push]) -> dict[UUID, Outcome]:
    """Edits of one type of record, in as few calls as the CRM allows. Raises a CrmError that is about all of them."""
    type_ = RecordType(group[0].record_type)
    if desk.integration.direction not in OUTWARD and type_ is not RecordType.ACTIVITY:
        return {push.id: Skipped("The integration does not take changes any more.") for push in group}
    async with desk.database.session(desk.integration.workspace_id) as session:
        links = await sending.find_links(
            desk.database, session, desk.integration.id, {push.record_id for push in group}
        )
    connector, edits = desk.client.connector, list[Edit]()
    for push in group:
        for link in links.get(push.record_id, ()):
            external = connector.by_name.get(link["external_type"])
            if external is not None and external.writes is not None:
                edits.append(Edit(push=push, external=external, external_id=link["external_id"]))
    for external in {edit.external.name: edit.external for edit in edits}.values():
        mine = [edit for edit in edits if edit.external.name == external.name]
        await _look(desk, external, mine)
        await _draft(desk, type_, external, mine)
        await _send(desk, external, mine)
    return {push.id: _conclude(desk, [edit for edit in edits if edit.push.id == push.id]) for push in group}


async def _look(desk: Desk, external: ExternalType, edits: Sequence[Edit]) -> None:
    """What the CRM has now is here before anything is written over it: the policy decides about what both have changed. An
    edit of what has become part of another record there is one of that record."""
    ids = list(dict.fromkeys(edit.external_id for edit in edits))
    found = await desk.read(external, ids)
    survivors = await desk.find_survivors(external, [one for one in ids if one not in found])
    found |= {one.external_id: one for one in survivors.values()}
    leaving: dict[UUID, set[str]] = {}
    for edit in edits:
        leaving.setdefault(edit.push.record_id, set()).update(edit.push.details.get("fields", ()))
    async with desk.database.session(desk.integration.workspace_id) as session:
        await desk.take_over(external, list(found.values()), {}, session, leaving=leaving)
    if survivors:
        await desk.follow([edit.push for edit in edits])
    for edit in edits:
        if edit.external_id in survivors:
            edit.external_id = survivors[edit.external_id].external_id
        edit.read = found.get(edit.external_id)


async def _draft(desk: Desk, type_: RecordType, external: ExternalType, edits: Sequence[Edit]) -> None:
    """What is written of each: values that stand here and that the CRM does not have. Kept before it is sent."""
    database, catalog = desk.database, await desk.catalog(external)
    async with database.session(desk.integration.workspace_id) as session:
        records = {edit.push.record_id for edit in edits}
        written = await local.find_values(database, session, records)
        links = await sending.find_links(database, session, desk.integration.id, records)
        contested = await sending.find_contested(database, session, records)
        for edit in edits:
            row = await sending.find_record(database, session, type_, edit.push.record_id)
            link = next((one for one in links.get(edit.push.record_id, ()) if _is_of(one, edit)), None)
            if row is None or link is None or edit.read is None:
                continue
            values = _list_values(type_, edit, row, written.get(edit.push.record_id, {}))
            edit.is_lost = not values.keys() >= set(edit.push.details.get("fields", ()))
            named = _choose(type_, edit, edit.read, values, contested.get(link["id"], set()))
            refs = {name: await _refer(desk, session, value) for name, value in named.items() if _is_end(type_, name)}
            _fill(desk, edit, row, named, refs)
            if edit.draft is not None:
                now = desk.client.now()
                edit.draft, refused = fit_draft(external, edit.draft, catalog, desk.overrides, now=now)
                edit.notes += [error.message for error in refused]
    for edit in edits:
        if edit.draft is not None:
            await desk.note(edit.push, SENT, {**edit.push.progress.get(SENT, {}), **edit.sent})


def _list_values(
    type_: RecordType, edit: Edit, row: Mapping[str, Any], written: Mapping[str, LocalValue]
) -> dict[str, Any]:
    """What stands here of the fields that the push is about: what somebody has written, and what follows from that."""
    followers = {name: row[name] for name in list_followers(type_, written)}
    values = {name: one.value for name, one in written.items() if name != ARCHIVED} | followers
    return {name: values[name] for name in edit.push.details.get("fields", ()) if name in values}


def _is_of(link: Mapping[str, Any], edit: Edit) -> bool:
    return (link["external_type"], link["external_id"]) == (edit.external.name, edit.external_id)


def _is_end(type_: RecordType, name: str) -> bool:
    return name in declared(BY_TYPE[type_], Relation)


def _choose(
    type_: RecordType, edit: Edit, read: Mapped, values: Mapping[str, Any], contested: Set[str]
) -> dict[str, Any]:
    """Those that the CRM says otherwise, and about which nobody has yet to decide. Of whom a record leads to, and belongs
    to, all."""
    record, found = BY_TYPE[type_], dict[str, Any]()
    units = {unit.name: unit for unit in (find_unit(type_, name) for name in values)}
    for unit in units.values():
        mine = {name: values[name] for name in unit.parts if name in values}
        if unit.name in contested or (unit.name == WHOLE and not contested.isdisjoint(PARTS)):
            edit.is_contested = True
        elif unit.name == OWNED or _is_end(type_, unit.name) or not unit.is_said(record, read.values, mine):
            found |= mine
    return found


async def _refer(desk: Desk, session: AsyncSession, value: Any) -> list[tuple[str, str]] | None:
    """What the records that a relation leads to are in the CRM; None where one of them is not there."""
    wanted = [UUID(one) for one in (value if isinstance(value, list) else [value]) if one]
    links = await sending.find_links(desk.database, session, desk.integration.id, wanted)
    refs = [(links[one][0]["external_type"], links[one][0]["external_id"]) for one in wanted if one in links]
    return refs if len(refs) == len(wanted) else None


def _fill(
    desk: Desk,
    edit: Edit,
    row: Mapping[str, Any],
    named: Mapping[str, Any],
    refs: Mapping[str, list[tuple[str, str]] | None],
) -> None:
    """The draft, with the columns that are written together with those."""
    writes = edit.external.writes
    values: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    ends: dict[str, Sequence[tuple[str, str]]] = {}
    for name, value in named.items():
        if name in refs:
            found = refs[name]
            if found is None:
                edit.notes.append(f"{name}: not all of it is in {desk.client.connector.label}.")
                continue
            ends[name] = found
        elif name.startswith(CUSTOM_FIELD):
            custom[name.removeprefix(CUSTOM_FIELD)] = value
        elif name == OWNED:
            user = ((value or {}).get("users") or {}).get(str(desk.integration.id))
            if user is None:
                edit.notes.append(f"The owner is no user of {desk.client.connector.label}.")
                continue
            values["owner_external_id"] = user
        else:
            values[name] = value
        edit.sent[name] = value
    if writes is not None and values:
        values = {name: values.get(name, row.get(name)) for name in writes.complete(values)}
    if custom:
        values["custom_fields"] = custom
    if values or ends:
        edit.draft = Draft(values=values, refs=ends)


async def _send(desk: Desk, external: ExternalType, edits: Sequence[Edit]) -> None:
    """Writes, and reads what the CRM has made of it. Of several that have come to be about one record each is sent by
    itself; what the CRM refuses by name is left out, and the rest of it sent once more."""
    todo = [edit for edit in edits if edit.draft is not None]
    while todo:
        first = {edit.external_id: edit for edit in reversed(todo)}
        drafts = {name: edit.draft for name, edit in first.items() if edit.draft is not None}
        told = await desk.client.change(external, drafts, await desk.catalog(external), desk.overrides)
        again = {name for name, error in told.items() if await _leave_out(desk, external, first[name], error)}
        done = [name for name, error in told.items() if error is None]
        found = await desk.read(external, done) if done else {}
        for name, edit in first.items():
            edit.error, edit.read = told[name], found.get(name)
        todo = [edit for edit in todo if first[edit.external_id] is not edit or edit.external_id in again]


async def _leave_out(desk: Desk, external: ExternalType, edit: Edit, error: CrmError | None) -> bool:
    """Takes out of the draft what was refused by name, and notes it, where something is left."""
    if not isinstance(error, Rejected) or edit.draft is None:
        return False
    catalog, now = await desk.catalog(external), desk.client.now()
    left = leave_out(external, edit.draft, error.fields, catalog, desk.overrides, now=now)
    if left == edit.draft or not (left.values or left.refs):
        return False
    edit.draft = left
    edit.notes.append(f"Left out: {error.message}")
    return True


def _conclude(desk: Desk, edits: Sequence[Edit]) -> Outcome:
    """One outcome of all the records that a push is about: what went wrong with one is told."""
    label = desk.client.connector.label
    if not edits:
        return Skipped(f"The record is not in {label}.")
    for edit in edits:
        if isinstance(edit.error, Ambiguous):  # the same change can be made twice
            return Retry(edit.error.message)
        if edit.error is not None:
            return judge(edit.error)
    gone = [edit for edit in edits if edit.read is None]
    if len(gone) == len(edits):
        return Refused(f"{label} no longer has {gone[0].external.label} {gone[0].external_id}.")
    note = " ".join(dict.fromkeys(note for edit in edits for note in edit.notes)) or None
    if all(edit.draft is None for edit in edits):
        return Skipped(note or _explain(edits, label))
    first = edits[0]
    return Committed(
        external_type=first.external.name,
        external_id=first.external_id,
        note=note,
        store=partial(_take_over, desk, edits),
    )


def _explain(edits: Sequence[Edit], label: str) -> str:
    """Why there is nothing to be written."""
    if any(edit.is_contested for edit in edits):
        return "A person has yet to decide what counts: see the record's conflicts."
    if any(edit.is_lost for edit in edits):
        return "It was changed in a CRM too, and by the integration's conflict policy the value from there counts."
    return f"{label} has it already."


async def _take_over(desk: Desk, edits: Sequence[Edit], session: AsyncSession) -> None:
    for edit in edits:
        if edit.read is not None:
            await desk.take_over(edit.external, [edit.read], {}, session)
