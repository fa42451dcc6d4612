"""OAuth 2 below `/oauth`: consent, and the endpoints that give tokens and take them back."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.authorize import Door, ask_consent, decide_consent, show_problem
from sandbox.grants import Grant
from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import Answer, VendorError, faulty, succeed
from sandbox.hubspot.introspection import introspect_token, show_access, show_refresh
from sandbox.hubspot.scopes import find_rights
from sandbox.oauth import PREFIX, Asked, Form, Operation, issue, read_form, renew, serve
from sandbox.wire import MEDIA_TYPE

AUTHORIZE = f"{PREFIX}/authorize"
VERSIONS = ("2026-09", "2026-03", "v3")
LEGACY = f"{PREFIX}/v1"
ACCESS_SECONDS = 1800

Action = Operation[Portal, Answer]


def make_routes(portals: Sequence[Portal]) -> list[Route]:
    return [*make_consent(portals), *make_endpoints(portals), *make_legacy(portals)]


def make_consent(portals: Sequence[Portal]) -> list[Route]:
    door = Door(
        "HubSpot",
        {portal.profile.name: portal.grants for portal in portals},
        find_rights,
        {"error": "access_denied", "error_description": "The user has refused to install the app"},
        ("client_id", "redirect_uri", "scope", "optional_scope", "state"),
    )
    numbers = {portal.profile.portal_id: number for number, portal in enumerate(portals, 1)}

    async def ask(request: Request) -> Response:
        hub = request.path_params.get("hub", portals[0].profile.portal_id)
        if hub not in numbers:
            return show_problem(door, f"There is no account {hub}.")
        return ask_consent(door, request.query_params, request.url.path, numbers[hub])

    async def decide(request: Request) -> Response:
        return decide_consent(door, await read_form(request))

    paths = (AUTHORIZE, f"{PREFIX}/{{hub:int}}/authorize")
    return [Route(path, end, methods=[method]) for path in paths for method, end in (("GET", ask), ("POST", decide))]


def make_endpoints(portals: Sequence[Portal]) -> list[Route]:
    async def token(request: Request) -> Response:
        form = await read_form(request)
        return await serve(portals, request, form, GRANT_TYPES.get(form.get("grant_type", "")), answer)

    async def introspect(request: Request) -> Response:
        form = await read_form(request)
        named = form.get("token") or form.get("access_token") or form.get("refresh_token") or ""
        return await serve(portals, request, {**form, "token": named}, INTROSPECTION, answer)

    async def revoke(request: Request) -> Response:
        return await serve(portals, request, await read_form(request), REVOCATION, answer)

    return [
        *(Route(f"{PREFIX}/{version}/token", token, methods=["POST"]) for version in (*VERSIONS, "v1")),
        *(Route(f"{PREFIX}/{version}/token/introspect", introspect, methods=["POST"]) for version in VERSIONS),
        *(Route(f"{PREFIX}/{version}/token/revoke", revoke, methods=["POST"]) for version in VERSIONS),
    ]


def make_legacy(portals: Sequence[Portal]) -> list[Route]:
    """What v1 has with a token in the path, for whoever knows the token."""
    return [Route(action.template, make_legacy_end(portals, action), methods=[method]) for method, action in LEGACIES]


def make_legacy_end(portals: Sequence[Portal], action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def end(request: Request) -> Response:
        return await serve(portals, request, request.path_params, action, answer)

    return end


def answer(asked: Asked[Portal], action: Action | None) -> Response:
    try:
        found = admit(asked, action)
    except VendorError as refusal:
        found = refusal.answer
    return Response(found.body, found.status, found.headers, MEDIA_TYPE)


def admit(asked: Asked[Portal], action: Action | None) -> Answer:
    if (status := asked.fault()) is not None:
        raise faulty(status)
    if action is None:
        raise refuse("unsupported_grant_type", "BAD_GRANT_TYPE", "missing or unknown grant type")
    if action.template:
        return action.act(asked, "")
    client = read_client(asked.form)
    for name in action.needs:
        if not asked.form.get(name):
            raise refuse("invalid_request", f"BAD_{name.upper()}", f"missing {name}")
    return action.act(asked, client)


def refuse(error: str, status: str, message: str) -> VendorError:
    """As RFC 6749 has it, and as it was before."""
    return VendorError(400, {"error": error, "error_description": message, "status": status, "message": message})


def read_client(form: Form) -> str:
    """The client id, in the body only; any counts as registered, with any secret."""
    for name in ("client_id", "client_secret"):
        if not form.get(name):
            raise refuse("invalid_client", f"BAD_{name.upper()}", f"missing or invalid {name}")
    return form["client_id"]


def exchange_code(asked: Asked[Portal], client: str) -> Answer:
    portal, form = asked.account, asked.form
    grant = portal.grants.exchange(form["code"], client, form["redirect_uri"]) if portal else None
    if portal is None or grant is None:
        raise refuse("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
    return give_token(portal, grant, asked.path)


def refresh_token(asked: Asked[Portal], client: str) -> Answer:
    portal = asked.account
    grant = renew(portal, asked.form["refresh_token"], client)
    if portal is None or grant is None:
        raise refuse("invalid_grant", "BAD_REFRESH_TOKEN", "refresh token is invalid, expired or revoked")
    return give_token(portal, grant, asked.path, omits=portal.faults.get("omitRefreshToken", False))


def give_token(portal: Portal, grant: Grant, path: str, *, omits: bool = False) -> Answer:
    """v1 says nothing but the tokens."""
    access, scopes = issue(portal, grant, ACCESS_SECONDS)
    given = {
        "token_type": "bearer",
        "token_use": "access_token",
        "access_token": access,
        "refresh_token": grant.refresh,
        "expires_in": ACCESS_SECONDS,
        "hub_id": portal.profile.portal_id,
        "user_id": portal.profile.user_id,
        "scopes": scopes,
    }
    left_out = {"token_use", "hub_id", "user_id", "scopes"} if path.startswith(LEGACY) else set()
    if omits:
        left_out.add("refresh_token")
    return succeed({name: value for name, value in given.items() if name not in left_out})


def revoke_token(asked: Asked[Portal], client: str) -> Answer:
    """A token that nobody knows is as good as revoked."""
    grant = asked.account.grants.find(asked.form["token"]) if asked.account else None
    if grant and grant.client != client:
        raise refuse("invalid_grant", "BAD_REFRESH_TOKEN", "the refresh token was issued to another app")
    return withdraw_token(asked, 200)


def delete_token(asked: Asked[Portal], _: str) -> Answer:
    return withdraw_token(asked, 204)


def withdraw_token(asked: Asked[Portal], status: int) -> Answer:
    """Refresh tokens only: access tokens live on until they expire."""
    if asked.account:
        asked.account.grants.withdraw(asked.form["token"])
    return Answer(b"", status)


TOKEN = ("token",)
GRANT_TYPES: dict[str, Action] = {
    "authorization_code": Operation(
        "exchanges", ("code", "redirect_uri"), exchange_code, "grant_type=authorization_code"
    ),
    "refresh_token": Operation("refreshes", ("refresh_token",), refresh_token, "grant_type=refresh_token"),
}
INTROSPECTION: Action = Operation("introspections", TOKEN, introspect_token)
REVOCATION: Action = Operation("revocations", TOKEN, revoke_token)
LEGACIES: tuple[tuple[str, Action], ...] = (
    ("DELETE", Operation("revocations", TOKEN, delete_token, template=f"{LEGACY}/refresh-tokens/{{token}}")),
    ("GET", Operation("introspections", TOKEN, show_refresh, template=f"{LEGACY}/refresh-tokens/{{token}}")),
    ("GET", Operation("introspections", TOKEN, show_access, template=f"{LEGACY}/access-tokens/{{token}}")),
)
