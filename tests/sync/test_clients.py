"""Who looks on hears of every call to a CRM, whatever became of it."""

from typing import Any

import httpx
import respx

from connectors.facts import Credential
from connectors.http import open_http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind
from sync.clients import Clients
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE

PERSONS = CONNECTORS["PIPEDRIVE"].type("Person").listings[0]
NO_VAULT: Any = None


async def test_each_try_of_a_call_is_told() -> None:
    time, seen = Time(), list[tuple[str, int | None, float]]()
    answers = iter([500, None, 200])

    def answer(_: httpx.Request) -> httpx.Response:
        time.now += 0.25
        status = next(answers)
        if status is None:
            raise httpx.ReadTimeout("nothing came")
        return httpx.Response(status, json={"success": True, "data": []})

    async with open_http() as http:
        with respx.mock(base_url=BASE) as crm:
            crm.get("/api/v2/persons").mock(side_effect=answer)
            clients = Clients(
                vault=NO_VAULT,
                ledger=MemoryLedger(clock=time.clock),
                http=http,
                api_urls={"PIPEDRIVE": BASE},
                observe=lambda *told: seen.append(told),
            )
            credential = Credential(kind=CredentialKind.API_TOKEN, token="hush")
            client = clients.with_credential("PIPEDRIVE", credential, account="42", pause=time.pause, clock=time.clock)
            await client.page(PERSONS)

    assert seen == [("PIPEDRIVE", 500, 0.25), ("PIPEDRIVE", None, 0.25), ("PIPEDRIVE", 200, 0.25)]
