"""The edge of the API: whose token, which endpoint, within which limits, and with which faults."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.limits import whole_seconds
from sandbox.pipedrive.account import WINDOW_SECONDS, Company
from sandbox.pipedrive.answers import Answer, VendorError, fail, faulty, out_of_scope, over_limit, unauthorized
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.credential import CompanyCredential
from sandbox.pipedrive.routes import Endpoint, canonical, find_endpoint
from sandbox.wire import MEDIA_TYPE, Cut

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_routes(companies: Sequence[Company]) -> list[Route]:
    async def api(request: Request) -> Response:
        credential = find_credential(companies, request)
        if credential is None:
            return respond(unauthorized().answer, {})
        return await serve(credential, request)

    return [Route(f"/{prefix}/{{path:path}}", api, methods=METHODS) for prefix in ("api", "v1")]


def find_credential(companies: Sequence[Company], request: Request) -> CompanyCredential | None:
    """The API token of a company, else a token of one of its grants, a dead one too; None for what nobody knows."""
    key = request.headers.get("x-api-token")
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    for company in companies:
        if key == company.token:
            return CompanyCredential(company, key)
        access = company.grants.accesses.get(bearer)
        if access and not key and scheme.lower() == "bearer":
            return CompanyCredential(company, bearer, access)
    return None


def respond(answer: Answer, headers: dict[str, str]) -> Response:
    return Response(answer.body, answer.status, {**headers, **answer.headers}, MEDIA_TYPE)


async def serve(credential: CompanyCredential, request: Request) -> Response:
    company = credential.account
    log = company.calls
    await asyncio.sleep(company.faults.get("latencyMs", 0) / 1000)
    content = await request.body()
    called = request.url.path.removeprefix(request.scope.get("root_path", ""))
    path = canonical(called)
    endpoint, args = find_endpoint(request.method, path)
    media = request.headers.get("content-type", "")
    call = Call(company, path, args, request.query_params, content, media)
    try:
        answer = admit(credential, call, endpoint)
    except VendorError as refusal:
        answer = refusal.answer
    template = endpoint.template if endpoint else path
    log.note(request.method, template, called, request.url.query, answer.status)
    response = respond(answer, limit_headers(credential, endpoint))
    if endpoint and endpoint.creates and answer.status < 300 and company.faults.silences():
        return Cut(response, silent=True)
    return Cut(response) if company.faults.cuts() else response


def admit(credential: CompanyCredential, call: Call, endpoint: Endpoint | None) -> Answer:
    """Everything that may stand before the handler, in the vendor's order, then the handler."""
    if not credential.enters():
        raise unauthorized()
    status = call.company.faults.status(call.path)
    if status is not None:
        raise faulty(status)
    take(credential, endpoint)
    if endpoint is None:
        raise fail(404, "Unknown method .")
    if endpoint.handler is None:
        raise fail(405, "Method not allowed")
    if not credential.may(endpoint.needs()):
        raise out_of_scope()
    if call.content and call.path.startswith("/api/v2/") and "json" not in call.media:
        raise fail(415, "Unsupported media type: only JSON is accepted")
    return endpoint.handler(call)


def window_of(endpoint: Endpoint | None) -> str:
    return "SEARCH" if endpoint and endpoint.search else "BURST"


def take(credential: CompanyCredential, endpoint: Endpoint | None) -> None:
    """Counts the call, or refuses it with 429; a refused call does not count."""
    company, name = credential.account, window_of(endpoint)
    window, cost = credential.window(name), endpoint.cost if endpoint else 0
    if company.faults.quota_left() == 0:
        raise refuse(company, company.budget.resets())
    if company.faults.get("limits") != "none":
        if window.used() >= credential.limit(name):
            raise refuse(company, window.resets())
        if company.budget.used() + cost > credential.limit("DAY"):
            raise refuse(company, company.budget.resets())
        window.take()
    company.budget.take(cost)
    company.calls.tokens += cost
    company.faults.served += 1


def refuse(company: Company, seconds: float) -> VendorError:
    refusal = over_limit()
    if company.faults.get("retryAfter", True):
        refusal.answer.headers["retry-after"] = str(whole_seconds(seconds))
    return refusal


def limit_headers(credential: CompanyCredential, endpoint: Endpoint | None) -> dict[str, str]:
    company, name = credential.account, window_of(endpoint)
    window, limit, tokens = credential.window(name), credential.limit(name), credential.limit("DAY")
    left = 0 if company.faults.quota_left() == 0 else max(0, tokens - company.budget.used())
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(max(0, limit - window.used())),
        "x-ratelimit-reset": str(whole_seconds(window.resets() or WINDOW_SECONDS)),
        "x-daily-ratelimit-token-limit": str(tokens),
        "x-daily-ratelimit-token-remaining": str(left),
    }
