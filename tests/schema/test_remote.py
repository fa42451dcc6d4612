"""The CRM's own records: whatever their number, so many statements and no more; and what of them fails alone."""

from typing import Any

import httpx
import respx

from storage.listing import GlobalId
from tests.schema.conftest import Home

QUERY = """
query ($i: ID!, $n: Int) { remoteRecords(integrationId: $i, externalType: "Person", first: $n) { nodes {
  externalId name organization source { externalId payload record { id ... on Contact { name } } integration { id } }
} } }
"""


def page(rows: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json={"success": True, "data": rows, "additional_data": {"next_cursor": None}})


def serve(crm: respx.MockRouter, people: int) -> respx.Route:
    """So many persons, each of a company of its own. Gives the route of the companies."""
    rows = [{"id": number, "name": f"P{number}", "org_id": 1000 + number} for number in range(people)]
    crm.get("/api/v2/persons").mock(
        side_effect=lambda request: page(rows[: int(request.url.params["limit"])]),
    )

    def companies(request: httpx.Request) -> httpx.Response:
        return page([{"id": int(key), "name": f"C{key}"} for key in request.url.params["ids"].split(",")])

    return crm.get("/api/v2/organizations").mock(side_effect=companies)


async def test_the_number_of_statements_does_not_hang_on_the_rows(home: Home, crm: respx.MockRouter) -> None:
    companies = serve(crm, 40)
    rows: list[Any] = []
    for number in range(0, 40, 2):
        contact = home.contact(number, name=f"Contact {number}")
        rows += [contact, home.source(contact, str(number))]
    await home.add(*rows)
    counts: list[int] = []
    for first in (2, 10, 40):
        before = home.database.statements
        nodes = (await home.read(QUERY, i=str(GlobalId("Integration", home.integration)), n=first))["remoteRecords"][
            "nodes"
        ]
        counts.append(home.database.statements - before)
        assert [node["name"] for node in nodes] == [f"P{number}" for number in range(first)]
        assert [node["organization"] for node in nodes] == [f"C{1000 + number}" for number in range(first)]
        assert [node["source"] and node["source"]["record"]["name"] for node in nodes] == [
            None if number % 2 else f"Contact {number}" for number in range(first)
        ]
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 7
    assert companies.call_count == 3


async def test_organizations_that_the_crm_does_not_give_are_null_and_the_rest_stands(
    home: Home, crm: respx.MockRouter
) -> None:
    serve(crm, 2).mock(return_value=httpx.Response(403, json={"success": False}))
    answer = await home.ask(QUERY, i=str(GlobalId("Integration", home.integration)))
    assert answer.data is not None
    nodes = answer.data["remoteRecords"]["nodes"]
    assert [(node["name"], node["organization"]) for node in nodes] == [("P0", None), ("P1", None)]
    assert answer.errors is not None
    assert [(error.path, (error.extensions or {})["code"]) for error in answer.errors] == [
        (["remoteRecords", "nodes", 0, "organization"], "CRM_REAUTHORIZE"),
        (["remoteRecords", "nodes", 1, "organization"], "CRM_REAUTHORIZE"),
    ]


async def test_a_list_that_does_not_end_is_given_up(home: Home, crm: respx.MockRouter) -> None:
    numbers = iter(range(1_000))
    empty = {"success": True, "data": []}
    route = crm.get("/api/v2/persons").mock(
        side_effect=lambda _: httpx.Response(
            200, json={**empty, "additional_data": {"next_cursor": str(next(numbers))}}
        )
    )
    code, message = await home.refused(QUERY, i=str(GlobalId("Integration", home.integration)))
    assert (code, message) == ("CRM_UNAVAILABLE", "Pipedrive gave a list that does not end.")
    assert route.call_count == 20


async def test_another_workspaces_integration_has_no_records(
    home: Home, neighbour: Home, crm: respx.MockRouter
) -> None:
    serve(crm, 2)
    foreign = str(GlobalId("Integration", home.integration))
    assert await neighbour.read(QUERY, i=foreign) == {"remoteRecords": None}
    assert await home.read(QUERY, i=str(GlobalId("Contact", home.integration))) == {"remoteRecords": None}
    assert (await home.refused(QUERY, i="x"))[0] == "BAD_INPUT"
    assert crm.calls.call_count == 0
