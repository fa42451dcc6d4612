"""Every connector against its CRM, simulated: what it declares is there, and is read to its end."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import Connector
from connectors.mapping import map_record
from connectors.paths import compile_path
from connectors.reading import Source
from connectors.registry import CONNECTORS
from tests.connectors.simulator import JUST_NOW, Simulator, ids_of, map_all, missing_id, read_all, read_pages

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
EVERY = pytest.mark.parametrize("crm", CONNECTORS)
EVERY_TYPE = pytest.mark.parametrize(
    ("crm", "name"), [(crm, external.name) for crm, connector in CONNECTORS.items() for external in connector.types]
)


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return simulator.client()


def declared_paths(connector: Connector) -> Iterator[str]:
    sources: list[Source[Any]] = [connector.identity, connector.users, connector.pipelines]
    sources.extend(connector.fields.values())
    sources.extend(connector.words.values())
    for source in sources:
        yield from (listing.path for listing in source.listings)
    if connector.removals:
        yield connector.removals.listing.path
    for external in connector.types:
        yield from (one.path for one in (*external.listings, *external.changes))
        yield from (one.path for one in external.lookups)
        yield from (one.path for one in (external.proof, external.search, external.bin) if one)


# ---------------------------------------------------------------- what is declared is there


@EVERY
async def test_every_declared_path_is_asked_and_answered(simulator: Simulator, client: Client) -> None:
    connector = simulator.connector

    await client.identify()
    await client.users()
    await client.pipelines()
    if connector.removals:
        await client.page(connector.removals.listing, since=simulator.begun)
    for external in connector.types:
        ids = (await simulator.ids(external.name))[:1]
        await read_catalog(client, external, "DE")
        lists = (*external.listings, *external.changes, *([external.bin] if external.bin else []))
        await read_all(client, external, lists, since=LONG_AGO)
        for lookup in (*external.lookups, *([external.proof] if external.proof else [])):
            await lookup.read(client, ids)
        if external.search:
            await client.search(external, "ann")

    answers = {
        (request.url.path.removeprefix(f"/{simulator.name}"), response.status_code)
        for request, response in simulator.sent
    }
    for path in declared_paths(connector):
        pattern = re.compile(re.sub(r"{id}", "[^/]+", path))
        assert {status for asked, status in answers if pattern.fullmatch(asked)} == {200}, path
    assert {status for _, status in answers} <= {200, 207}
    header, form = connector.auth[connector.credential_kinds[-1]]
    assert {request.headers[header] for request, _ in simulator.sent} == {form.format(token=simulator.token)}
    assert [request.url for request, _ in simulator.sent if simulator.token in str(request.url)] == []


@EVERY_TYPE
async def test_every_declared_field_is_in_the_records(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    marks = (external.created, external.updated, external.deleted)
    paths = {one for one in (external.identifier, *external.mapping.values(), *marks) if isinstance(one, str)}

    small = simulator.client(token=f"{simulator.token}-2")  # some fields come with what an account has bought
    rows = [row for each in (client, small) for row in await read_all(each, external, external.listings)]

    for path in paths:
        *way, last = path.split(".")
        holders = [compile_path(".".join(way))(row) if way else row for row in rows]
        assert any(last in holder for holder in holders if isinstance(holder, dict)), path


# ---------------------------------------------------------------- lists


@EVERY_TYPE
@pytest.mark.parametrize("size", [None, 7])
async def test_lists_give_each_record_exactly_once(
    simulator: Simulator, client: Client, name: str, size: int | None
) -> None:
    external = simulator.connector.type(name)

    pages = [page for listing in external.listings for page in await read_pages(client, listing, size=size)]

    assert size is None or max(len(page) for page in pages) <= size
    given = [one for page in pages for one in ids_of(external, page)]
    assert sorted(given) == sorted(await simulator.ids(name))


@EVERY_TYPE
async def test_a_further_page_is_asked_for_as_the_first_with_a_cursor(
    simulator: Simulator, client: Client, name: str
) -> None:
    for listing in simulator.connector.type(name).listings:
        simulator.sent.clear()

        await read_pages(client, listing, size=3)

        asked = [dict(request.url.params) for request, _ in simulator.sent if request.url.path.endswith(listing.path)]
        first, rest = asked[0], asked[1:]
        added = [set(further) - set(first) for further in rest]
        assert [{key: further[key] for key in first} for further in rest] == [first] * len(rest)
        assert {len(each) for each in added} <= {1}
        assert len({tuple(each) for each in added}) <= 1
        cursors = [further[key] for further, each in zip(rest, added, strict=True) for key in each]
        assert len(set(cursors)) == len(cursors)


@EVERY_TYPE
async def test_an_empty_page_with_more_behind_it_is_no_end(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    whole = [await read_pages(client, listing, size=3) for listing in external.listings]
    await simulator.faults(emptyPage=2)

    shown = [await read_pages(client, listing, size=3) for listing in external.listings]
    again = [row for listing in external.second for page in await read_pages(client, listing, size=3) for row in page]

    assert [[list(page) for page in pages] for pages in shown] == [
        [[] if number == 2 else list(page) for number, page in enumerate(pages, 1)] for pages in whole
    ]
    # in another order the rows of the empty page follow
    assert sorted(ids_of(external, again)) == (sorted(await simulator.ids(name)) if external.second else [])


@EVERY_TYPE
@pytest.mark.parametrize("size", [None, 2])
async def test_changes_are_exactly_what_has_changed(
    simulator: Simulator, client: Client, name: str, size: int | None
) -> None:
    external = simulator.connector.type(name)
    shown = ids_of(external, [row for page in await read_pages(client, external.listings[0]) for row in page])
    await simulator.faults(sameTime=3)
    changed = [one for one in (await simulator.ids(name))[:3] if one in shown]

    pages = [
        page
        for one in external.changes
        for page in await read_pages(client, one, since=datetime.now(UTC) - JUST_NOW, size=size)
    ]

    rows = await client.complete(external, [row for page in pages for row in page])
    mapped = await map_all(client, external, rows)
    assert sorted(ids_of(external, rows)) == sorted(changed)
    (moment,) = {one.remote_updated_at for one in mapped.values()}
    assert moment is not None
    again = await read_all(client, external, external.changes, since=moment)
    assert sorted(ids_of(external, again)) == sorted(changed)


# ---------------------------------------------------------------- by id


@EVERY_TYPE
async def test_a_record_is_the_same_whichever_way_it_is_read(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    ids = await simulator.ids(name)

    listed = await map_all(client, external, await read_all(client, external, external.listings))
    read = await map_all(client, external, list((await client.read(external, ids)).values()))
    changed = await map_all(client, external, await read_all(client, external, external.changes, since=LONG_AGO))

    assert set(read) == set(listed) == set(ids)
    for found in (read, changed):
        for one, mapped in found.items():
            if one in listed:  # lists of changes can have deleted ones too
                assert (mapped.values, mapped.refs) == (listed[one].values, listed[one].refs)
                assert (mapped.remote_updated_at, mapped.is_deleted) == (listed[one].remote_updated_at, False)


@EVERY_TYPE
async def test_look_ups_find_what_is_asked_for_and_a_missing_one_is_missing(
    simulator: Simulator, client: Client, name: str
) -> None:
    external = simulator.connector.type(name)
    ids = await simulator.ids(name)
    wanted, nobody = ids[::3], missing_id(ids)

    found = await client.read(external, [*wanted, nobody])
    proved, gone = await client.prove(external, [*wanted[:2], nobody])

    assert set(found) == set(wanted)
    assert (set(proved), gone) == (set(wanted[:2]), [nobody])


@EVERY_TYPE
async def test_a_deleted_record_is_told_as_deleted_and_one_that_is_purged_as_gone(
    simulator: Simulator, client: Client, name: str
) -> None:
    external = simulator.connector.type(name)
    first, second = (await simulator.ids(name))[:2]
    await simulator.delete(external, first)

    listed = ids_of(external, await read_all(client, external, external.listings))
    found, gone = await client.prove(external, [first, second])
    await simulator.faults(purgeDeleted=True)
    later, purged = await client.prove(external, [first, second])

    assert first not in listed
    assert [*found, *gone] in ([first, second], [second, first])
    told = await map_all(client, external, list(found.values()))
    assert {one: mapped.is_deleted for one, mapped in told.items()} == {one: one == first for one in found}
    assert (list(later), purged) == ([second], [first])


BINS = [(crm, one.name) for crm, connector in CONNECTORS.items() for one in connector.types if one.bin]
TRACES = [(crm, one.name) for crm, connector in CONNECTORS.items() for one in connector.types if one.trace]
SEARCHES = [(crm, one.name) for crm, connector in CONNECTORS.items() for one in connector.types if one.search]


@pytest.mark.parametrize(("crm", "name"), BINS)
async def test_a_bin_has_the_deleted_records_and_no_others(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    assert external.bin
    before = ids_of(external, await read_all(client, external, [external.bin]))
    first, *others = await simulator.ids(name)
    await simulator.delete(external, first)

    rows = await read_all(client, external, [external.bin])

    assert sorted(ids_of(external, rows)) == sorted([*before, first])
    assert {one.is_deleted for one in (await map_all(client, external, rows)).values()} == {True}
    assert set(before).isdisjoint(others)


@pytest.mark.parametrize(("crm", "name"), TRACES)
async def test_traces_are_the_relations_of_the_records(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    ids = await simulator.ids(name)
    catalog = await read_catalog(client, external, "DE")
    listed = await map_all(client, external, await read_all(client, external, external.listings))
    assert external.trace

    traced = await external.trace(client, ids)

    found = {
        one: {relation: ends for relation, refer in external.references.items() if (ends := refer(payload, catalog))}
        for one, payload in traced.items()
    }
    assert found == {one: mapped.refs for one, mapped in listed.items()}
    assert any(found.values())


# ---------------------------------------------------------------- searches


def find_word(texts: Iterable[str | None]) -> str:
    """A plain word that one of them has."""
    return next(found[0] for text in texts if (found := re.search(r"\b[A-Za-z]{5,}\b", text or "")))


@pytest.mark.parametrize(("crm", "name"), SEARCHES)
async def test_a_search_finds_by_words_page_by_page(simulator: Simulator, client: Client, name: str) -> None:
    external = simulator.connector.type(name)
    listed = await map_all(client, external, await read_all(client, external, external.listings))
    column = next(one for one in ("name", "title", "subject", "body") if one in external.mapping)
    texts = {one: mapped.values[column] for one, mapped in listed.items()}
    word = find_word(texts.values())
    wanted = {one for one, text in texts.items() if re.search(rf"\b{word}\b", text or "")}

    found, cursor = [], None
    while True:
        page = await client.search(external, word, cursor, 2)
        assert len(page.records) <= 2
        found += ids_of(external, page.records)
        cursor = page.next
        if cursor is None:
            break

    assert len(set(found)) == len(found)
    assert wanted <= set(found) <= set(listed)
    nothing = await client.search(external, "qqqqzzzz")
    assert (list(nothing.records), nothing.next) == ([], None)


@EVERY
async def test_everything_that_is_no_mess_on_purpose_is_mapped(simulator: Simulator, client: Client) -> None:
    mapped = 0
    for external in simulator.connector.types:
        catalog = await read_catalog(client, external, "DE")
        for payload in await read_all(client, external, external.listings):
            mapped += map_record(external, payload, catalog).external_id != ""

    assert mapped == sum((await simulator.control("GET", "counts")).values())
