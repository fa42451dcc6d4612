"""Stored payloads mapped anew: by whatever way it is done, a page of the CRM then finds everything as it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from connectors.catalogs import pack_catalog
from connectors.facts import Catalog, Field
from connectors.mapping import map_record
from connectors.overrides import Overrides, Rule
from storage import catalogs, mappings, remap, runs
from storage.identifiers import uuid7
from storage.shapes import SyncKind, SyncStatus, SyncTrigger
from storage.tables import Integration, SyncRun
from sync.mappings import read_overrides
from sync.pages import Stored, Writer
from sync.preview import preview
from sync.remap import ANY, Remap, finish, list_changed, note_changed
from sync.trouble import Stopped
from tests.stage import wait_until
from tests.sync.conftest import TYPES, Office

PERSON = TYPES["Person"]
SCORE = "a" * 40
FIELDS = [
    Field(external_type="Person", name="job_title", label="Job title", type="varchar"),
    Field(external_type="Person", name=SCORE, label="Score", type="double", is_custom=True),
]
HALTED = "select 1 from pg_locks where not granted and locktype = 'transactionid'"
CATALOG = Catalog(fields={"Person": FIELDS}, account_url="https://acme.pipedrive.com")


def person(key: int, *emails: str, **values: Any) -> dict[str, Any]:
    addresses = [{"value": one, "primary": not number} for number, one in enumerate(emails)]
    times = {"add_time": "2026-01-01T10:00:00Z", "update_time": f"2026-01-02T10:00:{key % 60:02}Z"}
    held = {SCORE: key * 10}
    return {"id": key, "name": f"Person {key}", "emails": addresses, "custom_fields": held, **times, **values}


async def store(office: Office, *payloads: dict[str, Any], account: int = 0) -> Stored:
    """A page of a run of an account, mapped as it is to be mapped now."""
    integration = office.accounts[account]
    overrides = await read_overrides(office.database, integration)
    async with office.database.session(office.workspace) as session:
        packed = pack_catalog(PERSON, CATALOG)
        await catalogs.keep(office.database, session, integration.id, PERSON.name, packed)
        mapped = [map_record(PERSON, one, CATALOG, overrides) for one in payloads]
        return await Writer(office.database, session, integration).store_page(PERSON, mapped)


async def save(office: Office, local_field: str, crm_field: str, transform: str | None = None) -> None:
    """A mapping of somebody's own, as the mutation saves it."""
    integration = office.accounts[0]
    before = await read_overrides(office.database, integration)
    rule = Rule(local_field=local_field, crm_field=crm_field, transform=transform)
    after = Overrides(rules={"Person": (rule,)})
    row = {
        "id": uuid7(),
        "external_type": "Person",
        "local_field": local_field,
        "crm_field": crm_field,
        "direction": "INBOUND",
        "transform": transform,
    }
    async with office.database.session(office.workspace) as session:
        await mappings.save(office.database, session, integration.id, [row])
        await note_changed(office.database, session, integration, list_changed(before, after))


async def exclude(office: Office, *names: str) -> None:
    """As the mutation does it."""
    integration = office.accounts[0]
    async with office.database.session(office.workspace) as session:
        values = {"integration": integration.id, "excluded": list(names)}
        await office.database.run(session, remap.EXCLUDE, values)
        await note_changed(office.database, session, integration, {ANY: []})


async def begin(office: Office) -> Remap:
    """A run in the hands of a worker; three records in a transaction."""
    integration = office.accounts[0]
    async with office.database.session(office.workspace) as session:
        run, _ = await runs.request(
            office.database,
            session,
            integration=integration.id,
            kind=SyncKind.REMAP,
            types=[PERSON.record_type],
            scope={},
            asked_by=(SyncTrigger.MEMBER, None),
        )
    return await claim(office, integration, run.id)


async def claim(office: Office, integration: Integration, run: UUID) -> Remap:
    async with office.database.session(office.workspace) as session:
        taken = await runs.claim(office.database, session, run)
    assert taken
    return Remap(office.database, integration, taken, None, batch=1)


async def end(office: Office, work: Remap) -> tuple[SyncRun, bool]:
    """To the end, and whether all is mapped as it is to be."""
    status = await work.carry_out()
    async with office.database.session(office.workspace) as session:
        is_current = await finish(office.database, session, work.run)
        run = await runs.settle(office.database, session, work.run, status, message=None)
    assert run
    return run, is_current


async def map_anew(office: Office) -> SyncRun:
    run, is_current = await end(office, await begin(office))
    assert is_current
    return run


async def contacts(office: Office, *names: str) -> list[tuple[Any, ...]]:
    listed = ", ".join(names)
    rows = await office.read(f"select {listed} from contact where workspace_id = %(workspace)s order by name")  # noqa: S608
    return [tuple(row.values()) for row in rows]


async def changes(office: Office, run: SyncRun) -> list[tuple[Any, ...]]:
    rows = await office.read(
        "select kind, cause, changes from change_event where workspace_id = %(workspace)s and run_id = %(run)s order by seq",
        run=run.id,
    )
    return [tuple(row.values()) for row in rows]


# ---------------------------------------------------------------- what it does


PEOPLE = [person(key, f"p{key}@acme.test", job_title=f"Job {key}") for key in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("local_field", "crm_field", "transform", "name", "told", "value"),
    [
        ("jobTitle", "job_title", "upper(value)", "job_title", "jobTitle", "JOB 1"),
        ("tags", "job_title", None, "tags", "tags", ["Job 1"]),
        ("customFields.Rank", SCORE, "value * 2", "custom_fields", "customFields.Rank", {"Score": 10, "Rank": 20}),
        ("name", "job_title", None, "name", "name", "Job 1"),
        ("emails", "job_title", "value + '@beta.test'", "email", "email", "Job 1@beta.test"),
    ],
)
async def test_a_changed_mapping_changes_what_is_stored_and_a_page_then_finds_nothing_to_do(
    office: Office, local_field: str, crm_field: str, transform: str | None, name: str, told: str, value: Any
) -> None:
    await store(office, *PEOPLE)
    [(before,), *_] = await contacts(office, name)
    await save(office, local_field, crm_field, transform)
    run = await map_anew(office)
    assert run.status == SyncStatus.SUCCEEDED.value
    assert run.api_calls == 0
    assert run.counts == {"Person": {"expected": 5, "fetched": 5, "updated": 5, "failed": 0, "skipped": 0}}
    [(after,), *_] = await contacts(office, name)
    assert after == value
    events = await changes(office, run)
    assert {event[:2] for event in events} == {("UPDATED", "MAPPING")}
    assert len(events) == 5
    made = value["Rank"] if isinstance(value, dict) else value
    assert [None if isinstance(value, dict) else before or None, made] in [
        [ends[0] or None, ends[1]] for ends in (event[2][told] for event in events)
    ]

    found = await store(office, *PEOPLE)
    assert (found.updated, found.skipped) == (0, 5)
    again = await map_anew(office)
    assert again.counts["Person"]["skipped"] == 5


async def test_a_person_of_two_accounts_keeps_what_the_other_one_says(office: Office) -> None:
    mine = person(1, "ann@acme.test", job_title="Buyer")
    theirs = person(61, "ann@acme.test", job_title="Boss", update_time="2026-02-01T10:00:00Z")
    await store(office, mine)
    await store(office, theirs, account=1)
    await save(office, "jobTitle", "job_title", "upper(value)")
    await map_anew(office)
    assert await contacts(office, "job_title") == [("Boss",)]
    assert (await store(office, mine)).skipped == 1


async def test_deleted_sources_are_mapped_too_and_stay_deleted(office: Office) -> None:
    await store(office, *PEOPLE[:2])
    await office.archive("Person", "1")
    await save(office, "jobTitle", "job_title", "upper(value)")
    await map_anew(office)
    rows = await contacts(office, "job_title", "archived_at is not null")
    assert rows == [("JOB 1", True), ("JOB 2", False)]


async def test_a_record_that_cannot_be_mapped_is_told_and_the_others_are_done(office: Office) -> None:
    await store(office, *PEOPLE[:2], person(3, "c@acme.test", job_title="0"), person(4, "d@acme.test", job_title=None))
    await save(office, "jobTitle", "job_title", "string(10 / (length(value) - 1))")
    run = await map_anew(office)
    assert run.status == SyncStatus.PARTIAL.value
    assert run.counts["Person"] == {"expected": 4, "fetched": 4, "updated": 2, "failed": 1, "skipped": 1}
    errors = await office.read(
        "select external_id, code, field from sync_error where workspace_id = %(workspace)s and run_id = %(run)s",
        run=run.id,
    )
    assert errors == [{"external_id": "3", "code": "UNMAPPABLE", "field": "job_title"}]
    assert await contacts(office, "job_title") == [("2",), ("2",), ("0",), (None,)]


async def test_killed_in_the_middle_it_goes_on_and_does_nothing_twice(office: Office) -> None:
    await store(office, *PEOPLE)
    await save(office, "jobTitle", "job_title", "upper(value)")
    work = await begin(office)
    records = await office.records("Person")
    with psycopg.connect(office.database.url) as other:
        other.execute("select from contact where id = %s for update", (records[0, "5"],))
        task = asyncio.create_task(work.carry_out())
        with psycopg.connect(office.database.url, autocommit=True) as admin:
            await asyncio.to_thread(wait_until, lambda: admin.execute(HALTED).fetchone())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await contacts(office, "job_title") == [("JOB 1",), ("JOB 2",), ("JOB 3",), ("Job 4",), ("Job 5",)]

    run, is_current = await end(office, await claim(office, office.accounts[0], work.run.id))
    assert is_current
    assert await contacts(office, "job_title") == [(f"JOB {key}",) for key in (1, 2, 3, 4, 5)]
    assert run.counts["Person"]["fetched"] == run.counts["Person"]["updated"] == 5
    assert len(await changes(office, run)) == 5
    assert (await store(office, *PEOPLE)).skipped == 5


async def test_mappings_that_change_on_the_way_are_taken_from_the_first_record_on(office: Office) -> None:
    await store(office, *PEOPLE)
    await save(office, "jobTitle", "job_title", "upper(value)")
    work = await begin(office)
    status = await work.carry_out()
    await save(office, "jobTitle", "job_title", "lower(value)")
    async with office.database.session(office.workspace) as session:
        assert not await finish(office.database, session, work.run)
    assert status is SyncStatus.SUCCEEDED
    run, is_current = await end(office, work)
    assert is_current
    assert await contacts(office, "job_title") == [(f"job {key}",) for key in (1, 2, 3, 4, 5)]
    assert run.counts["Person"]["fetched"] == 5


async def test_before_the_first_sync_it_says_what_helps(office: Office) -> None:
    await office.store("Person", PEOPLE[0])
    work = await begin(office)
    with pytest.raises(Stopped, match="Person has not been synced since mappings are kept: sync it once"):
        await work.carry_out()


async def test_an_excluded_field_is_taken_out_and_comes_back_with_a_page(office: Office) -> None:
    await store(office, *PEOPLE[:2])
    await exclude(office, "job_title", SCORE)
    run = await map_anew(office)
    assert run.counts["Person"]["updated"] == 2
    held = "select payload from source_record where workspace_id = %(workspace)s order by external_id"
    for row in await office.read(held):
        assert "job_title" not in row["payload"]
        assert row["payload"]["custom_fields"] == {}
    assert await contacts(office, "job_title", "custom_fields") == [(None, {}), (None, {})]
    assert (await store(office, *PEOPLE[:2])).skipped == 2

    await exclude(office)
    assert (await store(office, *PEOPLE[:2])).updated == 2
    assert await contacts(office, "job_title") == [("Job 1",), ("Job 2",)]


# ---------------------------------------------------------------- a look beforehand


async def look(office: Office, *rules: Rule) -> Any:
    fields: dict[str, Sequence[str]] = {"Person": [rule.local_field for rule in rules]}
    return await preview(office.database, office.accounts[0], Overrides(rules={"Person": rules}), fields, None)


async def test_a_preview_says_what_would_change_and_changes_nothing(office: Office) -> None:
    await store(office, *PEOPLE[:2], person(3, "c@acme.test"), person(4, "d@acme.test", job_title="0"))
    before = await contacts(office, "job_title", "updated_at")
    rule = Rule(local_field="jobTitle", crm_field="job_title", transform="string(10 / (length(value) - 1))")
    found = await look(office, rule)
    assert (found.records, found.changed, found.failed, found.coverage_percent) == (4, 2, 1, 50.0)
    assert [(one.before, one.after) for one in found.sample] == [
        ({"jobTitle": "Job 1"}, {"jobTitle": "2"}),
        ({"jobTitle": "Job 2"}, {"jobTitle": "2"}),
        ({"jobTitle": "0"}, None),
    ]
    assert "divides by zero" in found.sample[2].error
    assert await contacts(office, "job_title", "updated_at") == before

    same = await look(office, replace(rule, transform=None))
    assert (same.records, same.changed, same.failed, same.coverage_percent) == (4, 0, 0, 75.0)
