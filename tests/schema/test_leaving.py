"""Who may delete an integration, and which."""

from dataclasses import replace

import pytest

from resolvers.callers import Caller
from schema.build import schema
from storage.listing import GlobalId
from storage.shapes import Role
from tests.schema.conftest import Home

DELETE = """
mutation ($i: ID!) { deleteIntegration(input: {integrationId: $i}) { integrationId userErrors { field code message } } }
"""
THERE = "query ($i: ID!) { integration(id: $i) { status } }"
UNKNOWN = [{"field": ["input", "integrationId"], "code": "NOT_FOUND", "message": "There is no such integration."}]


def name(home: Home, kind: str = "Integration") -> str:
    return str(GlobalId(kind, home.integration))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_only_an_admin_may(home: Home, role: Role) -> None:
    caller = Caller(workspace_id=home.workspace, member_id=home.member, role=role)
    context = replace(home.context(), caller=caller)
    answer = await schema.execute(DELETE, variable_values={"i": name(home)}, context_value=context)
    assert answer.errors is not None
    assert [error.extensions for error in answer.errors] == [{"code": "FORBIDDEN", "requiredRole": "ADMIN"}]
    assert await home.read(THERE, i=name(home)) == {"integration": {"status": "ACTIVE"}}


async def test_another_workspaces_is_none(home: Home, neighbour: Home) -> None:
    payload = (await home.read(DELETE, i=name(neighbour)))["deleteIntegration"]
    assert payload == {"integrationId": None, "userErrors": UNKNOWN}
    assert await neighbour.read(THERE, i=name(neighbour)) == {"integration": {"status": "ACTIVE"}}


@pytest.mark.parametrize("kind", ["Contact", "SyncRun"])
async def test_what_is_no_integration_is_none(home: Home, kind: str) -> None:
    payload = (await home.read(DELETE, i=name(home, kind)))["deleteIntegration"]
    assert payload == {"integrationId": None, "userErrors": UNKNOWN}
    assert await home.read(THERE, i=name(home)) == {"integration": {"status": "ACTIVE"}}


async def test_one_that_never_was_is_none(home: Home) -> None:
    payload = (await home.read(DELETE, i=str(GlobalId("Integration", home.member))))["deleteIntegration"]
    assert payload == {"integrationId": None, "userErrors": UNKNOWN}
