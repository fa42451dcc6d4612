"""What goes over the wire: JSON as vendors write it, and answers whose connection breaks."""

import json
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "application/json; charset=utf-8"


def encode(value: Any) -> bytes:
    """JSON bytes; lone surrogates and integers over 64 bits, which orjson refuses, go out as JSON allows."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def encode_key(value: Any) -> str:
    return encode(value).decode("utf-8")


class Cut(Response):
    """Breaks the connection: in the middle of the body, or, when `silent`, before any byte of an answer.

    uvicorn hands `receive` as a method of the cycle that owns the transport, which is how the transport is reached;
    where there is none (an app called in process) the break is an exception, as a client would see it.
    """

    def __init__(self, answer: Response, *, silent: bool = False) -> None:
        super().__init__(bytes(answer.body), answer.status_code)
        self.raw_headers = list(answer.raw_headers)
        self.silent = silent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - an ASGI signature
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the connection was cut")
        if not self.silent:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            half = bytes(self.body)[: max(1, len(self.body) // 2)]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass  # returning earlier would make uvicorn complete the answer, or say that there is none
