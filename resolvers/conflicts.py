"""Conflicts: fields that have changed on both sides, and what people decide about them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.loaders import load
from resolvers.records import Page, get_row, load_page, read_page
from resolvers.writing import IS_ARCHIVED, Writing, refuse
from storage import conflicts, local
from storage.declare import Relation
from storage.fields import OWNER
from storage.listing import Window
from storage.outbound import Conflict
from storage.records import BY_TYPE, Record
from storage.shapes import ConflictResolution, ConflictStatus, RecordType
from sync.local import CUSTOM_FIELD, Unit, find_unit, list_followers

MOST = 100
"""Conflicts that are decided at a time."""


async def list_conflicts(
    context: Context, *, integration_id: UUID | None, statuses: Sequence[ConflictStatus] | None, window: Window
) -> Page[Conflict]:
    """A page of the conflicts of the workspace, or of those with an integration; the newest first."""
    return await read_page(context, conflicts.list_conflicts(window, integration_id=integration_id, statuses=statuses))


async def list_record_conflicts(context: Context, record: UUID, window: Window) -> Page[Conflict]:
    """So for one of several records: one statement for all of them."""
    return await load_page(context, conflicts.list_record_conflicts(window), record)


async def get_conflict(context: Context, id: UUID) -> Conflict | None:
    """One; None where there is none."""

    async def fetch(ids: list[UUID]) -> list[Conflict | None]:
        rows = await context.fetch(conflicts.BY_IDS, {"ids": ids})
        found = {row["id"]: Conflict.model_construct(**row) for row in rows}
        return [found.get(each) for each in ids]

    return await load(context, Conflict, fetch, id)


async def get_record(context: Context, conflict: Conflict) -> tuple[str, Record] | None:
    """The record, after its type's name, that a conflict is about."""
    name = BY_TYPE[RecordType(conflict.record_type)].__name__
    record: Record | None = await get_row(context, name, conflict.record_id)
    return (name, record) if record else None


def find_told(conflict: Conflict) -> tuple[type[Record], str]:
    """The record's declaration, and the field's name in GraphQL."""
    type_ = RecordType(conflict.record_type)
    return BY_TYPE[type_], find_unit(type_, conflict.field).field


async def resolve_conflicts(
    context: Context, ids: Sequence[UUID], resolution: ConflictResolution, value: Any
) -> list[Conflict]:
    """Decides conflicts, all or none: LOCAL keeps what is here and sends it again, CRM drops it, VALUE writes `value`. Gives
    them as they are then. Raises Refused."""
    if not 1 <= len(ids) <= MOST:
        raise refuse(f"Give 1 to {MOST} conflicts.", "conflictIds")
    wanted = list(dict.fromkeys(ids))
    async with Writing.begin(context) as writing:
        rows = {row.id: row for row in await conflicts.find(context.database, writing.session, wanted)}
        if len(rows) < len(wanted):
            raise Unknown("conflict", "conflictIds")
        if any(row.status != ConflictStatus.OPEN.value for row in rows.values()):
            message = "It is resolved already; a later change of the CRM opens another one."
            details = {"status": ConflictStatus.RESOLVED.value}
            raise Refused(UserErrorCode.ALREADY_ENDED, message, ("conflictIds",), details)
        member = context.caller.member_id
        await conflicts.resolve(context.database, writing.session, wanted, resolution, member)
        for one in wanted:
            await _carry_out(writing, rows[one], resolution, value)
    context.loaders.clear()
    found = [await get_conflict(context, one) for one in wanted]
    return [each for each in found if each]


async def _carry_out(writing: Writing, conflict: Conflict, resolution: ConflictResolution, value: Any) -> None:
    settler, type_, record = writing.settler, RecordType(conflict.record_type), conflict.record_id
    unit = find_unit(type_, conflict.field)
    if resolution is ConflictResolution.VALUE:
        present = await local.find_present(settler.database, settler.session, type_, [record])
        if present[record]["archived_at"]:
            raise refuse(IS_ARCHIVED, "conflictIds")
        values = await writing.read(type_, ask_again(unit, value), present[record], at="value")
        if not values:
            raise refuse(f"{unit.field} cannot be written here: decide for LOCAL or CRM.", "resolution")
        await writing.write(type_, record, values, is_decided=True)
        return
    await settler.journal.keep(type_, [record])
    if resolution is ConflictResolution.CRM:
        rows: list[dict[str, Any]] = [{"record_id": record, "name": part, "is_lost": True} for part in unit.parts]
        await local.drop_values(settler.database, settler.session, rows)
        await settler.settle_anew(type_, [record])
        return
    said = conflict.remote["externalId"] if unit.told is OWNER and conflict.remote else conflict.remote
    bases = unit.split(said)
    rows = [{"record_id": record, "name": part, "bases": {str(conflict.source_id): bases[part]}} for part in unit.parts]
    await local.note_bases(settler.database, settler.session, rows)
    await settler.settle_anew(type_, [record])
    names = [*unit.parts, *list_followers(type_, unit.parts)]
    await writing.outbox.note_written(settler, type_, record, names)


def ask_again(unit: Unit, value: Any) -> dict[str, Any]:
    """A value of a unit, as the field of an input that writes it."""
    if unit.told is None:
        return {"custom_fields": {unit.name.removeprefix(CUSTOM_FIELD): value}}
    if unit.told is OWNER:
        return {"owner_email": value}
    if isinstance(unit.told, Relation):
        return {f"{unit.name.removesuffix('s')}_ids" if unit.told.many else f"{unit.name}_id": value}
    return {unit.name: value}
