"""What can be done."""

from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry

from resolvers.accounts import disconnect
from resolvers.consent import connect
from resolvers.errors import Refused, Unknown
from resolvers.health import check_integration
from resolvers.integrations import pause_integration, resume_integration, update_integration
from resolvers.runs import cancel_sync, start_sync
from resolvers.scope import Request
from schema.field import Info, field
from schema.ids import read_key
from schema.inputs import (
    ConnectInput,
    IntegrationIdInput,
    SyncFilter,
    SyncInput,
    SyncRunIdInput,
    UpdateIntegrationInput,
)
from schema.integrations import Integration, SyncRun
from schema.payloads import ConnectPayload, IntegrationPayload, Payload, SyncPayload

P = TypeVar("P", bound=Payload)


async def answer(info: Info, type_: type[P], work: Awaitable[P]) -> P:
    """What a mutation has done; what it refuses becomes the payload's `userErrors`."""
    info.context.loaders.clear()
    try:
        return await work
    except Refused as refused:
        return type_.refuse(refused)
    finally:
        info.context.loaders.clear()  # what was read before may be changed now


def require_key(id: str, type_: str, what: str, field: str) -> UUID:
    """The key in a global id; refused where it is of another type."""
    key = read_key(id, type_)
    if key is None:
        raise Unknown(what, field)
    return key


def integration_key(id: str) -> UUID:
    """The key of an integration in an input."""
    return require_key(id, "Integration", "integration", "integrationId")


async def of_integration(work: Awaitable[Any]) -> IntegrationPayload:
    """The payload of what changes an integration."""
    return IntegrationPayload(integration=Integration.of(await work))


async def _connect(info: Info, input: ConnectInput) -> ConnectPayload:
    crm: Any = input.crm
    row, url = await connect(
        info.context,
        crm=crm.value,
        display_name=input.display_name,
        api_token=input.api_token,
        integration_id=integration_key(input.integration_id) if input.integration_id else None,
        return_to=input.return_to,
    )
    return ConnectPayload(integration=Integration.of(row), authorization_url=url)


async def _update(info: Info, input: UpdateIntegrationInput) -> IntegrationPayload:
    key = integration_key(input.integration_id)
    given = {"display_name": input.display_name, "record_types": input.record_types, "filter": input.filter}
    changes: dict[str, Any] = {name: some.value for name, some in given.items() if some is not None}
    if isinstance(filter_ := changes.get("filter"), SyncFilter):
        changes["filter"] = filter_.stored
    return await of_integration(update_integration(info.context, integration_id=key, **changes))


async def _sync(info: Info, input: SyncInput) -> SyncPayload:
    named = input.records
    row, is_new = await start_sync(
        info.context,
        integration_id=integration_key(input.integration_id),
        request=Request(
            kind=input.kind.value if input.kind else None,
            record_types=input.record_types,
            records=None if named is None else [(one.external_type, one.external_id) for one in named],
            filter=input.filter.stored if input.filter else None,
            limit=input.limit,
        ),
    )
    return SyncPayload(sync_run=SyncRun.of(row), is_new=is_new)


async def _cancel(info: Info, input: SyncRunIdInput) -> SyncPayload:
    key = require_key(input.sync_run_id, "SyncRun", "sync run", "syncRunId")
    return SyncPayload(sync_run=SyncRun.of(await cancel_sync(info.context, key)), is_new=False)


async def _test(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(check_integration(info.context, integration_key(input.integration_id)))


async def _pause(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(pause_integration(info.context, integration_key(input.integration_id)))


async def _resume(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(resume_integration(info.context, integration_key(input.integration_id)))


async def _disconnect(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(disconnect(info.context, integration_key(input.integration_id)))


ABOUT = strawberry.argument(description="What is asked for.")


@strawberry.type(description="What can be done. Each mutation takes one input and answers with a payload.")
class Mutation:
    @field("Connects an account of a CRM; an account that is connected already is renewed.")
    async def connect(self, info: Info, input: Annotated[ConnectInput, ABOUT]) -> ConnectPayload:
        return await answer(info, ConnectPayload, _connect(info, input))

    @field("Changes what is given; what is absent stays as it is.")
    async def update_integration(
        self, info: Info, input: Annotated[UpdateIntegrationInput, ABOUT]
    ) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _update(info, input))

    @field(
        "Asks the CRM whose account it is, and tells what it said in `health`. What is wrong there is no user error:"
        " the test itself was done."
    )
    async def test_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _test(info, input))

    @field("Starts no run, and lets the one under way wait after its page, until it is resumed.")
    async def pause_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _pause(info, input))

    @field("Undoes a pause; the run that waits goes on.")
    async def resume_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _resume(info, input))

    @field(
        "Forgets the credentials (revoked at the vendor when no other integration uses them); records and links stay,"
        " and connecting the same account revives it."
    )
    async def disconnect(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _disconnect(info, input))

    @field("Starts a run of an integration, or gives the one under way that covers what is asked for.")
    async def sync(self, info: Info, input: Annotated[SyncInput, ABOUT]) -> SyncPayload:
        return await answer(info, SyncPayload, _sync(info, input))

    @field(
        "Ends it after the page under way. A held run is ended at once: its plan is dropped, nothing of it is archived."
    )
    async def cancel_sync(self, info: Info, input: Annotated[SyncRunIdInput, ABOUT]) -> SyncPayload:
        return await answer(info, SyncPayload, _cancel(info, input))
