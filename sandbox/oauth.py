"""What OAuth 2 is in every CRM: whose code or token a form brings, the faults of renewal, and the log of it all."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from sandbox.account import Account
from sandbox.grants import Grant

PREFIX = "/oauth"

Form = Mapping[str, str]
A = TypeVar("A", bound=Account)
R = TypeVar("R")


@dataclass(frozen=True)
class Asked(Generic[A]):
    """One call; `account` is None where nobody knows the code or token."""

    account: A | None
    path: str
    form: Form
    authorization: str

    def fault(self) -> int | None:
        """The status to answer with instead."""
        return self.account.faults.named_status(self.path, PREFIX) if self.account else None


@dataclass(frozen=True)
class Operation(Generic[A, R]):
    """What is done for a client, by its id; the first it `needs` is the code or token that tells whose account it is.

    `name` and `query` are for the log, and so is `template`, which stands for a path that has a token in it.
    """

    name: str
    needs: tuple[str, ...]
    act: Callable[[Asked[A], str], R]
    query: str = ""
    template: str = ""


async def read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


async def serve(
    accounts: Sequence[A],
    request: Request,
    form: Form,
    operation: Operation[A, R] | None,
    answer: Callable[[Asked[A], Operation[A, R] | None], Response],
) -> Response:
    """The CRM's answer, late if it is to be late, and in the log of the account."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    secret = form.get(operation.needs[0], "") if operation else ""
    account = next((account for account in accounts if account.grants.knows(secret)), None)
    log = account.calls if account else None
    if account:
        await asyncio.sleep(account.faults.get("latencyMs", 0) / 1000)
    response = answer(Asked(account, path, form, request.headers.get("authorization", "")), operation)
    if log and operation:
        template = operation.template or path
        log.note_oauth(operation.name, request.method, template, operation.query, response.status_code)
    return response


def renew(account: Account | None, refresh: str, client: str) -> Grant | None:
    """The grant of a refresh token, renewed; None where the token is refused."""
    if account is None or account.faults.get("refuseRefresh"):
        return None
    rotates = account.faults.get("rotateRefreshToken", False) and not account.faults.get("omitRefreshToken")
    return account.grants.renew(refresh, client, rotates=rotates)


def issue(account: Account, grant: Grant, seconds: float) -> tuple[str, list[str]]:
    """An access token that lives so long, and the scopes that it has."""
    lacking = account.faults.get("withoutScopes", [])
    scopes = [scope for scope in grant.scopes if scope not in lacking]
    return account.grants.issue(grant, scopes, seconds), scopes
