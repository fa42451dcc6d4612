"""What every connector says of itself, and what it makes of the errors that its vendor documents."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.calls import Calls
from connectors.client import Client
from connectors.declaration import Connector
from connectors.errors import CrmError, Unsupported
from connectors.facts import Credential
from connectors.http import open_http
from connectors.pacing import MemoryLedger
from connectors.reading import Listing, Lookup
from connectors.registry import CONNECTORS, Crm
from storage.declare import columns
from storage.records import BY_TYPE
from tests.connectors.clock import Time
from tests.connectors.samples import load_samples

SECRET = "pat-na1-3f9d0c1b-e2a8-4f77-95d0-6c1b8e4a2f7d"
ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("connector", CONNECTORS.values(), ids=list(CONNECTORS))


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
    for external in connector.types:
        assert set(external.mapping) <= set(columns(BY_TYPE[external.record_type]))
        assert external.listings
        assert external.lookups
        assert set(external.needs) <= {"pipelines", *connector.words}
        ways = (*external.listings, *external.changes, *external.lookups, external.proof, external.bin)
        styles = {way.paging for way in ways if isinstance(way, Listing | Lookup)}
        assert styles <= set(connector.paging)


@EVERY
def test_every_type_and_every_relation_has_samples(connector: Connector) -> None:
    samples = [sample for crm, sample in load_samples() if crm == connector.name]

    assert {sample["type"] for sample in samples} == {external.name for external in connector.types}
    for external in connector.types:
        own = [
            sample["expected"]["refs"] for sample in samples if sample["type"] == external.name and "expected" in sample
        ]
        assert {relation for refs in own for relation in refs} == set(external.references)


@EVERY
def test_a_relations_target_is_read_first(connector: Connector) -> None:
    order = [external.name for external in connector.types]

    for crm, sample in load_samples():
        if crm == connector.name and "expected" in sample:
            targets = {target for ends in sample["expected"]["refs"].values() for target, _ in ends}
            assert [name for name in targets if order.index(name) >= order.index(sample["type"])] == []


@EVERY
def test_a_scope_is_covered_by_wider_ones_and_never_by_itself(connector: Connector) -> None:
    for scope in connector.scopes:
        assert scope not in connector.wider(scope)


# ---------------------------------------------------------------- errors


async def fail(connector: Connector, answer: httpx.Response) -> tuple[CrmError, Client]:
    """The error that a list becomes where the CRM answers everything so."""
    time = Time()
    async with open_http(httpx.MockTransport(lambda _: answer)) as http:
        client = Client(
            Calls(
                connector=connector,
                credential=Credential(kind=connector.credential_kinds[-1], token=SECRET),
                api_url="https://crm.example",
                account="1",
                account_url="https://x.invalid",
                ledger=MemoryLedger(clock=time.clock),
                http=http,
                integration="integration-1",
                pause=time.pause,
                clock=time.clock,
            )
        )
        with pytest.raises(CrmError) as caught:
            await client.page(connector.types[0].listings[0])
    return caught.value, client


@EVERY
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 415, 422, 501, 302, 418])
async def test_an_error_tells_where_it_was_and_no_secret(connector: Connector, status: int) -> None:
    text = f"no {SECRET} of ann@example.com"
    body: dict[str, Any] = {"success": False, "error": text, "message": text, "code": SECRET, "category": SECRET}
    headers = {connector.request_id: "request-1", "location": f"https://evil.example/{SECRET}"}

    error, client = await fail(connector, httpx.Response(status, json=body, headers=headers))

    assert SECRET not in f"{error!s}{error!r}{vars(error)}"
    assert "ann@example.com" not in str(error)
    assert (error.crm, error.integration) == (connector.name, "integration-1")
    assert (error.request_id, error.status) == ("request-1", status)
    assert client.calls <= 2  # the fields of the type may be asked for before the list


@EVERY
async def test_what_the_account_has_not_got_is_told_as_that(connector: Connector) -> None:
    error, _ = await fail(connector, httpx.Response(403, json={}))

    assert type(error) is Unsupported
    assert error.message == f"{connector.label} does not allow that: a scope, a right or the plan (HTTP 403)."
