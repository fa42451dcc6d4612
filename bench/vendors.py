"""The CRMs that are measured: what each allows, and how much of it a run takes."""

from collections.abc import Mapping
from dataclasses import dataclass

MANY = 50_000
"""Persons of a large account."""
PLENTY: Mapping[str, int] = {"DAY": 10_000_000}


@dataclass(frozen=True, kw_only=True)
class Pace:
    """A limit that a run has to keep."""

    limits: Mapping[str, int]
    """Calls by window, as the sandbox's fault takes them."""
    persons: int
    """A FULL of them is long enough to tell; at the tight limit, its calls fill whole windows."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A CRM, as the sandbox calls it, and its limits."""

    name: str
    window: float
    """Seconds of its burst limit."""
    tight: Pace
    """Far less than it allows: nothing but the limit decides."""
    usual: Pace
    """What it allows."""


VENDORS = (
    Vendor(
        name="pipedrive",
        window=2,
        tight=Pace(limits={"BURST": 4}, persons=20_000),
        usual=Pace(limits={"BURST": 20, "SEARCH": 10}, persons=MANY),
    ),
    Vendor(
        name="hubspot",
        window=10,
        tight=Pace(limits={"BURST": 20}, persons=18_000),
        usual=Pace(limits={"BURST": 110, "SEARCH": 5}, persons=MANY),
    ),
)
