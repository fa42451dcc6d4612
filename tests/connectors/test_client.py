"""The shared client against a CRM that is faked at the transport."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from connectors.client import Client
from connectors.errors import Missing, Reauthorize, Rejected, Retryable, Unsupported
from connectors.http import Http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage.shapes import BudgetWindow
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE, make_client

PIPEDRIVE = CONNECTORS["PIPEDRIVE"]
PERSONS = PIPEDRIVE.type("Person").listings[0]
NOTES = PIPEDRIVE.type("Note").listings[0]
GOOD = httpx.Response(200, json={"success": True, "data": [{"id": 1}], "additional_data": {"next_cursor": None}})
ME = {
    "id": 5,
    "name": "Rae Rep",
    "email": "rep@example.com",
    "company_id": 42,
    "company_name": "Acme",
    "company_domain": "acme",
}


@pytest.fixture
def crm() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


def persons(crm: respx.MockRouter, *answers: httpx.Response | Exception) -> respx.Route:
    return crm.get("/api/v2/persons").mock(side_effect=list(answers))


# ---------------------------------------------------------------- whose account


async def test_identify_tells_the_account_and_counts_its_calls_for_it(
    crm: respx.MockRouter, time: Time, ledger: MemoryLedger, http: Http
) -> None:
    headers = {"x-ratelimit-limit": "4", "x-ratelimit-remaining": "3"}
    crm.get("/v1/users/me").mock(return_value=httpx.Response(200, json={"success": True, "data": ME}, headers=headers))
    client = make_client(time, ledger, http, account=None, account_url=None)

    identity = await client.identify()

    assert (identity.account_id, identity.account_name) == ("42", "Acme")
    assert identity.account_url == "https://acme.pipedrive.com"
    assert identity.user
    assert (identity.user.external_id, identity.user.name, identity.user.email) == ("5", "Rae Rep", "rep@example.com")
    assert client.wire.account == "42"
    assert {account for _, account, _ in ledger.windows} == {"42"}
    burst = (await client.budget())[0]
    assert (burst.window, burst.limit, burst.remaining) == (BudgetWindow.BURST, 4, 3)


async def test_the_vendors_host_gives_way_to_the_accounts_own(time: Time, ledger: MemoryLedger, http: Http) -> None:
    client = make_client(time, ledger, http, api_url=PIPEDRIVE.default_api_url, account=None, account_url=None)
    with respx.mock() as router:
        me = router.get("https://api.pipedrive.com/v1/users/me")
        me.mock(return_value=httpx.Response(200, json={"success": True, "data": ME}))
        own = router.get("https://acme.pipedrive.com/api/v2/persons").mock(return_value=GOOD)

        await client.page(PERSONS)

    assert (me.call_count, own.call_count) == (1, 1)


@pytest.mark.parametrize("domain", ["evil.example/", "acme.evil", "", None, "a" * 70, "-", "x@evil.example"])
async def test_an_account_host_that_is_not_the_vendors_is_not_called(
    domain: Any, time: Time, ledger: MemoryLedger, http: Http
) -> None:
    client = make_client(time, ledger, http, api_url=PIPEDRIVE.default_api_url, account=None, account_url=None)
    with respx.mock() as router:
        me = {**ME, "company_domain": domain}
        router.get("https://api.pipedrive.com/v1/users/me").mock(
            return_value=httpx.Response(200, json={"success": True, "data": me})
        )

        identity = await client.identify()

    assert identity.account_url is None


async def test_a_host_from_the_settings_stays(crm: respx.MockRouter, client: Client) -> None:
    route = persons(crm, GOOD)

    await client.page(PERSONS)

    assert route.call_count == 1


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "tökén"])
async def test_a_token_that_cannot_be_sent_is_refused_without_a_call(
    token: str, time: Time, ledger: MemoryLedger, http: Http
) -> None:
    client = make_client(time, ledger, http, token=token)

    with pytest.raises(Reauthorize):
        await client.users()

    assert client.calls == 0


# ---------------------------------------------------------------- pages


async def test_an_empty_page_with_more_behind_it_is_no_end(crm: respx.MockRouter, client: Client) -> None:
    persons(crm, httpx.Response(200, json={"success": True, "data": [], "additional_data": {"next_cursor": "b"}}))

    page = await client.page(PERSONS, "a")

    assert (page.records, page.next) == ([], "b")


async def test_an_offset_that_is_missing_is_counted(crm: respx.MockRouter, client: Client) -> None:
    pagination = {"start": 500, "limit": 500, "more_items_in_collection": True}
    body = {"success": True, "data": [{"id": 1}, {"id": 2}], "additional_data": {"pagination": pagination}}
    crm.get("/api/v1/notes").mock(return_value=httpx.Response(200, json=body))

    page = await client.page(NOTES, 500)

    assert page.next == 502


async def test_a_page_that_leads_to_itself_is_an_error(crm: respx.MockRouter, client: Client) -> None:
    again = {"additional_data": {"next_cursor": "a"}}
    persons(crm, httpx.Response(200, json={"success": True, "data": [{"id": 1}], **again}))

    with pytest.raises(Rejected, match="whose next page is the same page"):
        await client.page(PERSONS, "a")


async def test_an_empty_page_that_leads_to_itself_is_asked_for_again(crm: respx.MockRouter, client: Client) -> None:
    again = {"additional_data": {"next_cursor": "a"}}
    empty = httpx.Response(200, json={"success": True, "data": [], **again})
    persons(crm, empty, httpx.Response(200, json={"success": True, "data": [{"id": 1}]}), *[empty] * 3)

    page = await client.page(PERSONS, "a")

    assert (page.records, page.next) == ([{"id": 1}], None)
    with pytest.raises(Rejected, match="an empty page again and again"):
        await client.page(PERSONS, "a")


async def test_null_data_is_an_empty_list(crm: respx.MockRouter, client: Client) -> None:
    crm.get("/api/v1/notes").mock(return_value=httpx.Response(200, json={"success": True, "data": None}))

    page = await client.page(NOTES)

    assert (page.records, page.next) == ((), None)


async def test_the_list_of_fields_has_pages_too(crm: respx.MockRouter, client: Client) -> None:
    def field(number: int) -> dict[str, Any]:
        return {
            "field_name": f"F{number}",
            "field_code": f"{number:040x}",
            "field_type": "varchar",
            "is_custom_field": True,
        }

    pages = [
        {"success": True, "data": [field(1), field(2)], "additional_data": {"next_cursor": "two"}},
        {"success": True, "data": [field(3)], "additional_data": {"next_cursor": None}},
    ]
    route = crm.get("/api/v2/personFields").mock(side_effect=[httpx.Response(200, json=page) for page in pages])

    fields = await client.fields("Person")

    assert [one.label for one in fields] == ["F1", "F2", "F3"]
    assert [call.request.url.params.get("cursor") for call in route.calls] == [None, "two"]
    assert await client.fields("Note") == ()


async def test_an_optional_list_may_be_forbidden_another_may_not(crm: respx.MockRouter, client: Client) -> None:
    crm.get("/api/v2/activityFields").mock(return_value=httpx.Response(403, json={"success": False}))
    crm.get("/api/v2/personFields").mock(return_value=httpx.Response(403, json={"success": False}))

    assert await client.fields("Activity") == ()
    with pytest.raises(Unsupported):
        await client.fields("Person")


async def test_records_are_read_in_hundreds_and_the_missing_ones_in_the_archive(
    crm: respx.MockRouter, client: Client
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        ids = [int(one) for one in request.url.params["ids"].split(",")]
        return httpx.Response(200, json={"success": True, "data": [{"id": one} for one in ids if one % 2]})

    live = crm.get("/api/v2/deals").mock(side_effect=answer)
    archived = crm.get("/api/v2/deals/archived").mock(
        return_value=httpx.Response(200, json={"success": True, "data": [{"id": 2}]})
    )

    found = await client.read(PIPEDRIVE.type("Deal"), [str(one) for one in range(1, 151)])

    assert live.call_count == 2
    assert archived.calls[0].request.url.params["ids"] == ",".join(str(one) for one in range(2, 151, 2))
    assert list(found)[:3] == ["1", "2", "3"]
    assert len(found) == 76


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(503, text="<html>"),
        httpx.Response(200, content=b'{"success":true,"data":[{"id":1},{"na'),
        httpx.Response(200, text="<html>a proxy's page</html>"),
        httpx.Response(200, content=b""),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadError("reset"),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again(
    failure: httpx.Response | Exception, crm: respx.MockRouter, client: Client, time: Time
) -> None:
    persons(crm, failure, failure, GOOD)

    page = await client.page(PERSONS)

    assert page.records == [{"id": 1}]
    assert client.calls == 3
    first, second = time.waited
    assert 0.25 <= first <= 0.5
    assert 0.5 <= second <= 1.0


async def test_five_failures_are_the_end(crm: respx.MockRouter, client: Client) -> None:
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(502))

    with pytest.raises(Retryable) as caught:
        await client.page(PERSONS)

    assert client.calls == 5
    assert str(caught.value) == "Pipedrive has a failure (HTTP 502)."


async def test_who_cannot_wait_tries_less_often(crm: respx.MockRouter, client: Client, time: Time) -> None:
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(503))
    client.wire.tries = 2

    with pytest.raises(Retryable):
        await client.page(PERSONS)

    assert client.calls == 2
    (waited,) = time.waited
    assert waited <= 0.5


async def test_who_cannot_wait_is_told_at_once_that_it_takes_longer(
    crm: respx.MockRouter, client: Client, time: Time
) -> None:
    persons(crm, httpx.Response(503, headers={"retry-after": "7"}), GOOD)
    client.wire.patience = 3.0

    for _ in range(2):
        with pytest.raises(Retryable) as caught:
            await client.page(PERSONS)
        assert caught.value.after == 7

    assert (client.calls, time.waited) == (1, [])


async def test_a_failure_that_tells_when_to_come_again_is_believed(
    crm: respx.MockRouter, client: Client, time: Time
) -> None:
    persons(crm, httpx.Response(503, headers={"retry-after": "7"}), GOOD)

    await client.page(PERSONS)

    (waited,) = time.waited
    assert 7 <= waited <= 8


async def test_a_failure_that_tells_to_come_much_later_is_passed_on(crm: respx.MockRouter, client: Client) -> None:
    persons(crm, httpx.Response(503, headers={"retry-after": "600"}))

    with pytest.raises(Retryable) as caught:
        await client.page(PERSONS)

    assert (caught.value.after, client.calls) == (600, 1)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (httpx.Response(400, json={}), Rejected, "Pipedrive refuses the request (HTTP 400)."),
        (httpx.Response(401, json={}), Reauthorize, "Pipedrive refuses the token (HTTP 401)."),
        (
            httpx.Response(402, json={}),
            Reauthorize,
            "The Pipedrive account is closed, or its trial is over (HTTP 402).",
        ),
        (
            httpx.Response(403, json={"code": "feature_capping_deals_limit"}),
            Unsupported,
            "Pipedrive does not allow that: a scope, a right or the plan (HTTP 403, feature_capping_deals_limit).",
        ),
        (
            httpx.Response(403, json={"code": "3f9d0c1be2a84f7795d06c1b8e4a2f7d90c3b5a1"}),  # the token, repeated
            Unsupported,
            "Pipedrive does not allow that: a scope, a right or the plan (HTTP 403).",
        ),
        (httpx.Response(404, json={}), Missing, "Pipedrive has no such record, or does not show it (HTTP 404)."),
        (httpx.Response(200, json={"success": False}), Rejected, "Pipedrive refuses the request (HTTP 422)."),
        (
            httpx.Response(200, json={"success": False, "errorCode": 401}),
            Reauthorize,
            "Pipedrive refuses the token (HTTP 401).",
        ),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(
    answer: httpx.Response, error: type[Exception], message: str, crm: respx.MockRouter, client: Client
) -> None:
    persons(crm, answer)

    with pytest.raises(error) as caught:
        await client.page(PERSONS)

    assert type(caught.value) is error
    assert str(caught.value) == message
    assert client.calls == 1


async def test_a_redirect_is_not_followed(crm: respx.MockRouter, client: Client) -> None:
    persons(crm, httpx.Response(302, headers={"location": "https://evil.example/"}))

    with pytest.raises(Rejected):
        await client.page(PERSONS)

    assert client.calls == 1


async def test_a_block_page_stops_everybody_for_minutes(crm: respx.MockRouter, client: Client, time: Time) -> None:
    route = persons(crm, httpx.Response(403, text="<html>Cloudflare</html>"), GOOD)

    with pytest.raises(Retryable) as blocked:
        await client.page(PERSONS)
    with pytest.raises(Retryable) as still:
        await client.page(PERSONS)
    time.now += 301
    page = await client.page(PERSONS)

    assert blocked.value.after == 300
    assert still.value.after == 300
    assert (len(page.records), route.call_count) == (1, 2)
