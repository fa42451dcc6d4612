"""How long a person waits for a push, with a CRM at 200 ms a call: a warm lead with a new organization, an activity."""

import time
from statistics import quantiles
from typing import Any

from tests.stage import Gateway, Sandbox

LATENCY = 200
"""Milliseconds of each of the CRM's answers."""
PLENTY = {"BURST": 1000, "SEARCH": 1000, "DAY": 10_000_000}
"""One after the other, they would be held back by the limits."""
LEADS = 40
MOST = {"pushesPerMinute": 6_000}

SETTINGS = "integration { id }"
LOGGED = "query($i: ID!) { activity(id: $i) { replication { status lastError } } }"


def measure_push(crm: Sandbox, address: Gateway) -> dict[str, Any]:
    """Seconds, the 95th percentile, from the mutation that asks to the commit: of a warm lead by `pushWarmLead`, of an
    activity from `logActivity` to REPLICATED, looked at 50 times a second. The users, and the label, are known."""
    crm.fill(100)
    crm.disturb(limits=PLENTY)
    integration = address.connect(crm.token(), crm.name.upper())
    address.sync(integration)
    do(address, "updateWorkspace", "workspace { id }", **MOST)
    given = {"replicateActivities": True, "allowNewPicklistValues": True}
    do(address, "updateIntegration", SETTINGS, integrationId=integration, **given)
    push_lead(address, integration, make_lead(address, 0))
    crm.disturb(limits=PLENTY, latencyMs=LATENCY)
    people = [make_lead(address, number) for number in range(1, LEADS + 1)]
    leads = [push_lead(address, integration, one) for one in people]
    activities = [log(address, one) for one in people]
    return {"crm": crm.name, "latencyMs": LATENCY, "leadP95": p95(leads), "activityP95": p95(activities)}


def p95(seconds: list[float]) -> float:
    """In seconds."""
    return quantiles(seconds, n=20)[-1]


def do(address: Gateway, mutation: str, fields: str, **given: Any) -> dict[str, Any]:
    """A mutation that must be carried out."""
    payload = address.do(mutation, fields, **given)
    if payload["userErrors"]:
        raise RuntimeError(str(payload))
    return payload


def make_lead(address: Gateway, number: int) -> str:
    """A contact of an organization of its own, both new."""
    name = f"Firm {number} of {time.time_ns()}"
    domain = f"firm{number}.example"
    firm = do(address, "createOrganization", "organization { id }", name=name, domain=domain)["organization"]["id"]
    given = {"name": f"Lea Lead {number}", "emails": [{"value": f"lea@{domain}"}], "warmness": 5}
    found: str = do(address, "createContact", "contact { id }", organizationId=firm, **given)["contact"]["id"]
    return found


def push_lead(address: Gateway, integration: str, contact: str) -> float:
    """How long it takes."""
    began = time.monotonic()
    fields = "outcome push { lastError }"
    payload = do(address, "pushWarmLead", fields, contactId=contact, integrationId=integration)
    if payload["outcome"] != "COMMITTED":
        raise RuntimeError(str(payload))
    return time.monotonic() - began


def log(address: Gateway, contact: str) -> float:
    """How long it takes."""
    began = time.monotonic()
    given = {"contactIds": [contact], "kind": "CALL", "subject": "Hello", "dueOn": "2026-11-20"}
    activity = do(address, "logActivity", "activity { id }", **given)["activity"]["id"]
    while True:
        [found] = address.ask(LOGGED, i=activity)["activity"]["replication"]
        if found["status"] == "REPLICATED":
            return time.monotonic() - began
        if found["status"] == "FAILED" or time.monotonic() - began > 60:
            raise RuntimeError(str(found))
        time.sleep(0.02)
