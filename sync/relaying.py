"""What one CRM has changed, on its way into the others that have the record too, as if it had been written here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from storage import integrations, local, owners, sending
from storage.fields import OWNER
from storage.records import BY_TYPE
from storage.shapes import Direction, RecordType
from storage.tables import Integration
from sync.golden import Source, Targets, plan_of
from sync.local import CUSTOM_FIELD, OWNED, SENT, Unit, find_unit, list_followers
from sync.naming import NAMES
from sync.outbox import OUTWARD, Outbox
from sync.settle import Settler

SHARED = (RecordType.CONTACT, RecordType.ORGANIZATION)
"""The types of which several CRMs have the same records."""
FOLLOWING = {RecordType.CONTACT: ("email", "phone")}
"""They are the first of a list."""


@dataclass
class Relay:
    """Of one page of an integration, in the transaction of its settler."""

    settler: Settler
    integration: Integration
    type_: RecordType
    takers: Collection[UUID] = ()
    """The other integrations that changes go out to."""
    before: dict[UUID, Source] = field(default_factory=dict)
    """Sources that have changed, by their ids, as they were stored."""

    async def look(self, changed: Sequence[Source], found: Mapping[UUID, Sequence[Source]]) -> None:
        """Before the sources are written. `changed`: those that are not new; `found`: all sources by record."""
        integration, several = self.integration.id, list[Source]()
        is_heard = self.type_ in SHARED and self.integration.direction != Direction.OUTBOUND.value
        for one in changed if is_heard else ():
            if one.record_id and any(each.integration_id != integration for each in found.get(one.record_id, ())):
                several.append(one)
        if not several:
            return
        everybody = await integrations.find_all(self.settler.session)
        self.takers = {one.id for one in everybody if one.direction in OUTWARD and one.id != integration}
        if not self.takers:
            return
        known = await local.find_times(self.settler.database, self.settler.session, {one.id for one in several})
        self.before = {
            one.id: Source(**{**vars(one), "mapped": known[one.id][0]}) for one in several if one.id in known
        }

    async def pass_on(self, found: Mapping[UUID, Sequence[Source]], targets: Targets) -> None:
        """Once sources and records are written: what the CRM has changed is held here until the others have it too, and is
        queued for them. What was written here and still stands is not: the policy has decided about it."""
        changed = [one for each in found.values() for one in each if one.id in self.before and not one.deleted_at]
        if not changed:
            return
        settler, records = self.settler, {one.record_id for one in changed if one.record_id}
        outbox = Outbox(database=settler.database)
        written = await settler.holder.find(records)
        held = {record: frozenset(values) for record, values in written.items()}
        sent = await sending.find_sent(settler.database, settler.session, records)
        present = await local.find_present(settler.database, settler.session, self.type_, records)
        relayed = dict[UUID, Sequence[Source]]()
        for source in changed:
            record = source.record_id
            if record is None:
                continue
            others = [one for one in found[record] if one.integration_id in self.takers and not one.deleted_at]
            mine = [push["progress"].get(SENT) or {} for push in sent if self._is_about(push, source)]
            kept, values = held.get(record, frozenset()), dict[str, Any]()
            for unit in self._list_changed(source, kept, mine):
                values |= await self._read(unit, source, others, present[record])
            values = self._complete(values, source, kept)
            names = [*values, *list_followers(self.type_, {*kept, *values})] if values else []
            told = await outbox.find_takers(settler.session, self.type_, record, names, origin=self.integration)
            going = {name for names in told.values() for name in names}
            values = {name: value for name, value in values.items() if not going.isdisjoint(self._family(name))}
            if values:
                at = source.remote_updated_at
                await settler.holder.write(self.type_, record, values, (found[record], targets), at=at)
                if self.integration.direction in OUTWARD and (
                    own := going.intersection(self._list_lacking(source, values))
                ):
                    told[self.integration.id] = own
                await outbox.wake(settler.session, await outbox.queue(settler.session, self.type_, record, told))
                held[record] = kept | values.keys()
                relayed[record] = found[record]
        await settler.settle(self.type_, relayed, targets)

    def _is_about(self, push: Mapping[str, Any], source: Source) -> bool:
        return (push["record_id"], push["integration_id"]) == (source.record_id, source.integration_id)

    def _family(self, name: str) -> Collection[str]:
        """The names that go out with one."""
        is_name = self.type_ is RecordType.CONTACT and name in NAMES
        return NAMES if is_name else find_unit(self.type_, name).parts

    def _list_changed(self, source: Source, held: Collection[str], sent: Sequence[Mapping[str, Any]]) -> Iterator[Unit]:
        """What the source has come to say, that nobody has written here, and that no push has written there."""
        old, record = self.before[source.id], BY_TYPE[self.type_]
        for unit in list_units(self.type_, old, source):
            family = self._family(unit.name)
            is_echo = any(
                one in each and find_unit(self.type_, one).is_same(record, each[one], source.mapped.get(one))
                for each in sent
                for one in family
            )
            is_moved = not unit.is_same(record, unit.ask(old, {}), unit.ask(source, {}))
            if is_moved and not is_echo and set(held).isdisjoint(unit.parts):
                yield unit

    def _complete(self, values: dict[str, Any], source: Source, held: Collection[str]) -> dict[str, Any]:
        """All of a name is the source's, where no part of it was written here; else it is what the parts make."""
        if self.type_ is not RecordType.CONTACT or set(NAMES).isdisjoint(values):
            return values
        if set(NAMES).isdisjoint(held):
            return values | {name: source.mapped.get(name) for name in NAMES}
        return {name: value for name, value in values.items() if name != "name"}

    def _list_lacking(self, source: Source, values: Mapping[str, Any]) -> list[str]:
        """What the source itself does not say: its own with what others had besides."""
        record, units = BY_TYPE[self.type_], {name: find_unit(self.type_, name) for name in values}
        return [
            name
            for name, unit in units.items()
            if not unit.is_same(record, unit.ask(source, {}), unit.answer(unit.join(values), source))
        ]

    async def _read(
        self, unit: Unit, source: Source, others: Sequence[Source], present: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What it says, by name, unless all others say so too; of a list, with what others have besides, unless it does."""
        value, record = unit.ask(source, {}), BY_TYPE[self.type_]
        if unit.told is OWNER:
            value = await self._translate(value)
            others = [one for one in others if value and str(one.integration_id) in value["users"]]
        elif isinstance(value, list):
            value = patch(unit.ask(self.before[source.id], {}) or [], value, present.get(unit.name) or [])
            others = [*others, source]
        is_said = all(unit.is_same(record, unit.ask(one, {}), unit.answer(value, one)) for one in others)
        return {} if is_said else unit.split(value)

    async def _translate(self, user: str | None) -> dict[str, Any] | None:
        """A user of the CRM as each CRM knows them; None for nobody, and for one without an address."""
        settler = self.settler
        known = user and await owners.find_by_id(settler.database, settler.session, self.integration.id, user)
        if not known or not known.email:
            return None
        email = known.email.lower()
        users = await local.find_owners(settler.database, settler.session, email)
        return {"email": email, "users": {str(integration): name for integration, name in users.items()}}


def list_units(type_: RecordType, *sources: Source) -> list[Unit]:
    """What these sources may say, relations apart."""
    plan = plan_of(type_)
    names = [*plan.first, *(name for name, _ in plan.united if name != "custom_fields")]
    custom = {f"{CUSTOM_FIELD}{key}" for source in sources for key in source.mapped.get("custom_fields") or {}}
    own = [OWNED if name == "owner_external_id" else name for name in names if name not in FOLLOWING.get(type_, ())]
    return list({unit.name: unit for unit in (find_unit(type_, name) for name in (*own, *sorted(custom)))}.values())


def patch(before: Sequence[Any], now: Sequence[Any], standing: Sequence[Any]) -> list[Any]:
    """A list as it stands, with what a source has added to its own and without what it has taken away: one that has room for
    a few does not take away the others."""
    known = {_key(one) for one in (*before, *now)}
    more = [one for one in standing if _key(one) not in known]
    return [*now, *({**one, "primary": False} if now and isinstance(one, dict) else one for one in more)]


def _key(entry: Any) -> str:
    return str((entry.get("e164") or entry["value"]) if isinstance(entry, dict) else entry).casefold()
