"""Every connector in trouble with its CRM, simulated: tokens that end, limits, failures, consent by OAuth."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.client import Client
from connectors.errors import Conflict, CrmError, Missing, QuotaExhausted, Reauthorize, Rejected, Retryable, Unsupported
from connectors.facts import Credential
from connectors.oauth import App
from connectors.registry import CONNECTORS
from storage.shapes import BudgetWindow, CredentialKind
from tests.connectors.simulator import Simulator, ids_of, read_pages

EVERY = pytest.mark.parametrize("crm", CONNECTORS)
REDIRECT = "http://gateway.example/oauth/callback"


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return simulator.client()


async def read_first(simulator: Simulator, client: Client) -> None:
    """All of the first type's records, which must all be there."""
    external = simulator.connector.types[0]
    pages = [page for listing in external.listings for page in await read_pages(client, listing, size=5)]
    given = [one for page in pages for one in ids_of(external, page)]
    assert sorted(given) == sorted(await simulator.ids(external.name))


def tell(error: CrmError) -> str:
    return f"{error!s}{error!r}{vars(error)}"


# ---------------------------------------------------------------- tokens


@EVERY
async def test_a_token_that_is_refused_is_renewed_once_and_the_list_goes_on(simulator: Simulator) -> None:
    asked = []

    async def renew(stale: str) -> Credential:
        asked.append(stale)
        return Credential(kind=simulator.connector.credential_kinds[-1], token=simulator.token)

    await read_first(simulator, simulator.client(token="ended-token", renew=renew))

    assert asked == ["ended-token"]
    assert [response.status_code for _, response in simulator.sent].count(401) == 1


@EVERY
async def test_a_new_token_that_is_refused_too_ends_it(simulator: Simulator) -> None:
    asked = []

    async def renew(stale: str) -> Credential:
        asked.append(stale)
        return Credential(kind=simulator.connector.credential_kinds[-1], token="useless-token")

    with pytest.raises(Reauthorize) as caught:
        await read_first(simulator, simulator.client(token="ended-token", renew=renew))

    assert (asked, len(simulator.sent)) == (["ended-token"], 2)
    assert "-token" not in tell(caught.value)


@EVERY
async def test_a_consent_gives_tokens_that_open_the_account_and_are_renewed_between_pages(
    simulator: Simulator, client: Client
) -> None:
    connector = simulator.connector
    assert connector.oauth
    app = App(
        connector=connector,
        oauth=connector.oauth,
        client_id="app",
        client_secret="hush",
        http=simulator.http,
        url=simulator.url,
        token_url=simulator.url,
        pause=simulator.time.pause,
        wall=simulator.time.clock,
    )
    page = urlsplit(app.authorization_url(REDIRECT, "state-1"))
    form = {**dict(parse_qsl(page.query)), "account": "1", "decision": "allow"}
    sent = await simulator.http.post(page._replace(query="").geturl(), data=form)
    back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    token = await app.exchange(back["code"], REDIRECT)
    await simulator.faults(expireTokensAfter=3)
    held = token.credential

    async def renew(stale: str) -> Credential:
        nonlocal held
        assert stale == held.token
        held = (await app.refresh(held.refresh_token)).credential
        return held

    consented = simulator.client(token=held.token, kind=CredentialKind.OAUTH2, renew=renew)
    identity = await consented.identify()
    await read_first(simulator, consented)

    assert back["state"] == "state-1"
    assert set(token.scopes) == set(connector.scopes)
    assert identity.account_id == (await client.identify()).account_id
    log = (await simulator.control("GET", "requests"))["oauth"]
    assert log["refreshes"] == [response.status_code for _, response in simulator.sent].count(401) > 0
    await app.revoke(held.refresh_token or "")
    with pytest.raises(Reauthorize):
        await app.refresh(held.refresh_token)


# ---------------------------------------------------------------- limits


@EVERY
async def test_a_429_that_tells_nothing_is_waited_for(simulator: Simulator, client: Client) -> None:
    begun = simulator.time.now
    await simulator.faults(status={"code": 429, "times": 1})

    await read_first(simulator, client)

    assert [response.status_code for _, response in simulator.sent].count(429) == 1
    span = next(limit.seconds for limit in simulator.connector.limits if limit.window is BudgetWindow.BURST)
    assert span
    assert simulator.time.now - begun >= span


@EVERY
async def test_a_429_that_tells_when_to_come_again_is_believed(simulator: Simulator, client: Client) -> None:
    begun = simulator.time.now
    simulator.wire.added[429] = {"retry-after": "41"}
    await simulator.faults(status={"code": 429, "times": 1})

    await read_first(simulator, client)

    assert 41 <= simulator.time.now - begun <= 60


@EVERY
async def test_a_day_that_is_used_up_says_until_when(simulator: Simulator, client: Client) -> None:
    await simulator.faults(dailyQuota=2)
    await client.users()

    with pytest.raises(QuotaExhausted) as caught:
        await read_first(simulator, client)
    called = len(simulator.sent)
    with pytest.raises(QuotaExhausted):
        await read_first(simulator, client)

    assert caught.value.until > datetime.fromtimestamp(simulator.time.now, UTC)
    assert len(simulator.sent) == called


# ---------------------------------------------------------------- failures

REMEDIES: list[tuple[int, type[CrmError], int]] = [
    (400, Rejected, 1),
    (401, Reauthorize, 1),
    (404, Missing, 1),
    (405, Unsupported, 1),
    (409, Conflict, 1),
    (410, Unsupported, 1),
    (414, Rejected, 1),
    (418, Rejected, 1),
    (422, Rejected, 1),
    (429, Retryable, 5),
    (500, Retryable, 5),
    (501, Unsupported, 1),
    (502, Retryable, 5),
    (503, Retryable, 5),
    (504, Retryable, 5),
    (599, Retryable, 5),
]
"""Status of the answer, the error that it becomes, and how often the call is made."""


@EVERY
@pytest.mark.parametrize(("status", "kind", "calls"), REMEDIES)
async def test_an_error_is_named_by_remedy(
    simulator: Simulator, client: Client, status: int, kind: type[CrmError], calls: int
) -> None:
    await simulator.faults(status=status)

    with pytest.raises(CrmError) as caught:
        await client.pipelines()

    error = caught.value
    assert type(error) is kind or (status == 429 and type(error) is QuotaExhausted)  # some tell both by the same answer
    assert (error.crm, error.integration) == (simulator.connector.name, "integration-1")
    assert error.message.endswith(".")
    assert f"HTTP {status}" in error.message or type(error) is QuotaExhausted
    assert simulator.token not in tell(error)
    asked = [request.url.path for request, _ in simulator.sent]
    assert max(asked.count(path) for path in asked) in ({calls} if kind is type(error) else {2})


@EVERY
async def test_what_passes_is_tried_until_it_has_passed(simulator: Simulator, client: Client) -> None:
    await simulator.faults(status={"code": 503, "times": 4})

    await read_first(simulator, client)

    assert [response.status_code for _, response in simulator.sent].count(503) == 4


@EVERY
async def test_a_credential_is_shown_nowhere(simulator: Simulator, client: Client) -> None:
    credential = replace(client.wire.credential, refresh_token="refresh-1")

    assert simulator.token not in repr(credential)
    assert "refresh-1" not in repr(credential)
