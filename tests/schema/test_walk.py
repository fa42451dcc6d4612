"""The whole schema, walked by another workspace's admin, by a viewer and by nobody: nothing leaks, nothing changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from graphql import build_schema
from sqlalchemy import text
from strawberry.types import ExecutionResult

from connectors.facts import Field
from gateway.app import create_app
from gateway.settings import Settings
from resolvers.callers import Caller
from resolvers.context import Context, Services
from schema.build import SDL, schema
from storage import tables
from storage.database import Database
from storage.golden import ChangeEvent, CrmCatalog
from storage.listing import GlobalId
from storage.outbound import Conflict, Notification, Push
from storage.shapes import Role
from tests.schema.conftest import START, Home, move_in
from tests.schema.walk import Operation, Walk

MARK = "Quetzalcoatl"
"""In all that the one workspace has, and nowhere else."""
OWN = "Xiuhtecuhtli"
"""So for the workspace of whoever asks."""

PUBLIC = {"crmPlatforms"}
"""Fields of the root that show nothing of a workspace."""


async def furnish(home: Home, mark: str) -> dict[str, GlobalId]:
    """Something of each kind, all of it marked. Gives what can be asked for by its id."""
    organization = home.make(tables.Organization, name=f"{mark} Inc", domain=f"{mark.lower()}.test")
    contact = home.contact(
        name=f"Ann {mark}",
        email=f"ann@{mark.lower()}.test",
        emails=[{"value": f"ann@{mark.lower()}.test", "label": None, "primary": True}],
        tags=[mark],
        custom_fields={"secret": mark},
        organization_id=organization.id,
        owner_integration_id=home.integration,
        owner_external_id="7",
        owner_email=f"7@{mark.lower()}.test",
    )
    moments = {"created_at": START, "updated_at": START}
    deal = home.make(tables.Deal, title=f"Sale {mark}", organization_id=organization.id, amount_value=7, **moments)
    activity = home.make(
        tables.Activity, subject=f"Call {mark}", kind="CALL", organization_id=organization.id, **moments
    )
    activity.deal_id = deal.id
    run = home.make(tables.SyncRun, integration_id=home.integration, kind="FULL", trigger="MEMBER", message=mark)
    run.status, run.triggered_by = "RUNNING", home.member
    run.counts = {"Person": {"fetched": 1}}
    fields = [asdict(Field(external_type="Person", name="name", label=f"Name {mark}", type="varchar"))]
    catalog: dict[str, Any] = {"fields": fields, "pipelines": [], "words": {}, "account_url": None}
    kept = home.make(CrmCatalog, integration_id=home.integration, external_type="Person", catalog=catalog)
    change = {"kind": "CREATED", "cause": "SYNC", "at": datetime.now(UTC)}
    change["changes"] = dict.fromkeys(("name", "title", "subject"), mark)
    about: dict[str, Any] = {"integration_id": home.integration, **of(contact)}
    push = home.make(Push, kind="EDIT", last_error=mark, status="FAILED", is_final=True, **about)
    told = home.make(Notification, level="ERROR", code="PUSH_FAILED", message=mark, **about)
    source = home.source(contact, "41", payload={"id": 41, "name": mark}, url=f"https://{mark.lower()}.test/41")
    open_ = home.make(Conflict, source_id=source.id, field="name", local=mark, **about)
    key = home.make(tables.ApiKey, name=f"key {mark}", role="ADMIN", prefix=f"cw_{mark[:5]}")
    await home.add(organization)
    await home.add(contact, deal, activity, run, key, push, told, open_)
    await home.add(
        home.make(tables.DealContact, deal_id=deal.id, contact_id=contact.id),
        home.make(tables.ActivityContact, activity_id=activity.id, contact_id=contact.id),
        home.make(tables.SyncError, run_id=run.id, code="UNREADABLE", message=mark, external_type="Person"),
        home.make(tables.CrmUser, integration_id=home.integration, external_id="7", name=f"User {mark}"),
        source,
        kept,
        *(home.make(ChangeEvent, **change, **of(record)) for record in (contact, organization, deal, activity)),
    )
    await home.change(display_name=f"CRM of {mark}", account_name=mark, last_error=mark, connected_by=home.member)
    async with home.database.session(home.workspace) as session:
        await session.exec(text("UPDATE workspace SET name = :name"), params={"name": mark})  # type: ignore[call-overload]
        await session.exec(text("UPDATE member SET name = :name"), params={"name": mark})  # type: ignore[call-overload]
    rows: dict[str, Any] = {
        "Organization": organization,
        "Contact": contact,
        "Deal": deal,
        "Activity": activity,
        "SyncRun": run,
    }
    found = {
        name: GlobalId(name, row.id)
        for name, row in {**rows, "SourceRecord": source, "ApiKey": key, "Push": push}.items()
    }
    single = {"Integration": home.integration, "Member": home.member, "Workspace": home.workspace}
    return found | {name: GlobalId(name, key) for name, key in single.items()}


def of(record: Any) -> dict[str, Any]:
    return {"record_id": record.id, "record_type": type(record).__name__.upper()}


def make_walk(ids: dict[str, GlobalId], cursors: Iterable[str]) -> Walk:
    """What somebody would try who knows everything about the workspace but has no key to it."""
    quoted = {name: f'"{each}"' for name, each in ids.items()}
    return Walk(
        build_schema(SDL.read_text()),
        {
            "ID": [*quoted.values()],
            "integrationId": [quoted["Integration"]],
            "syncRunId": [quoted["SyncRun"]],
            "memberId": [quoted["Member"]],
            "apiKeyId": [quoted["ApiKey"]],
            "pushIds": [quoted["Push"]],
            "organizationId": [quoted["Organization"]],
            "contactId": [quoted["Contact"]],
            "dealId": [quoted["Deal"]],
            "externalType": ['"Person"'],
            "externalId": ['"41"'],
            "localField": ['"jobTitle"'],
            "crmField": ['"name"'],
            "transform": ["null"],
            "search": [f'"{MARK}"', '"ann"'],
            "first": ["1", "250"],
            "last": ["1"],
            "after": [f'"{cursor}"' for cursor in cursors],
            "before": [f'"{cursor}"' for cursor in cursors],
            "limit": ["1"],
            "maxStaleness": ["0", "3600"],
            "email": [f'"new@{OWN.lower()}.test"'],
            "expiresAt": ['"2999-01-01T00:00:00Z"'],
            "returnTo": ["null"],
            "apiToken": ['"stolen"'],
            "String": ['"Text"'],
            "Int": ["1"],
            "Boolean": ["true"],
            "Float": ["1"],
            "DateTime": ['"2020-01-01T00:00:00Z"'],
            "Date": ['"2020-01-01"'],
            "Decimal": ['"1"'],
            "JSON": ["{}"],
        },
    )


@pytest.fixture
async def theirs(database: Database, services: Services) -> Home:
    """The workspace that nobody else may see."""
    return await move_in(Home(database, services))


@pytest.fixture
async def ids(theirs: Home) -> dict[str, GlobalId]:
    return await furnish(theirs, MARK)


@pytest.fixture
async def mine(database: Database, services: Services) -> Home:
    """The workspace of whoever asks."""
    home = await move_in(Home(database, services))
    await furnish(home, OWN)
    return home


@pytest.fixture
async def walk(theirs: Home, ids: dict[str, GlobalId]) -> Walk:
    names = ("contacts", "organizations", "deals", "activities", "syncRuns")
    found = await theirs.read("{ " + " ".join(f"{name} {{ pageInfo {{ endCursor }} }}" for name in names) + " }")
    return make_walk(ids, [page["pageInfo"]["endCursor"] for page in found.values()])


@pytest.fixture
def refusing() -> Iterator[respx.MockRouter]:
    """Every CRM, with credentials that it does not take."""
    with respx.mock(assert_all_called=False) as router:
        router.route().respond(401, json={"success": False, "error": "unauthorized access"})
        yield router


async def snapshot(home: Home) -> dict[str, str]:
    """All that is in a workspace, by table."""
    names = "select table_name from information_schema.columns where column_name = 'workspace_id' order by 1"
    found = {}
    for row in await home.database.lookup(names, {}):
        table = f"(select t::text as row from {row['table_name']} t where workspace_id = %(w)s) as rows"  # noqa: S608
        query = f"select md5(string_agg(row, '|' order by row)) as sum from {table}"  # noqa: S608 # names of the catalog
        [summed] = await home.database.fetch(home.workspace, query, {"w": home.workspace})
        found[row["table_name"]] = summed["sum"]
    return found


async def ask(context: Context, operation: Operation) -> ExecutionResult:
    return await schema.execute(operation.query, variable_values=operation.variables, context_value=context)


def show(answer: ExecutionResult) -> str:
    """All of an answer, as it leaves the gateway."""
    return json.dumps([answer.data, [error.formatted for error in answer.errors or ()]], default=str)


def find_codes(answer: ExecutionResult) -> set[str]:
    """Of its errors, and of what a payload tells its user."""
    codes = {str((error.extensions or {})["code"]) for error in answer.errors or ()}
    payloads = [payload for payload in (answer.data or {}).values() if isinstance(payload, dict)]
    return codes | {error["code"] for payload in payloads for error in payload.get("userErrors") or ()}


def leaks(answer: ExecutionResult, operation: Operation, ids: dict[str, GlobalId]) -> bool:
    """Something of theirs is in it that was not in the question."""
    told = [MARK, MARK.lower(), *map(str, ids.values()), *(str(each.key) for each in ids.values())]
    shown, data = show(answer), json.dumps(answer.data, default=str)
    return any(each in shown and each not in operation.text for each in told) or any(
        str(each) in data for each in ids.values()
    )


async def test_the_walk_finds_what_is_there(
    theirs: Home, ids: dict[str, GlobalId], walk: Walk, refusing: respx.MockRouter
) -> None:
    """Else nothing would be proved by what the others do not see."""
    seen = set[str]()
    for operation in (each for each in walk.operations("query") if each.name not in seen):
        answer = await ask(theirs.context(), operation)
        assert "INTERNAL" not in find_codes(answer), (operation.text, answer.errors)
        if leaks(answer, operation, ids):
            seen.add(operation.name)
    query = build_schema(SDL.read_text()).query_type
    assert query
    assert set(query.fields) - seen == PUBLIC


async def test_another_workspace_reads_nothing(
    theirs: Home, mine: Home, ids: dict[str, GlobalId], walk: Walk, refusing: respx.MockRouter
) -> None:
    before, own = await snapshot(theirs), set()
    for operation in walk.operations("query"):
        answer = await ask(mine.context(), operation)
        assert not leaks(answer, operation, ids), (operation.text, show(answer))
        assert find_codes(answer) <= {"BAD_INPUT", "CRM_REAUTHORIZE"}, (operation.text, answer.errors)
        if OWN in show(answer):
            own.add(operation.name)
    assert {"contacts", "deals", "viewer", "integrations", "syncRuns"} <= own
    assert await snapshot(theirs) == before


async def test_another_workspace_changes_nothing(
    theirs: Home, mine: Home, ids: dict[str, GlobalId], walk: Walk, refusing: respx.MockRouter
) -> None:
    before = await snapshot(theirs)
    for operation in walk.operations("mutation"):
        answer = await ask(mine.context(), operation)
        assert not leaks(answer, operation, ids), (operation.text, show(answer))
        if "Id:" in operation.text:  # of theirs, all of them
            assert find_codes(answer) <= {"NOT_FOUND", "BAD_INPUT"}, (operation.text, show(answer))
            assert find_codes(answer), operation.text
    assert await snapshot(theirs) == before


async def test_a_viewer_changes_nothing(
    theirs: Home, ids: dict[str, GlobalId], walk: Walk, refusing: respx.MockRouter
) -> None:
    viewer = Caller(workspace_id=theirs.workspace, member_id=theirs.member, role=Role.VIEWER)
    context = Context(theirs.database, viewer, theirs.services)
    before = await snapshot(theirs)
    for operation in walk.operations("mutation"):
        answer = await ask(context, operation)
        assert (answer.data, find_codes(answer)) == (None, {"FORBIDDEN"}), operation.text
    assert await snapshot(theirs) == before
    assert refusing.calls.call_count == 0


async def test_a_viewer_reads_all_but_what_is_the_admins(
    theirs: Home, ids: dict[str, GlobalId], walk: Walk, refusing: respx.MockRouter
) -> None:
    viewer = Caller(workspace_id=theirs.workspace, member_id=theirs.member, role=Role.VIEWER)
    context, forbidden = Context(theirs.database, viewer, theirs.services), set()
    for operation in {each.name: each for each in [*walk.operations("query")][::-1]}.values():  # the first of each
        answer = await ask(context, operation)
        assert f"key {MARK}" not in show(answer)
        for error in answer.errors or ():
            if (error.extensions or {})["code"] == "FORBIDDEN":
                forbidden.add(str((error.path or [""])[-1]))
    assert forbidden == {"apiKeys"}


async def test_another_workspace_watches_nothing(mine: Home, ids: dict[str, GlobalId], walk: Walk) -> None:
    for operation in walk.operations("subscription"):
        stream = await schema.subscribe(
            operation.query, variable_values=operation.variables, context_value=mine.context()
        )
        assert isinstance(stream, AsyncIterator)
        if operation.name == "notifications":  # begins with the next one
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.1)
            continue
        answer = await anext(stream)
        assert not leaks(answer, operation, ids), operation.text
        if any(given in operation.text for given in ("Id:", "(id:", "after:")):
            assert find_codes(answer) == {"BAD_INPUT"}
        else:
            assert OWN in show(answer) or "recordChanges" in (answer.data or {})  # whose ids are no names
        await stream.aclose()


async def test_nobody_reaches_anything(walk: Walk, worker_url: str, tmp_path: Path) -> None:
    app = create_app(Settings.load(database_url=worker_url, crosswalk_data=tmp_path), works=False)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            firsts = {each.name: each for root in ("query", "mutation") for each in walk.operations(root)}
            for operation in [*firsts.values(), *walk.operations("subscription")]:
                for accept in ("application/json", "text/event-stream"):
                    body = {"query": operation.query, "variables": operation.variables}
                    answer = await client.post("/graphql", json=body, headers={"accept": accept})
                    assert answer.status_code == 401
                    [error] = answer.json()["errors"]
                    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
