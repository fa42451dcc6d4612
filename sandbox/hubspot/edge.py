"""The edge of the API: whose token, which endpoint, within which limits, and with which faults."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.hubspot.account import SECONDS, Portal
from sandbox.hubspot.answers import (
    Answer,
    BareError,
    VendorError,
    expired,
    fail,
    faulty,
    out_of_scope,
    over_limit,
    unauthorized,
    unknown_path,
)
from sandbox.hubspot.call import Call
from sandbox.hubspot.credential import HubCredential
from sandbox.hubspot.routes import Endpoint, find_endpoint, write_template
from sandbox.limits import whole_seconds
from sandbox.wire import MEDIA_TYPE, Cut

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LONGEST_URL = 8_192
POLICIES = {"BURST": "TEN_SECONDLY_ROLLING", "SEARCH": "SECONDLY"}


def make_routes(portals: Sequence[Portal]) -> list[Route]:
    async def api(request: Request) -> Response:
        if count_bytes(request) > LONGEST_URL:
            return respond(BareError(414, "URI Too Long").answer, {})
        credential = find_credential(portals, request)
        if credential is None:
            return respond(unauthorized().answer, {})
        return await serve(credential, request)

    return [Route(f"/{prefix}/{{path:path}}", api, methods=METHODS) for prefix in ("crm", "account-info")]


def count_bytes(request: Request) -> int:
    """Of the address as it was called: path, question mark and query."""
    path = request.scope.get("raw_path") or request.url.path.encode()
    return len(path.partition(b"?")[0]) + 1 + len(request.scope["query_string"])


def find_credential(portals: Sequence[Portal], request: Request) -> HubCredential | None:
    """The private token of an account, or a token of one of its grants, a dead one too; None for any other."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    for portal in portals:
        access = portal.grants.accesses.get(bearer)
        if access or bearer == portal.token:
            return HubCredential(portal, bearer, access)
    return None


def respond(answer: Answer, headers: dict[str, str]) -> Response:
    return Response(answer.body, answer.status, {"content-type": MEDIA_TYPE, **headers, **answer.headers})


async def serve(credential: HubCredential, request: Request) -> Response:
    portal = credential.account
    log = portal.calls
    await asyncio.sleep(portal.faults.get("latencyMs", 0) / 1000)
    content = await request.body()
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    endpoint, args = find_endpoint(request.method, path)
    try:
        take_status(credential, path)
        take(credential, endpoint)
        call = Call(portal, path, args.get("V", ""), args, request.query_params, content, credential.blank())
        answer = handle(credential, call, endpoint)
    except VendorError as refusal:
        answer = refusal.answer
    template = write_template(endpoint, args) if endpoint else path
    log.note(request.method, template, path, request.url.query, answer.status)
    response = respond(answer, limit_headers(credential, endpoint))
    if endpoint and endpoint.creates and answer.status < 300 and portal.faults.silences():
        return Cut(response, silent=True)
    return Cut(response) if portal.faults.cuts() else response


def take_status(credential: HubCredential, path: str) -> None:
    """What stands before everything else: the token, then the failures the account was told to have."""
    if not credential.enters():
        raise unauthorized() if credential.account.faults.get("refuseToken") else expired()
    status = credential.account.faults.status(path)
    if status is not None:
        raise faulty(status)


def handle(credential: HubCredential, call: Call, endpoint: Endpoint | None) -> Answer:
    if endpoint is None:
        raise unknown_path()
    if endpoint.handler is None:
        raise fail(405, "VALIDATION_ERROR", "HTTP 405 Method Not Allowed")
    needs = endpoint.needs(call.args)
    if needs and not credential.may(needs):
        raise out_of_scope(sorted(needs))
    return endpoint.handler(call)


def take(credential: HubCredential, endpoint: Endpoint | None) -> None:
    """Counts the call, or refuses it with 429; a refused call does not count."""
    portal, search = credential.account, bool(endpoint and endpoint.search)
    names, day = credential.windows(search=search), credential.limit("DAY")
    if portal.faults.quota_left() == 0:
        raise refuse(portal, "DAILY", portal.budget.resets())
    if portal.faults.get("limits") != "none":
        for name in names:
            window = credential.window(name)
            if window.used() >= (credential.limit(name) or 0):
                raise refuse(portal, POLICIES[name], window.resets())
        if day is not None and portal.budget.used() >= day:
            raise refuse(portal, "DAILY", portal.budget.resets())
        for name in names:
            credential.window(name).take()
    portal.budget.take(1)
    portal.calls.tokens += 1
    portal.faults.served += 1


def refuse(portal: Portal, policy: str, seconds: float) -> VendorError:
    """Without a Retry-After, which the vendor does not promise, unless the fault asks for one."""
    refusal = over_limit(policy)
    if portal.faults.get("retryAfter", False):
        refusal.answer.headers["retry-after"] = str(whole_seconds(seconds))
    return refusal


def limit_headers(credential: HubCredential, endpoint: Endpoint | None) -> dict[str, str]:
    """None on searches; those of the day only where there is a limit by the day."""
    if endpoint and endpoint.search:
        return {}
    portal, window = credential.account, credential.window("BURST")
    most, day = credential.limit("BURST") or 0, credential.limit("DAY")
    headers = {
        "x-hubspot-ratelimit-max": str(most),
        "x-hubspot-ratelimit-remaining": str(max(0, most - window.used())),
        "x-hubspot-ratelimit-interval-milliseconds": str(SECONDS["BURST"] * 1000),
    }
    if day is not None and credential.access is None:
        left = 0 if portal.faults.quota_left() == 0 else max(0, day - portal.budget.used())
        headers |= {"x-hubspot-ratelimit-daily": str(day), "x-hubspot-ratelimit-daily-remaining": str(left)}
    return headers
