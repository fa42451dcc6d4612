"""HubSpot's own client for Python takes the simulator for the real thing; it asks the paths of v3 and v4."""

# mypy: disable-error-code="import-untyped"
# the client has no types

import json
import socket
from collections.abc import Iterator
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import uvicorn
from hubspot import HubSpot
from hubspot.crm import associations, contacts, objects, owners
from hubspot.crm.associations import v4
from hubspot.oauth.exceptions import ApiException as TokenException
from hubspot.utils.oauth import get_auth_url

from sandbox.app import create_app

PERSONS = 230
TOKEN = "sandbox-hubspot"
REDIRECT = "http://app.example/back"


class Simulator:
    """HubSpot on a port of this machine, and what can be told to it beside its API."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, trust_env=False)

    def client(self, token: str | None = TOKEN) -> HubSpot:
        return HubSpot(access_token=token, host=f"{self.address}/hubspot")

    def control(self, method: str, what: str, body: Any = None, **params: str) -> Any:
        answer = self.http.request(method, f"/_sandbox/hubspot/{what}", json=body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, **given: Any) -> None:
        self.control("PUT", "faults", {"limits": "none", **given})

    def ids(self, kind: str) -> list[str]:
        found: list[str] = self.control("GET", "ids", type=kind)
        return found


@pytest.fixture(scope="module")
def served() -> Iterator[Simulator]:
    """In a thread, because the client blocks the one it is in."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a call made before the server has started waits for it
        server = uvicorn.Server(uvicorn.Config(create_app(1), log_level="warning", ws="none", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Simulator(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        thread.join()


@pytest.fixture
def crm(served: Simulator) -> Simulator:
    served.control("PUT", "data", {"size": PERSONS})
    served.faults()
    return served


@pytest.fixture
def client(crm: Simulator) -> Any:
    return crm.client()


def read_error(client: Any, error: Any) -> Any:
    """The body of an error as the client's own model, which refuses what lacks a category, a message or an id."""
    return client.crm.contacts.basic_api.api_client.deserialize(SimpleNamespace(data=error.body), "Error")


def in_millis(record: Any) -> int:
    created: float = record.created_at.timestamp()
    return round(created * 1000)


def write_properties(**properties: str) -> Any:
    return contacts.SimplePublicObjectInputForCreate(properties=properties, associations=[])


def test_lists_come_to_their_end(crm: Simulator, client: Any) -> None:
    found = [record.id for record in client.crm.contacts.get_all(properties=["email", "lifecyclestage"])]
    assert len(found) > 2 * 100  # three pages at least
    assert sorted(found) == sorted(crm.ids("contacts"))
    calls = crm.control("GET", "requests")["calls"]
    assert [(call["path"], call["count"]) for call in calls] == [("/crm/v3/objects/contacts", -(-len(found) // 100))]


@pytest.mark.parametrize("kind", ["companies", "deals", "calls", "emails", "meetings", "tasks", "notes"])
def test_lists_of_every_type(crm: Simulator, client: Any, kind: str) -> None:
    found, after = [], None
    while True:
        page = client.crm.objects.basic_api.get_page(kind, limit=50, after=after)
        found += [record.id for record in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after
    assert found
    assert sorted(found) == sorted(crm.ids(kind))


def test_a_search_comes_to_its_end(client: Any) -> None:
    # Given a time that about half of the contacts were made before
    listed = client.crm.contacts.get_all()
    middle = sorted(in_millis(record) for record in listed)[len(listed) // 2]
    # When those made since are searched, the latest first, in pages of 17
    found, after = [], None
    while True:
        asked = contacts.PublicObjectSearchRequest(
            filter_groups=[{"filters": [{"propertyName": "createdate", "operator": "GTE", "value": str(middle)}]}],
            sorts=[{"propertyName": "createdate", "direction": "DESCENDING"}],
            properties=["createdate"], limit=17, after=after,
        )  # fmt: skip
        page = client.crm.contacts.search_api.do_search(asked)
        found += page.results
        if page.paging is None:
            break
        after = page.paging.next.after
    # Then they come in that order, each once, and their number was told
    expected = [record for record in listed if in_millis(record) >= middle]
    assert page.total == len(found) == len(expected) > 17
    assert {record.id for record in found} == {record.id for record in expected}
    assert [in_millis(record) for record in found] == sorted(map(in_millis, expected), reverse=True)


def test_a_batch_is_read(crm: Simulator, client: Any) -> None:
    some = crm.ids("contacts")[:60]
    asked = contacts.BatchReadInputSimplePublicObjectId(
        properties=["email"], properties_with_history=[], inputs=[{"id": key} for key in some]
    )
    whole = client.crm.contacts.batch_api.read(asked)
    assert type(whole) is contacts.BatchResponseSimplePublicObject
    assert (whole.status, {record.id for record in whole.results}) == ("COMPLETE", set(some))
    asked.inputs.append({"id": "999999999999"})
    part, status, _ = client.crm.contacts.batch_api.read_with_http_info(asked)
    assert (status, type(part)) == (207, contacts.BatchResponseSimplePublicObjectWithErrors)
    assert {record.id for record in part.results} == set(some)
    assert part.num_errors == 1
    assert [(error.category, error.context) for error in part.errors] == [
        ("OBJECT_NOT_FOUND", {"ids": ["999999999999"]})
    ]


def test_a_contact_is_made_changed_and_archived(crm: Simulator, client: Any) -> None:
    api = client.crm.contacts.basic_api
    made = api.create(write_properties(email="ann.new@example.com", firstname="Ann"))
    assert (made.properties["email"], made.archived) == ("ann.new@example.com", False)
    changed = api.update(made.id, contacts.SimplePublicObjectInput(properties={"lastname": "Lee", "firstname": ""}))
    assert (changed.id, changed.properties["lastname"]) == (made.id, "Lee")
    read = api.get_by_id("ann.new@example.com", id_property="email", properties=["firstname", "lastname"])
    assert (read.id, read.properties["firstname"], read.properties["lastname"]) == (made.id, None, "Lee")
    assert read.updated_at >= made.updated_at
    api.archive(made.id)
    with pytest.raises(contacts.exceptions.NotFoundException):
        api.get_by_id(made.id)
    assert api.get_by_id(made.id, archived=True).archived
    assert made.id not in crm.ids("contacts")


def test_what_the_account_has(client: Any) -> None:
    listed = client.crm.owners.get_all()
    assert {owner.type for owner in listed} == {"PERSON", "QUEUE"}
    assert all(owner.id != str(owner.user_id) for owner in listed)
    rae = next(owner for owner in listed if owner.first_name == "Rae")
    assert [owner.id for owner in client.crm.owners.owners_api.get_page(email=rae.email).results] == [rae.id]
    assert [owner.archived for owner in client.crm.owners.owners_api.get_page(archived=True).results] == [True]
    with pytest.raises(owners.exceptions.NotFoundException):
        client.crm.owners.owners_api.get_by_id(1)
    properties = {each.name: each for each in client.crm.properties.core_api.get_all("contacts").results}
    stage = properties["lifecyclestage"]
    assert (stage.type, stage.field_type, stage.hubspot_defined) == ("enumeration", "radio", True)
    assert {"lead", "customer"} <= {option.value for option in stage.options}
    assert client.crm.properties.core_api.get_by_name("contacts", "lifecyclestage") == stage
    pipelines = {each.id: each for each in client.crm.pipelines.pipelines_api.get_all("deals").results}
    won = next(stage for stage in pipelines["default"].stages if stage.id == "closedwon")
    assert (won.label, won.metadata) == ("Closed Won", {"isClosed": "true", "probability": "1.0"})


def test_associations(crm: Simulator, client: Any) -> None:
    # Given what a list says of the companies of its contacts
    page = client.crm.contacts.basic_api.get_page(limit=100, associations=["companies"])
    inline = {
        record.id: {each.id for each in record.associations["companies"].results} if record.associations else set()
        for record in page.results
    }
    assert any(inline.values())
    # When the same are read in one batch
    asked = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": key} for key in inline])
    read = client.crm.associations.v4.batch_api.get_page("contacts", "companies", asked)
    # Then both say the same, and one company is the primary one
    found = {each._from.id: {to.to_object_id for to in each.to} for each in read.results}
    assert found == {key: companies for key, companies in inline.items() if companies}
    for each in read.results:
        kinds = [kind.type_id for to in each.to for kind in to.association_types]
        assert (kinds.count(1), kinds.count(279)) == (1, len(each.to))
    # And one made by hand is there
    alone = next(key for key, companies in inline.items() if not companies)
    company = crm.ids("companies")[0]
    client.crm.associations.v4.basic_api.create_default("contacts", alone, "companies", company)
    linked = client.crm.associations.v4.basic_api.get_page("contacts", alone, "companies").results
    assert [to.to_object_id for to in linked] == [company]


def test_an_association_that_does_not_exist(client: Any) -> None:
    asked = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": "999999999999"}])
    read, status, _ = client.crm.associations.v4.batch_api.get_page_with_http_info("contacts", "companies", asked)
    assert (status, read.results, read.num_errors) == (207, [], 1)
    assert read.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"
    with pytest.raises(associations.v4.exceptions.ApiException) as caught:
        client.crm.associations.v4.basic_api.get_page("contacts", "1", "unicorns")
    assert (caught.value.status, read_error(client, caught.value).category) == (400, "VALIDATION_ERROR")


def test_too_many_calls(crm: Simulator, client: Any) -> None:
    crm.faults(limits={"BURST": 3})
    for _ in range(3):
        client.crm.contacts.basic_api.get_page(limit=1)
    with pytest.raises(contacts.exceptions.ApiException) as caught:
        client.crm.contacts.basic_api.get_page(limit=1)
    body = json.loads(caught.value.body)
    assert (caught.value.status, body["errorType"], body["policyName"]) == (429, "RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert caught.value.headers["X-HubSpot-RateLimit-Max"] == "3"
    assert caught.value.headers["X-HubSpot-RateLimit-Remaining"] == "0"


def test_a_wrong_token(crm: Simulator, client: Any) -> None:
    with pytest.raises(contacts.exceptions.UnauthorizedException) as caught:
        crm.client("pat-na1-unknown").crm.contacts.basic_api.get_page()
    assert (caught.value.status, read_error(client, caught.value).category) == (401, "INVALID_AUTHENTICATION")
    crm.faults(refuseToken=True)
    with pytest.raises(objects.exceptions.UnauthorizedException):
        client.crm.objects.basic_api.get_page("notes")


def test_what_is_not_valid(client: Any) -> None:
    with pytest.raises(contacts.exceptions.ApiException) as caught:
        client.crm.contacts.basic_api.create(write_properties(email="bo@example.com", shoe_size="43"))
    error = read_error(client, caught.value)
    assert (caught.value.status, error.category) == (400, "VALIDATION_ERROR")
    assert [detail.code for detail in error.errors] == ["PROPERTY_DOESNT_EXIST"]
    client.crm.contacts.basic_api.create(write_properties(email="bo@example.com"))
    with pytest.raises(contacts.exceptions.ApiException) as caught:
        client.crm.contacts.basic_api.create(write_properties(email="bo@example.com"))
    assert (caught.value.status, read_error(client, caught.value).category) == (409, "CONFLICT")


def test_a_vendor_in_trouble(crm: Simulator, client: Any) -> None:
    crm.faults(status={"code": 503, "times": 1})
    with pytest.raises(contacts.exceptions.ServiceException) as caught:
        client.crm.contacts.basic_api.get_page()
    assert caught.value.status == 503
    assert client.crm.contacts.basic_api.get_page(limit=1).results


def install(crm: Simulator, *scopes: str) -> Any:
    """The tokens that the client gets for a code, once somebody has allowed what its own address asks for."""
    address = get_auth_url("app", REDIRECT, scope=scopes, optional_scope=("tickets",), state="s")
    path, query = f"/hubspot{urlsplit(address).path}", dict(parse_qsl(urlsplit(address).query))
    assert crm.http.get(path, params=query).status_code == 200
    answer = crm.http.post(path, data={**query, "account": "1", "decision": "allow"})
    back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert back["state"] == "s"
    return crm.client(None).oauth.tokens_api.create(
        grant_type="authorization_code", code=back["code"], redirect_uri=REDIRECT, client_id="app", client_secret="s"
    )


def test_oauth(crm: Simulator) -> None:
    oauth = crm.client(None).oauth
    given = install(crm, "crm.objects.contacts.read")
    assert (given.token_type, given.expires_in) == ("bearer", 1800)
    assert crm.client(given.access_token).crm.contacts.basic_api.get_page(limit=1).results
    renewal = {"grant_type": "refresh_token", "refresh_token": given.refresh_token, "client_id": "app"}
    again = oauth.tokens_api.create(**renewal, client_secret="s")
    assert again.refresh_token == given.refresh_token
    assert again.access_token != given.access_token
    told = oauth.access_tokens_api.get(again.access_token)
    assert (told.hub_id, told.user_id) == (24819034, 50101)
    assert told.scopes == ["oauth", "crm.objects.contacts.read"]
    assert oauth.refresh_tokens_api.get(given.refresh_token).hub_domain == "nordlicht-handel.example"
    oauth.refresh_tokens_api.archive(given.refresh_token)
    with pytest.raises(TokenException) as caught:
        oauth.tokens_api.create(**renewal, client_secret="s")
    body = json.loads(caught.value.body)
    assert (caught.value.status, body["status"], body["error"]) == (400, "BAD_REFRESH_TOKEN", "invalid_grant")


def test_a_scope_that_was_not_granted(crm: Simulator, client: Any) -> None:
    given = install(crm, "crm.objects.contacts.read")
    with pytest.raises(objects.exceptions.ForbiddenException) as caught:
        crm.client(given.access_token).crm.objects.basic_api.get_page("deals")
    error = read_error(client, caught.value)
    assert (caught.value.status, error.category) == (403, "MISSING_SCOPES")
    assert error.errors[0].context == {"requiredGranularScopes": ["crm.objects.deals.read"]}
