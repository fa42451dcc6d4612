"""Another workspace's ids, cursors and records behave as if they did not exist, even where row-level security is off."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx
from graphql import GraphQLID, GraphQLInputObjectType, get_named_type
from strawberry.types import ExecutionResult

from resolvers.context import Services
from schema.build import schema
from storage import tables
from storage.database import Database
from storage.embedded import Embedded
from storage.listing import GlobalId
from storage.outbound import Conflict, Push
from tests.conftest import copy_database
from tests.schema.conftest import Home, gid, move_in, open_services
from tests.storage.scoping import read_all, switch_off

READ = """
query ($organization: ID!, $contact: ID!, $deal: ID!, $activity: ID!, $integration: ID!, $run: ID!, $merged: ID!,
  $all: [ID!]!) {
  node(id: $contact) { id }
  nodes(ids: $all) { id }
  contact(id: $contact) { id }
  merged: contact(id: $merged) { id }
  organization(id: $organization) { id }
  deal(id: $deal) { id }
  activity(id: $activity) { id }
  integration(id: $integration) { id }
  syncRun(id: $run) { id }
  recordBySource(integrationId: $integration, externalType: "Person", externalId: "1") { id }
  contactsByIds: contacts(filter: {ids: [$contact]}) { totalCount nodes { id } }
  contactsByIntegration: contacts(filter: {integrationId: [$integration]}) { totalCount nodes { id } }
  contactsByOrganization: contacts(filter: {organizationId: [$organization]}) { totalCount nodes { id } }
  contactsByOwner: contacts(filter: {ownerEmail: {contains: "zebulon"}}) { totalCount nodes { id } }
  contactsByName: contacts(filter: {name: {startsWith: "Zebulon"}}) { totalCount nodes { id } }
  contactsByWord: contacts(search: "zebulon") { totalCount nodes { id } }
  organizationsByIntegration: organizations(filter: {integrationId: [$integration]}) { totalCount nodes { id } }
  organizationsByWord: organizations(search: "zebulon") { totalCount nodes { id } }
  dealsByContact: deals(filter: {contactId: [$contact]}) { totalCount nodes { id } }
  dealsByOrganization: deals(filter: {organizationId: [$organization]}) { totalCount nodes { id } }
  dealsByIntegration: deals(filter: {integrationId: [$integration]}) { totalCount nodes { id } }
  activitiesByContact: activities(filter: {contactId: [$contact]}) { totalCount nodes { id } }
  activitiesByDeal: activities(filter: {dealId: [$deal]}) { totalCount nodes { id } }
  activitiesByIntegration: activities(filter: {integrationId: [$integration]}) { totalCount nodes { id } }
  syncRuns(integrationId: $integration) { totalCount nodes { id } }
}
"""

CROSSED = """
query ($contact: ID!, $deal: ID!, $activity: ID!, $integration: ID!, $alias: ID!, $run: ID!, $merged: ID!) {
  contact(id: $contact) {
    organization { id } owner { name } deals { totalCount nodes { id } } activities { totalCount nodes { id } }
  }
  deal(id: $deal) { organization { id } contacts { totalCount nodes { id } } activities { totalCount nodes { id } } }
  activity(id: $activity) { organization { id } deal { id } contacts { totalCount nodes { id } } }
  merged: contact(id: $merged) { id }
  alias: integration(id: $alias) { id }
  recordBySource(integrationId: $integration, externalType: "Person", externalId: "crossed") { id }
  syncRun(id: $run) { errors { totalCount nodes { message } } }
  integrations { stats { contacts leads } }
}
"""

WATCH = {
    "integration": "subscription ($integration: ID!) { integration(id: $integration) { id } }",
    "run": "subscription ($run: ID!) { syncProgress(syncRunId: $run) { id } }",
    "runs": "subscription ($integration: ID!) { syncRuns(integrationId: $integration) { id } }",
}

REMOTE = """
query ($integration: ID!) { remoteRecords(integrationId: $integration, externalType: "Person") { nodes { externalId } } }
"""

MAPPING = {"externalType": "Person", "localField": "jobTitle", "crmField": "name"}
MUTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "approveSync": ("run", {}),
    "archiveRecord": ("contact", {}),
    "cancelSync": ("run", {}),
    "clearLinks": ("integration", {}),
    "connect": ("integration", {"crm": "PIPEDRIVE", "apiToken": "token-1"}),
    "createContact": ("organization", {"name": "Ours"}),
    "createDeal": ("organization", {"title": "Ours"}),
    "deleteIntegration": ("integration", {}),
    "disconnect": ("integration", {}),
    "logActivity": ("contact", {"kind": "CALL", "subject": "Ours"}),
    "mergeRecords": ("contact", {"mergeIds": [str(GlobalId("Contact", UUID(int=1)))]}),
    "linkCrmUser": ("integration", {"externalId": "7"}),
    "pauseIntegration": ("integration", {}),
    "pushWarmLead": ("contact", {"integrationId": str(GlobalId("Integration", UUID(int=1)))}),
    "removeMember": ("member", {}),
    "resumeIntegration": ("integration", {}),
    "resetFieldMappings": ("integration", {}),
    "resolveConflicts": ("conflict", {"resolution": "CRM"}),
    "retryPushes": ("push", {}),
    "revokeApiKey": ("key", {}),
    "splitRecord": ("source", {}),
    "sync": ("integration", {}),
    "testIntegration": ("integration", {}),
    "updateActivity": ("activity", {"subject": "Taken"}),
    "updateContact": ("contact", {"name": "Taken"}),
    "updateDeal": ("deal", {"title": "Taken"}),
    "updateFieldMappings": ("integration", {"mappings": [MAPPING]}),
    "updateIntegration": ("integration", {"displayName": "Taken"}),
    "updateMember": ("member", {"role": "VIEWER"}),
    "updateOrganization": ("organization", {"name": "Taken"}),
    "updateWorkspace": ("integration", {"name": "Taken"}),
}
"""Every mutation that is about something that is there already: what its id is of, and what else its input needs."""

NOBODY: dict[str, Any] = {"totalCount": 0, "nodes": []}


@dataclass(frozen=True)
class House:
    """Two workspaces that nothing but the statements keeps apart: ours, and the others', who have one of everything."""

    ours: Home
    others: Home
    ids: dict[str, str]
    """The others' ids, by kind."""


@pytest.fixture(scope="module")
async def unguarded(
    server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Services]:
    with copy_database(server, template) as url:
        switch_off(url)
        database = Database(url)
        await database.open()
        async with open_services(database, Path(tmp_path_factory.mktemp("keys"))) as services:
            yield services
        await database.close()


@pytest.fixture
async def house(unguarded: Services) -> House:
    ours = await move_in(Home(unguarded.database, unguarded))
    others = await move_in(Home(unguarded.database, unguarded))
    return House(ours, others, await furnish(others))


async def furnish(home: Home) -> dict[str, str]:
    """One of everything that has an id; gives the ids."""
    owner: dict[str, Any] = {"owner_integration_id": home.integration, "owner_external_id": "7"}
    organization = home.make(tables.Organization, name="Zebulon Works", **owner)
    contact = home.contact(name="Zebulon", kind="LEAD", organization_id=organization.id, **owner)
    deal = home.make(tables.Deal, title="Zebulon's", organization_id=organization.id)
    activity = home.make(tables.Activity, subject="Zebulon's", organization_id=organization.id, deal_id=deal.id)
    merged = home.make(tables.MergedRecord, record_id=contact.id)
    run = home.make(tables.SyncRun, integration_id=home.integration, kind="FULL", status="RUNNING", trigger="MEMBER")
    key = home.make(tables.ApiKey, name="Zebulon's", role="VIEWER", prefix="cw_zebulon")
    source = home.source(contact, "1")
    await home.add(
        *(organization, contact, deal, activity, merged, run, key, source),
        home.source(organization, "1", external_type="Organization"),
        home.source(deal, "1", external_type="Deal"),
        home.source(activity, "1", external_type="Activity"),
        home.make(tables.CrmUser, integration_id=home.integration, external_id="7", email="zebulon@acme.test"),
        home.make(tables.DealContact, deal_id=deal.id, contact_id=contact.id),
        home.make(tables.ActivityContact, activity_id=activity.id, contact_id=contact.id),
        home.make(tables.MatchKey, source_id=source.id, kind="email", value="z@acme.test", **of(contact)),
    )
    conflict = home.make(
        Conflict, integration_id=home.integration, source_id=source.id, field="name", local="Zebulon", **of(contact)
    )
    await home.add(home.make(tables.SyncError, run_id=run.id, code="UNMAPPABLE", message="Zebulon's"), conflict)
    push = home.make(Push, integration_id=home.integration, kind="EDIT", **of(contact))
    await home.add(push)
    rows = {"organization": organization, "contact": contact, "deal": deal, "activity": activity, "source": source}
    return {kind: gid(row) for kind, row in rows.items()} | {
        "run": gid(run, "SyncRun"),
        "key": gid(key, "ApiKey"),
        "merged": gid(merged, "Contact"),
        "conflict": gid(conflict),
        "push": gid(push),
        "integration": str(GlobalId("Integration", home.integration)),
        "member": str(GlobalId("Member", home.member)),
        "workspace": str(GlobalId("Workspace", home.workspace)),
    }


def of(record: Any) -> dict[str, Any]:
    return {"record_id": record.id, "record_type": type(record).__name__.upper()}


def key_of(house: House, kind: str) -> Any:
    """The others' key in the tables."""
    return GlobalId.read(house.ids[kind]).key


def is_blank(answer: Any) -> bool:
    """Whether it tells of nothing at all."""
    if isinstance(answer, dict) and "nodes" in answer:
        return not answer["nodes"] and not answer.get("totalCount")
    return not any(answer) if isinstance(answer, list) else answer is None


# ---------------------------------------------------------------- reading


async def test_ids_of_others_are_of_nothing(house: House) -> None:
    ids = {**house.ids, "all": [each for kind, each in house.ids.items() if kind != "key"]}

    theirs, ours = await house.others.read(READ, **ids), await house.ours.read(READ, **ids)

    assert [name for name, answer in theirs.items() if is_blank(answer)] == []
    assert None not in theirs["nodes"]
    assert [name for name, answer in ours.items() if not is_blank(answer)] == []
    assert len(ours["nodes"]) == len(theirs["nodes"])


async def test_a_record_that_points_at_those_of_others_leads_nowhere(house: House) -> None:
    """No statement of ours writes such rows; were they there, they would open nothing."""
    home, others = house.ours, {kind: key_of(house, kind) for kind in house.ids}
    theirs = {"organization_id": others["organization"]}
    owner = {"owner_integration_id": others["integration"], "owner_external_id": "7"}
    contact, deal = home.contact(name="Ours", **theirs, **owner), home.make(tables.Deal, title="Ours", **theirs)
    activity = home.make(tables.Activity, subject="Ours", deal_id=others["deal"], **theirs)
    merged = home.make(tables.MergedRecord, record_id=others["contact"])
    alias = home.make(
        tables.Integration,
        crm="PIPEDRIVE",
        display_name="",
        credential_kind="API_TOKEN",
        same_as=others["integration"],
    )
    run = home.make(tables.SyncRun, integration_id=home.integration, kind="FULL", status="RUNNING", trigger="MEMBER")
    source = {"record_id": others["contact"], "record_type": "CONTACT"}
    await home.add(
        *(contact, deal, activity, merged, alias, run, home.source(contact, "crossed", **source)),
        home.make(tables.DealContact, deal_id=deal.id, contact_id=others["contact"]),
        home.make(tables.DealContact, deal_id=others["deal"], contact_id=contact.id),
        home.make(tables.ActivityContact, activity_id=activity.id, contact_id=others["contact"]),
        home.make(tables.ActivityContact, activity_id=others["activity"], contact_id=contact.id),
    )
    await house.others.add(house.others.make(tables.SyncError, run_id=run.id, code="MISSING", message="Zebulon's"))
    ids = {"contact": gid(contact), "deal": gid(deal), "activity": gid(activity), "run": gid(run)}
    ids |= {"alias": gid(alias), "merged": str(GlobalId("Contact", merged.id))}

    found = await home.read(CROSSED, **ids, integration=str(GlobalId("Integration", home.integration)))

    assert found == {
        "contact": {"organization": None, "owner": None, "deals": NOBODY, "activities": NOBODY},
        "deal": {"organization": None, "contacts": NOBODY, "activities": NOBODY},
        "activity": {"organization": None, "deal": None, "contacts": NOBODY},
        "merged": None,
        "alias": None,
        "recordBySource": None,
        "syncRun": {"errors": NOBODY},
        "integrations": [{"stats": {"contacts": 1, "leads": 0}}],
    }


async def test_a_cursor_of_others_is_a_place_in_our_own_list(house: House) -> None:
    query = """query ($after: String) {
      contacts(orderBy: [{field: NAME}], first: 1, after: $after) { nodes { name } pageInfo { endCursor } }
    }"""
    await house.others.add(house.others.contact(name="Zoltan"))
    await house.ours.add(house.ours.contact(name="Aaron"), house.ours.contact(name="Zorro"))
    cursor = (await house.others.read(query))["contacts"]["pageInfo"]["endCursor"]

    assert (await house.others.read(query, after=cursor))["contacts"]["nodes"] == [{"name": "Zoltan"}]
    assert (await house.ours.read(query, after=cursor))["contacts"]["nodes"] == [{"name": "Zorro"}]


async def test_what_is_listed_without_an_id_is_ours(house: House) -> None:
    found = await house.ours.read(
        "{ integrations { id } syncRuns { totalCount } contacts { totalCount }"
        " viewer { workspace { id members { nodes { id } } apiKeys { id } } } }"
    )

    member, workspace = GlobalId("Member", house.ours.member), GlobalId("Workspace", house.ours.workspace)
    assert found == {
        "integrations": [{"id": str(GlobalId("Integration", house.ours.integration))}],
        "syncRuns": {"totalCount": 0},
        "contacts": {"totalCount": 0},
        "viewer": {
            "workspace": {"id": str(workspace), "members": {"nodes": [{"id": str(member)}]}, "apiKeys": []},
        },
    }


async def test_no_crm_is_asked_through_an_integration_of_others(house: House) -> None:
    with respx.mock(assert_all_called=False) as router:
        answer = await house.ours.read(REMOTE, integration=house.ids["integration"])

    assert answer == {"remoteRecords": None}
    assert router.calls.call_count == 0


@pytest.mark.parametrize("watched", WATCH)
async def test_nothing_of_others_can_be_watched(house: House, watched: str) -> None:
    kind = "run" if watched == "run" else "integration"

    async def begin(home: Home) -> ExecutionResult:
        events: Any = await schema.subscribe(
            WATCH[watched], variable_values={kind: house.ids[kind]}, context_value=home.context()
        )
        first: ExecutionResult = await anext(events)
        await events.aclose()
        return first

    theirs, ours = await begin(house.others), await begin(house.ours)

    assert theirs.errors is None
    assert ours.errors is not None
    assert [(error.extensions or {})["code"] for error in ours.errors] == ["BAD_INPUT"]


# ---------------------------------------------------------------- doing


def test_every_mutation_that_takes_an_id_is_tried() -> None:
    assert {name for name, given in list_inputs().items() if find_id(given)} == set(MUTATIONS)


def list_inputs() -> dict[str, GraphQLInputObjectType]:
    """What each mutation takes."""
    mutations = schema._schema.mutation_type
    assert mutations is not None
    return {name: get_named_type(field.args["input"].type) for name, field in mutations.fields.items()}


def find_id(given: GraphQLInputObjectType) -> str | None:
    """The field that says what the mutation is about."""
    return next((name for name, field in given.fields.items() if get_named_type(field.type) is GraphQLID), None)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_nothing_of_others_can_be_changed(house: House, name: str) -> None:
    kind, more = MUTATIONS[name]
    given = list_inputs()[name]
    before = read_all(house.ours.database.url, house.others.workspace)
    mine = read_all(house.ours.database.url, house.ours.workspace)

    with respx.mock as router:
        router.get("https://api.pipedrive.com/v1/users/me").mock(return_value=httpx.Response(200, json=ME))
        done = await house.ours.read(
            f"mutation ($input: {given.name}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}",
            input={find_id(given): house.ids[kind], **more},
        )

    assert done == {name: {"userErrors": [{"code": "NOT_FOUND"}]}}
    assert read_all(house.ours.database.url, house.others.workspace) == before
    assert read_all(house.ours.database.url, house.ours.workspace) == mine


ME = {"success": True, "data": {"id": 7, "company_id": 4711, "company_name": "Acme", "company_domain": "acme"}}


async def test_the_account_of_others_becomes_an_integration_of_our_own(house: House) -> None:
    await house.others.change(account_id="4711")
    before = read_all(house.ours.database.url, house.others.workspace)

    with respx.mock as router:
        router.get("https://api.pipedrive.com/v1/users/me").mock(return_value=httpx.Response(200, json=ME))
        done = await house.ours.read(
            'mutation { connect(input: {crm: PIPEDRIVE, apiToken: "token-1"}) { integration { id accountId } } }'
        )

    assert done["connect"]["integration"]["accountId"] == "4711"
    assert done["connect"]["integration"]["id"] != house.ids["integration"]
    assert read_all(house.ours.database.url, house.others.workspace) == before
