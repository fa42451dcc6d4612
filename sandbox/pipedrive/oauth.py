"""OAuth 2 below `/oauth`: consent, and the endpoints that give tokens and take them back."""

import asyncio
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.grants import Grant
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, VendorError, faulty
from sandbox.pipedrive.authorize import Form, ask_consent, decide_consent
from sandbox.pipedrive.scopes import CONSENTED
from sandbox.wire import MEDIA_TYPE, encode

PREFIX = "/oauth"
AUTHORIZE = f"{PREFIX}/authorize"
ACCESS_SECONDS = 3599


def make_routes(companies: Sequence[Company]) -> list[Route]:
    async def ask(request: Request) -> Response:
        return ask_consent(companies, request.query_params, request.url.path)

    async def decide(request: Request) -> Response:
        return decide_consent(companies, await read_form(request))

    async def token(request: Request) -> Response:
        form = await read_form(request)
        return await serve(companies, request, form, GRANT_TYPES.get(form.get("grant_type", "")))

    async def revoke(request: Request) -> Response:
        return await serve(companies, request, await read_form(request), REVOCATION)

    return [
        Route(AUTHORIZE, ask, methods=["GET"]),
        Route(AUTHORIZE, decide, methods=["POST"]),
        *(Route(f"{PREFIX}/token{slash}", token, methods=["POST"]) for slash in ("", "/")),
        Route(f"{PREFIX}/revoke", revoke, methods=["POST"]),
    ]


async def read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Operation:
    """`name` and `query` are for the log; the first it `needs` is the code or token that tells whose account it is."""

    name: str
    needs: tuple[str, ...]
    act: Callable[[Company | None, str, Form], Answer]
    query: str = ""


async def serve(companies: Sequence[Company], request: Request, form: Form, operation: Operation | None) -> Response:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    secret = form.get(operation.needs[0], "") if operation else ""
    company = next((company for company in companies if company.grants.knows(secret)), None)
    log = company.calls if company else None
    if company:
        await asyncio.sleep(company.faults.get("latencyMs", 0) / 1000)
    try:
        answer = admit(company, request, path, form, operation)
    except VendorError as refusal:
        answer = refusal.answer
    if log and operation:
        log.note_oauth(operation.name, path, operation.query, answer.status)
    return Response(answer.body, answer.status, answer.headers, MEDIA_TYPE)


def admit(company: Company | None, request: Request, path: str, form: Form, operation: Operation | None) -> Answer:
    status = company.faults.named_status(path, PREFIX) if company else None
    if status is not None:
        raise faulty(status)
    client = read_client(request.headers.get("authorization", ""), form)
    if not form.get("grant_type") and operation is not REVOCATION:
        raise refuse("invalid_request", "grant_type is missing")
    if operation is None:
        raise refuse("unsupported_grant_type", "This grant_type is not supported")
    for name in operation.needs:
        if not form.get(name):
            raise refuse("invalid_request", f"{name} is missing")
    return operation.act(company, client, form)


def refuse(error: str, message: str, status: int = 400) -> VendorError:
    return VendorError(status, {"success": False, "message": message, "error": error})


def read_client(authorization: str, form: Form) -> str:
    """The client id; any that is not empty counts as registered, with any secret that is not empty."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except ValueError:
            client = secret = ""
    else:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client or not secret:
        raise refuse("invalid_client", "Client credentials are missing", 401)
    return client


def exchange_code(company: Company | None, client: str, form: Form) -> Answer:
    grant = company.grants.exchange(form["code"], client, form["redirect_uri"]) if company else None
    if company is None or grant is None:
        raise refuse("invalid_grant", "The authorization code is not valid")
    return give_token(company, grant)


def refresh_token(company: Company | None, client: str, form: Form) -> Answer:
    refusal = refuse("invalid_grant", "The refresh token is not valid")
    if company is None or company.faults.get("refuseRefresh"):
        raise refusal
    omits = company.faults.get("omitRefreshToken", False)
    rotates = company.faults.get("rotateRefreshToken", False) and not omits
    grant = company.grants.renew(form["refresh_token"], client, rotates=rotates)
    if grant is None:
        raise refusal
    return give_token(company, grant, omits=omits)


def give_token(company: Company, grant: Grant, *, omits: bool = False) -> Answer:
    lacking = company.faults.get("withoutScopes", [])
    scopes = [scope for scope in CONSENTED if scope not in lacking]
    return Answer(
        encode(
            {
                "access_token": company.grants.issue(grant, scopes, ACCESS_SECONDS),
                "token_type": "Bearer",
                "expires_in": ACCESS_SECONDS,
                **({} if omits else {"refresh_token": grant.refresh}),
                "scope": ",".join(scopes),
                "api_domain": f"https://{company.profile.domain}.pipedrive.com",
            }
        )
    )


def revoke_token(company: Company | None, client: str, form: Form) -> Answer:
    """A token that nobody knows is as good as revoked."""
    if company and not company.grants.revoke(form["token"], client):
        raise refuse("invalid_grant", "The token was issued to another client")
    return Answer(encode({"success": True}))


GRANT_TYPES = {
    "authorization_code": Operation(
        "exchanges", ("code", "redirect_uri"), exchange_code, "grant_type=authorization_code"
    ),
    "refresh_token": Operation("refreshes", ("refresh_token",), refresh_token, "grant_type=refresh_token"),
}
REVOCATION = Operation("revocations", ("token",), revoke_token)
