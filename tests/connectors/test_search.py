"""Searches by the shared client, against a CRM that is faked at the transport."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from connectors.client import Client
from connectors.errors import Unsupported
from connectors.registry import CONNECTORS
from storage.shapes import BudgetWindow
from tests.connectors.conftest import BASE

PIPEDRIVE = CONNECTORS["PIPEDRIVE"]


@pytest.fixture
def crm() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


def found(*hits: dict[str, Any], cursor: str | None = None) -> httpx.Response:
    items = [{"result_score": 0.5, "item": hit} for hit in hits]
    body = {"success": True, "data": {"items": items}, "additional_data": {"next_cursor": cursor}}
    return httpx.Response(200, json=body)


async def test_a_search_gives_its_hits_in_their_order_page_by_page(crm: respx.MockRouter, client: Client) -> None:
    person = PIPEDRIVE.type("Person")
    route = crm.get("/api/v2/persons/search")
    route.side_effect = [found({"id": 9}, {"id": 2}, cursor="b"), found({"id": 5})]

    one = await client.search(person, "ann & co")
    two = await client.search(person, "ann & co", one.next, 7)

    assert (one.records, one.next) == ([{"id": 9}, {"id": 2}], "b")
    assert (two.records, two.next) == ([{"id": 5}], None)
    assert [dict(call.request.url.params) for call in route.calls] == [
        {"limit": "100", "term": "ann & co"},
        {"limit": "7", "term": "ann & co", "cursor": "b"},
    ]


async def test_a_page_of_a_search_has_100_hits_at_most(crm: respx.MockRouter, client: Client) -> None:
    route = crm.get("/api/v2/leads/search").mock(return_value=found())

    page = await client.search(PIPEDRIVE.type("Lead"), "ann", size=250)

    assert (page.records, page.next) == ([], None)
    assert route.calls[0].request.url.params["limit"] == "100"


async def test_searches_have_a_limit_of_their_own(crm: respx.MockRouter, client: Client) -> None:
    crm.get("/api/v2/deals/search").mock(return_value=found())

    await client.search(PIPEDRIVE.type("Deal"), "ann")

    left = {one.window: (one.limit, one.remaining) for one in await client.budget()}
    assert left == {
        BudgetWindow.BURST: (20, 19),
        BudgetWindow.SEARCH: (10, 9),
        BudgetWindow.DAY: (30_000, 29_980),
    }


async def test_what_is_not_searched_is_not_asked_for(crm: respx.MockRouter, client: Client) -> None:
    with pytest.raises(Unsupported) as caught:
        await client.search(PIPEDRIVE.type("Note"), "ann")

    assert (caught.value.message, client.calls) == ("Pipedrive does not search Note.", 0)


async def test_what_one_search_cannot_show_is_searched_for_key_by_key(crm: respx.MockRouter, client: Client) -> None:
    """A name that very many have does not hide the one with the domain."""
    client.connector = client.wire.connector = CONNECTORS["HUBSPOT"]
    rows = {one: {"id": one, "properties": {"name": "Acme", "domain": f"{one}.example"}} for one in "12"}
    answers = [{"results": [rows["1"]], "paging": {"next": {"after": "100"}}}, {"results": [rows["2"]]}]
    asked = crm.post("/crm/objects/2026-09/companies/search")
    asked.side_effect = [httpx.Response(200, json=answers[place]) for place in (0, 1, 0)]
    crm.post("/crm/objects/2026-09/companies/batch/read").respond(200, json={"results": list(rows.values())})
    crm.get("/crm/properties/2026-09/companies").respond(200, json={"results": []})

    keys = [("domain", "2.example"), ("name", "Acme")]
    domain, name = await client.find_any(CONNECTORS["HUBSPOT"].type("companies"), keys)

    assert ([row["id"] for row in domain], sorted(row["id"] for row in name)) == (["2"], ["1", "2"])
    assert [len(json.loads(call.request.content)["filterGroups"]) for call in asked.calls] == [3, 2, 1]
