"""Notifications: listed, followed, once for each cause."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resolvers.context import Services
from schema.build import schema
from storage import consents, notifications
from storage.listing import GlobalId
from storage.outbound import Conflict, Notification
from storage.tables import Integration
from tests.schema.conftest import Home, gid

SHOWN = "id level code message at integration { id } record { id }"
LIST = f"""
query ($after: String) {{
  notifications(first: 2, after: $after) {{ nodes {{ {SHOWN} }} pageInfo {{ endCursor hasNextPage }} }}
}}
"""
FOLLOW = "subscription { notifications { code message } }"


@pytest.fixture(scope="module", autouse=True)
async def _hub(services: Services) -> AsyncIterator[None]:
    hub = asyncio.create_task(services.hub.run())
    await services.hub.connected.wait()
    yield
    hub.cancel()


async def refuse(home: Home) -> None:
    """The CRM takes the credential no more."""
    async with home.database.session(home.workspace) as session:
        row = await session.get(Integration, home.integration)
        assert row
        await consents.refuse(home.database, session, row, "It was revoked.")


async def test_they_are_listed_newest_first_for_thirty_days(home: Home) -> None:
    ada = home.contact(name="Ada")
    moment = datetime.now(UTC)
    given: dict[str, Any] = {"level": "INFO", "code": "CONFLICT", "integration_id": home.integration}
    rows = [
        home.make(
            Notification, message=str(days), at=moment - timedelta(days=days), record_type="CONTACT",
            record_id=ada.id, **given,
        )
        for days in (29, 1, 31, 3)
    ]  # fmt: skip
    await home.add(ada, *rows)
    page = (await home.read(LIST))["notifications"]
    assert [each["message"] for each in page["nodes"]] == ["1", "3"]
    assert page["nodes"][0]["record"] == {"id": gid(ada)}
    assert page["nodes"][0]["integration"] == {"id": str(GlobalId("Integration", home.integration))}
    rest = (await home.read(LIST, after=page["pageInfo"]["endCursor"]))["notifications"]
    assert ([each["message"] for each in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == (["29"], False)


async def test_an_integration_that_needs_consent_is_told_once_for_each_credential(home: Home) -> None:
    await home.change(credentials=b"first")
    await refuse(home)
    await refuse(home)
    nodes = (await home.read(LIST))["notifications"]["nodes"]
    assert [(each["level"], each["code"], each["message"]) for each in nodes] == [
        ("ERROR", "CONSENT_NEEDED", "Acme's Pipedrive has to be connected again: It was revoked.")
    ]
    await home.change(credentials=b"second", status="ACTIVE")
    await refuse(home)
    assert len((await home.read(LIST))["notifications"]["nodes"]) == 2


async def test_who_follows_them_gets_each_as_it_comes(home: Home, neighbour: Home) -> None:
    stream: Any = await schema.subscribe(FOLLOW, context_value=home.context())
    first = asyncio.ensure_future(anext(stream))
    while not first.done():  # whatever is told before it has subscribed, it misses
        for each, field in ((neighbour, "phone"), (home, "name")):
            conflict = each.make(
                Conflict, integration_id=each.integration, source_id=each.member, record_type="CONTACT",
                record_id=each.member, field=field,
            )  # fmt: skip
            async with each.database.session(each.workspace) as session:
                await notifications.notify_conflict(each.database, session, conflict, "Acme's Pipedrive")
        await asyncio.wait([first], timeout=0.1)
    answer = await first
    message = "name has changed both here and in Acme's Pipedrive: decide which value counts."
    assert (answer.errors, answer.data) == (None, {"notifications": {"code": "CONFLICT", "message": message}})
    for until in (datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 22, 9, tzinfo=UTC)):
        async with home.database.session(home.workspace) as session:
            await notifications.notify_quota(home.database, session, home.integration, "Acme's Pipedrive", until)
    await home.change(credentials=b"first")
    for _ in range(2):
        await refuse(home)
    seen = []
    while "CONSENT_NEEDED" not in seen:
        answer = await anext(stream)
        seen += [answer.data["notifications"]["code"]]
    assert [code for code in seen if code != "CONFLICT"] == ["QUOTA_EXHAUSTED", "CONSENT_NEEDED"]
    nodes = (await home.read("{ notifications { nodes { code } } }"))["notifications"]["nodes"]
    assert [each["code"] for each in nodes][:2] == ["CONSENT_NEEDED", "QUOTA_EXHAUSTED"]
    assert "QUOTA_EXHAUSTED" not in [each["code"] for each in nodes[2:]]
    await stream.aclose()
