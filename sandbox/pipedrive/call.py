"""One call as its handler sees it: whose it is, what was asked, and readers that refuse what is not understood."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, fail, invalid
from sandbox.pipedrive.moments import read_rfc3339
from sandbox.table import Json
from sandbox.wire import encode

TRUE, FALSE = {"true", "1"}, {"false", "0"}
LIMIT, MOST = 100, 500


@dataclass(frozen=True)
class Call:
    company: Company
    path: str
    args: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes = b""
    media: str = ""

    def number(self, name: str = "id") -> int:
        """An id out of the path; what is no number names no record."""
        text = self.args[name]
        if not (text.isascii() and text.isdigit()):
            raise fail(404, "Not found", "Object was not found.")
        return int(text)

    def body(self) -> Any:
        try:
            return json.loads(self.content or b"null")
        except ValueError as error:
            raise fail(400, "Request body is not valid JSON") from error

    def fields(self) -> Json:
        given = self.body()
        if not isinstance(given, dict):
            raise fail(400, "Request body must be a JSON object")
        return given

    def integer(self, name: str, default: int | None = None, least: int = 0, most: int | None = None) -> int | None:
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.removeprefix("-").isdigit() or not text.isascii():
            raise invalid(name, "must be a number")
        number = int(text)
        if number < least or (most is not None and number > most):
            raise invalid(name, f"must be between {least} and {most}" if most else f"must be at least {least}")
        return number

    def limit(self) -> int:
        return self.integer("limit", LIMIT, 1, MOST) or LIMIT

    def flag(self, name: str) -> bool | None:
        text = self.query.get(name, "").lower()
        if not text:
            return None
        if text not in TRUE | FALSE:
            raise invalid(name, "must be true or false")
        return text in TRUE

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        text = self.query.get(name) or default
        if text not in choices:
            raise invalid(name, f"must be one of {', '.join(choices)}")
        return text

    def names(self, name: str, most: int | None = None) -> list[str]:
        """A comma-separated list; empty when not given."""
        found = [part.strip() for part in self.query.get(name, "").split(",") if part.strip()]
        if most is not None and len(found) > most:
            raise invalid(name, f"must have at most {most} items")
        return found

    def moment(self, name: str) -> datetime | None:
        """In v2 without parts of seconds, which others have seen it refuse."""
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            if "." in text and self.path.startswith("/api/v2/"):
                raise ValueError(text)
            return read_rfc3339(text)
        except ValueError as error:
            raise invalid(name, "must be in RFC3339 format, e.g. 2025-01-01T10:20:00Z") from error

    def cursor(self) -> Json | None:
        text = self.query.get("cursor", "")
        if not text:
            return None
        try:
            found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, NotBase64) as error:
            raise invalid("cursor", "is not a cursor of this list") from error
        if not isinstance(found, dict) or "id" not in found:
            raise invalid("cursor", "is not a cursor of this list")
        return found


Handler = Callable[[Call], Answer]


def write_cursor(place: Json) -> str:
    return urlsafe_b64encode(encode(place)).decode("ascii").rstrip("=")


def page_rows(call: Call, rows: list[Any]) -> tuple[list[Any], str | None]:
    """A page of a short list that has an order of its own, by the same kind of cursor as the long ones."""
    start, limit = int((call.cursor() or {"id": 0})["id"]), call.limit()
    more = start + limit < len(rows)
    return rows[start : start + limit], write_cursor({"field": "order", "id": start + limit}) if more else None
