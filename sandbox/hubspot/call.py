"""One call as its handler sees it: whose it is, what was asked, and readers that refuse what is not understood."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import Answer, invalid, missing
from sandbox.hubspot.kinds import NAMES, Kind
from sandbox.table import Json

BASE = "https://api.hubapi.com"


@dataclass(frozen=True)
class Call:
    """`path` is as the vendor was called; `blank` are properties that the token may not see."""

    portal: Portal
    path: str
    version: str
    args: Mapping[str, str]
    query: QueryParams
    content: bytes = b""
    blank: frozenset[str] = frozenset()

    def kind(self, name: str = "type") -> Kind:
        kind = NAMES.get(self.args[name])
        if kind is None:
            raise invalid(f"Unable to infer object type from: {self.args[name]}")
        return kind

    def key(self, name: str = "id") -> int:
        """An id out of the path; what is no number names no record."""
        return read_key(self.args[name])

    def fields(self) -> Json:
        given = self.body()
        if not isinstance(given, dict):
            raise invalid("Invalid input JSON: an object is expected")
        return given

    def body(self) -> Any:
        try:
            return json.loads(self.content or b"null")
        except ValueError as error:
            raise invalid("Invalid input JSON") from error

    def inputs(self, most: int) -> list[Json]:
        """The `inputs` of a batch, which are objects."""
        given = self.fields().get("inputs")
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise invalid("Invalid input JSON: inputs must be a list of objects")
        if len(given) > most:
            raise invalid(f"The maximum number of inputs supported in a batch request is {most}, found {len(given)}.")
        return given

    def limit(self, default: int, most: int) -> int:
        text = self.query.get("limit", "")
        return default if not text else read_limit(text, most)

    def after(self) -> int:
        return read_after(self.query.get("after", ""))

    def flag(self, name: str) -> bool:
        return self.query.get(name, "false").lower() == "true"

    def names(self, name: str) -> list[str]:
        """A comma-separated list, or the parameter repeated; empty when not given."""
        return [part.strip() for text in self.query.getlist(name) for part in text.split(",") if part.strip()]

    def link(self, after: int) -> Json:
        """Where the next page is."""
        others = [(name, value) for name, value in self.query.multi_items() if name != "after"]
        query = QueryParams([*others, ("after", str(after))])
        return {"next": {"after": str(after), "link": f"{BASE}{self.path}?{query}"}}


Handler = Callable[[Call], Answer]


def read_key(text: Any) -> int:
    if not is_digits(str(text)):
        raise missing(str(text))
    return int(text)


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def read_limit(given: Any, most: int) -> int:
    text = str(given)
    if not is_digits(text) or not 1 <= int(text) <= most:
        raise invalid(f"Invalid limit: {text}. It must be between 1 and {most}.")
    return int(text)


def read_after(given: Any) -> int:
    text = str(given or "0")
    if not is_digits(text):
        raise invalid(f"Invalid after: {text} is not a place in this list.")
    return int(text)
