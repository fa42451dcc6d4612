"""Values that were written here, held against what the sources say, in the transaction of a settler."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import conflicts, local, merges, notifications, sending
from storage.database import Database
from storage.declare import Relation
from storage.fields import OWNER
from storage.identifiers import uuid7
from storage.outbound import Conflict, LocalValue
from storage.records import BY_TYPE, Record, now
from storage.shapes import ConflictPolicy, RecordType
from sync.golden import Source, Targets, rank, unite
from sync.local import ARCHIVED, SENT, Outcome, Unit, decide, find_unit, list_followers
from sync.naming import NAMES, compose_base, compose_ours, compose_said, find_missing, find_told

TRANSLATED = {(RecordType.ACTIVITY, "kind")}
"""What a CRM has fewer words for than we have: what it says first is what it has made of ours."""

WORKED_OUT = {(RecordType.DEAL, "closed_at")}
"""What a CRM works out for itself of what it is told: as soon as it says something new, that counts."""
REACHING = {"emails", "phones"}
"""Lists of which nothing is lost."""

Written = Mapping[UUID, Mapping[str, LocalValue]]
"""Of records, by name."""
Values = Mapping[str, Any]
"""Of one record, by name: those that stand."""
ToPush = tuple[RecordType, UUID, tuple[str, ...]]
"""A record, and the names of its values that have to be sent once more."""


@dataclass(kw_only=True)
class Case:
    """A value against one source."""

    model: type[Record]
    record: UUID
    unit: Unit
    source: Source
    ours: Any
    """In the words of the source."""
    said: Any
    base: Any
    at: datetime
    outcome: Outcome | None = None
    is_echo: bool = False
    """The source says so because we have written it there."""
    was_agreed: bool = False
    """Both said what is still ours: only the source has changed."""

    @property
    def is_moved(self) -> bool:
        """From now on what the source says is what both start from."""
        return bool(self.said != self.base and (self.is_echo or self.outcome in (Outcome.AGREED, Outcome.AGAIN)))


@dataclass
class Holder:
    """Of one transaction in one workspace, which holds its lock."""

    database: Database
    session: AsyncSession
    is_needed: bool = False
    """Whether anything was ever written here: the settler's lock finds out."""
    to_push: list[ToPush] = field(default_factory=list)
    """What has to be sent once more, since the CRM has changed it and ours counts."""
    leaving: Mapping[tuple[UUID, UUID], Collection[str]] = field(default_factory=dict)
    """(integration, record) -> values that a push in hand sends anyway, once it has looked at what the CRM says."""
    fresh: set[tuple[UUID, str]] = field(default_factory=set)
    """What this transaction has written, by record and name: it agrees with a source only where it is exactly the same."""
    echoes: dict[tuple[UUID, str, str], Collection[str] | None] = field(default_factory=dict)
    """What `expect` was told of."""
    names: dict[UUID, str] = field(default_factory=dict)
    """What people call the integrations that a conflict is with."""

    def expect(self, source: tuple[UUID, str, str], names: Collection[str] | None = None) -> None:
        """What this source, (integration, external type, external id), is about to say of these values, or of all, is what
        the CRM has made of ours: whatever became of it there, it is no change of the CRM's."""
        self.echoes[source] = names

    def _is_echo(self, source: Source, unit: Unit) -> bool:
        key = (source.integration_id, source.external_type, source.external_id)
        names = self.echoes.get(key, ())
        return names is None or not set(unit.parts).isdisjoint(names)

    async def find(self, records: Collection[UUID]) -> dict[UUID, dict[str, LocalValue]]:
        """What was written of these records."""
        return await local.find_values(self.database, self.session, records) if self.is_needed else {}

    async def write(
        self,
        type_: RecordType,
        record: UUID,
        values: Values,
        told: tuple[Sequence[Source], Targets],
        *,
        member: UUID | None = None,
        at: datetime | None = None,
        is_decided: bool = False,
    ) -> None:
        """Somebody writes values of a record. `told`: its sources, and what they point at; `at`: when it was, if not now;
        `is_decided`: open conflicts too are, with that."""
        self.is_needed = True
        old = (await self.find([record])).get(record, {})
        sources, targets = told
        rows = []
        self.fresh.update((record, name) for name in values)
        for name, value in values.items():
            bases = {} if name == ARCHIVED else ask_all(type_, name, sources, targets)
            if name in old and not is_decided:
                bases |= old[name].bases  # what nobody has decided stays open
            rows.append(
                LocalValue.model_construct(
                    record_id=record,
                    name=name,
                    record_type=type_.value,
                    value=value,
                    bases=bases,
                    at=at or now(),
                    member_id=member,
                )
            )
        await local.write_values(self.database, self.session, rows)

    async def merge(
        self,
        type_: RecordType,
        written: Written,
        sources: Mapping[UUID, Sequence[Source]],
        targets: Targets,
    ) -> dict[UUID, dict[str, Any]]:
        """Decides for each value against each source, and notes what follows from it. Gives those that stand, by record."""
        survivors = await self._find_survivors(type_, written)
        written = await self._widen(type_, written, sources, targets)
        written = await self._complete(type_, written, sources)
        values = {
            record: {name: _follow(each.value, survivors) for name, each in mine.items()}
            for record, mine in written.items()
        }
        cases = [
            case
            for record, mine in written.items()
            for case in self._compare(type_, record, mine, values[record], (sources[record], targets), survivors)
        ]
        await self._decide(type_, cases)
        dropped = await self._note(type_, cases)
        return {
            record: {name: value for name, value in mine.items() if (record, name) not in dropped}
            for record, mine in values.items()
        }

    def _compare(
        self,
        type_: RecordType,
        record: UUID,
        written: Mapping[str, LocalValue],
        values: Values,
        told: tuple[Sequence[Source], Targets],
        survivors: Mapping[str, str],
    ) -> list[Case]:
        """A case for each value and each source that speaks; without an outcome where both sides have changed."""
        sources, targets = told
        speaking = rank(sources, ()) if sources else []
        found = []
        units = {unit.name: unit for unit in (find_unit(type_, name) for name in written if name != ARCHIVED)}
        for unit in units.values():
            mine = [written[part] for part in unit.parts if part in written]
            for source in speaking:
                key = str(source.id)
                base = unit.join({each.name: _follow(each.bases.get(key), survivors) for each in mine})
                ours, said = unit.answer(unit.join(values), source), unit.ask(source, targets)
                case = Case(
                    model=BY_TYPE[type_],
                    record=record,
                    unit=unit,
                    source=source,
                    ours=ours,
                    said=said,
                    base=base,
                    at=max(each.at for each in mine),
                )
                is_fresh = any((record, part) in self.fresh for part in unit.parts)
                is_first = not any(key in each.bases for each in mine)
                case.was_agreed = not is_first and unit.is_same(BY_TYPE[type_], ours, base)
                case.is_echo = self._is_echo(source, unit) or (is_first and (type_, unit.name) in TRANSLATED)
                is_unchanged = unit.is_same(BY_TYPE[type_], said, base)
                if find_told(type_, unit, source) is not unit:
                    is_unchanged = _compare_whole(case, written, values)
                if said == ours if is_fresh else unit.is_same(BY_TYPE[type_], said, ours):
                    case.outcome = Outcome.AGREED
                elif case.is_echo or is_unchanged:
                    case.outcome = Outcome.OURS
                found.append(case)
        return found

    async def _widen(
        self, type_: RecordType, written: Written, sources: Mapping[UUID, Sequence[Source]], targets: Targets
    ) -> Written:
        """Addresses and numbers that meet those of a source for the first time are both: nobody has taken any away."""
        wider: dict[UUID, dict[str, LocalValue]] = {}
        for record, mine in written.items():
            for name in REACHING & mine.keys() if sources[record] else ():
                unit, held = find_unit(type_, name), mine[name]
                value, bases = held.value, dict(held.bases)
                for source in rank(sources[record], ()):
                    said, key = unit.ask(source, targets), str(source.id)
                    is_met = key in bases or (record, name) in self.fresh or self._is_echo(source, unit)
                    if value and said and not is_met and not unit.is_same(BY_TYPE[type_], said, value):
                        value, bases[key] = unite([value, said], []), said
                if value != held.value:
                    row = {**held.model_dump(), "value": value, "bases": bases}
                    wider.setdefault(record, {})[name] = LocalValue.model_construct(**row)
                    self.to_push.append((type_, record, (name,)))
        await local.write_values(self.database, self.session, [one for each in wider.values() for one in each.values()])
        return {record: {**mine, **wider.get(record, {})} for record, mine in written.items()} if wider else written

    async def _complete(self, type_: RecordType, written: Written, sources: Mapping[UUID, Sequence[Source]]) -> Written:
        """A CRM that has the whole name alone has made parts of ours: that which was not written here is ours as well."""
        lacking = {
            record: (part, source)
            for record, mine in (written.items() if type_ is RecordType.CONTACT else ())
            for source in (rank(sources[record], ()) if sources[record] else ())
            if (part := find_missing(mine, source)) and find_told(type_, find_unit(type_, part), source).name != part
        }
        present = await local.find_present(self.database, self.session, type_, lacking) if lacking else {}
        found: dict[UUID, dict[str, LocalValue]] = {}
        for record, (part, source) in lacking.items():
            if record in present and present[record]["name"] == source.mapped.get("name"):
                other = next(written[record][one] for one in NAMES if one in written[record])
                row = {**other.model_dump(), "name": part, "bases": ask_all(type_, part, sources[record], {})}
                found[record] = {part: LocalValue.model_construct(**{**row, "value": present[record][part]})}
        await local.write_values(self.database, self.session, [one for each in found.values() for one in each.values()])
        return {record: {**mine, **found.get(record, {})} for record, mine in written.items()}

    async def _find_survivors(self, type_: RecordType, written: Written) -> dict[str, str]:
        """Where ids lead by now that values name, of records that have become part of others."""
        named = {
            one
            for mine in written.values()
            for name, each in mine.items()
            if name != ARCHIVED and isinstance(find_unit(type_, name).told, Relation)
            for value in (each.value, *each.bases.values())
            for one in (value if isinstance(value, list) else [value])
            if one
        }
        if not named:
            return {}
        rows = await self.database.run(self.session, merges.SURVIVORS, {"ids": sorted(named)})
        return {str(row["id"]): str(row["record_id"]) for row in rows}

    async def _decide(self, type_: RecordType, cases: Sequence[Case]) -> None:
        contested = [case for case in cases if case.outcome is None]
        if not contested:
            return
        await self._find_echoes(type_, contested)
        integrations = {case.source.integration_id for case in contested}
        policies = await local.find_policies(self.database, self.session, integrations)
        times = await self._find_times(type_, contested)
        for case, time in zip(contested, times, strict=True):
            policy, name = policies[case.source.integration_id]
            self.names[case.source.integration_id] = name
            if case.is_echo:  # of what was written here before
                case.outcome = Outcome.AGAIN
            elif case.was_agreed or (type_, case.unit.name) in WORKED_OUT:
                case.outcome = Outcome.THEIRS
            else:
                case.outcome = decide(False, False, ConflictPolicy(policy), time > case.at)

    async def _find_echoes(self, type_: RecordType, cases: Sequence[Case]) -> None:
        """What a push has sent comes back as if the CRM had changed it, perhaps once something newer was written here."""
        sent = await sending.find_sent(self.database, self.session, {case.record for case in cases})
        for case in cases:
            unit = find_told(type_, case.unit, case.source)
            said = case.said if unit is case.unit else case.source.mapped.get(unit.name)
            for push in sent:
                values: Mapping[str, Any] = push["progress"].get(SENT) or {}
                is_about = (push["record_id"], push["integration_id"]) == (case.record, case.source.integration_id)
                if is_about and not set(unit.parts).isdisjoint(values):
                    ours = unit.answer(unit.join(values), case.source)
                    case.is_echo |= unit.is_same(case.model, said, ours)

    async def _find_times(self, type_: RecordType, cases: Sequence[Case]) -> list[datetime]:
        """Since when each source says what it says: what it has said before is stored with its time, what it says only now
        it says since its last change."""
        known = await local.find_times(self.database, self.session, {case.source.id for case in cases})
        found = []
        for case in cases:
            source, unit = case.source, find_told(type_, case.unit, case.source)
            latest = source.remote_updated_at or now()
            if source.id in known:
                mapped, refs, since, observed = known[source.id]
                if _is_said_before(type_, unit, source, mapped, refs):
                    times = [datetime.fromisoformat(since[name]) for name in unit.since if name in since]
                    latest = max(times, default=observed)
            found.append(latest)
        return found

    async def _note(self, type_: RecordType, cases: Sequence[Case]) -> set[tuple[UUID, str]]:
        """Stores what was decided: bases, conflicts, and values that stand no more, which it gives."""
        lost = {(case.record, case.unit.name) for case in cases if case.outcome is Outcome.THEIRS}
        groups: dict[tuple[UUID, str], list[Case]] = {}
        for case in cases:
            groups.setdefault((case.record, case.unit.name), []).append(case)
        bases, dropped = [], []
        for (record, name), mine in groups.items():
            parts = mine[0].unit.parts
            is_lost = (record, name) in lost
            if is_lost or all(case.outcome is Outcome.AGREED for case in mine):
                dropped += [{"record_id": record, "name": part, "is_lost": is_lost} for part in parts]
            moved = [case for case in mine if case.is_moved]
            for part in parts if moved and not is_lost else ():
                agreed = {str(case.source.id): case.unit.split(case.said)[part] for case in moved}
                bases.append({"record_id": record, "name": part, "bases": agreed})
            if not is_lost and any(case.outcome is Outcome.AGAIN for case in mine):
                self.to_push.append((type_, record, (*parts, *list_followers(type_, parts))))
        await local.note_bases(self.database, self.session, bases)
        asked = [case for case in cases if case.outcome is Outcome.ASKED and (case.record, case.unit.name) not in lost]
        await self._ask(type_, {case.record for case in cases}, asked)
        return await local.drop_values(self.database, self.session, dropped)

    async def _ask(self, type_: RecordType, records: Collection[UUID], cases: Sequence[Case]) -> None:
        """Of these records exactly these cases wait for a person, who is told of those that are new."""
        if not records:
            return
        rows = [_describe(type_, case) for case in cases]
        for row in await conflicts.keep(self.database, self.session, records, rows):
            unit = find_unit(type_, row["field"])
            conflict = Conflict.model_construct(**{**row, "field": unit.field})
            name = self.names[conflict.integration_id]
            await notifications.notify_conflict(self.database, self.session, conflict, name)


def ask_all(type_: RecordType, name: str, sources: Sequence[Source], targets: Targets) -> dict[str, Any]:
    """What each source says of a value, by the source's id."""
    unit = find_unit(type_, name)
    return {str(source.id): unit.split(unit.ask(source, targets))[name] for source in sources}


def _follow(value: Any, survivors: Mapping[str, str]) -> Any:
    """An id, or ids, of records as they lead by now; anything else as it is."""
    if not survivors:
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(dict.fromkeys(survivors.get(one, one) for one in value))
    return survivors.get(value, value) if isinstance(value, str) else value


def _compare_whole(case: Case, written: Mapping[str, LocalValue], values: Values) -> bool:
    """A part of a name against a source that has the whole alone: whether that is as it was. Where it is ours, so are the
    parts that the source makes of it; where only the source has changed it, all of it has."""
    source, ours = case.source, compose_ours(values, case.source)
    base, said = compose_base(written, source), compose_said(source)
    case.at = max(written[name].at for name in NAMES if name in written)
    case.was_agreed = base is not None and ours == base
    case.is_echo |= ours == source.mapped.get("name")
    return base == said or (not case.was_agreed and case.unit.is_same(case.model, case.said, case.base))


def _is_said_before(
    type_: RecordType, unit: Unit, source: Source, mapped: Mapping[str, Any], refs: Mapping[str, Any]
) -> bool:
    """Whether the source, as it is stored, says what it says now."""
    if isinstance(unit.told, Relation):
        return bool(refs.get(unit.name, []) == source.refs.get(unit.name, []))
    before = Source(**{**vars(source), "mapped": mapped})
    return unit.is_same(BY_TYPE[type_], unit.ask(before, {}), unit.ask(source, {}))


def _describe(type_: RecordType, case: Case) -> dict[str, Any]:
    """A conflict as a row; values as the record's image has them."""

    def show(value: Any) -> Any:
        if case.unit.told is not OWNER or value is None:
            return value
        return {"externalId": value, "integrationId": str(case.source.integration_id)}

    return {
        "id": uuid7(),
        "integration_id": case.source.integration_id,
        "source_id": case.source.id,
        "record_type": type_.value,
        "record_id": case.record,
        "field": case.unit.name,
        "base": show(case.base),
        "local": show(case.ours),
        "remote": show(case.said),
    }
