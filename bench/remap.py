"""A remap of 50,000 stored persons beside the FULL that has stored them, and a preview of the same mapping before."""

import time
from typing import Any

from tests.stage import ENDED, Gateway, Sandbox

PERSONS = 50_000
MAPPINGS = {
    "pipedrive": {"externalType": "Person", "localField": "jobTitle", "crmField": "name"},
    "hubspot": {"externalType": "contacts", "localField": "jobTitle", "crmField": "email"},
}
"""By CRM: a text that almost every person has, so that almost every record changes."""
TRANSFORM = "upper(value)"

PREVIEW = """
query($i: UpdateFieldMappingsInput!) { previewFieldMappings(input: $i) { records changed failed coveragePercent } }
"""
UPDATE = """
mutation($i: UpdateFieldMappingsInput!) { updateFieldMappings(input: $i) { remapRun { id } userErrors { message } } }
"""


def measure_remap(crm: Sandbox, address: Gateway) -> dict[str, Any]:
    """Records a second of wall time of both runs, from the moment a worker takes them; the preview's seconds, with all that
    a request takes; calls that the CRM has seen since the FULL."""
    crm.fill(PERSONS)
    crm.disturb(limits="none")
    integration = address.connect(crm.token(), crm.name.upper())
    full = carry_out(address, address.start(integration, ("CONTACT",)))
    mapping = {**MAPPINGS[crm.name], "direction": "INBOUND", "transform": TRANSFORM}
    given = {"integrationId": integration, "mappings": [mapping]}
    address.ask(
        "query($i: ID!) { integration(id: $i) { fields { name } } }", i=integration
    )  # a mapping is checked by them
    crm.forget()
    began = time.monotonic()
    found = address.ask(PREVIEW, i=given)["previewFieldMappings"]
    seconds = time.monotonic() - began
    answer = address.ask(UPDATE, i=given)["updateFieldMappings"]
    if answer["userErrors"]:
        raise RuntimeError(str(answer["userErrors"]))
    remap = carry_out(address, answer["remapRun"]["id"])
    if found["changed"] != remap["recordsUpdated"] or found["records"] != PERSONS:
        raise RuntimeError(f"{found} and {remap}")
    rates = {name: PERSONS / run["durationMs"] * 1000 for name, run in (("full", full), ("remap", remap))}
    return {
        "records": PERSONS,
        "changed": remap["recordsUpdated"],
        "fullPerSecond": rates["full"],
        "remapPerSecond": rates["remap"],
        "ratio": rates["remap"] / rates["full"],
        "previewSeconds": seconds,
        "crmCalls": crm.requests()["total"],
    }


def carry_out(address: Gateway, run: str) -> dict[str, Any]:
    """A run to its end, looked at twice a second: more would be measured too."""
    while (state := address.look(run))["status"] not in ENDED:
        time.sleep(0.5)
    if state["status"] != "SUCCEEDED":
        raise RuntimeError(str(state))
    return state
