"""How much of a rate limit is used, and whether it is kept, by the sandbox's own count."""

import time
from datetime import datetime
from typing import Any

from bench.full import carry_out, connect
from bench.vendors import PLENTY, Pace, Vendor
from tests.stage import Gateway, Sandbox

SMALL, CHANGED = 5_000, 2_000
"""Persons, with all that is theirs, before a DELTA; and how many records of each type change at one time."""


def measure_pace(crm: Sandbox, address: Gateway, vendor: Vendor, pace: Pace) -> dict[str, Any]:
    """A FULL of persons: the time in which the limit allows as many calls, as a share of the time that they took."""
    crm.fill(pace.persons)
    crm.disturb(limits={**PLENTY, **pace.limits})
    integration = connect(crm, address)
    time.sleep(vendor.window)  # what connecting took is in no window any more
    crm.forget()
    run = carry_out(address, integration)
    report = crm.requests()
    times = [datetime.fromisoformat(one["at"]).timestamp() for one in report["recent"]]
    elapsed, allowed = times[-1] - times[0], pace.limits["BURST"]
    return {
        "limits": pace.limits,
        "records": run["recordsCreated"],
        "calls": report["total"],
        "seconds": round(elapsed, 1),
        "share": round(vendor.window * ((len(times) - 1) // allowed) / elapsed, 3),
        "refused": count_refused(report),
    }


def measure_changes(crm: Sandbox, address: Gateway, vendor: Vendor) -> dict[str, Any]:
    """A DELTA at the vendor's own limits, after an import that has changed thousands of records of each type at one time."""
    limits = {**PLENTY, **vendor.usual.limits}
    crm.fill(SMALL)
    crm.disturb(limits="none")
    integration = connect(crm, address)
    address.sync(integration, seconds=600)
    crm.disturb(limits=limits, sameTime=CHANGED)
    time.sleep(vendor.window)
    crm.forget()
    run = address.sync(integration, seconds=600, kind="DELTA")
    report = crm.requests()
    return {
        "limits": vendor.usual.limits,
        "changes": run["recordsUpdated"],
        "calls": report["total"],
        "searches": sum(each["count"] for each in report["calls"] if each["path"].endswith("/search")),
        "seconds": run["durationMs"] / 1000,
        "refused": count_refused(report),
    }


def count_refused(report: dict[str, Any]) -> int:
    """Calls that were answered 429."""
    found: int = report["byStatus"].get("429", 0)
    return found
