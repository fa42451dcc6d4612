"""The three-way merge of one field, whatever the two sides do to it."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storage.records import Contact
from storage.shapes import ConflictPolicy, RecordType
from sync.local import Outcome, decide, find_unit
from sync.settle import Settler
from tests.sync.conftest import Office
from tests.sync.test_remap import PEOPLE, contacts, map_anew, save, store

VALUES = st.sampled_from(["a", "b", "c", None])
STEPS = st.lists(st.tuples(st.sampled_from(["here", "there", "sync", "push"]), VALUES), max_size=20)


@dataclass
class Field:
    """A field on both sides, with what both agreed on last, as a sync and a push leave them."""

    policy: ConflictPolicy
    there: str | None = None
    here: str | None = None
    is_held: bool = False
    base: str | None = None
    written: int = 0
    changed: int = 0
    asked: bool = False
    outcomes: list[Outcome] = field(default_factory=list)

    def write(self, value: str | None, time: int) -> None:
        if not self.is_held:
            self.base = self.there
        self.here, self.is_held, self.written = value, True, time

    def sync(self) -> None:
        if not self.is_held:
            self.here = self.there
            return
        outcome = decide(self.here == self.there, self.base == self.there, self.policy, self.changed > self.written)
        self.outcomes.append(outcome)
        self.asked = outcome is Outcome.ASKED
        if outcome in (Outcome.AGREED, Outcome.AGAIN):
            self.base = self.there
        if outcome in (Outcome.AGREED, Outcome.THEIRS):
            self.is_held, self.here = False, self.there

    def push(self, time: int) -> None:
        if self.is_held and not self.asked:
            self.there, self.base, self.changed = self.here, self.here, time


@given(policy=st.sampled_from(ConflictPolicy), steps=STEPS)
def test_both_sides_come_to_say_the_same(policy: ConflictPolicy, steps: list[tuple[str, str | None]]) -> None:
    both = Field(policy)
    for time, (step, value) in enumerate(steps, 1):
        if step == "here":
            both.write(value, time)
        elif step == "there" and value != both.there:
            both.there, both.changed = value, time
        elif step == "sync":
            both.sync()
        elif step == "push":
            both.sync()  # what the CRM says is looked at before anything is written there
            both.push(time)
    for _ in range(2):
        both.sync()
        both.push(len(steps) + 1)
    if policy is ConflictPolicy.MANUAL:
        assert both.asked or both.here == both.there
    else:
        assert not both.asked
        assert both.here == both.there
    assert Outcome.THEIRS not in both.outcomes or policy in (ConflictPolicy.CRM_WINS, ConflictPolicy.NEWEST_WINS)
    assert Outcome.AGAIN not in both.outcomes or policy in (ConflictPolicy.LOCAL_WINS, ConflictPolicy.NEWEST_WINS)


@given(local=VALUES, said=VALUES, base=VALUES, policy=st.sampled_from(ConflictPolicy), newer=st.booleans())
def test_one_side_alone_is_never_asked_about(
    local: str | None, said: str | None, base: str | None, policy: ConflictPolicy, newer: bool
) -> None:
    outcome = decide(local == said, said == base, policy, newer)
    if local == said:
        assert outcome is Outcome.AGREED
    elif said == base:
        assert outcome is Outcome.OURS
    else:
        wanted = {
            ConflictPolicy.NEWEST_WINS: Outcome.THEIRS if newer else Outcome.AGAIN,
            ConflictPolicy.CRM_WINS: Outcome.THEIRS,
            ConflictPolicy.LOCAL_WINS: Outcome.AGAIN,
            ConflictPolicy.MANUAL: Outcome.ASKED,
        }
        assert outcome is wanted[policy]


def test_values_are_the_same_however_a_crm_writes_them() -> None:
    pairs: dict[str, list[tuple[Any, Any]]] = {
        "job_title": [(None, ""), ("CEO", " CEO ")],
        "emails": [
            (None, []),
            ([{"value": "A@b.test", "label": "work", "primary": True}], [{"value": "a@b.test", "primary": True}]),
        ],
        "phones": [
            (
                [{"value": "+420 602 123 456", "e164": "+420602123456"}],
                [{"value": "00420602123456", "e164": "+420602123456"}],
            ),
            ([{"value": "602 123 456", "e164": None}], [{"value": "602123456", "e164": "+420602123456"}]),
        ],
        "address": [({"city": "Prague", "street": None}, {"city": "Prague"}), (None, {})],
        "tags": [(["a", "b"], ["b", "a"])],
        "custom_fields.x": [(5, 5.0), ([1, 2], [2, 1]), ("", None)],
    }
    for name, each in pairs.items():
        unit = find_unit(RecordType.CONTACT, name)
        assert [unit.is_same(Contact, one, other) for one, other in each] == [True] * len(each), name
        assert not unit.is_same(Contact, each[-1][0] or each[0][0], [{"value": "9@9", "primary": True}]), name


async def test_a_remap_leaves_what_was_written_here(office: Office) -> None:
    await store(office, *PEOPLE)
    record = (await office.records("Person"))[0, "1"]
    async with office.database.session(office.workspace) as session:
        settler = Settler(office.database, session, office.workspace)
        await settler.lock()
        told = (await settler.gather([record], {}))[record]
        await settler.holder.write(RecordType.CONTACT, record, {"job_title": "Chair"}, (told, {}))
        await settler.settle_anew(RecordType.CONTACT, [record])
        await settler.finish()
    await save(office, "jobTitle", "job_title", "upper(value)")
    await map_anew(office)
    assert await contacts(office, "job_title") == [("Chair",), ("JOB 2",), ("JOB 3",), ("JOB 4",), ("JOB 5",)]
