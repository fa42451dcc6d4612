"""OAuth 2 below `/oauth`: consent, and the endpoints that give tokens and take them back."""

from base64 import b64decode
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.authorize import Door, ask_consent, decide_consent
from sandbox.grants import Grant
from sandbox.oauth import PREFIX, Asked, Form, Operation, issue, read_form, renew, serve
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, VendorError, faulty
from sandbox.pipedrive.scopes import CONSENTED
from sandbox.wire import MEDIA_TYPE, encode

AUTHORIZE = f"{PREFIX}/authorize"
ACCESS_SECONDS = 3599


def make_routes(companies: Sequence[Company]) -> list[Route]:
    grants = {company.profile.name: company.grants for company in companies}
    door = Door("Pipedrive", grants, find_rights, {"error": "user_denied"})

    async def ask(request: Request) -> Response:
        return ask_consent(door, request.query_params, request.url.path)

    async def decide(request: Request) -> Response:
        return decide_consent(door, await read_form(request))

    async def token(request: Request) -> Response:
        form = await read_form(request)
        return await serve(companies, request, form, GRANT_TYPES.get(form.get("grant_type", "")), answer)

    async def revoke(request: Request) -> Response:
        return await serve(companies, request, await read_form(request), REVOCATION, answer)

    return [
        Route(AUTHORIZE, ask, methods=["GET"]),
        Route(AUTHORIZE, decide, methods=["POST"]),
        *(Route(f"{PREFIX}/token{slash}", token, methods=["POST"]) for slash in ("", "/")),
        Route(f"{PREFIX}/revoke", revoke, methods=["POST"]),
    ]


def find_rights(_: Form) -> Mapping[str, str]:
    """What an app gets is settled where it is registered, and not in the request."""
    return CONSENTED


def answer(asked: Asked[Company], operation: Operation[Company, Answer] | None) -> Response:
    try:
        found = admit(asked, operation)
    except VendorError as refusal:
        found = refusal.answer
    return Response(found.body, found.status, found.headers, MEDIA_TYPE)


def admit(asked: Asked[Company], operation: Operation[Company, Answer] | None) -> Answer:
    if (status := asked.fault()) is not None:
        raise faulty(status)
    client = read_client(asked.authorization, asked.form)
    if not asked.form.get("grant_type") and operation is not REVOCATION:
        raise refuse("invalid_request", "grant_type is missing")
    if operation is None:
        raise refuse("unsupported_grant_type", "This grant_type is not supported")
    for name in operation.needs:
        if not asked.form.get(name):
            raise refuse("invalid_request", f"{name} is missing")
    return operation.act(asked, client)


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


def exchange_code(asked: Asked[Company], client: str) -> Answer:
    company, form = asked.account, asked.form
    grant = company.grants.exchange(form["code"], client, form["redirect_uri"]) if company else None
    if company is None or grant is None:
        raise refuse("invalid_grant", "The authorization code is not valid")
    return give_token(company, grant)


def refresh_token(asked: Asked[Company], client: str) -> Answer:
    company = asked.account
    grant = renew(company, asked.form["refresh_token"], client)
    if company is None or grant is None:
        raise refuse("invalid_grant", "The refresh token is not valid")
    return give_token(company, grant, omits=company.faults.get("omitRefreshToken", False))


def give_token(company: Company, grant: Grant, *, omits: bool = False) -> Answer:
    access, scopes = issue(company, grant, ACCESS_SECONDS)
    return Answer(
        encode(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": ACCESS_SECONDS,
                **({} if omits else {"refresh_token": grant.refresh}),
                "scope": ",".join(scopes),
                "api_domain": f"https://{company.profile.domain}.pipedrive.com",
            }
        )
    )


def revoke_token(asked: Asked[Company], client: str) -> Answer:
    """A token that nobody knows is as good as revoked."""
    if asked.account and not asked.account.grants.revoke(asked.form["token"], client):
        raise refuse("invalid_grant", "The token was issued to another client")
    return Answer(encode({"success": True}))


GRANT_TYPES: dict[str, Operation[Company, Answer]] = {
    "authorization_code": Operation(
        "exchanges", ("code", "redirect_uri"), exchange_code, "grant_type=authorization_code"
    ),
    "refresh_token": Operation("refreshes", ("refresh_token",), refresh_token, "grant_type=refresh_token"),
}
REVOCATION: Operation[Company, Answer] = Operation("revocations", ("token",), revoke_token)
