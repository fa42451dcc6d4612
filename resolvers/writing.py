"""Writing records here: they are made, changed and archived at once; what follows in CRMs is the outbox's."""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.shapes import shape_of
from resolvers.context import Context
from resolvers.entries import ENTRIES, Entry, Owner, Related, Unfit
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.finishing import finish
from resolvers.outgoing import open_outbox
from resolvers.records import get_row
from storage import local, matching, merges, sources, upserts
from storage.declare import camel
from storage.identifiers import uuid7
from storage.listing import GlobalId, clean
from storage.records import BY_TYPE, ContactKind, DealStatus, Record, now
from storage.shapes import ChangeCause, RecordType
from sync.handing import send_again
from sync.identity import list_keys
from sync.journal import Origin
from sync.local import ARCHIVED, CUSTOM_FIELD, FOLLOWERS, OWNED, list_followers
from sync.outbox import Outbox
from sync.settle import Settler

MOST = 100
"""Records that a field can name."""
LONGEST_KEY = 200
IS_ARCHIVED = "The record is archived: it cannot be changed any more."
WARMNESS = "warmness"
"""A value that is only ever the record's own: no source has it, and none is asked."""

BEGINNING: Mapping[RecordType, Mapping[str, Any]] = {
    RecordType.CONTACT: {"kind": ContactKind.LEAD.value},
    RecordType.DEAL: {"status": DealStatus.OPEN.value},
}
"""What a record is where nobody says it."""

REACHED = ("name", "emails", "phones")
"""By one of these a person is known: a contact has at least one."""

SINGLE = {RecordType.CONTACT: ("email", "emails"), RecordType.ORGANIZATION: ("domain", "domain")}
"""The key that no two records made here have, and the field that it is of."""


async def create_record(context: Context, type_: RecordType, given: Mapping[str, Any], key: str | None) -> Record:
    """Makes a record of what the fields of the input say. With an idempotency key that has made one before, it is that one.

    It is matched with nobody, but who comes later with its address, number or domain is one with it. Raises Refused.
    """
    async with Writing.begin(context) as writing:
        record = await writing.create(type_, given, key)
    return await _read(context, type_, record)


async def update_record(context: Context, type_: RecordType, id: UUID, given: Mapping[str, Any]) -> Record:
    """Changes what the fields of the input say; the id may be of a record that has become part of another one. Raises
    Refused."""
    async with Writing.begin(context) as writing:
        record = await writing.update(type_, id, given)
    return await _read(context, type_, record)


async def archive_record(context: Context, name: str, id: UUID) -> tuple[str, Record]:
    """Archives a record for good: no sync brings it back, and nothing is deleted in a CRM. Done again, it changes nothing.
    Gives it after its type's name. Raises Unknown."""
    types = {record.__name__: type_ for type_, record in BY_TYPE.items()}
    if name not in types:
        raise Unknown("record", "id")
    async with Writing.begin(context) as writing:
        record = await writing.archive(types[name], id)
    return name, await _read(context, types[name], record)


async def is_warm(context: Context, contact: Any) -> bool:
    """Whether a contact is a warm lead."""
    if contact.warmness is None:
        return False
    workspace = await get_row(context, "Workspace", context.workspace)
    return bool(contact.warmness >= workspace.warm_lead_threshold)


async def _read(context: Context, type_: RecordType, record: UUID) -> Record:
    context.loaders.clear()
    found: Record = await get_row(context, BY_TYPE[type_].__name__, record)
    return found


@dataclass(frozen=True)
class Writing:
    """Of one transaction, under the workspace's lock."""

    context: Context
    session: AsyncSession
    settler: Settler
    outbox: Outbox

    @classmethod
    @asynccontextmanager
    async def begin(cls, context: Context) -> "AsyncIterator[Writing]":
        """The change feed is told at the end."""
        async with context.database.session(context.workspace) as session:
            settler = Settler(context.database, session, context.workspace, Origin(ChangeCause.MEMBER))
            await settler.lock()
            yield cls(context, session, settler, open_outbox(context))
            await send_again(settler)
            await settler.finish()

    async def create(self, type_: RecordType, given: Mapping[str, Any], key: str | None) -> UUID:
        """A new record, or the one that the key has made."""
        asked_for = json.dumps([type_.value, given], default=str, sort_keys=True)  # in ASCII, whatever is given
        digest = hashlib.sha256(asked_for.encode()).digest()
        if key is not None and (made := await self._find_created(key, digest)):
            return made
        record, beginning = uuid7(), BEGINNING.get(type_, {})
        values = await self.read(type_, given, {})
        await self._refuse_twin(type_, values)
        row = {**shape_of(type_)().model_dump(mode="json"), "custom_fields": {}, **beginning, "id": record}
        self.settler.made.add(record)
        await self.settler.journal.keep(type_, [record], self.settler.made)
        await upserts.write_records(self.settler.database, self.session, type_, [row])
        await self.write(type_, record, values)
        if key is not None:
            asked = {"record": record, "type": type_.value, "key": key, "digest": digest}
            await self.settler.database.run(self.session, local.NOTE_CREATED, asked)
        return record

    async def update(self, type_: RecordType, id: UUID, given: Mapping[str, Any]) -> UUID:
        """The record that the id leads to, with other values."""
        field = f"{type_.value.lower()}Id"
        record = await self.resolve(BY_TYPE[type_].__name__, id, field)
        present = (await local.find_present(self.settler.database, self.session, type_, [record]))[record]
        if present["archived_at"]:
            raise refuse(IS_ARCHIVED, field)
        values = await self.read(type_, given, present)
        if values:
            await self.write(type_, record, values)
        return record

    async def archive(self, type_: RecordType, id: UUID) -> UUID:
        """The record that the id leads to, archived."""
        record = await self.resolve(BY_TYPE[type_].__name__, id, "id")
        held = (await self.settler.holder.find([record])).get(record, {})
        if ARCHIVED not in held:
            present = await local.find_present(self.settler.database, self.session, type_, [record])
            moment = present[record]["archived_at"] or now()
            await self._hold(type_, record, {ARCHIVED: moment.isoformat().replace("+00:00", "Z")})
        return record

    # ------------------------------------------------------------ what is asked for

    async def resolve(self, name: str, id: UUID, field: str) -> UUID:
        """What the id of a record leads to by now. Raises Unknown."""
        [found] = await self._find_all(name, [id], field)
        return found

    async def _find_all(self, name: str, ids: Collection[UUID], field: str) -> dict[UUID, Mapping[str, Any]]:
        """The records that ids lead to by now, in their order. Raises Unknown."""
        moved = await self.settler.database.run(self.session, merges.SURVIVORS, {"ids": list(ids)})
        survivors = {row["id"]: row["record_id"] for row in moved}
        found = list(dict.fromkeys(survivors.get(one, one) for one in ids))
        there = await self.settler.database.run(self.session, sources.by_ids(name), {"ids": found})
        rows = {row["id"]: row for row in there}
        if rows.keys() != set(found):
            raise Unknown(name.lower(), field)
        return {one: rows[one] for one in found}

    async def read(
        self, type_: RecordType, given: Mapping[str, Any], present: Mapping[str, Any], at: str | None = None
    ) -> dict[str, Any]:
        """The values, by name, of the fields of an input; `at`: the field that errors name, where it is another one.
        Raises Refused."""
        values: dict[str, Any] = {}
        for name, entry in ENTRIES[type_].items():
            if name in given:
                values |= await self._read_one(entry, given[name], present, at or camel(name))
        try:
            return finish(type_, given, values, present)
        except Unfit as unfit:
            raise refuse(str(unfit), at or camel(unfit.name)) from None

    async def _read_one(self, entry: Entry, value: Any, present: Mapping[str, Any], field: str) -> Mapping[str, Any]:
        if isinstance(entry, Related):
            return {entry.relation: await self._read_related(entry, value, present, field)}
        if isinstance(entry, Owner):
            return {OWNED: await self._read_owner(value, field)}
        if value is None and field == "customFields":
            return {f"{CUSTOM_FIELD}{name}": None for name in present.get("custom_fields", {})}
        try:
            return entry(value)
        except Unfit as unfit:
            raise refuse(str(unfit), field) from None

    async def _read_related(self, entry: Related, value: Any, present: Mapping[str, Any], field: str) -> Any:
        """The ids of records, or the one; as they are stored. An archived one stays where it is, and comes nowhere else."""
        named = [] if value is None else value if isinstance(value, list) else [value]
        if not entry.least <= len(named) <= (MOST if entry.many else 1):
            raise refuse(f"Give {entry.least} to {MOST} ids.", field)
        ids = [GlobalId.read(str(one)) for one in named]
        if any(one.type != entry.target for one in ids):
            raise Unknown(entry.target.lower(), field)
        found = await self._find_all(entry.target, [one.key for one in ids], field)
        archived = {one for one, row in found.items() if row["archived_at"]}
        if archived and not archived <= await self._find_linked(entry, present):
            raise refuse("The record is archived: nothing new can be linked to it.", field)
        linked = [str(one) for one in found]
        return linked if entry.many else next(iter(linked), None)

    async def _find_linked(self, entry: Related, present: Mapping[str, Any]) -> set[UUID]:
        """What a record that is there already has of a relation."""
        if not entry.many:
            one: UUID | None = present.get(f"{entry.relation}_id")
            return {one} if one else set()
        return await local.find_contacts(self.settler.database, self.session, present["id"]) if present else set()

    async def _read_owner(self, value: Any, field: str) -> Any:
        """A user of a CRM, as each CRM knows them."""
        email = clean(str(value or "")).strip().lower()
        if not email:
            return None
        users = await local.find_owners(self.settler.database, self.session, email)
        if not users:
            raise refuse(f"Nobody with the address {email[:254]!r} is a user of a connected CRM.", field)
        return {"email": email, "users": {str(integration): name for integration, name in users.items()}}

    # ------------------------------------------------------------ what is done

    async def write(
        self, type_: RecordType, record: UUID, values: Mapping[str, Any], *, is_decided: bool = False
    ) -> None:
        """Writes values of a record, and hands them to the outbox. Raises Refused where nothing would be left that a contact
        is known by."""
        await self.settler.journal.keep(type_, [record], self.settler.made)
        if WARMNESS in values:
            row = {"id": record, "warmness": values[WARMNESS], "has_warmness": True}
            await local.set_columns(self.settler.database, self.session, [row])
        held = {name: value for name, value in values.items() if name != WARMNESS}
        if held:
            await self._hold(type_, record, held, is_decided=is_decided)
            await self._check(type_, record, held)
            standing = (await self.settler.holder.find([record])).get(record, {})
            held = {name: value for name, value in held.items() if name in standing}  # all CRMs have the others already
        names = [*(WARMNESS for name in values if name == WARMNESS), *held, *list_followers(type_, held)]
        await self.outbox.note_written(self.settler, type_, record, names)

    async def _hold(
        self, type_: RecordType, record: UUID, values: Mapping[str, Any], *, is_decided: bool = False
    ) -> None:
        settler = self.settler
        await self._forget_followers(type_, record, values)
        found = await settler.gather([record], {})
        told = (found[record], await settler.find_targets(found))
        member = self.context.caller.member_id
        await settler.holder.write(type_, record, values, told, member=member, is_decided=is_decided)
        keyed = list_keys(type_, {"emails": [], "phones": [], "domain": None, "name": None, **values})
        rows = [
            {"source_id": record, "record_id": record, "record_type": type_.value, "kind": kind, "value": value}
            for kind, value in keyed
        ]
        await matching.add_keys(settler.database, self.session, rows)
        await settler.settle_anew(type_, [record])

    async def _forget_followers(self, type_: RecordType, record: UUID, values: Mapping[str, Any]) -> None:
        """What was written apart of what now follows something else again."""
        followers = FOLLOWERS.get(type_, {})
        rows = [
            {"record_id": record, "name": name, "is_lost": True}
            for name, leaders in followers.items()
            if name not in values and not set(leaders).isdisjoint(values)
        ]
        await local.drop_values(self.settler.database, self.session, rows)

    async def _check(self, type_: RecordType, record: UUID, values: Mapping[str, Any]) -> None:
        """Raises Refused for a contact whom nothing is left of to be known by."""
        if type_ is not RecordType.CONTACT or not {"first_name", "last_name", "emails", "phones"}.intersection(values):
            return
        present = (await local.find_present(self.settler.database, self.session, type_, [record]))[record]
        if not any(present[name] for name in REACHED):
            raise refuse("A contact needs a name, an e-mail address or a phone number.", "name")

    async def _refuse_twin(self, type_: RecordType, values: Mapping[str, Any]) -> None:
        """Raises Refused where somebody is here already with an address, or a domain, that is one's own."""
        if type_ is RecordType.CONTACT and not any(values.get(name) for name in ("first_name", "last_name", *REACHED)):
            raise refuse("A contact needs a name, an e-mail address or a phone number.", "name")
        if type_ not in SINGLE:
            return
        single, field = SINGLE[type_]
        keys = list_keys(type_, {"emails": [], "phones": [], "domain": None, "name": None, **values})
        database, own = self.settler.database, [key for key in keys if key[0] == single]
        found = {
            row["record"]: row["value"] for row in await matching.find_carriers(database, self.session, type_, own)
        }
        present = await local.find_present(database, self.session, type_, found)
        there = min((one for one, row in present.items() if not row["archived_at"]), default=None)
        if there:
            message = f"There is a record with {found[there]} already: update it."
            details = {"recordId": str(GlobalId(BY_TYPE[type_].__name__, there))}
            raise Refused(UserErrorCode.BAD_INPUT, message, (field,), details)

    async def _find_created(self, key: str, digest: bytes) -> UUID | None:
        check_key(key)
        found = await self.settler.database.run(self.session, local.FIND_CREATED, {"key": key})
        if found and bytes(found[0]["digest"]) != digest:
            message = "The key was given before with another input: take a new key for another record."
            raise refuse(message, "idempotencyKey")
        return found[0]["record_id"] if found else None


def check_key(key: str) -> None:
    """Raises Refused for what is no idempotency key."""
    if not 1 <= len(key) <= LONGEST_KEY:
        raise refuse(f"A key has 1 to {LONGEST_KEY} characters.", "idempotencyKey")
    if clean(key) != key:
        raise refuse("A key has no NUL, and no half of a surrogate pair.", "idempotencyKey")


def refuse(message: str, field: str) -> Refused:
    """What cannot be done with a field of the input."""
    return Refused(UserErrorCode.BAD_INPUT, message, (field,))
