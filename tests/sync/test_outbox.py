"""What goes out: what is queued for it, in which order and how often it is tried, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import SQLModel, col, update

from storage import pushes, tables
from storage.database import Database
from storage.identifiers import uuid7
from storage.outbound import Push
from storage.records import ActivityKind
from storage.shapes import RecordType
from sync.jobs import Jobs
from sync.observer import Nobody
from sync.outbox import Outbox
from sync.outcomes import Committed, Later, Outcome, Refused, Retry, Skipped, Unknown
from sync.pushing import Pusher
from sync.settle import Settler
from sync.ticker import Ticker
from tests.sync.conftest import Office

START = datetime(2030, 1, 1, tzinfo=UTC)
DOWN = Retry("The CRM does not answer.")


@pytest.fixture(scope="session")
async def jobs(database: Database) -> AsyncIterator[Jobs]:
    """Jobs that are deferred and that nobody carries out: the tests do, when it is time."""
    jobs = Jobs(database)
    await jobs.open()
    yield jobs
    await jobs.close()


@dataclass
class Watch(Nobody):
    """Looks on."""

    seen: list[tuple[str, str, str]]

    def push(self, crm: str, kind: str, status: str) -> None:
        """A push was tried."""
        self.seen.append((crm, kind, status))


@dataclass
class Mail:
    """The outbox of an office's first account, a CRM that answers what the test says, and a clock that the test moves."""

    office: Office
    jobs: Jobs
    now: datetime = START
    says: dict[UUID, Outcome] = field(default_factory=dict)
    """By record; else `usual`."""
    usual: Outcome = field(default_factory=lambda: Committed(external_type="Person", external_id="1"))
    sent: list[list[UUID]] = field(default_factory=list)
    """The records of each call."""
    seen: list[Push] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    faulty: UUID | None = None
    """The record that makes a fault of ours."""
    gate: asyncio.Event | None = None
    """Answers are held back until it is set."""

    counted: list[tuple[str, str, str]] = field(default_factory=list)
    """CRM, kind and status of what an observer was told of."""

    def __post_init__(self) -> None:
        watch = Watch(self.counted)
        self.pusher = Pusher(
            database=self.office.database, jobs=self.jobs, send=self.send, observer=watch, clock=lambda: self.now,
            chance=lambda: 1.0,
        )  # fmt: skip

    @property
    def account(self) -> UUID:
        return self.office.accounts[0].id

    async def send(self, integration: tables.Integration, pushes: Sequence[Push]) -> Mapping[UUID, Outcome]:
        """The CRM."""
        assert integration.id == self.account
        self.sent.append([push.record_id for push in pushes])
        self.seen.extend(pushes)
        self.called.set()
        if self.gate:
            await self.gate.wait()
        if any(push.record_id == self.faulty for push in pushes):
            raise KeyError(self.faulty)
        return {push.id: self.says.get(push.record_id, self.usual) for push in pushes}

    async def pump(self, **later: float) -> None:
        """The job, after some time."""
        self.now += timedelta(**later)
        await self.pusher.push(self.office.workspace, self.account)

    async def retry(self, **later: float) -> None:
        """The hourly job, after some time."""
        self.now += timedelta(**later)
        await self.pusher.retry(self.office.workspace, self.account)

    async def add(self, *rows: SQLModel) -> None:
        async with self.office.database.session(self.office.workspace) as session:
            session.add_all(rows)

    async def queue(self, record: UUID | None = None, kind: str = "WARM_LEAD", **values: Any) -> UUID:
        """A push by hand; gives its record."""
        record = record or uuid7()
        given = {"integration_id": self.account, "record_type": "CONTACT", "caused_by": "member:a", **values}
        await self.add(Push(id=uuid7(), workspace_id=self.office.workspace, kind=kind, record_id=record, **given))
        return record

    async def change(self, table: type[SQLModel], key: UUID, **values: Any) -> None:
        async with self.office.database.session(self.office.workspace) as session:
            await session.exec(update(table).where(col(table.id) == key).values(**values))  # type: ignore[attr-defined]

    async def settings(self, **values: Any) -> None:
        await self.change(tables.Integration, self.account, **values)

    async def limit(self, number: int) -> None:
        await self.change(tables.Workspace, self.office.workspace, pushes_per_minute=number)

    async def read(self) -> list[dict[str, Any]]:
        """All pushes in their order."""
        return await self.office.read("select * from push where workspace_id = %(workspace)s order by seq")

    async def states(self) -> list[str]:
        return [row["status"] for row in await self.read()]

    async def notes(self) -> list[str]:
        """The codes of what people were told."""
        rows = await self.office.read(
            "select code from notification where workspace_id = %(workspace)s order by at, id"
        )
        return [row["code"] for row in rows]

    async def alarm(self, name: str = "push") -> float | None:
        """Seconds from now to when the outbox is looked at again."""
        rows = await self.office.database.lookup(
            "select next_due_at from schedule where about = %(about)s and name = %(name)s",
            {"about": self.account, "name": name},
        )
        return (rows[0]["next_due_at"] - self.now).total_seconds() if rows else None

    async def write(self, type_: str, record: UUID, *names: str) -> None:
        """What follows from a local write of these."""
        outbox = Outbox(database=self.office.database, jobs=self.jobs, caused_by="member:a")
        async with self.office.database.session(self.office.workspace) as session:
            settler = Settler(self.office.database, session, self.office.workspace)
            await settler.lock()
            await outbox.note_written(settler, RecordType[type_], record, names)

    def contact(self, warmness: int | None = None) -> tables.Contact:
        return tables.Contact(id=uuid7(), workspace_id=self.office.workspace, name="Ada", warmness=warmness)

    def source(self, record: UUID, kind: str = "Person", type_: str = "CONTACT") -> tables.SourceRecord:
        """What a record is in the account."""
        return tables.SourceRecord(
            id=uuid7(), workspace_id=self.office.workspace, integration_id=self.account, crm="PIPEDRIVE",
            external_type=kind, external_id=str(record), record_type=type_, record_id=record, payload={}, mapped={},
            refs={}, content_hash=b"",
        )  # fmt: skip

    async def jobs_waiting(self) -> int:
        sql = "select count(*) as n from procrastinate_jobs where lock = %(lock)s"
        return int((await self.office.database.lookup(sql, {"lock": f"push:{self.account}"}))[0]["n"])


@pytest.fixture
async def mail(office: Office, jobs: Jobs) -> Mail:
    mail = Mail(office, jobs)
    await mail.limit(6000)
    return mail


# ---------------------------------------------------------------- sending


async def test_pushes_of_one_record_leave_one_after_the_other(mail: Mail) -> None:
    ada = await mail.queue()
    await mail.queue(ada, "EDIT", details={"fields": ["name"]})
    bo = await mail.queue()
    mail.says[ada] = DOWN
    await mail.pump()
    assert sorted(map(str, mail.sent[0] + mail.sent[1])) == sorted([str(ada), str(bo)])
    assert await mail.states() == ["PENDING", "PENDING", "COMMITTED"], "the edit waits for what is tried again"
    mail.says.clear()
    await mail.pump(seconds=4)
    assert [one.kind for one in mail.seen] == ["WARM_LEAD", "WARM_LEAD", "WARM_LEAD", "EDIT"]
    assert await mail.states() == ["COMMITTED"] * 3
    lead = ("PIPEDRIVE", "WARM_LEAD")
    assert sorted(mail.counted[:2]) == [(*lead, "COMMITTED"), (*lead, "PENDING")]
    assert mail.counted[2:] == [(*lead, "COMMITTED"), ("PIPEDRIVE", "EDIT", "COMMITTED")]


async def test_what_the_crm_refuses_is_in_nobodys_way(mail: Mail) -> None:
    ada = await mail.queue()
    await mail.queue(ada, "EDIT")
    mail.says[ada] = Refused("A name is needed.")
    await mail.pump()
    rows = await mail.read()
    assert [(row["status"], row["is_final"], row["last_error"]) for row in rows] == [
        ("FAILED", True, "A name is needed.")
    ] * 2
    assert await mail.notes() == ["PUSH_FAILED", "PUSH_FAILED"]
    await mail.retry(hours=1)
    assert len(mail.sent) == 2, "never tried again by itself"


async def test_three_tries_then_hourly_then_never(mail: Mail) -> None:
    await mail.queue()
    mail.usual = Retry("Busy.", is_down=False)
    await mail.pump()
    assert await mail.alarm() == 4
    await mail.pump(seconds=3)
    assert len(mail.sent) == 1
    await mail.pump(seconds=1)
    await mail.pump(seconds=16)
    assert len(mail.sent) == 3
    [row] = await mail.read()
    assert (row["status"], row["attempts"], row["is_final"]) == ("FAILED", 3, False)
    assert row["next_attempt_at"] == mail.now + timedelta(hours=1)
    assert await mail.notes() == ["PUSH_RETRIED"]
    for rounds in (1, 71, 72):  # the first hour, and the last ones of three days
        assert not row["is_final"]
        await mail.change(Push, row["id"], rounds=rounds)
        await mail.retry(hours=1)
        await mail.pump(seconds=4)
        await mail.pump(seconds=16)
        [row] = await mail.read()
    assert (row["status"], row["attempts"], row["is_final"]) == ("FAILED", 12, True)
    assert row["completed_at"] == mail.now
    assert await mail.notes() == ["PUSH_RETRIED", "PUSH_FAILED"]
    await mail.retry(hours=1)
    assert len(mail.sent) == 12
    assert await mail.alarm("retry") is None, "nothing is left that would be retried"


async def test_what_may_have_arrived_is_only_looked_at_again(mail: Mail) -> None:
    ada = await mail.queue()
    await mail.queue(ada, "EDIT")
    mail.usual = Unknown("The connection was cut.")
    await mail.pump()
    await mail.pump(minutes=50)
    assert (len(mail.sent), await mail.states()) == (1, ["UNKNOWN", "PENDING"])
    mail.usual = Committed(external_type="Person", external_id="7")
    await mail.retry(minutes=10)
    rows = await mail.read()
    assert [(row["status"], row["external_id"], row["attempts"]) for row in rows] == [
        ("COMMITTED", "7", 2),
        ("COMMITTED", "7", 1),
    ]


async def test_nothing_is_sent_to_a_crm_that_is_down_but_one_to_try(mail: Mail) -> None:
    await sit_out(mail, 150)


async def sit_out(mail: Mail, people: int) -> None:
    """So many contacts become warm, and the CRM is down for an hour: afterwards all arrive, once."""
    async with mail.office.database.session(mail.office.workspace) as session:
        session.add_all(mail.contact(5) for _ in range(people))
        await session.flush()
        await mail.settings(push_warm_leads=True)
        await Outbox(database=mail.office.database, jobs=mail.jobs).queue_leads(session)
    mail.usual = DOWN
    await mail.pump()
    first = len(mail.sent)
    assert 5 <= first <= 10, "what was under way when it was noticed"
    assert await mail.alarm() == 30
    await mail.pump(seconds=29)
    assert len(mail.sent) == first
    for wait in (1, 60, 120, 240, 480, 900, 900):
        await mail.pump(seconds=wait)
    assert len(mail.sent) == first + 7, "one each time"
    assert max(row["attempts"] for row in await mail.read()) <= 3
    mail.usual = Committed(external_type="Person", external_id="1")
    await mail.pump(seconds=900)
    await mail.retry(hours=1)
    assert set(await mail.states()) == {"COMMITTED"}
    arrived = [one for call in mail.sent[first + 7 :] for one in call]
    assert (len(arrived), len(set(arrived))) == (people, people)


async def test_many_edits_that_fail_together_are_one_failure(mail: Mail) -> None:
    for _ in range(20):
        await mail.queue(kind="EDIT")
    mail.usual = DOWN
    await mail.pump()
    assert (len(mail.sent), await mail.alarm()) == (1, 4), "it is not taken to be down yet"


async def test_a_caller_sends_so_many_in_a_minute_and_edits_of_one_call_are_one(mail: Mail) -> None:
    await mail.settings(crm="HUBSPOT")  # which takes a hundred changes in one call
    await mail.limit(2)
    for _ in range(3):
        await mail.queue()
    for _ in range(150):
        await mail.queue(kind="EDIT", caused_by="key:b")
    other = await mail.queue(caused_by="key:c")
    await mail.pump()
    assert sorted(map(len, mail.sent)) == [1, 1, 1, 50, 100]
    assert [other] in mail.sent
    assert (await mail.states()).count("PENDING") == 1
    assert await mail.alarm() == 60
    await mail.pump(seconds=59)
    assert (await mail.states()).count("PENDING") == 1
    await mail.pump(seconds=1)
    assert set(await mail.states()) == {"COMMITTED"}


async def test_edits_that_take_a_call_each_count_each(mail: Mail) -> None:
    """Pipedrive changes one record in a call; they are read together all the same."""
    await mail.limit(10)
    for _ in range(25):
        await mail.queue(kind="EDIT")
    await mail.pump()
    assert (list(map(len, mail.sent)), await mail.alarm()) == ([10], 60)
    await mail.queue(kind="EDIT", caused_by="key:b")
    await mail.pump(seconds=59)
    assert list(map(len, mail.sent)) == [10, 1]
    await mail.pump(seconds=1)
    await mail.pump(seconds=60)
    assert list(map(len, mail.sent)) == [10, 1, 10, 5]
    assert len({record for call in mail.sent for record in call}) == 26


async def test_what_somebody_waits_for_goes_first(mail: Mail) -> None:
    for _ in range(20):
        await mail.queue()
    asked = await mail.queue(is_interactive=True)
    await mail.pump()
    assert mail.sent.index([asked]) < 8, "among the first"


async def test_a_worker_that_dies_leaves_its_pushes_to_the_next_one(mail: Mail) -> None:
    ada = await mail.queue()
    mail.gate = asyncio.Event()
    dying = asyncio.create_task(mail.pump())
    await mail.called.wait()
    other = Mail(mail.office, mail.jobs, now=mail.now)
    await other.pump()
    assert (other.sent, [one.claim for one in other.seen]) == ([[ada]], [2])
    mail.usual = Skipped("Too late.")
    mail.gate.set()  # the one that was taken for dead answers after all
    await dying
    assert await mail.states() == ["COMMITTED"]


async def test_what_is_ended_just_before_it_is_taken_is_not_sent(mail: Mail) -> None:
    """As by a merge of contacts, of which another one is on its way itself."""
    await mail.queue()
    [row] = await mail.read()
    waiting = "select count(*) as n from pg_locks where not granted and locktype = 'transactionid'"
    async with mail.office.database.session(mail.office.workspace) as session:
        await session.exec(update(Push).where(col(Push.id) == row["id"]).values(status="SKIPPED"))
        taking = asyncio.create_task(mail.pump())
        while not (await mail.office.database.lookup(waiting, {}))[0]["n"]:  # noqa: ASYNC110 # nobody but the server knows
            await asyncio.sleep(0)
    await taking
    assert (mail.sent, await mail.states()) == ([], ["SKIPPED"])


async def test_a_paused_integration_sends_nothing(mail: Mail) -> None:
    await mail.queue()
    for status in ("PAUSED", "DISCONNECTED", "ERROR"):
        await mail.settings(status=status)
        await mail.pump()
    assert (mail.sent, await mail.states()) == ([], ["PENDING"])
    await mail.settings(status="ACTIVE")
    await mail.pump()
    assert await mail.states() == ["COMMITTED"]


async def test_a_quota_and_a_credential_take_no_tries(mail: Mail) -> None:
    await mail.queue()
    await mail.settings(credentials=b"sealed")
    mail.usual = Later("The quota is used up.", until=START + timedelta(hours=5))
    await mail.pump()
    await mail.queue()
    await mail.pump(hours=4)
    assert (len(mail.sent), await mail.alarm()) == (1, 3600)
    mail.usual = Later("The token was revoked.", needs_consent=True)
    await mail.pump(hours=1)
    await mail.pump(hours=1)
    assert [row["attempts"] for row in await mail.read()] == [0, 0]
    [account] = await mail.office.read(
        "select status, last_error from integration where workspace_id = %(workspace)s and id = %(id)s", id=mail.account
    )
    assert (account["status"], account["last_error"]) == ("ERROR", "The token was revoked.")
    assert await mail.notes() == ["QUOTA_EXHAUSTED", "CONSENT_NEEDED"]


async def test_a_quota_is_told_once_a_day_and_a_consent_once(mail: Mail) -> None:
    for _ in range(3):
        await mail.queue()
    await mail.settings(credentials=b"sealed")
    for hours, told in ((5, 1), (9, 1), (30, 2)):
        mail.usual = Later("The quota is used up.", until=START + timedelta(hours=hours))
        await mail.pump()
        assert (len(mail.sent) % 3, await mail.notes()) == (0, ["QUOTA_EXHAUSTED"] * told)
        mail.now = START + timedelta(hours=hours)
    mail.usual = Later("The token was revoked.", needs_consent=True)
    await mail.pump()
    await mail.settings(status="ACTIVE")  # somebody resumes it, and the credential is still the old one
    await mail.pump()
    assert await mail.notes() == ["QUOTA_EXHAUSTED", "QUOTA_EXHAUSTED", "CONSENT_NEEDED"]


async def test_what_has_ended_well_is_kept_for_thirty_days(mail: Mail) -> None:
    """But not what says of an activity in a CRM that it was logged here, nor what has failed."""
    ends = [
        *(("WARM_LEAD", status) for status in ("COMMITTED", "SKIPPED", "FAILED", "UNKNOWN", "PENDING")),
        *(("ACTIVITY", status) for status in ("COMMITTED", "SKIPPED")),
        *(("EDIT", status) for status in ("COMMITTED", "FAILED")),
    ]
    for days in (29, 31):
        at = datetime.now(UTC) - timedelta(days=days)
        for kind, status in ends:
            given: dict[str, Any] = {"completed_at": None if status in ("UNKNOWN", "PENDING") else at, "is_final": True}
            await mail.queue(kind=kind, status=status, created_at=at, **given)
    late = datetime.now(UTC)
    await mail.queue(status="COMMITTED", created_at=late - timedelta(days=31), completed_at=late)
    await pushes.forget(mail.office.database, mail.office.workspace)
    gone = {("WARM_LEAD", "COMMITTED"), ("WARM_LEAD", "SKIPPED"), ("ACTIVITY", "SKIPPED"), ("EDIT", "COMMITTED")}
    kept = [*ends, *(each for each in ends if each not in gone), ("WARM_LEAD", "COMMITTED")]
    assert [(row["kind"], row["status"]) for row in await mail.read()] == kept


async def test_an_error_of_ours_holds_up_nobody_else(mail: Mail) -> None:
    ada, bo = await mail.queue(), await mail.queue()

    async def broken(_: Any) -> None:
        raise KeyError("x")

    mail.says[ada] = Committed(external_type="Person", external_id="1", store=broken)
    await mail.pump()
    rows = {row["record_id"]: row for row in await mail.read()}
    assert (rows[ada]["status"], rows[bo]["status"]) == ("PENDING", "COMMITTED")
    assert rows[ada]["last_error"].startswith("Something went wrong here; the log has it under ")


async def test_of_edits_that_go_together_only_the_culprit_is_blamed(mail: Mail) -> None:
    people = [await mail.queue(kind="EDIT") for _ in range(3)]
    mail.faulty = people[1]
    await mail.pump()
    assert (mail.sent, await mail.states()) == (
        [people, *[[one] for one in people]],
        ["COMMITTED", "PENDING", "COMMITTED"],
    )
    assert [bool(row["last_error"]) for row in await mail.read()] == [False, True, False]


# ---------------------------------------------------------------- queueing


async def test_a_contact_that_becomes_warm_is_queued_once(mail: Mail) -> None:
    ada, cold, there = mail.contact(4), mail.contact(3), mail.contact(5)
    await mail.add(ada, cold, there, mail.source(there.id))
    for one in (ada, cold, there):
        await mail.write("CONTACT", one.id, "warmness")
    assert await mail.read() == [], "as shipped nothing goes out"
    await mail.settings(push_warm_leads=True)
    for one in (ada, cold, there, ada):
        await mail.write("CONTACT", one.id, "warmness")
    rows = await mail.read()
    assert [(row["kind"], row["record_id"], row["caused_by"]) for row in rows] == [("WARM_LEAD", ada.id, "member:a")]
    assert await mail.jobs_waiting() == 1


async def test_edits_wait_as_one_and_only_where_they_may_go_out(mail: Mail) -> None:
    ada = mail.contact()
    await mail.add(ada, mail.source(ada.id))
    await mail.write("CONTACT", ada.id, "name")
    assert await mail.read() == [], "INBOUND"
    await mail.settings(direction="BIDIRECTIONAL")
    await mail.write("CONTACT", ada.id, "name", "warmness")
    await mail.write("CONTACT", ada.id, "emails", "name")
    assert [row["details"] for row in await mail.read()] == [{"fields": ["emails", "name"]}]
    await mail.pump()
    await mail.write("CONTACT", ada.id, "name")
    assert [(row["status"], row["details"]) for row in await mail.read()] == [
        ("COMMITTED", {"fields": ["emails", "name"]}),
        ("PENDING", {"fields": ["name"]}),
    ]


async def test_an_edit_of_a_contact_that_is_just_being_made_is_not_lost(mail: Mail) -> None:
    ada = mail.contact(5)
    await mail.add(ada)
    await mail.settings(push_warm_leads=True, direction="BIDIRECTIONAL")
    await mail.write("CONTACT", ada.id, "warmness")
    await mail.write("CONTACT", ada.id, "name")
    assert [row["kind"] for row in await mail.read()] == ["WARM_LEAD"], "it has not left: it takes the name along"
    mail.usual = DOWN
    await mail.pump()
    await mail.write("CONTACT", ada.id, "name")
    assert [row["kind"] for row in await mail.read()] == ["WARM_LEAD", "EDIT"]


async def test_activities_go_where_somebody_of_them_is(mail: Mail) -> None:
    """And what was logged before a contact reached the CRM follows it there."""
    there, later = mail.contact(), mail.contact(5)
    office = mail.office.workspace
    calls = [
        tables.Activity(id=uuid7(), workspace_id=office, kind=ActivityKind.CALL, subject=str(number))
        for number in range(3)
    ]
    people = (there, later, later)
    links = [
        tables.ActivityContact(activity_id=call.id, contact_id=one.id, workspace_id=office)
        for call, one in zip(calls, people, strict=True)
    ]
    synced = tables.Activity(id=uuid7(), workspace_id=office, kind=ActivityKind.CALL)
    theirs = mail.source(synced.id, "Activity", "ACTIVITY")
    theirs.integration_id = mail.office.accounts[1].id
    links.append(tables.ActivityContact(activity_id=synced.id, contact_id=later.id, workspace_id=office))
    await mail.add(there, later, *calls, synced, *links, mail.source(there.id), theirs)
    await mail.settings(replicate_activities=True, push_warm_leads=True)
    for call in (*calls, synced):
        await mail.write("ACTIVITY", call.id, "subject")
    assert [row["record_id"] for row in await mail.read()] == [calls[0].id]
    await mail.write("CONTACT", later.id, "warmness")

    async def store(session: Any) -> None:
        session.add(mail.source(later.id))

    mail.says[later.id] = Committed(external_type="Person", external_id="8", store=store)
    await mail.pump()
    rows = {row["record_id"]: row for row in await mail.read()}
    assert {key: row["status"] for key, row in rows.items()} == dict.fromkeys(
        [calls[0].id, later.id, calls[1].id, calls[2].id], "COMMITTED"
    )
    assert {row["caused_by"] for row in rows.values()} == {"member:a"}


# ---------------------------------------------------------------- the ticker


async def test_what_is_due_is_handed_over_once(mail: Mail, jobs: Jobs) -> None:
    await mail.queue()
    mail.usual = Retry("Busy.", is_down=False)
    await mail.pump()
    ticker = Ticker(mail.office.database, jobs, clock=lambda: mail.now)
    await ticker.tick()
    assert await mail.jobs_waiting() == 0
    mail.now += timedelta(seconds=4)
    await asyncio.gather(ticker.tick(), ticker.tick())
    assert (await mail.jobs_waiting(), await mail.alarm()) == (1, None)
