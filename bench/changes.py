"""What a DELTA after few changes costs, and how long a first FULL takes, with a CRM at 50 ms a call."""

import time
from typing import Any

from tests.stage import Gateway, Sandbox

LATENCY = 50
"""Milliseconds of each of the CRM's answers."""
PLENTY = {"BURST": 1000, "DAY": 10_000_000}
SMALL, LARGE = 1_000, 50_000


def measure_full(crm: Sandbox, address: Gateway) -> dict[str, Any]:
    """A first FULL of 1,000 persons with their organizations, deals, leads, activities and notes."""
    crm.fill(SMALL)
    crm.disturb(limits=PLENTY, latencyMs=LATENCY)
    run = address.sync(address.connect(), seconds=600)
    return {"records": run["recordsCreated"], "calls": run["apiCalls"], "seconds": run["durationMs"] / 1000}


def measure_delta(crm: Sandbox, address: Gateway) -> list[dict[str, Any]]:
    """A DELTA after ten changes among 50,000 persons and all that is theirs: ten persons, then some of each type."""
    crm.fill(LARGE)
    crm.disturb(limits=PLENTY)
    integration = address.connect()
    address.sync(integration, seconds=1_200)
    found = []
    for change in (change_persons, change_all):
        change(crm)
        crm.forget()
        crm.disturb(limits=PLENTY, latencyMs=LATENCY)
        run = address.sync(integration, kind="DELTA")
        report = crm.requests()
        crm.disturb(limits=PLENTY)
        changed = run["recordsUpdated"] + run["recordsArchived"]
        found.append({"changes": changed, "calls": report["total"], "tokens": report["tokens"]})
        found[-1] |= {"seconds": run["durationMs"] / 1000}
    return found


def change_persons(crm: Sandbox) -> None:
    """Ten."""
    for key in range(1, 11):
        crm.call("PATCH", f"/api/v2/persons/{key}", {"name": f"Changed {time.time()}"})


def change_all(crm: Sandbox) -> None:
    """Ten over all types, one of them deleted."""
    title = f"Changed {time.time()}"
    for path, field, keys in (
        ("/api/v2/persons", "name", (11, 12)),
        ("/api/v2/organizations", "name", (1,)),
        ("/api/v2/deals", "title", (2, 3)),
        ("/api/v2/activities", "subject", (2, 3)),
    ):
        for key in keys:
            crm.call("PATCH", f"{path}/{key}", {field: title})
    lead = crm.call("GET", "/api/v1/leads?limit=1")["data"][0]["id"]
    crm.call("PATCH", f"/api/v1/leads/{lead}", {"title": title})
    crm.call("PUT", "/api/v1/notes/1", {"content": title})
    crm.call("DELETE", "/api/v2/persons/13")
