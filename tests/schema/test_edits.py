"""Edits made here, as a CRM has them then: it is simulated in process, and nothing else stands in for anything."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.facts import Credential, Mapped
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from connectors.writing import Draft
from storage.listing import GlobalId
from storage.shapes import CredentialKind, RecordType
from storage.tables import Integration
from sync.pages import Writer
from sync.pushing import Pusher
from sync.sending.sender import Sender
from tests.connectors.simulator import Simulator
from tests.schema.conftest import Home

EVERY = pytest.mark.parametrize("crm", CONNECTORS)
PUSHES = "query ($r: ID) { pushes(first: 20, recordId: $r) { nodes { status lastError } } }"
CONTACT = "query ($i: ID!) { contact(id: $i) { name firstName lastName email } }"
CREATE = "mutation ($i: CreateContactInput!) { createContact(input: $i) { contact { id } } }"
CONFLICTS = "{ conflicts { nodes { id field status } } }"
RESOLVE = "mutation ($i: ResolveConflictsInput!) { resolveConflicts(input: $i) { userErrors { message } } }"


@pytest.fixture(scope="module")
async def simulators(home_jobs: None) -> AsyncIterator[dict[str, Simulator]]:
    """One of each CRM."""
    opened = {crm: await Simulator.open(crm, 5) for crm in CONNECTORS}
    yield opened
    for simulator in opened.values():
        await simulator.http.aclose()


@pytest.fixture(scope="module")
async def home_jobs(services: Any) -> AsyncIterator[None]:
    """What is queued asks for a job, which the tests do themselves."""
    await services.jobs.open()
    yield
    await services.jobs.close()


@dataclass
class Account:
    """The second account of a simulated CRM, which is of a smaller plan, and takes changes."""

    home: Home
    simulator: Simulator
    row: Integration

    @classmethod
    async def open(cls, home: Home, simulator: Simulator, **settings: Any) -> "Account":
        await simulator.control("PUT", "data", {"size": 5, "broken": 0}, account="2")
        await simulator.control("PUT", "faults", {"limits": "none"}, account="2")
        token = Credential(kind=CredentialKind.API_TOKEN, token=f"{simulator.token}-2")
        given = {"direction": "BIDIRECTIONAL", "status": "ACTIVE", "display_name": simulator.name, **settings}
        row = home.make(Integration, crm=simulator.connector.name, credential_kind="API_TOKEN", **given)
        row.account_id, row.account_url = str(row.id), "https://account.example"
        row.credentials = home.services.clients.vault.seal(token, workspace=home.workspace, integration=row.id)
        await home.add(row)
        return cls(home, simulator, row)

    def type(self, type_: RecordType) -> ExternalType:
        return next(one for one in self.simulator.connector.types if one.record_type is type_)

    def client(self) -> Client:
        """Of the account, for what others do."""
        return self.simulator.client(token=f"{self.simulator.token}-2")

    async def make(self, external: ExternalType, **values: Any) -> tuple[str, str]:
        """A record that is there and here: its ids on both sides."""
        client = self.client()
        catalog = await read_catalog(client, external, "DE")
        one = await client.create(external, Draft(values=values), catalog)
        await self.sync(external, one)
        rows = await self.home.database.fetch(
            self.home.workspace,
            "select record_id from source_record where workspace_id = %(workspace)s and external_id = %(one)s"
            " and integration_id = %(account)s and external_type = %(type)s",
            {"workspace": self.home.workspace, "one": one, "account": self.row.id, "type": external.name},
        )
        return one, str(GlobalId(external.record_type.value.title(), rows[0]["record_id"]))

    async def sync(self, external: ExternalType, *ids: str) -> None:
        """As a run reads these records."""
        mapped = [await self.look(external, one) for one in ids]
        async with self.home.database.session(self.home.workspace) as session:
            await Writer(self.home.database, session, self.row).store_page(external, mapped)

    async def look(self, external: ExternalType, one: str) -> Mapped:
        """What the CRM has now, in our shape."""
        client = self.client()
        catalog = await read_catalog(client, external, "DE")
        return map_record(external, (await client.read(external, [one]))[one], catalog)

    async def write(self, external: ExternalType, one: str, **values: Any) -> None:
        """Somebody else changes a record there."""
        client = self.client()
        catalog = await read_catalog(client, external, "DE")
        assert await client.change(external, {one: Draft(values=values)}, catalog) == {one: None}

    async def edit(self, external: ExternalType, id: str, **values: Any) -> None:
        """Somebody changes it here."""
        kind = external.record_type.value.title()
        query = (
            f"mutation ($input: Update{kind}Input!) {{ update{kind}(input: $input) {{ userErrors {{ message }} }} }}"
        )
        answer = await self.home.read(query, input={f"{kind.lower()}Id": id, **values})
        assert answer[f"update{kind}"]["userErrors"] == []

    async def push(self, id: str | None = None) -> list[tuple[str, str | None]]:
        """Sends what is due; how the pushes of a record, or all, stand, the last one first."""
        http, url = self.simulator.http, self.simulator.url
        clients = replace(self.home.services.clients, http=http, api_urls={self.simulator.connector.name: url})
        sender = Sender(database=self.home.database, clients=clients)
        pusher = Pusher(database=self.home.database, jobs=self.home.services.jobs, send=sender.send)
        await pusher.push(self.home.workspace, self.row.id)
        nodes = (await self.home.read(PUSHES, r=id))["pushes"]["nodes"]
        return [(node["status"], node["lastError"]) for node in nodes]


@pytest.fixture
async def account(crm: str, home: Home, simulators: dict[str, Simulator]) -> Account:
    return await Account.open(home, simulators[crm])


@pytest.fixture
async def pipedrive(home: Home, simulators: dict[str, Simulator]) -> Account:
    return await Account.open(home, simulators["PIPEDRIVE"])


@pytest.fixture
async def hubspot(home: Home, simulators: dict[str, Simulator]) -> Account:
    return await Account.open(home, simulators["HUBSPOT"])


# ---------------------------------------------------------------- every field


ADDRESS = {"street": "Hlavní 1", "city": "Brno", "region": None, "postal_code": "602 00", "country": "Czechia"}
BEFORE: dict[RecordType, dict[str, Any]] = {
    RecordType.CONTACT: {
        "name": "Ann Lee", "first_name": "Ann", "last_name": "Lee", "job_title": "CEO", "address": ADDRESS,
        "emails": [{"value": "ann@acme.example", "primary": True}],
        "phones": [{"value": "+420602123456", "primary": True}],
    },
    RecordType.ORGANIZATION: {"name": "Acme", "address": ADDRESS},
    RecordType.DEAL: {
        "title": "Pumps", "amount_value": "100", "amount_currency": "USD", "expected_close_on": "2030-01-31",
    },
    RecordType.ACTIVITY: {
        "kind": "CALL", "subject": "Hello", "body": "A word", "due_on": "2030-01-31", "due_at": "2030-01-31T10:00:00Z",
        "duration_minutes": 15, "is_done": False,
    },
}  # fmt: skip
EDITS: dict[RecordType, tuple[dict[str, Any], dict[str, Any]]] = {
    RecordType.CONTACT: (
        {
            "name": "Bo Fox", "jobTitle": "CTO", "address": {"street": "Hlavní 2", "city": "Praha"},
            "emails": [{"value": "bo@acme.example"}], "phones": [{"value": "+420602654321"}],
        },
        {"name": "Bo Fox", "first_name": "Bo", "last_name": "Fox", "job_title": "CTO"},
    ),
    RecordType.ORGANIZATION: ({"name": "Bolt", "address": {"street": "Hlavní 2", "city": "Praha"}}, {"name": "Bolt"}),
    RecordType.DEAL: (
        {"title": "Valves", "amount": {"amount": "200.5", "currency": "USD"}, "expectedCloseOn": "2030-02-28"},
        {"title": "Valves", "amount_value": "200.5", "amount_currency": "USD", "expected_close_on": "2030-02-28"},
    ),
    RecordType.ACTIVITY: (
        {
            "subject": "Bye", "body": "Another", "dueAt": "2030-02-28T11:00:00Z", "durationMinutes": 30, "isDone": True,
        },
        {
            "subject": "Bye", "body": "Another", "due_at": "2030-02-28T11:00:00Z", "duration_minutes": 30,
            "is_done": True,
        },
    ),
}  # fmt: skip
"""What is given, and what the CRM has then."""


@EVERY
@pytest.mark.parametrize("type_", BEFORE)
async def test_what_had_a_value_there_has_another_one(account: Account, type_: RecordType) -> None:
    external = account.type(type_)
    given, wanted = EDITS[type_]
    one, mine = await account.make(external, **BEFORE[type_])
    await account.edit(external, mine, **given)
    assert await account.push() == [("COMMITTED", None)]
    said = (await account.look(external, one)).values
    assert {name: said[name] for name in wanted} == wanted
    if "address" in given:
        assert {name: said["address"][name] for name in given["address"]} == given["address"]
    if "emails" in given:
        assert [[each["value"] for each in said[name]] for name in ("emails", "phones")] == [
            ["bo@acme.example"], ["+420602654321"],
        ]  # fmt: skip


@EVERY
async def test_an_amount_goes_and_a_like_one_does_not(account: Account) -> None:
    deal = account.type(RecordType.DEAL)
    one, mine = await account.make(deal, **BEFORE[RecordType.DEAL])
    await account.edit(deal, mine, amount={"amount": "100.00", "currency": "USD"})
    assert await account.push() == [("SKIPPED", f"{account.simulator.connector.label} has it already.")]
    await account.edit(deal, mine, amount=None)
    assert (await account.push())[0] == ("COMMITTED", None)
    assert float((await account.look(deal, one)).values["amount_value"] or 0) == 0


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (
            "CRM_WINS",
            "It was changed in a CRM too, and by the integration's conflict policy the value from there counts.",
        ),
        ("MANUAL", "A person has yet to decide what counts: see the record's conflicts."),
    ],
)
async def test_why_there_is_nothing_to_be_written(
    home: Home, simulators: dict[str, Simulator], policy: str, why: str
) -> None:
    hubspot = await Account.open(home, simulators["HUBSPOT"], conflict_policy=policy)
    person = hubspot.type(RecordType.CONTACT)
    one, mine = await hubspot.make(person, name="Ann Lee", job_title="CEO")
    await hubspot.edit(person, mine, jobTitle="CEO")
    assert await hubspot.push() == [], "nothing has changed"
    await hubspot.write(person, one, job_title="CFO")
    await hubspot.edit(person, mine, jobTitle="CTO")
    assert await hubspot.push() == [("SKIPPED", why)]
    assert (await hubspot.look(person, one)).values["job_title"] == "CFO"


# ---------------------------------------------------------------- what is refused


async def test_what_a_crm_refuses_by_name_is_left_out_of_an_edit(pipedrive: Account) -> None:
    company = pipedrive.type(RecordType.ORGANIZATION)
    one, mine = await pipedrive.make(company, name="Acme")
    await pipedrive.edit(company, mine, name="Bolt", employeeCount=12)
    why = (
        "Pipedrive refuses the request (HTTP 400, ERR_SCHEMA_VALIDATION_FAILED): employee_count: Parameter"
        " 'employee_count' is not allowed for this request."
    )
    assert await pipedrive.push() == [("COMMITTED", f"Left out: {why}")]
    assert (await pipedrive.look(company, one)).values["name"] == "Bolt"
    await pipedrive.edit(company, mine, employeeCount=13)
    assert (await pipedrive.push())[0] == ("FAILED", why)


async def test_what_hubspot_refuses_of_a_batch_is_left_out_of_one(hubspot: Account) -> None:
    person = hubspot.type(RecordType.CONTACT)
    one, ann = await hubspot.make(person, first_name="Ann", job_title="CEO")
    other, bo = await hubspot.make(person, first_name="Bo", job_title="CEO")
    await hubspot.edit(person, ann, jobTitle="CTO", emails=[{"value": "a,b@acme.example"}])
    await hubspot.edit(person, bo, jobTitle="CFO")
    pushes = [await hubspot.push(ann), await hubspot.push(bo)]
    assert [status for [(status, _)] in pushes] == ["COMMITTED", "COMMITTED"]
    assert [(await hubspot.look(person, each)).values["job_title"] for each in (one, other)] == ["CTO", "CFO"]
    assert str(pushes[0][0][1]).startswith("Left out: HubSpot refuses")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("policy", "given", "shown"),
    [
        ("MANUAL", {"firstName": "Jan", "lastName": "van der Berg"}, ("Jan van der Berg", "Jan", "van der Berg")),
        ("NEWEST_WINS", {"firstName": None, "lastName": "van Berg"}, ("van Berg", None, "van Berg")),
        ("CRM_WINS", {"lastName": "van der Berg"}, ("Ann van der Berg", "Ann", "van der Berg")),
    ],
)
async def test_the_parts_that_a_crm_makes_of_a_whole_name_are_no_change(
    home: Home, simulators: dict[str, Simulator], policy: str, given: dict[str, Any], shown: tuple[str | None, ...]
) -> None:
    pipedrive = await Account.open(home, simulators["PIPEDRIVE"], conflict_policy=policy)
    person = pipedrive.type(RecordType.CONTACT)
    one, mine = await pipedrive.make(person, name="Ann Lee")
    await pipedrive.edit(person, mine, **given)
    assert await pipedrive.push() == [("COMMITTED", None)]
    await pipedrive.write(person, one, phones=[{"value": "+420602123456"}])
    await pipedrive.sync(person, one)
    contact = (await home.read(CONTACT, i=mine))["contact"]
    assert (contact["name"], contact["firstName"], contact["lastName"]) == shown
    assert (await pipedrive.look(person, one)).values["name"] == shown[0]
    assert (await home.read(CONFLICTS))["conflicts"]["nodes"] == []
    assert await pipedrive.push() == [("COMMITTED", None)], "nothing more is sent"


@pytest.mark.parametrize(
    ("policy", "is_sent", "shown"),
    [
        ("LOCAL_WINS", True, ("Jo van Berg", "Jo van", "Berg")),
        ("LOCAL_WINS", False, ("Jan van der Berg", "Jan", "van der Berg")),
        ("CRM_WINS", False, ("Jo van Berg", "Jo van", "Berg")),
    ],
)
async def test_another_whole_name_is_a_change_of_all_of_it(
    home: Home, simulators: dict[str, Simulator], policy: str, is_sent: bool, shown: tuple[str, ...]
) -> None:
    pipedrive = await Account.open(home, simulators["PIPEDRIVE"], conflict_policy=policy)
    person = pipedrive.type(RecordType.CONTACT)
    one, mine = await pipedrive.make(person, name="Ann Lee")
    await pipedrive.edit(person, mine, firstName="Jan", lastName="van der Berg")
    if is_sent:
        await pipedrive.push()
    await pipedrive.write(person, one, name="Jo van Berg")
    await pipedrive.sync(person, one)
    assert len(await pipedrive.push()) == 1
    contact = (await home.read(CONTACT, i=mine))["contact"]
    assert (contact["name"], contact["firstName"], contact["lastName"]) == shown
    assert (await pipedrive.look(person, one)).values["name"] == shown[0]


async def test_each_part_is_decided_for_itself(home: Home, simulators: dict[str, Simulator]) -> None:
    pipedrive = await Account.open(home, simulators["PIPEDRIVE"], conflict_policy="MANUAL")
    person = pipedrive.type(RecordType.CONTACT)
    one, mine = await pipedrive.make(person, name="Ann Lee")
    await pipedrive.edit(person, mine, firstName="Jan", lastName="van der Berg")
    await pipedrive.write(person, one, name="Jo van Berg")
    await pipedrive.push()
    for field, resolution in (("firstName", "LOCAL"), ("lastName", "CRM")):
        nodes = (await home.read(CONFLICTS))["conflicts"]["nodes"]
        found = {node["field"]: node["id"] for node in nodes if node["status"] == "OPEN"}
        assert field in found
        answer = await home.read(RESOLVE, i={"conflictIds": [found[field]], "resolution": resolution})
        assert answer["resolveConflicts"]["userErrors"] == []
        await pipedrive.sync(person, one)
    assert {node["status"] for node in (await home.read(CONFLICTS))["conflicts"]["nodes"]} == {"RESOLVED"}
    assert (await pipedrive.push())[0] == ("COMMITTED", None)
    assert (await pipedrive.look(person, one)).values["name"] == "Jan Berg"
    assert (await home.read(CONTACT, i=mine))["contact"]["name"] == "Jan Berg"


async def test_a_lead_with_a_part_of_a_name_keeps_it(home: Home, simulators: dict[str, Simulator]) -> None:
    pipedrive = await Account.open(home, simulators["PIPEDRIVE"], push_warm_leads=True)
    person = pipedrive.type(RecordType.CONTACT)
    given = {"lastName": "van Berg", "emails": [{"value": "berg@acme.example"}], "warmness": 5}
    lead = (await home.read(CREATE, i=given))["createContact"]["contact"]["id"]
    await pipedrive.push()
    one = (await home.read("query ($i: ID!) { contact(id: $i) { sources { externalId } } }", i=lead))["contact"]
    await pipedrive.sync(person, one["sources"][0]["externalId"])
    contact = (await home.read(CONTACT, i=lead))["contact"]
    assert (contact["name"], contact["firstName"], contact["lastName"]) == ("van Berg", None, "van Berg")


# ---------------------------------------------------------------- two CRMs


@pytest.mark.parametrize(
    ("policy", "theirs", "is_first"),
    [
        ("NEWEST_WINS", "Diff Local", True),
        ("CRM_WINS", "Diff Other", True),
        ("CRM_WINS", "Diff Other", False),
        ("MANUAL", "Diff Other", False),
    ],
)
async def test_an_edit_that_waits_is_kept_when_its_contact_becomes_one_with_another(
    home: Home, simulators: dict[str, Simulator], policy: str, theirs: str, is_first: bool
) -> None:
    hubspot = await Account.open(home, simulators["HUBSPOT"], conflict_policy=policy)
    pipedrive = await Account.open(home, simulators["PIPEDRIVE"], conflict_policy=policy, direction="INBOUND")
    there, person = hubspot.type(RecordType.CONTACT), pipedrive.type(RecordType.CONTACT)
    emails = [{"value": "diff@acme.example", "primary": True}]
    made: dict[str, tuple[str, str]] = {}
    for account in (pipedrive, hubspot) if is_first else (hubspot, pipedrive):
        values = {"name": theirs, "emails": emails} if account is pipedrive else {"name": "Diff Base"}
        made[account.row.crm] = await account.make(account.type(RecordType.CONTACT), **values)
    one, mine = made["HUBSPOT"]
    await hubspot.edit(there, mine, name="Diff Local")
    await hubspot.write(there, one, emails=emails)
    await hubspot.sync(there, one)
    await pipedrive.sync(person, made["PIPEDRIVE"][0])
    assert [status for status, _ in await hubspot.push()] == ["COMMITTED"]
    await hubspot.sync(there, one)
    found = [(await home.read(CONTACT, i=each))["contact"] for _, each in made.values()]
    assert found == [{"name": "Diff Local", "firstName": "Diff", "lastName": "Local", "email": "diff@acme.example"}] * 2
    assert (await hubspot.look(there, one)).values["name"] == "Diff Local"
