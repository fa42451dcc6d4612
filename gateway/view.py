"""The GraphQL view: Strawberry's, made to follow GraphQL over HTTP, with the contract's codes in every error."""

import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.websockets import WebSocket
from strawberry import UNSET
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from typing_extensions import override

from connectors.hygiene import keep_integers
from gateway import graphiql
from gateway.edge import error_body
from gateway.pace import Overdue, Pace
from gateway.streams import CROWDED, EventStream, Socket, Streams
from resolvers.callers import Caller
from resolvers.context import Context
from resolvers.errors import ErrorCode, Unauthenticated

RESPONSE_JSON: Final = "application/graphql-response+json"
JSON: Final = "application/json"
PROTOCOLS: Final = (GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL)  # the legacy graphql-ws is left out on purpose
ALLOWED: Final = {"GET": {OperationType.QUERY}, "POST": {OperationType.QUERY, OperationType.MUTATION}}
DRAINED: Final = 16
"""So many times the limit of a body is read and dropped, so that the client gets to read why it is refused."""

READ: Final = 5
"""Refusals that cost as much as one of a body that was read to be dropped."""

NO_STREAM: Final = (
    "A subscription needs a stream: a WebSocket with the subprotocol graphql-transport-ws, "
    "or a POST with `Accept: text/event-stream`."
)

OURS: Final = "Something went wrong here; the log has it under id {}."

CODES: Final = {413: ErrorCode.TOO_COMPLEX, 429: ErrorCode.THROTTLED}
"""Of statuses that say more than that the request makes no sense."""

NOBODY: Final = ""
"""Whose refusals are those of callers that nobody knows."""

STATUSES: Final = {ErrorCode.THROTTLED.value: 429, ErrorCode.TIMEOUT.value: 504}
"""Of operations that were well-formed and were not carried out, or not to their end."""

log = logging.getLogger(__name__)


class Body(StarletteRequestAdapter):
    """A request whose body is held to a limit, said by Content-Length or found while it comes."""

    def __init__(self, request: Request, limit: int) -> None:
        super().__init__(request)
        self.request, self.limit = request, limit

    @override
    async def get_body(self) -> bytes:
        body, size = bytearray(), 0
        async for chunk in self.request.stream():
            size += len(chunk)
            if size <= self.limit:
                body += chunk
            elif size > DRAINED * self.limit:
                break
        if size > self.limit:
            raise HTTPException(413, f"The body is larger than {self.limit:,} bytes.")
        return bytes(body)


def is_request_error(result: Any) -> bool:
    """An error without a path reached no field: parsing, validation, variables, operation name."""
    failed = isinstance(result, ExecutionResult) and result.data is None and result.errors
    return bool(failed) and not any(error.path for error in result.errors)


def media_type(request: Request) -> str:
    return RESPONSE_JSON if RESPONSE_JSON in request.headers.get("accept", "") else JSON


def wants_200(request: Request) -> bool:
    """Whoever asks for application/json by name gets the older rule: what is well-formed is answered with 200."""
    accept = request.headers.get("accept", "")
    return JSON in accept and RESPONSE_JSON not in accept


def name_caller(request: Request) -> str:
    """Whose turn it is."""
    caller: Caller | None = getattr(request.state, "caller", None)
    return caller.name if caller else NOBODY


def refuse(request: Request, status: int, reason: str) -> Response:
    code = CODES.get(status, ErrorCode.BAD_INPUT)
    headers = {"allow": "POST" if request.method == "GET" else "GET, POST"} if status == 405 else None
    return Response(error_body(code, reason), status, headers, media_type(request))


class View(GraphQL[Context, None]):
    """`max_body` is in bytes; with `page` a browser that asks for HTML gets GraphiQL; the rest is the process's own."""

    graphql_transport_ws_handler_class = Socket

    def __init__(
        self,
        schema: BaseSchema,
        max_body: int,
        page: bool = True,
        streams: Streams | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.streams, self.pace = streams or Streams(), pace or Pace()
        super().__init__(
            schema,
            graphql_ide="graphiql" if page else None,
            subscription_protocols=PROTOCOLS,
            connection_init_wait_timeout=timedelta(seconds=self.streams.init_seconds),
        )
        self.max_body = max_body
        self.request_adapter_class = self.adapt  # type: ignore[assignment] # a callable of one request

    def adapt(self, request: Request) -> Body:
        return Body(request, self.max_body)

    # ------------------------------------------------------------ requests

    @override
    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        return True  # what comes from elsewhere has not passed the edge

    @override
    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        try:
            return await super().run(request, context, root_value)
        except HTTPException as error:
            self.pace.count(name_caller(request), READ if error.status_code == 413 else 1)
            return refuse(request, error.status_code, error.reason)
        except Overdue as error:
            return refuse(request, 429, str(error))
        except Unauthenticated as error:
            self.pace.count(NOBODY)
            with suppress(Overdue):
                await self.pace.wait(NOBODY)
            headers = {"www-authenticate": "Bearer"}
            body = error_body(ErrorCode.UNAUTHENTICATED, str(error))
            return Response(body, 401, headers, media_type(request))
        except ClientDisconnect:  # nobody is there to be answered
            return Response(status_code=400)
        except Exception:
            if request.scope["type"] == "websocket":
                raise  # closes it
            name = secrets.token_hex(8)
            log.exception("error %s outside of an operation", name)
            return Response(error_body(ErrorCode.INTERNAL, OURS.format(name), id=name), 500, None, media_type(request))

    @override
    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != JSON:
            raise HTTPException(415, f"The body must be {JSON}.")
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData):
            if not data.query:
                raise HTTPException(400, "There is no query.")
            if not isinstance(data.operation_name, str | None):
                raise HTTPException(400, "The `operationName` must be a string or null, if provided.")
            if request.method == "GET" and data.protocol != "http":
                raise HTTPException(405, "A stream needs POST.")
        return data

    @override
    def parse_json(self, data: str | bytes) -> Any:
        parsed = super().parse_json(data)
        if isinstance(data, bytes) and not isinstance(parsed, dict | list):  # the body; parameters of a GET are text
            raise HTTPException(400, "The body must be a JSON object.")
        return parsed

    @override
    def decode_json(self, data: str | bytes) -> object:
        body = keep_integers(data.encode(errors="surrogatepass") if isinstance(data, str) else data)
        return orjson.loads(body)  # its error is a JSONDecodeError, which Strawberry answers with 400

    # ------------------------------------------------------------ execution

    @override
    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Context,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """As Strawberry's, but a subscription is refused where it cannot be answered, and a mutation by GET with 405."""
        try:
            return await self.schema.execute(
                request_data.query,
                root_value=root_value,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                allowed_operation_types=ALLOWED[request_adapter.method],
                operation_extensions=request_data.extensions,
            )
        except CannotGetOperationTypeError as error:
            raise HTTPException(400, error.as_http_error_reason()) from error
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise HTTPException(400, NO_STREAM) from error
            raise HTTPException(405, error.as_http_error_reason(request_adapter.method)) from error
        except MissingQueryError as error:
            raise HTTPException(400, "The request has no `query`.") from error

    @override
    async def execute_operation(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: GraphQLRequestData | list[GraphQLRequestData],
        context: Context,
        root_value: None,
        sub_response: Response,
    ) -> Any:
        result: Any = await super().execute_operation(
            request, request_adapter, request_data, context, root_value, sub_response
        )
        sub_response.media_type = media_type(request)
        if isinstance(result, AsyncGenerator):
            request.state.source = result
        if is_request_error(result):
            self.pace.count(name_caller(request))
            extensions = result.errors[0].extensions or {}
            status = STATUSES.get(str(extensions.get("code")))
            if status or not wants_200(request):
                sub_response.status_code = status or 400
            if "retryAfter" in extensions:
                sub_response.headers["retry-after"] = str(extensions["retryAfter"])
        return result

    # ------------------------------------------------------------ answers

    @override
    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        response = await super().process_result(request, result)
        if is_request_error(result):
            response.pop("data", None)
        return response

    @override
    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        response = super().create_response(response_data, sub_response)
        if sub_response.media_type:
            response.headers["content-type"] = sub_response.media_type
        return response

    @override
    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()  # text: bytes would become binary WebSocket frames

    @override
    async def render_graphql_ide(self, request: Request) -> Response:
        local = graphiql.is_local()
        headers = {"content-security-policy": graphiql.security_policy(local)}
        return HTMLResponse(graphiql.render_page(local), headers=headers)

    @override
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        """Nothing yet for a socket, which says who it is once it is open, and for the page, which anybody may see."""
        if isinstance(request, WebSocket) or self.is_visit(request):
            return None
        process = request.app.state.process
        request.state.caller = await process.services.callers.identify(request.headers.get("authorization"))
        await self.pace.wait(request.state.caller.name)
        return process.new_context(request.state.caller)

    def is_visit(self, request: Request) -> bool:
        """A browser that comes for the page."""
        return self.graphql_ide is not None and self.should_render_graphql_ide(self.adapt(request))

    @override
    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        callers, authorization = request.app.state.process.services.callers, request.headers.get("authorization")
        caller, source = request.state.caller, request.state.source
        if not self.streams.has_room(caller):
            raise HTTPException(429, CROWDED)
        events = cast("AsyncGenerator[str]", stream())
        over = partial(callers.outlive, authorization, caller)
        return EventStream(events, source, over, self.streams.hold(caller), {**sub_response.headers, **headers})
