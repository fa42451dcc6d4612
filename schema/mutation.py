"""What can be done."""

from collections.abc import Awaitable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from resolvers.accounts import disconnect
from resolvers.consent import connect
from resolvers.excluding import update_settings
from resolvers.health import check_integration
from resolvers.integrations import pause_integration, resume_integration
from resolvers.leaving import delete_integration
from resolvers.runs import approve_sync, cancel_sync, start_sync
from resolvers.scope import Request
from resolvers.unlinking import clear_links
from schema.conflicts import ConflictMutation
from schema.field import Info, mutation
from schema.identity import IdentityMutation
from schema.ids import require_key
from schema.inputs import (
    ConnectInput,
    DeleteIntegrationInput,
    IntegrationIdInput,
    SyncFilter,
    SyncInput,
    SyncRunIdInput,
    UpdateIntegrationInput,
)
from schema.integrations import Integration, SyncRun
from schema.payloads import ConnectPayload, DeleteIntegrationPayload, IntegrationPayload, SyncPayload, answer
from schema.pushes import PushMutation
from schema.remaps import MappingMutation
from schema.writing import WritingMutation
from storage.listing import GlobalId
from storage.shapes import Role


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
    given = {
        "display_name": input.display_name,
        "record_types": input.record_types,
        "filter": input.filter,
        "excluded_fields": input.excluded_fields,
        "delete_guard_percent": input.delete_guard_percent,
        "direction": input.direction,
        "conflict_policy": input.conflict_policy,
        "push_warm_leads": input.push_warm_leads,
        "replicate_activities": input.replicate_activities,
        "allow_new_picklist_values": input.allow_new_picklist_values,
    }
    changes: dict[str, Any] = {name: some.value for name, some in given.items() if some is not None}
    if isinstance(filter_ := changes.get("filter"), SyncFilter):
        changes["filter"] = filter_.stored
    return await of_integration(update_settings(info.context, integration_id=key, **changes))


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
            dry_run=input.dry_run,
        ),
    )
    return SyncPayload(sync_run=SyncRun.of(row), is_new=is_new)


async def _cancel(info: Info, input: SyncRunIdInput) -> SyncPayload:
    key = require_key(input.sync_run_id, "SyncRun", "sync run", "syncRunId")
    return SyncPayload(sync_run=SyncRun.of(await cancel_sync(info.context, key)), is_new=False)


async def _approve(info: Info, input: SyncRunIdInput) -> SyncPayload:
    key = require_key(input.sync_run_id, "SyncRun", "sync run", "syncRunId")
    return SyncPayload(sync_run=SyncRun.of(await approve_sync(info.context, key)), is_new=False)


async def _test(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(check_integration(info.context, integration_key(input.integration_id)))


async def _pause(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(pause_integration(info.context, integration_key(input.integration_id)))


async def _resume(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(resume_integration(info.context, integration_key(input.integration_id)))


async def _clear(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(clear_links(info.context, integration_key(input.integration_id)))


async def _disconnect(info: Info, input: IntegrationIdInput) -> IntegrationPayload:
    return await of_integration(disconnect(info.context, integration_key(input.integration_id)))


async def _delete(info: Info, input: DeleteIntegrationInput) -> DeleteIntegrationPayload:
    key = await delete_integration(info.context, integration_key(input.integration_id))
    return DeleteIntegrationPayload(integration_id=strawberry.ID(str(GlobalId("Integration", key))))


ABOUT = strawberry.argument(description="What is asked for.")


@strawberry.type(description="What can be done. Each mutation takes one input and answers with a payload.")
class Mutation(PushMutation, IdentityMutation, WritingMutation, ConflictMutation, MappingMutation):
    @mutation(
        "Connects an account of a CRM; an account that is connected already is renewed.", role=Role.ADMIN, cost=50
    )
    async def connect(self, info: Info, input: Annotated[ConnectInput, ABOUT]) -> ConnectPayload:
        return await answer(info, ConnectPayload, _connect(info, input))

    @mutation("Changes what is given; what is absent stays as it is.", role=Role.ADMIN)
    async def update_integration(
        self, info: Info, input: Annotated[UpdateIntegrationInput, ABOUT]
    ) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _update(info, input))

    @mutation(
        "Asks the CRM whose account it is, and tells what it said in `health`. What is wrong there is no user error:"
        " the test itself was done.",
        role=Role.ADMIN,
        cost=50,
    )
    async def test_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _test(info, input))

    @mutation("Starts no run, and lets the one under way wait after its page, until it is resumed.", role=Role.ADMIN)
    async def pause_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _pause(info, input))

    @mutation("Undoes a pause; the run that waits goes on.", role=Role.ADMIN)
    async def resume_integration(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _resume(info, input))

    @mutation(
        "Forgets the credentials (revoked at the vendor when no other integration uses them); records and links stay,"
        " and connecting the same account revives it.",
        role=Role.ADMIN,
    )
    async def disconnect(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _disconnect(info, input))

    @mutation(
        "Forgets which CRM record belongs to which unified record; the records stay as they are, and the next run is a FULL,"
        " which finds people and organizations again by address, number, domain and name. Deals, activities and who has no"
        " such key come anew beside those that stay. Refused while a run is under way.",
        role=Role.ADMIN,
    )
    async def clear_links(self, info: Info, input: Annotated[IntegrationIdInput, ABOUT]) -> IntegrationPayload:
        return await answer(info, IntegrationPayload, _clear(info, input))

    @mutation(
        "Removes the integration, its credentials, sources and links; unified records that nothing else holds are archived."
        " It is gone at once; what a large one has left is taken away behind it.",
        role=Role.ADMIN,
    )
    async def delete_integration(
        self, info: Info, input: Annotated[DeleteIntegrationInput, ABOUT]
    ) -> DeleteIntegrationPayload:
        return await answer(info, DeleteIntegrationPayload, _delete(info, input))

    @mutation(
        "Starts a run of an integration, or gives the one under way that covers what is asked for.", role=Role.OPERATOR
    )
    async def sync(self, info: Info, input: Annotated[SyncInput, ABOUT]) -> SyncPayload:
        return await answer(info, SyncPayload, _sync(info, input))

    @mutation(
        "Lets a held run go on: it archives what it was held for, as far as nothing has shown it since.",
        role=Role.OPERATOR,
    )
    async def approve_sync(self, info: Info, input: Annotated[SyncRunIdInput, ABOUT]) -> SyncPayload:
        return await answer(info, SyncPayload, _approve(info, input))

    @mutation(
        "Ends it after the page under way. A held run is ended at once: its plan is dropped, nothing of it is archived.",
        role=Role.OPERATOR,
    )
    async def cancel_sync(self, info: Info, input: Annotated[SyncRunIdInput, ABOUT]) -> SyncPayload:
        return await answer(info, SyncPayload, _cancel(info, input))
