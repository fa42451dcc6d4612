"""What holds for every connector: each declared path is asked, paging ends, errors are named by remedy, no name leaks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from connectors.calls import Calls
from connectors.catalogs import Catalogs
from connectors.client import Client
from connectors.declaration import Connector, ExternalType
from connectors.errors import CrmError
from connectors.facts import Credential
from connectors.http import Http
from connectors.pacing import MemoryLedger
from connectors.reading import Listing, Lookup, Search
from connectors.registry import CONNECTORS, Crm
from storage.declare import columns
from storage.records import BY_TYPE
from tests.connectors.conftest import BASE, Time
from tests.connectors.samples import catalog, load_samples

SECRET = "secret-token-2"
ROOT = Path(__file__).parents[2]
LISTS = [
    (connector, external, listing)
    for connector in CONNECTORS.values()
    for external in connector.types
    for listing in external.listings
]
LOOKUPS = [
    (connector, external, lookup)
    for connector in CONNECTORS.values()
    for external in connector.types
    for lookup in external.lookups
]
SEARCHES = [
    (connector, external, external.search)
    for connector in CONNECTORS.values()
    for external in connector.types
    if external.search
]
EVERY = pytest.mark.parametrize("connector", CONNECTORS.values(), ids=list(CONNECTORS))


def path_of(case: Any) -> str:
    return case.path if isinstance(case, Listing | Lookup | Search) else getattr(case, "name", "")


@pytest.fixture
def crm() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


def put(body: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        body = body.setdefault(step, {})
    body[last] = value


def make(connector: Connector, time: Time, http: Http) -> Client:
    ledger = MemoryLedger(clock=time.clock)
    return Client(
        Calls(
            connector=connector,
            credential=Credential(kind=connector.credential_kinds[-1], token=SECRET),
            api_url=BASE,
            account="1",
            account_url="https://x.invalid",
            ledger=ledger,
            http=http,
            pause=time.pause,
            clock=time.clock,
        )
    )


def test_the_registry_is_the_enum() -> None:
    assert [one.value for one in Crm] == list(CONNECTORS)
    assert [one.name for one in Crm] == list(CONNECTORS)


def test_no_code_outside_its_folder_names_a_crm() -> None:
    words = re.compile("|".join(rf'["\']{name}["\']' for name in CONNECTORS), re.IGNORECASE)
    files = [file for file in (ROOT / "connectors").glob("*.py") if words.search(file.read_text())]

    assert files == []


@EVERY
def test_a_connector_says_all_that_is_asked_of_it(connector: Connector) -> None:
    assert len({external.name for external in connector.types}) == len(connector.types)
    assert connector.docs == f"docs/{connector.name.lower()}.md"
    assert connector.batch_size >= 1
    assert set(connector.credential_kinds) <= set(connector.auth)
    order = [external.name for external in connector.types]
    for external in connector.types:
        assert set(external.mapping) <= set(columns(BY_TYPE[external.record_type]))
        assert external.listings
        assert external.lookups
        for references in external.references.values():
            targets = {target for target, _ in references(_linked(), catalog(connector.name))}
            assert targets <= set(order)


def _linked() -> dict[str, Any]:
    """A payload in which every link leads somewhere."""
    return {"person_id": 1, "org_id": 1, "organization_id": 1, "deal_id": 1, "lead_id": "a"}


@EVERY
def test_a_relations_target_is_read_first(connector: Connector) -> None:
    order = [external.name for external in connector.types]
    for external in connector.types:
        for references in external.references.values():
            for target, _ in references(_linked(), catalog(connector.name)):
                assert order.index(target) < order.index(external.name)


@EVERY
def test_every_type_has_samples(connector: Connector) -> None:
    sampled = {sample["type"] for crm, sample in load_samples() if crm == connector.name}

    assert sampled == {external.name for external in connector.types}


@pytest.mark.parametrize(("connector", "external", "listing"), LISTS, ids=path_of)
async def test_a_list_is_asked_page_by_page_to_its_end(
    connector: Connector, external: ExternalType, listing: Listing, crm: respx.MockRouter, time: Time, http: Http
) -> None:
    paging = connector.paging[listing.paging]
    first: dict[str, Any] = {"success": True}
    last: dict[str, Any] = {"success": True}
    put(first, paging.items, [{external.identifier: 1}])
    put(last, paging.items, [{external.identifier: 2}])
    put(first, paging.next[0], 500)
    put(last, paging.next[0], None)
    for path in paging.more[:1]:
        put(first, path, True)
        put(last, path, False)
    route = crm.get(listing.path).mock(side_effect=[httpx.Response(200, json=first), httpx.Response(200, json=last)])
    client = make(connector, time, http)

    one = await client.page(listing, None)
    two = await client.page(listing, json.loads(json.dumps(one.next)))

    assert ([row["id"] for row in one.records], [row["id"] for row in two.records]) == ([1], [2])
    assert two.next is None
    asked = [dict(call.request.url.params) for call in route.calls]
    assert asked == [{**paging.size, **listing.params}, {**paging.size, **listing.params, paging.param: "500"}]
    header, form = connector.auth[connector.credential_kinds[-1]]
    assert {call.request.headers[header] for call in route.calls} == {form.format(token=SECRET)}
    assert all(SECRET not in str(call.request.url) for call in route.calls)


@pytest.mark.parametrize(("connector", "external", "search"), SEARCHES, ids=path_of)
async def test_a_search_is_asked_page_by_page_to_its_end(
    connector: Connector, external: ExternalType, search: Search, crm: respx.MockRouter, time: Time, http: Http
) -> None:
    paging = connector.paging[search.paging]
    bodies: list[dict[str, Any]] = [{"success": True}, {"success": True}]
    for number, body in enumerate(bodies, start=1):
        row: dict[str, Any] = {}
        put(row, search.item, {external.identifier: number})
        put(body, paging.items, [row])
        put(body, paging.next[0], "two" if number == 1 else None)
    route = crm.get(search.path).mock(side_effect=[httpx.Response(200, json=body) for body in bodies])
    client = make(connector, time, http)

    one = await client.search(external, "ann")
    two = await client.search(external, "ann", one.next)

    assert ([row["id"] for row in one.records], [row["id"] for row in two.records]) == ([1], [2])
    assert (one.next, two.next) == ("two", None)
    asked = [dict(call.request.url.params) for call in route.calls]
    given = {**paging.size, **search.params, search.param: "ann"}
    assert asked == [given, {**given, paging.param: "two"}]


@EVERY
def test_a_scope_is_covered_by_wider_ones_and_never_by_itself(connector: Connector) -> None:
    for scope in connector.scopes:
        assert scope not in connector.wider(scope)


@pytest.mark.parametrize(("connector", "external", "lookup"), LOOKUPS, ids=path_of)
async def test_records_are_read_by_id(
    connector: Connector, external: ExternalType, lookup: Lookup, crm: respx.MockRouter, time: Time, http: Http
) -> None:
    paths = {one.path for one in external.lookups}
    for path in paths:
        rows: Any = [{"id": 7}] if path == lookup.path else []
        shown = {"data": rows[0] if rows and "{id}" in path else rows or None, "success": True}
        crm.get(path.format(id="7")).mock(return_value=httpx.Response(200, json=shown))
        crm.get(path.format(id="8")).mock(return_value=httpx.Response(404, json={"success": False}))
    if "{id}" not in lookup.path:
        crm.get(lookup.path).mock(return_value=httpx.Response(200, json={"success": True, "data": [{"id": 7}]}))

    found = await make(connector, time, http).read(external, ["7", "8"])

    assert found == {"7": {"id": 7}}


@EVERY
async def test_every_declared_list_beside_records_is_asked(
    connector: Connector, crm: respx.MockRouter, time: Time, http: Http
) -> None:
    sources: list[Any] = [connector.pipelines, *connector.fields.values(), *connector.words.values()]
    paths = {listing.path for source in sources for listing in source.listings}
    routes = [
        crm.get(path).mock(return_value=httpx.Response(200, json={"success": True, "data": []})) for path in paths
    ]
    client = make(connector, time, http)

    catalogs = Catalogs(client, "DE")
    for external in connector.types:
        catalogs.start(external)
    found = [await catalogs.of(external) for external in connector.types]
    await catalogs.close()

    assert [route.call_count for route in routes] == [1] * len(paths)
    assert client.calls == len(paths)
    assert {(one.region, one.account_url) for one in found} == {("DE", "https://x.invalid")}
    assert {name for one in found for name in one.fields} == {external.name for external in connector.types}
    assert {name for one in found for name in one.words} == set(connector.words)


@EVERY
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 415, 422, 501, 302, 418])
async def test_an_error_is_named_by_remedy_and_tells_no_secret(
    connector: Connector, status: int, crm: respx.MockRouter, time: Time, http: Http
) -> None:
    listing = connector.types[0].listings[0]
    body = {"success": False, "error": f"no {SECRET} of ann@example.com", "code": f"x {SECRET}"}
    headers = {connector.request_id: "request-1"}
    crm.get(listing.path).mock(return_value=httpx.Response(status, json=body, headers=headers))
    client = make(connector, time, http)
    client.wire.integration = "integration-1"

    with pytest.raises(CrmError) as caught:
        await client.page(listing, None)

    error = caught.value
    assert SECRET not in f"{error!s}{error!r}{vars(error)}"
    assert "ann@example.com" not in str(error)
    assert (error.crm, error.integration) == (connector.name, "integration-1")
    assert (error.request_id, error.status) == ("request-1", status)
    assert client.calls == 1
