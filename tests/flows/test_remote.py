"""The CRM's own records through the gateway: page by page, found by words, with what they are linked to here."""

from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

RECORDS = """
query($i: ID!, $t: String!, $s: String, $n: Int, $after: String) {
  list: remoteRecords(integrationId: $i, externalType: $t, search: $s, first: $n, after: $after) {
    edges { cursor node { externalId } }
    nodes { externalType externalId name email phone organization payload source { externalId deletedAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
LINKED = """
query($i: ID!, $t: String!) { remoteRecords(integrationId: $i, externalType: $t) { nodes {
  externalId source { externalId deletedAt integration { displayName } record { ... on Contact { sources { externalId } } } }
} } }
"""
TYPES = ("Organization", "Person", "Deal", "Lead", "Activity", "Note")


@pytest.fixture
def integration(stage: Stage) -> str:
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE)
    return stage.gateway.connect()


def take(stage: Stage, integration: str, type_: str, **arguments: Any) -> Any:
    """One page."""
    return stage.gateway.ask(RECORDS, i=integration, t=type_, **arguments)["list"]


def ids_of(page: Any) -> list[str]:
    return [node["externalId"] for node in page["nodes"]]


def of_type(stage: Stage, type_: str) -> list[str]:
    return sorted(key for name, key in stage.crm.ids() if name == type_)


def refused(stage: Stage, integration: str, type_: str, **arguments: Any) -> str:
    """The message of the one error, which is bad input."""
    answer = stage.gateway.answer(RECORDS, i=integration, t=type_, **arguments)
    assert answer["data"] == {"list": None}
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]) == (["list"], {"code": "BAD_INPUT"})
    return str(error["message"])


# ---------------------------------------------------------------- lists


@pytest.mark.parametrize("type_", TYPES)
def test_the_pages_of_a_type_have_all_that_the_crm_has(stage: Stage, integration: str, type_: str) -> None:
    walked = stage.gateway.walk(RECORDS, i=integration, t=type_, n=7)
    found = [(node["externalType"], node["externalId"]) for node in walked]
    assert sorted(found) == [(type_, key) for key in of_type(stage, type_)]


def test_live_deals_come_first_and_archived_ones_behind_them(stage: Stage, integration: str) -> None:
    stage.crm.fill(300)
    stage.crm.disturb(**HASTE)
    stage.crm.forget()
    page = take(stage, integration, "Deal", n=250)
    live, archived = (
        [str(row["id"]) for row in stage.crm.list(path)] for path in ("/api/v2/deals", "/api/v2/deals/archived")
    )
    assert ids_of(page) == live + archived
    assert (len(archived) > 0, page["pageInfo"]["hasNextPage"]) == (True, False)


def test_behind_the_cursor_of_every_edge_come_exactly_the_rows_behind_it(stage: Stage, integration: str) -> None:
    assert stage.crm.list("/api/v2/deals/archived")
    for type_ in ("Deal", "Lead"):
        whole = take(stage, integration, type_)
        ids = ids_of(whole)
        assert [edge["node"]["externalId"] for edge in whole["edges"]] == ids
        info = whole["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (whole["edges"][0]["cursor"], whole["edges"][-1]["cursor"])
        assert (info["hasNextPage"], info["hasPreviousPage"]) == (False, False)
        for at, edge in enumerate(whole["edges"], start=1):
            page = take(stage, integration, type_, n=3, after=edge["cursor"])
            assert ids_of(page) == ids[at : at + 3]
            assert page["pageInfo"]["hasNextPage"] == (at + 3 < len(ids))
            assert page["pageInfo"]["hasPreviousPage"]


def test_the_crm_is_asked_for_no_more_than_is_needed(stage: Stage, integration: str) -> None:
    stage.crm.forget()
    first = take(stage, integration, "Person", n=3)
    again = take(stage, integration, "Person", n=2, after=first["edges"][0]["cursor"])
    take(stage, integration, "Person", n=4, after=first["pageInfo"]["endCursor"])
    assert ids_of(again) == ids_of(first)[1:]
    calls = stage.crm.requests()["recent"]
    assert {call["path"] for call in calls} == {"/api/v2/persons", "/api/v2/organizations"}
    queries = [call["query"] for call in calls if call["path"] == "/api/v2/persons"]
    assert [query.split("limit=")[1].split("&")[0] for query in queries] == ["3", "3", "4"]


def test_50_where_no_number_is_given_and_an_empty_page_is_no_end(stage: Stage, integration: str) -> None:
    stage.crm.fill(120)
    everybody = [str(row["id"]) for row in stage.crm.list("/api/v2/persons")]
    stage.crm.disturb(**HASTE, emptyPage=1)
    page = take(stage, integration, "Person")  # the list shows the first 50 of them nowhere
    assert (ids_of(page), page["pageInfo"]["hasNextPage"]) == (everybody[50:100], True)


def test_an_account_with_nobody_in_it(stage: Stage) -> None:
    page = take(stage, stage.gateway.connect(), "Person", n=1)
    assert (page["nodes"], page["edges"]) == ([], [])
    assert page["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


# ---------------------------------------------------------------- what a record shows


def test_a_record_shows_its_payload_and_what_names_it(stage: Stage, integration: str) -> None:
    companies = {row["id"]: row["name"] for row in stage.crm.list("/api/v2/organizations")}
    rows = {
        "Person": stage.crm.list("/api/v2/persons"),
        "Deal": stage.crm.list("/api/v2/deals"),
        "Activity": stage.crm.list("/api/v2/activities"),
        "Note": stage.crm.list("/api/v1/notes"),
    }
    names = {"Person": "name", "Deal": "title", "Activity": "subject", "Note": "no name"}
    for type_, expected in rows.items():
        nodes = take(stage, integration, type_, n=250)["nodes"][: len(expected)]
        assert [node["payload"] for node in nodes] == expected
        assert [node["name"] for node in nodes] == [row.get(names[type_]) or None for row in expected]
        assert [node["organization"] for node in nodes] == [companies.get(row["org_id"]) or None for row in expected]
        assert {node["source"] is None for node in nodes} == {True}
    people = take(stage, integration, "Person", n=250)["nodes"]
    for node, row in zip(people, rows["Person"], strict=True):
        assert node["email"] == next((one["value"] for one in row["emails"] if one["primary"]), None)
        assert (node["phone"] is None) == (not row["phones"])


def test_organizations_that_are_not_here_are_read_in_one_call(stage: Stage, integration: str) -> None:
    stage.crm.forget()
    people = take(stage, integration, "Person", n=250)["nodes"]
    assert {node["organization"] is None for node in people} == {True, False}
    assert [call["path"] for call in stage.crm.requests()["recent"]] == ["/api/v2/persons", "/api/v2/organizations"]


def test_a_synced_organization_is_named_as_it_is_stored(stage: Stage, integration: str) -> None:
    stage.gateway.sync(integration, ["ORGANIZATION"])
    person = next(row for row in stage.crm.list("/api/v2/persons") if row["org_id"])
    company = f"/api/v2/organizations/{person['org_id']}"
    name = stage.crm.call("GET", company)["data"]["name"]
    stage.crm.call("PATCH", company, {"name": "Renamed"})
    stage.crm.forget()
    shown = {node["externalId"]: node for node in take(stage, integration, "Person", n=250)["nodes"]}
    assert shown[str(person["id"])]["organization"] == name
    assert [call["path"] for call in stage.crm.requests()["recent"]] == ["/api/v2/persons"]


def test_a_record_that_cannot_be_mapped_is_shown_with_its_id(stage: Stage, integration: str) -> None:
    stage.crm.fill(40, broken=6)
    stage.crm.disturb(**HASTE)
    run = stage.gateway.start(integration)
    stage.gateway.wait(run)
    failed = stage.gateway.failures(run)
    assert failed
    for type_, key in failed:
        nodes = {node["externalId"]: node for node in take(stage, integration, type_, n=250)["nodes"]}
        assert str(nodes[key]["payload"]["id"]) == key
        assert (nodes[key]["name"], nodes[key]["organization"], nodes[key]["source"]) == (None, None, None)


def test_what_is_linked_has_its_source_and_the_rest_has_none(stage: Stage, integration: str) -> None:
    stage.gateway.sync(integration, ["CONTACT"])
    new = str(stage.crm.call("POST", "/api/v2/persons", {"name": "New Here"})["data"]["id"])
    nodes = stage.gateway.ask(LINKED, i=integration, t="Person")["remoteRecords"]["nodes"]
    assert sorted(node["externalId"] for node in nodes) == of_type(stage, "Person")
    for node in nodes:
        if node["externalId"] == new:
            assert node["source"] is None
        else:
            record = node["source"].pop("record")
            assert {"externalId": node["externalId"]} in record["sources"]
            assert node["source"] == {
                "externalId": node["externalId"],
                "deletedAt": None,
                "integration": {"displayName": "Nordlicht Handel"},
            }
    deals = stage.gateway.ask(LINKED, i=integration, t="Deal")["remoteRecords"]["nodes"]
    assert {node["source"] is None for node in deals} == {True}


# ---------------------------------------------------------------- searches


def search(stage: Stage, path: str, term: str) -> list[str]:
    """The ids that the CRM finds, in its order."""
    found = stage.crm.call("GET", f"/api/v2/{path}/search?term={term}&limit=100")["data"]["items"]
    return [str(row["item"]["id"]) for row in found]


@pytest.mark.parametrize(
    ("type_", "path"), [("Person", "persons"), ("Deal", "deals"), ("Organization", "organizations")]
)
def test_a_search_shows_what_the_crm_finds_as_its_lists_show_it(
    stage: Stage, integration: str, type_: str, path: str
) -> None:
    archived = stage.crm.list("/api/v2/deals/archived") if type_ == "Deal" else []
    rows = {str(row["id"]): row for row in [*stage.crm.list(f"/api/v2/{path}"), *archived]}
    expected = search(stage, path, "er")
    assert len(expected) > 3
    stage.crm.forget()
    page = take(stage, integration, type_, s=" er ")
    assert ids_of(page) == expected
    assert [node["payload"] for node in page["nodes"]] == [rows[key] for key in expected]
    assert not page["pageInfo"]["hasNextPage"]
    calls = [call["path"] for call in stage.crm.requests()["recent"]]
    assert calls[:2] == [f"/api/v2/{path}/search", f"/api/v2/{path}"]


def test_the_pages_of_a_search_go_on_behind_every_edge(stage: Stage, integration: str) -> None:
    expected = search(stage, "persons", "er")
    walked = stage.gateway.walk(RECORDS, i=integration, t="Person", s="er", n=20)
    assert [node["externalId"] for node in walked] == expected
    first = take(stage, integration, "Person", s="er", n=3)
    behind = take(stage, integration, "Person", s="er", n=3, after=first["edges"][1]["cursor"])
    assert ids_of(behind) == expected[2:5]


def test_what_a_search_finds_and_the_crm_has_no_more_is_left_out(stage: Stage, integration: str) -> None:
    expected = search(stage, "persons", "er")
    stage.crm.call("DELETE", f"/api/v2/persons/{expected[0]}")
    stage.crm.disturb(**HASTE, searchLagSeconds=60)
    page = take(stage, integration, "Person", s="er", n=2)
    assert ids_of(page) == expected[1:3]
    assert page["pageInfo"]["hasNextPage"]


def test_a_lead_is_shown_as_the_search_shows_it(stage: Stage, integration: str) -> None:
    lead = stage.crm.list("/api/v1/leads")[0]
    person = next(row for row in stage.crm.list("/api/v2/persons") if row["org_id"])
    stage.crm.call("POST", "/api/v1/leads", {"title": "Wanted Lead", "organization_id": person["org_id"]})
    company = stage.crm.call("GET", f"/api/v2/organizations/{person['org_id']}")["data"]["name"]
    stage.crm.forget()
    (node,) = take(stage, integration, "Lead", s="wanted lead")["nodes"]
    hit = stage.crm.call("GET", "/api/v2/leads/search?term=wanted%20lead")["data"]["items"][0]["item"]
    assert (node["externalId"], node["name"], node["organization"]) == (hit["id"], "Wanted Lead", company)
    assert node["payload"] == hit
    assert [call["path"] for call in stage.crm.requests()["recent"]] == [
        "/api/v2/leads/search",
        "/api/v2/organizations",
        "/api/v2/leads/search",
    ]
    assert lead["id"] in ids_of(take(stage, integration, "Lead"))


# ---------------------------------------------------------------- what can mean nothing


def test_what_can_mean_nothing_says_what_would(stage: Stage, integration: str) -> None:
    types = ", ".join(TYPES)
    assert refused(stage, integration, "contacts") == f"`externalType` is one of {types}."
    message = "`search` takes words for the types Organization, Person, Deal, Lead."
    assert refused(stage, integration, "Activity", s="call") == message
    assert refused(stage, integration, "Person", s="x ") == "`search` takes 2 to 500 characters."
    assert refused(stage, integration, "Person", s="x" * 501) == "`search` takes 2 to 500 characters."
    assert refused(stage, integration, "Person", n=0) == "`first` is 1 to 250, and not 0."
    assert refused(stage, integration, "Person", n=251) == "`first` is 1 to 250, and not 251."


def test_a_cursor_goes_with_its_type_and_its_search(stage: Stage, integration: str) -> None:
    cursor = take(stage, integration, "Person", n=2)["pageInfo"]["endCursor"]
    foreign = "A cursor goes with the order, the filter and the search that it was given for."
    assert refused(stage, integration, "Deal", after=cursor) == foreign
    assert refused(stage, integration, "Person", s="er", after=cursor) == foreign
    for broken in ("", "x", cursor[:-3], "W10"):
        assert refused(stage, integration, "Person", after=broken) == "That is no cursor of this list."
    assert len(take(stage, integration, "Person", n=2, s="  ", after=cursor)["nodes"]) == 2


def test_an_integration_that_is_not_here_has_no_records(stage: Stage, integration: str) -> None:
    person = stage.gateway.ask("{ viewer { workspace { id } } }")["viewer"]["workspace"]["id"]
    unknown = "SW50ZWdyYXRpb246MDE5YWE3ZTEtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
    for key in (person, unknown):
        assert stage.gateway.ask(RECORDS, i=key, t="Person") == {"list": None}
    stage.gateway.do("disconnect", "integration { status }", integrationId=integration)
    answer = stage.gateway.answer(RECORDS, i=integration, t="Person")
    assert answer["data"] == {"list": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["CRM_REAUTHORIZE"]
