"""The filters of searches: what each operator asks of a record, and which ranges of an order they name."""

import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import VendorError, invalid
from sandbox.hubspot.kinds import NAMES, Kind
from sandbox.hubspot.moments import read_moment
from sandbox.table import Entry, Json, Table

Test = Callable[[Json], bool]

LINKED = "associations."
OPERATORS = {
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
    "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
}  # fmt: skip
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "LT": operator.lt, "LTE": operator.le, "GT": operator.gt, "GTE": operator.ge,
}  # fmt: skip
TOKEN = re.compile(r"\w+")
HIGHEST = float("inf")


def wrong(message: str) -> VendorError:
    return invalid("There was a problem with the request.", [{"message": message, "code": "INVALID_FILTER"}])


def unknown_property(name: str) -> VendorError:
    detail = {
        "message": f'Property "{name}" does not exist',
        "code": "PROPERTY_DOESNT_EXIST",
        "context": {"propertyName": [name]},
    }
    return invalid("There was a problem with the request.", [detail])


class Filter:
    """One filter, understood: its property, operator and values, which are comparable with a record's."""

    def __init__(self, portal: Portal, kind: Kind, given: Any) -> None:
        if not isinstance(given, dict) or given.get("operator") not in OPERATORS:
            raise wrong(f"operator must be one of {', '.join(sorted(OPERATORS))}")
        self.portal, self.kind = portal, kind
        self.name, self.operator = str(given.get("propertyName", "")), str(given["operator"])
        self.other = NAMES.get(self.name.removeprefix(LINKED)) if self.name.startswith(LINKED) else None
        declared = portal.properties[kind.plural].get(self.name)
        if declared is None and self.other is None:
            raise unknown_property(self.name)
        self.type = "number" if declared is None else str(declared["type"])
        self.values = [self.read(value) for value in self.given_values(given)]

    def given_values(self, given: Json) -> list[Any]:
        if self.operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
            return []
        if self.operator in {"IN", "NOT_IN"}:
            values = given.get("values")
            if not isinstance(values, list) or not values:
                raise wrong(f"operator {self.operator} requires values")
            return values
        if given.get("value") is None or (self.operator == "BETWEEN" and given.get("highValue") is None):
            raise wrong(f"operator {self.operator} requires a value")
        return [given["value"], given["highValue"]] if self.operator == "BETWEEN" else [given["value"]]

    def read(self, given: Any) -> Any:
        """A value as the index has it; lists of texts are taken as they are, so that capitals find nothing."""
        text = str(given)
        try:
            if self.type == "number":
                return float(text) if "." in text or "e" in text.lower() else int(text)
            if self.type == "datetime":
                return read_moment(text)
            if self.type == "date":
                return read_moment(text)[:10]
        except (ValueError, OverflowError) as error:
            raise wrong(f"{text[:40]} is not a valid value of {self.name}") from error
        return text if self.type == "enumeration" or self.operator in {"IN", "NOT_IN"} else text.lower()

    def value(self, record: Json) -> Any:
        """The record's value as the index has it; None where there is none, or nothing that can be compared."""
        if self.name == "hs_object_id":
            return record["id"]
        found = record.get(self.name)
        if found is None or found == "":
            return None
        if self.type == "number":
            try:
                return float(found)
            except ValueError:
                return None
        return found if self.type in {"datetime", "date", "enumeration"} else str(found).lower()

    def test(self) -> Test:
        if self.other:
            return self.test_linked(self.other)
        if self.operator in ORDERED and self.index():
            return self.test_ordered()
        value, values = self.value, self.values
        if self.operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
            wanted = self.operator == "HAS_PROPERTY"
            return lambda record: (record.get(self.name) not in (None, "")) == wanted
        if self.operator in ORDERED:
            compare, bound = ORDERED[self.operator], values[0]
            return lambda record: (found := value(record)) is not None and compare(found, bound)
        if self.operator == "BETWEEN":
            return lambda record: (found := value(record)) is not None and bool(values[0] <= found <= values[1])
        matches, negated = self.matches(), self.operator.startswith("N")
        return lambda record: (found := value(record)) is not None and matches(found) != negated

    def test_ordered(self) -> Test:
        """As the general one, quickly: it is asked of every record of a bulk import, page after page."""
        compare, bound, name = ORDERED[self.operator], self.values[0], self.index() or ""
        return lambda record: (found := record.get(name)) is not None and compare(found, bound)

    def matches(self) -> Callable[[Any], bool]:
        values = self.values
        if self.operator.endswith("CONTAINS_TOKEN"):
            return contains_token(str(values[0]).lower())
        if self.type == "enumeration":  # of several chosen ones, each counts
            return lambda found: found in values or not set(str(found).split(";")).isdisjoint(values)
        return lambda found: found in values

    def test_linked(self, other: Kind) -> Test:
        links, pair = self.portal.links, (self.kind.plural, other.plural)
        rows = self.portal.tables[other.plural].rows
        negated = self.operator.startswith("N")
        if self.operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
            return lambda record: any(end in rows for end in links.ends(pair, record["id"])) != negated
        if self.operator not in {"EQ", "NEQ", "IN", "NOT_IN"}:
            raise wrong(f"operator {self.operator} does not apply to {self.name}")
        wanted = set(self.values)
        return lambda record: wanted.isdisjoint(links.ends(pair, record["id"])) == negated

    def index(self) -> str | None:
        """The order of the table in which this filter is a range; None where it is none."""
        if self.operator not in {"EQ", "BETWEEN", *ORDERED}:
            return None
        if self.name == "hs_object_id":
            return "id"
        return self.name if self.type == "datetime" else None

    def range(self, order: list[Entry]) -> tuple[int, int]:
        """From and to where in the order; records without a value come first in it, and are in no range."""
        first, last = self.values[0], self.values[-1]
        low = bisect_left(order, (first,)) if self.operator != "GT" else bisect_right(order, (first, HIGHEST))
        high = bisect_right(order, (last, HIGHEST)) if self.operator != "LT" else bisect_left(order, (last,))
        if self.operator in {"LT", "LTE"}:
            low = 0 if self.name == "hs_object_id" else bisect_right(order, ("", HIGHEST))
        return low, len(order) if self.operator in {"GT", "GTE"} else high


def contains_token(wanted: str) -> Callable[[Any], bool]:
    """Whole words, all of them; `*` stands for any letters."""
    if "*" in wanted:
        return lambda found: (
            fnmatchcase(str(found).lower(), wanted)
            or any(fnmatchcase(word, wanted) for word in TOKEN.findall(str(found).lower()))
        )
    words = set(TOKEN.findall(wanted))
    return lambda found: words <= set(TOKEN.findall(str(found).lower()))


def narrow(table: Table, filters: list[Filter]) -> tuple[str, int, int, list[Filter]] | None:
    """The smallest range of an order that the filters name, and the filters that it does not cover."""
    ranges: dict[str, tuple[int, int]] = {}
    for each in filters:
        name = each.index()
        if name:
            low, high = each.range(table.order(name))
            before = ranges.get(name, (0, len(table.rows)))
            ranges[name] = (max(low, before[0]), min(high, before[1]))
    if not ranges:
        return None
    name = min(ranges, key=lambda each: ranges[each][1] - ranges[each][0])
    low, high = ranges[name]
    return name, low, max(low, high), [each for each in filters if each.index() != name]
