"""The vendor's envelopes and errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sandbox.wire import encode

Json = dict[str, Any]

HTML = "text/html; charset=utf-8"
NO_CREDENTIALS = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at"
    " https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)


@dataclass(frozen=True)
class Answer:
    """A header `content-type` stands in for JSON's."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class VendorError(Exception):
    """An error answer; `body` is kept apart, because batch answers show errors of single inputs."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(body.get("message"))
        self.body = body
        self.answer = Answer(encode(body), status)


class BareError(VendorError):
    """An error of a proxy before the API, which speaks HTML."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(status, {"message": title})
        page = (
            f"<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{status} {title}</h1></body>\n</html>\n"
        )
        self.answer = Answer(page.encode(), status, {"content-type": HTML})


def succeed(body: Any, status: int = 200) -> Answer:
    return Answer(encode(body), status)


def fail(status: int, category: str, message: str, errors: Sequence[Json] = (), **more: Any) -> VendorError:
    """`errors` are the details, each with message, code and context; `more` goes beside them."""
    details = {"errors": list(errors)} if errors else {}
    return VendorError(
        status,
        {
            "status": "error",
            "message": message,
            "correlationId": str(uuid4()),
            **more,
            "category": category,
            **details,
        },
    )


def invalid(message: str, errors: Sequence[Json] = (), **more: Any) -> VendorError:
    return fail(400, "VALIDATION_ERROR", message, errors, **more)


def missing(key: str) -> VendorError:
    return fail(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.", context={"id": [key]})


def unknown_path() -> VendorError:
    return BareError(404, "Not Found")


def unauthorized() -> VendorError:
    return fail(401, "INVALID_AUTHENTICATION", NO_CREDENTIALS)


def expired() -> VendorError:
    message = "The OAuth token used to make this call expired a moment ago."
    return fail(401, "EXPIRED_AUTHENTICATION", message)


def out_of_scope(scopes: Sequence[str]) -> VendorError:
    lacking = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": sorted(scopes)},
    }
    return fail(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here:"
        " https://developers.hubspot.com/scopes.",
        [lacking],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


MESSAGES = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
    "DAILY": "You have reached your daily limit.",
}


def over_limit(policy: str) -> VendorError:
    return VendorError(
        429,
        {
            "status": "error",
            "message": MESSAGES[policy],
            "errorType": "RATE_LIMIT",
            "correlationId": str(uuid4()),
            "policyName": policy,
            "requestId": str(uuid4()),
        },
    )


# Status, category and message of what fails for no reason of the caller's; the rest comes from a proxy.
ERRORS = {
    400: ("VALIDATION_ERROR", "Invalid input JSON"),
    403: ("USER_DOES_NOT_HAVE_PERMISSIONS", "The user does not have permission to do this"),
    404: ("OBJECT_NOT_FOUND", "resource not found"),
    409: ("CONFLICT", "The record is in conflict with another"),
    423: ("LOCKED", "The record is being changed by another call"),
    477: ("MIGRATION_IN_PROGRESS", "The account is being moved to another data centre"),
    500: ("INTERNAL_ERROR", "internal error"),
    503: ("SERVICE_UNAVAILABLE", "There was a problem with the request."),
}
TITLES = {414: "URI Too Long", 502: "Bad Gateway", 504: "Gateway Timeout", 521: "Web server is down"}
MOVING_SECONDS = 2


def faulty(status: int) -> VendorError:
    """The answer of a vendor that fails for no reason of the caller's."""
    if status == 401:
        return unauthorized()
    if status == 429:
        return over_limit("TEN_SECONDLY_ROLLING")
    if status not in ERRORS:
        return BareError(status, TITLES.get(status, "Error"))
    refusal = fail(status, *ERRORS[status])
    if status == 477:
        refusal.answer.headers["retry-after"] = str(MOVING_SECONDS)
    return refusal
