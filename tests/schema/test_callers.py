"""What is open with a credential ends with it, also where that ended before anybody watched."""

import asyncio

from resolvers.callers import Callers
from storage.events import Hub
from tests.schema.conftest import Home


async def test_a_key_that_is_revoked_between_being_looked_up_and_being_watched(home: Home) -> None:
    made = await home.read(
        'mutation { createApiKey(input: {name: "k", role: VIEWER}) { secret apiKey { id } } }',
    )
    credential = f"Bearer {made['createApiKey']['secret']}"
    callers = Callers(home.database, Hub(home.database.url))
    caller = await callers.identify(credential)

    key = made["createApiKey"]["apiKey"]["id"]
    await home.read("mutation($k: ID!) { revokeApiKey(input: {apiKeyId: $k}) { apiKey { id } } }", k=key)

    async with asyncio.timeout(2):
        assert await callers.outlive(credential, caller) == "This API key was revoked."
