"""Pushes over GraphQL: asking for one, seeing what becomes of it, trying it again; and the settings of what goes out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.registry import CONNECTORS
from resolvers.context import Services
from storage import tables
from storage.listing import GlobalId
from storage.outbound import Push
from storage.tables import Integration
from sync.outcomes import Committed, Later, Outcome, Refused
from sync.pushing import Pusher
from tests.schema.conftest import Home, gid

PUSHED = """push { id status attempts lastError externalId record { id } integration { id } } outcome isWarmLead
  contact { id } personSource { externalId } organizationSource { externalId } owner { externalId }
  userErrors { field code message }"""
PUSH = f"mutation ($input: PushWarmLeadInput!) {{ pushWarmLead(input: $input) {{ {PUSHED} }} }}"
LIST = """
query ($integration: ID, $record: ID, $status: [PushStatus!]) {
  pushes(integrationId: $integration, recordId: $record, status: $status) { nodes { id status } totalCount }
}
"""
RETRY = """
mutation ($input: RetryPushesInput!) { retryPushes(input: $input) {
  pushes { id status } userErrors { field code message }
} }
"""
LINK = """
mutation ($input: LinkCrmUserInput!) { linkCrmUser(input: $input) {
  user { externalId member { id } } userErrors { field code message }
} }
"""
SETTINGS = "direction conflictPolicy pushWarmLeads replicateActivities allowNewPicklistValues"
UPDATE = f"""
mutation ($input: UpdateIntegrationInput!) {{ updateIntegration(input: $input) {{
  integration {{ settings {{ {SETTINGS} }} stats {{ pendingPushes failedPushes openConflicts }} }}
  userErrors {{ field code message }}
}} }}
"""
WORKSPACE = """
mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) {
  workspace { warmLeadThreshold pushesPerMinute } userErrors { field code message }
} }
"""
REPLICATION = """
{ activities(orderBy: [{field: CREATED_AT}]) { nodes { subject
  replication { status externalId attempts lastError integration { id } push { id } } } } }
"""

Send = Callable[[Sequence[Push]], Awaitable[Mapping[Any, Outcome]]]


@pytest.fixture(scope="module", autouse=True)
async def _jobs(services: Services) -> AsyncIterator[None]:
    """What is queued asks for a job, which the tests do themselves."""
    await services.jobs.open()
    hub = asyncio.create_task(services.hub.run())
    await services.hub.connected.wait()
    yield
    hub.cancel()
    await services.jobs.close()


def integration(home: Home) -> str:
    return str(GlobalId("Integration", home.integration))


@asynccontextmanager
async def crm(home: Home, outcome: Outcome) -> AsyncIterator[None]:
    """A worker whose CRM answers always the same: it looks into the outbox again and again, until the block ends."""

    async def send(_: Integration, pushes: Sequence[Push]) -> Mapping[Any, Outcome]:
        return {push.id: outcome for push in pushes}

    pusher = Pusher(database=home.database, jobs=home.services.jobs, send=send)

    async def work() -> None:
        while True:
            await pusher.push(home.workspace, home.integration)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(work())
    yield
    task.cancel()
    await asyncio.wait([task])


async def push(home: Home, contact: tables.Contact, **given: Any) -> dict[str, Any]:
    asked = {"contactId": gid(contact), "integrationId": integration(home), **given}
    answer: dict[str, Any] = (await home.read(PUSH, input=asked))["pushWarmLead"]
    return answer


async def add_contact(home: Home, **values: Any) -> tables.Contact:
    contact = home.contact(name="Ada", **{"warmness": 5, **values})
    await home.add(contact)
    return contact


async def test_a_warm_lead_is_pushed_while_somebody_waits(home: Home) -> None:
    acme = home.make(tables.Organization, name="Acme")
    await home.add(acme, home.make(tables.CrmUser, integration_id=home.integration, external_id="7", email="Bo@x.test"))
    ada = await add_contact(home, organization_id=acme.id)

    async def store(session: Any) -> None:
        session.add_all([home.source(ada, "41"), home.source(acme, "42", external_type="Organization")])

    async with crm(
        home, Committed(external_type="Person", external_id="41", note="The label is missing.", store=store)
    ):
        answer = await push(home, ada, ownerEmail="bo@X.test")
    key = answer["push"].pop("id")
    assert answer == {
        "push": {
            "status": "COMMITTED", "attempts": 1, "lastError": "The label is missing.", "externalId": "41",
            "record": {"id": gid(ada)}, "integration": {"id": integration(home)},
        },
        "outcome": "COMMITTED", "isWarmLead": True, "contact": {"id": gid(ada)},
        "personSource": {"externalId": "41"}, "organizationSource": {"externalId": "42"},
        "owner": {"externalId": "7"}, "userErrors": [],
    }  # fmt: skip
    query = "query ($id: ID!) { node(id: $id) { ... on Push { externalType } } contact(id: $c) { pushes { nodes { id } } } }"
    found = await home.read(query.replace("($id: ID!)", "($id: ID!, $c: ID!)"), id=key, c=gid(ada))
    assert found == {"node": {"externalType": "Person"}, "contact": {"pushes": {"nodes": [{"id": key}]}}}


async def test_what_a_crm_refuses_is_told_and_can_be_retried(home: Home) -> None:
    ada = await add_contact(home)
    async with crm(home, Refused("A name is needed.")):
        answer = await push(home, ada)
    assert (answer["outcome"], answer["push"]["lastError"]) == ("NOT_COMMITTED", "A name is needed.")
    key = answer["push"]["id"]
    again = (await home.read(RETRY, input={"pushIds": [key]}))["retryPushes"]
    assert again == {"pushes": [{"id": key, "status": "PENDING"}], "userErrors": []}
    async with crm(home, Committed()):
        assert (await push(home, ada))["push"]["id"] == key, "the one that is under way"
    assert (await home.read(RETRY, input={"integrationId": integration(home)}))["retryPushes"]["pushes"] == []
    none = (await home.read(RETRY, input={}))["retryPushes"]["userErrors"]
    assert none == [{"field": ["input", "pushIds"], "code": "BAD_INPUT", "message": "Give pushes, or an integration."}]


async def test_what_is_retried_is_tried_although_the_quota_is_used_up(home: Home) -> None:
    ledger, limits = home.services.clients.ledger, CONNECTORS["PIPEDRIVE"].limits
    account = ("PIPEDRIVE", str(home.integration), limits)
    for asked in ("pushes", "their integration"):
        lead = home.make(
            Push, integration_id=home.integration, kind="WARM_LEAD", record_type="CONTACT", record_id=uuid4()
        )
        await home.add(lead)
        await ledger.settle(await ledger.reserve(*account, 1), exhausted=0)
        assert not (await ledger.reserve(*account, 1)).taken
        given = {"pushIds": [gid(lead)]} if asked == "pushes" else {"integrationId": integration(home)}
        assert (await home.read(RETRY, input=given))["retryPushes"]["userErrors"] == []
        assert (await ledger.reserve(*account, 1)).taken


async def test_one_that_is_not_warm_is_skipped(home: Home) -> None:
    for warmness, reason in (
        (3, "The contact's warmness is 3: a warm lead has 4 or more."),
        (None, "The contact has no warmness: a warm lead has 4 or more."),
    ):
        answer = await push(home, await add_contact(home, warmness=warmness))
        assert (answer["outcome"], answer["isWarmLead"], answer["push"]["lastError"]) == ("SKIPPED", False, reason)


async def test_a_key_asks_for_one_push(home: Home) -> None:
    ada, bo = await add_contact(home), await add_contact(home)
    async with crm(home, Committed(external_type="Person", external_id="1")):
        first, second = await asyncio.gather(push(home, ada, idempotencyKey="k"), push(home, ada, idempotencyKey="k"))
        third = await push(home, ada, idempotencyKey="k")
        assert first["push"]["id"] == second["push"]["id"] == third["push"]["id"]
        wrong = await push(home, bo, idempotencyKey="k")
    message = "This key was given with another contact or integration."
    assert wrong["userErrors"] == [{"field": ["input", "idempotencyKey"], "code": "BAD_INPUT", "message": message}]


async def test_an_integration_that_cannot_send_queues(home: Home) -> None:
    ada = await add_contact(home)
    await home.change(status="PAUSED")
    assert (await push(home, ada))["outcome"] == "QUEUED"
    await home.change(status="DISCONNECTED")
    assert [each["code"] for each in (await push(home, ada))["userErrors"]] == ["NOT_ACTIVE"]


WAITING = "{ pushes(status: [PENDING]) { nodes { id lastError nextAttemptAt } } }"


async def test_a_push_that_cannot_leave_says_why_and_until_when(home: Home) -> None:
    until = datetime(2127, 1, 1, 12, tzinfo=UTC)
    at, held = "2127-01-01T12:00:00.000000Z", {"status": "ACTIVE", "push_resumes_at": until}
    name = "Acme's Pipedrive"
    cases: list[tuple[dict[str, Any], str, str | None]] = [
        ({"status": "PAUSED"}, f"{name} is paused: it goes on when it is resumed.", None),
        ({"status": "ERROR", "last_error": "Revoked."}, f"{name} has to be connected again: Revoked.", None),
        ({**held, "push_failures": 5}, "Pipedrive does not answer: it is tried again at 12:00:00 UTC.", at),
        ({**held, "push_failures": 0}, f"The quota of {name} is used up: it goes on at 2127-01-01 12:00 UTC.", at),
    ]
    for state, reason, next_attempt in cases:
        await home.change(**state)
        begun = time.monotonic()
        answer = await push(home, await add_contact(home))
        assert (answer["outcome"], answer["push"]["lastError"]) == ("QUEUED", reason)
        assert time.monotonic() - begun < 5, "nobody waits for what cannot be"
        told = {(each["lastError"], each["nextAttemptAt"]) for each in (await home.read(WAITING))["pushes"]["nodes"]}
        assert told == {(reason, next_attempt)}


async def test_a_push_that_waits_for_room_says_so(home: Home) -> None:
    given = {"integration_id": home.integration, "kind": "WARM_LEAD", "record_type": "CONTACT", "caused_by": "key:a"}
    begun = datetime.now(UTC)
    gone = [
        home.make(
            Push, record_id=uuid4(), status="COMMITTED", last_attempt_at=begun + timedelta(seconds=number), **given
        )
        for number in range(10)
    ]
    late, other = (home.make(Push, record_id=uuid4(), **{**given, "caused_by": each}) for each in ("key:a", "key:b"))
    await home.add(*gone, late, other)
    found = {each.pop("id"): each for each in (await home.read(WAITING))["pushes"]["nodes"]}
    reason = "No more than 10 leave in a minute for whoever has caused it."
    minute = (begun + timedelta(minutes=1)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert found == {
        gid(late): {"lastError": reason, "nextAttemptAt": minute},
        gid(other): {"lastError": None, "nextAttemptAt": None},
    }


async def test_who_waits_is_told_as_soon_as_a_try_has_come_to_nothing(home: Home) -> None:
    begun, until = time.monotonic(), datetime.now(UTC) + timedelta(hours=5)
    async with crm(home, Later("The quota is used up.", until=until)):
        answer = await push(home, await add_contact(home))
    assert (answer["outcome"], answer["push"]["lastError"]) == ("QUEUED", "The quota is used up.")
    assert time.monotonic() - begun < 5


async def test_an_owner_whom_the_crm_does_not_know_is_told_and_can_be_tied(home: Home) -> None:
    ada = await add_contact(home)
    await home.change(status="PAUSED")
    assert (await push(home, ada, ownerEmail="nobody@x.test"))["userErrors"] == [], "its users are not known yet"
    bo = await add_contact(home)
    await home.add(home.make(tables.CrmUser, integration_id=home.integration, external_id="7", email="a@x.test"))
    unknown = (await push(home, bo, ownerEmail="nobody@x.test"))["userErrors"]
    message = "Acme's Pipedrive has no user with this e-mail address: linkCrmUser ties a member to one."
    assert unknown == [{"field": ["input", "ownerEmail"], "code": "NOT_FOUND", "message": message}]
    member = str(GlobalId("Member", home.member))
    given = {"integrationId": integration(home), "externalId": "7", "memberId": member}
    tied = (await home.read(LINK, input=given))["linkCrmUser"]
    assert tied == {"user": {"externalId": "7", "member": {"id": member}}, "userErrors": []}
    answer = await push(home, bo, ownerEmail=f"{home.member}@acme.test")
    assert (answer["owner"], answer["userErrors"]) == ({"externalId": "7"}, [])
    untied = (await home.read(LINK, input={**given, "memberId": None}))["linkCrmUser"]["user"]
    assert untied == {"externalId": "7", "member": None}
    missing = (await home.read(LINK, input={**given, "externalId": "8"}))["linkCrmUser"]["userErrors"]
    assert [(each["field"], each["code"]) for each in missing] == [(["input", "externalId"], "NOT_FOUND")]


async def test_settings_of_what_goes_out(home: Home) -> None:
    shipped = (await home.read(f"{{ integrations {{ settings {{ {SETTINGS} }} }} }}"))["integrations"][0]["settings"]
    assert shipped == {
        "direction": "INBOUND", "conflictPolicy": "NEWEST_WINS", "pushWarmLeads": False, "replicateActivities": False,
        "allowNewPicklistValues": False,
    }  # fmt: skip
    await add_contact(home)
    wanted = {
        "direction": "BIDIRECTIONAL", "conflictPolicy": "MANUAL", "pushWarmLeads": True, "replicateActivities": True,
        "allowNewPicklistValues": True,
    }  # fmt: skip
    answer = (await home.read(UPDATE, input={"integrationId": integration(home), **wanted}))["updateIntegration"]
    assert answer["integration"]["settings"] == wanted
    assert answer["integration"]["stats"] == {"pendingPushes": 1, "failedPushes": 0, "openConflicts": 0}
    refused = (await home.read(UPDATE, input={"integrationId": integration(home), "direction": None}))[
        "updateIntegration"
    ]
    assert refused["userErrors"] == [
        {"field": ["input", "direction"], "code": "BAD_INPUT", "message": "`direction` is not null."}
    ]


async def test_a_lower_threshold_sends_out_who_is_warm_by_it(home: Home) -> None:
    for warmness in (1, 2, 3, 4):
        await add_contact(home, warmness=warmness)
    await home.change(push_warm_leads=True)
    answer = (await home.read(WORKSPACE, input={"warmLeadThreshold": 3, "pushesPerMinute": 60}))["updateWorkspace"]
    assert answer == {"workspace": {"warmLeadThreshold": 3, "pushesPerMinute": 60}, "userErrors": []}
    listed = await home.read(LIST, integration=integration(home), status=["PENDING"])
    assert listed["pushes"]["totalCount"] == 2
    await home.read(WORKSPACE, input={"warmLeadThreshold": 5})
    assert (await home.read(LIST))["pushes"]["totalCount"] == 2, "nothing is withdrawn"
    for field, value, message in (
        ("warmLeadThreshold", 6, "`warmLeadThreshold` is 0 to 5."),
        ("pushesPerMinute", 0, "`pushesPerMinute` is 1 to 6000."),
        ("pushesPerMinute", None, "`pushesPerMinute` is a number: it cannot be null."),
    ):
        [error] = (await home.read(WORKSPACE, input={field: value}))["updateWorkspace"]["userErrors"]
        assert error == {"field": ["input", field], "code": "BAD_INPUT", "message": message}


async def test_an_activity_says_how_far_it_has_come(home: Home) -> None:
    await home.change(replicate_activities=True)
    calls = [home.make(tables.Activity, subject=each, kind="CALL") for each in ("none", "there", "stuck")]
    await home.add(*calls)
    given = {"integration_id": home.integration, "kind": "ACTIVITY", "record_type": "ACTIVITY"}
    there = home.make(Push, record_id=calls[1].id, status="COMMITTED", external_id="9", attempts=1, **given)
    stuck = home.make(
        Push, record_id=calls[2].id, status="FAILED", last_error="No.", attempts=3, is_final=True, **given
    )
    await home.add(there, stuck)
    found = (await home.read(REPLICATION))["activities"]["nodes"]
    own = {"integration": {"id": integration(home)}}
    nothing = {"externalId": None, "attempts": 0, "lastError": None, "push": None}
    assert {each["subject"]: each["replication"] for each in found} == {
        "none": [{"status": "NOT_APPLICABLE", **nothing, **own}],
        "there": [
            {"status": "REPLICATED", "externalId": "9", "attempts": 1, "lastError": None, "push": {"id": gid(there)}, **own}
        ],
        "stuck": [
            {"status": "FAILED", "externalId": None, "attempts": 3, "lastError": "No.", "push": {"id": gid(stuck)}, **own}
        ],
    }  # fmt: skip
    query = "query ($s: [ReplicationStatus!]) { activities(filter: {replicationStatus: $s}) { nodes { subject } } }"
    for statuses, subjects in ((["FAILED"], {"stuck"}), (["NOT_APPLICABLE", "REPLICATED"], {"none", "there"})):
        named = (await home.read(query, s=statuses))["activities"]["nodes"]
        assert {each["subject"] for each in named} == subjects


async def test_a_resumed_integration_sends_what_has_waited(home: Home) -> None:
    ada = await add_contact(home)
    await home.change(status="PAUSED", push_failures=9)
    assert (await push(home, ada))["outcome"] == "QUEUED"
    resume = "mutation ($id: ID!) { resumeIntegration(input: {integrationId: $id}) { integration { status } } }"
    await home.read(resume, id=integration(home))
    [row] = await home.database.fetch(
        home.workspace,
        "select push_failures from integration where workspace_id = %(workspace)s",
        {"workspace": home.workspace},
    )
    assert row == {"push_failures": 0}, "nothing of an outage before is waited for"
    waiting = "select lock from procrastinate_jobs where lock = %(lock)s and task_name = 'push'"
    assert len(await home.database.lookup(waiting, {"lock": f"push:{home.integration}"})) == 2


MERGE = """
mutation ($keep: ID!, $merge: [ID!]!) { mergeRecords(input: {keepId: $keep, mergeIds: $merge}) { userErrors { code } } }
"""


@pytest.mark.parametrize("kept_too", [False, True])
async def test_of_contacts_that_become_one_one_push_goes_on(home: Home, kept_too: bool) -> None:
    """Two would make the person twice."""
    people = [await add_contact(home, number=number) for number in range(3)]
    given = {"integration_id": home.integration, "kind": "WARM_LEAD", "record_type": "CONTACT"}
    asked = people if kept_too else people[1:]
    rows = [home.make(Push, record_id=one.id, **given) for one in asked]
    rows[-1].idempotency_key = "k"
    await home.add(*rows)
    await home.read(MERGE, keep=gid(people[0]), merge=[gid(one) for one in people[1:]])
    found = (await home.read("{ pushes { nodes { id status record { id } } } }"))["pushes"]["nodes"]
    states = {each["id"]: each["status"] for each in found}
    assert [states[gid(row)] for row in rows] == ["PENDING", *["SKIPPED"] * (len(rows) - 1)]
    assert {each["record"]["id"] for each in found} == {gid(people[0])}
    for one in people:
        assert (await home.read(LIST, record=gid(one)))["pushes"]["totalCount"] == len(rows), "by whichever id"
    again = await push(home, people[2], idempotencyKey="k")
    assert (again["push"]["id"], again["userErrors"]) == (gid(rows[-1]), [])


async def test_what_no_database_takes_is_told(home: Home) -> None:
    ada = await add_contact(home)
    answer = await push(home, ada, idempotencyKey="a\0")
    message = "A key has no NUL, and no half of a surrogate pair."
    assert answer["userErrors"] == [{"field": ["input", "idempotencyKey"], "code": "BAD_INPUT", "message": message}]
    async with crm(home, Committed(external_type="Person", external_id="1")):
        assert (await push(home, ada, ownerEmail="a\0\ud800@b.test"))["outcome"] == "COMMITTED"
