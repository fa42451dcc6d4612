"""The edge of the API: whose token, which endpoint, within which limits, and with which faults."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.limits import whole_seconds
from sandbox.pipedrive.account import BURST, WINDOW_SECONDS, Company
from sandbox.pipedrive.answers import Answer, VendorError, fail, faulty, over_limit, unauthorized
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.routes import Endpoint, canonical, find_endpoint
from sandbox.wire import MEDIA_TYPE, Cut

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_routes(companies: Sequence[Company]) -> list[Route]:
    by_token = {company.token: company for company in companies}

    async def api(request: Request) -> Response:
        company = by_token.get(read_token(request))
        if company is None:
            return respond(unauthorized().answer, {"x-401-by-gw": "true"})
        return await serve(company, request)

    return [Route(f"/{prefix}/{{path:path}}", api, methods=METHODS) for prefix in ("api", "v1")]


def read_token(request: Request) -> str:
    bearer = request.headers.get("authorization", "")
    return request.headers.get("x-api-token") or bearer.removeprefix("Bearer ")


def respond(answer: Answer, headers: dict[str, str]) -> Response:
    return Response(answer.body, answer.status, {**headers, **answer.headers}, MEDIA_TYPE)


async def serve(company: Company, request: Request) -> Response:
    faults = company.faults
    await asyncio.sleep(faults.get("latencyMs", 0) / 1000)
    content = await request.body()
    called = request.url.path.removeprefix(request.scope.get("root_path", ""))
    path = canonical(called)
    endpoint, args = find_endpoint(request.method, path)
    media = request.headers.get("content-type", "")
    call = Call(company, path, args, request.query_params, content, media)
    try:
        answer = admit(call, endpoint)
    except VendorError as refusal:
        answer = refusal.answer
    template = endpoint.template if endpoint else path
    company.calls.note(request.method, template, called, request.url.query, answer.status)
    response = respond(answer, limit_headers(company, endpoint))
    if endpoint and endpoint.creates and answer.status < 300 and faults.silences():
        return Cut(response, silent=True)
    return Cut(response) if faults.cuts() else response


def admit(call: Call, endpoint: Endpoint | None) -> Answer:
    """Everything that may stand before the handler, in the vendor's order, then the handler."""
    faults = call.company.faults
    if faults.get("refuseToken"):
        raise unauthorized()
    status = faults.status(call.path)
    if status is not None:
        raise faulty(status)
    take(call.company, endpoint)
    if endpoint is None:
        raise fail(404, "Unknown method .")
    if endpoint.handler is None:
        raise fail(405, "Method not allowed")
    if call.content and call.path.startswith("/api/v2/") and "json" not in call.media:
        raise fail(415, "Unsupported media type: only JSON is accepted")
    return endpoint.handler(call)


def window_of(endpoint: Endpoint | None) -> str:
    return "SEARCH" if endpoint and endpoint.search else "BURST"


def limit_of(company: Company, name: str) -> int:
    given = company.faults.get("limits", {})
    vendors = company.daily_tokens() if name == "DAY" else BURST[name]
    return int(given.get(name, vendors)) if isinstance(given, dict) else vendors


def take(company: Company, endpoint: Endpoint | None) -> None:
    """Counts the call, or refuses it with 429; a refused call does not count."""
    window = company.windows[window_of(endpoint)]
    cost = endpoint.cost if endpoint else 0
    if company.faults.quota_left() == 0:
        raise refuse(company, company.budget.resets())
    if company.faults.get("limits") != "none":
        if window.used() >= limit_of(company, window_of(endpoint)):
            raise refuse(company, window.resets())
        if company.budget.used() + cost > limit_of(company, "DAY"):
            raise refuse(company, company.budget.resets())
        window.take()
    company.budget.take(cost)
    company.faults.served += 1


def refuse(company: Company, seconds: float) -> VendorError:
    refusal = over_limit()
    if company.faults.get("retryAfter", True):
        refusal.answer.headers["retry-after"] = str(whole_seconds(seconds))
    return refusal


def limit_headers(company: Company, endpoint: Endpoint | None) -> dict[str, str]:
    name = window_of(endpoint)
    window, limit, tokens = company.windows[name], limit_of(company, name), limit_of(company, "DAY")
    left = 0 if company.faults.quota_left() == 0 else max(0, tokens - company.budget.used())
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(max(0, limit - window.used())),
        "x-ratelimit-reset": str(whole_seconds(window.resets() or WINDOW_SECONDS)),
        "x-daily-ratelimit-token-limit": str(tokens),
        "x-daily-ratelimit-token-remaining": str(left),
    }
