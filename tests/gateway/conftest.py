"""An issuer of sign-ins that is faked at the transport, and what asks it, in a time that stands still."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx

from connectors.http import open_http
from gateway.oidc import Issuer
from tests.connectors.clock import Time
from tests.gateway.issuer import AUDIENCE, CONFIGURATION, KEYS, NOW, URL, Realm


@pytest.fixture
def time() -> Time:
    return Time(now=NOW)


@pytest.fixture
def realm(time: Time) -> Realm:
    return Realm(URL, wall=time.clock)


@pytest.fixture
def web(realm: Realm) -> Iterator[respx.MockRouter]:
    """The issuer's two documents, as they are when they are asked for; nothing else is there."""
    with respx.mock(assert_all_called=False) as router:
        router.get(CONFIGURATION, name="about").mock(side_effect=lambda _: httpx.Response(200, json=realm.about()))
        router.get(KEYS, name="keys").mock(side_effect=lambda _: httpx.Response(200, json=realm.key_set()))
        yield router


@pytest.fixture
async def issuer(web: respx.MockRouter, time: Time) -> AsyncIterator[Issuer]:
    async with open_http() as http:
        yield Issuer(
            http=http,
            issuer=URL,
            audience=AUDIENCE,
            workspace_claim="workspace",
            email_claim="email",
            role_claim="role",
            wall=time.clock,
            clock=time.clock,
        )
