"""The vendor's envelopes and errors."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.wire import encode

HELP = "Please check developers.pipedrive.com for more information about Pipedrive API."


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class VendorError(Exception):
    """An error answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("error"))
        self.answer = Answer(encode(body), status)


def succeed(data: Any, status: int = 200, **more: Any) -> Answer:
    return Answer(encode({"success": True, "data": data, **more}), status)


def succeed_with(bodies: list[bytes], tail: bytes) -> Answer:
    """A list out of records already encoded; `tail` is what follows `data` in the envelope."""
    return Answer(b'{"success":true,"data":[' + b",".join(bodies) + b"]," + tail + b"}")


def fail(status: int, error: str, info: str = HELP, **more: Any) -> VendorError:
    return VendorError(
        status,
        {"success": False, "error": error, "error_info": info, **more, "data": None, "additional_data": None},
    )


def refuse(error: str, code: str, **more: str) -> VendorError:
    """400 as v2 has it, which is short."""
    return VendorError(400, {"success": False, "error": error, "code": code, **more})


def invalid(name: str, reason: str, **more: str) -> VendorError:
    """400 with the field named."""
    return refuse(f"Validation failed: {name}: {reason}", "ERR_SCHEMA_VALIDATION_FAILED", **more)


def unknown(names: Iterable[str]) -> VendorError:
    """400 with all fields that there is no place for."""
    said = "; ".join(f"{name}: Parameter '{name}' is not allowed for this request" for name in names)
    return refuse(f"Validation failed: {said}", "ERR_SCHEMA_VALIDATION_FAILED")


def read_only(name: str, instead: str) -> VendorError:
    """400 of a field that follows from another one."""
    return refuse(f"'{name}' is a read-only field. {instead}", "ERR_BAD_REQUEST")


def missing(what: str) -> VendorError:
    return fail(404, f"{what} was not found", "Object was not found.")


def refuse_entry(status: int, error: str) -> VendorError:
    """The answer of the gateway before the API."""
    info = "Please check developers.pipedrive.com"
    return VendorError(status, {"success": False, "error": error, "errorCode": status, "error_info": info})


def unauthorized() -> VendorError:
    refusal = refuse_entry(401, "unauthorized access")
    refusal.answer.headers["x-401-by-gw"] = "true"
    return refusal


def out_of_scope() -> VendorError:
    return refuse_entry(403, "Scope and URL mismatch")


ERRORS = {
    402: "company account is not active",
    403: "Forbidden",
    404: "Not found",
    429: "request over limit",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
}


def faulty(status: int) -> VendorError:
    """The answer of a vendor that fails for no reason of the caller's."""
    if status == 401:
        return unauthorized()
    if status == 429:
        return over_limit()
    return fail(status, ERRORS.get(status, "request failed"))


def over_limit() -> VendorError:
    return VendorError(
        429,
        {
            "success": False,
            "error": "request over limit",
            "errorCode": 429,
            "error_info": "You have reached your rate limit. Please try again later.",
            "data": None,
            "additional_data": None,
        },
    )
