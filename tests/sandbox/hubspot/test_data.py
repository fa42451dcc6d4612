"""The data: the same in every process, messy in proportion, of people whom other CRMs know too; and its control."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

from tests.conftest import ROOT
from tests.sandbox import caller as pipedrive
from tests.sandbox.caller import has_lone_surrogate
from tests.sandbox.hubspot.caller import Caller, V

DIGEST = """
import hashlib, json
from sandbox.hubspot.account import Portal
from sandbox.hubspot.profiles import LARGE
portal = Portal(LARGE, 200, 5, 1)
rows = {kind: [row.record for row in table.rows.values()] for kind, table in portal.tables.items()}
found = portal.links.found
links = sorted((pair, key, sorted(ends.items())) for pair, records in found.items() for key, ends in records.items())
print(hashlib.sha256(json.dumps([rows, links, portal.properties, portal.owners]).encode()).hexdigest())
"""


def digest(seed: str) -> str:
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_data_is_the_same_in_every_process() -> None:
    assert digest("1") == digest("2")


async def test_size_and_seed_decide(crm: Caller) -> None:
    one = (await crm.control("PUT", "data", {"size": 120, "seed": 1})).json()
    rows = await crm.every("contacts")
    await crm.control("PUT", "data", {"size": 120, "seed": 2})
    assert await crm.every("contacts") != rows
    assert (await crm.control("PUT", "data", {"size": 120, "seed": 1})).json() == one
    assert await crm.every("contacts") == rows
    assert (await crm.control("PUT", "data", {"size": 0})).json() == dict.fromkeys(one, 0)
    for size in (1, 2, 5):
        assert (await crm.control("PUT", "data", {"size": size})).json()["contacts"] == size


async def test_proportions(crm: Caller) -> None:
    counts = await crm.counts()
    assert counts["contacts"] == 300
    shares = {
        "companies": 1 / 4,
        "deals": 1 / 3,
        "calls": 0.3,
        "emails": 0.4,
        "meetings": 0.3,
        "tasks": 0.5,
        "notes": 1 / 6,
    }
    for kind, part in shares.items():
        assert abs(counts[kind] - 300 * part) <= 300 * part * 0.1
    contacts = await crm.every("contacts", properties="email,lastname,lifecyclestage", associations="companies")
    stages = Counter(each["properties"]["lifecyclestage"] for each in contacts)
    assert {"subscriber", "lead", "opportunity", "customer", "evangelist", "other", "1054321", None} <= set(stages)
    whole = [each for each in contacts if all(each["properties"][name] for name in ("email", "lastname"))]
    assert len([each for each in whole if "associations" in each]) > 0.7 * 300
    path = f"/crm/associations/{V}/contacts/companies/batch/read"
    links = await crm.post(path, {"inputs": [{"id": each["id"]} for each in contacts]}, 207)
    types = [[each["associationTypes"][0]["typeId"] for each in found["to"]] for found in links["results"]]
    assert {(1,), (1, 279), (279, 1)} == {tuple(each) for each in types}
    assert links["numErrors"] > 5


async def test_values_of_activities(crm: Caller) -> None:
    async def values(kind: str, name: str) -> list[Any]:
        return [each["properties"][name] for each in await crm.every(kind, properties=name)]

    assert {"NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"} <= set(
        await values("tasks", "hs_task_status")
    )
    assert {"TODO", "CALL", "EMAIL"} <= set(await values("tasks", "hs_task_type"))
    assert {"INBOUND", "OUTBOUND"} <= set(await values("calls", "hs_call_direction"))
    assert max(int(each) for each in await values("calls", "hs_call_duration") if each) > 60_000
    assert any("<p>" in (each or "") for each in await values("notes", "hs_note_body"))
    assert any("<html>" in (each or "") for each in await values("emails", "hs_email_html"))
    headers = [each for each in await values("emails", "hs_email_headers") if each]
    assert {"from", "to", "cc"} <= set(json.loads(headers[0]))
    starts, ends = [await values("meetings", f"hs_meeting_{end}_time") for end in ("start", "end")]
    assert any(start and end and start < end for start, end in zip(starts, ends, strict=True))
    for kind in ("calls", "emails", "meetings", "notes"):
        assert all(each.endswith("Z") for each in await values(kind, "hs_timestamp"))


async def test_money(crm: Caller, small: Caller) -> None:
    deals = [row["properties"] for row in await crm.every("deals", properties="amount,deal_currency_code")]
    assert {None, "EUR", "USD", "GBP"} <= {deal["deal_currency_code"] for deal in deals}
    assert any("." in (deal["amount"] or "") for deal in deals)
    others = await small.every("deals", properties="amount,deal_currency_code")
    assert all("deal_currency_code" not in deal["properties"] for deal in others)


async def test_the_mess_is_there(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 1200})
    names = "email,firstname,lastname,phone,mobilephone,legacy_id,hubspot_owner_id,hs_additional_emails"
    contacts = [row["properties"] for row in await crm.every("contacts", properties=names)]
    emails = [each["email"] for each in contacts]
    assert {None, "not-an-email", "  padded@example.example  "} <= set(emails)
    given = [email.lower() for email in emails if email]
    assert len(given) == len(set(given))
    assert any(";" in (each["hs_additional_emails"] or "") for each in contacts)
    phones = {each["phone"] for each in contacts}
    assert {None, "n/a"} <= phones
    assert any(phone and not phone.startswith(("+", "00")) for phone in phones)
    firsts = {each["firstname"] for each in contacts}
    assert {None, ""} <= firsts
    assert any("\u0000" in (first or "") for first in firsts)
    assert any("🦄" in (each["lastname"] or "") for each in contacts)
    assert any(int(each["legacy_id"]) > 2**64 for each in contacts if each["legacy_id"])
    assert any(each["hubspot_owner_id"] == "999999" for each in contacts)
    assert any(not each["firstname"] and not each["lastname"] and not each["email"] for each in contacts)
    bodies = [row["properties"]["hs_note_body"] for row in await crm.every("notes", properties="hs_note_body")]
    assert max(len(body or "") for body in bodies) == 65_536
    assert "<script>" in json.dumps(bodies)


async def test_lone_surrogates_go_out_escaped(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 1200})
    bodies = [
        (await crm.get(f"/crm/objects/{V}/contacts", limit=100, after=after)).content
        for after in range(1001, 2201, 100)
    ]
    assert any(has_lone_surrogate(body) for body in bodies)
    assert all(body.decode("utf-8") for body in bodies)
    assert any(b"\\u0000" in body for body in bodies)


async def test_record_times_are_not_of_today(crm: Caller) -> None:
    for kind in await crm.counts():
        times = [row["updatedAt"] for row in await crm.every(kind)]
        assert "2024-10-31" < min(times) <= max(times) <= "2026-11-01T00:00:01"


async def test_some_people_are_in_the_other_crm_too(socketed: Caller) -> None:
    other = pipedrive.Caller(socketed.client)
    await other.faults()
    persons = await other.every("/api/v2/persons")
    theirs = {each["value"] for person in persons for each in person["emails"]}
    ours = {each["properties"]["email"] for each in await socketed.every("contacts")} - {None}
    assert 50 < len(ours & theirs) < 80


async def test_accounts_made_alike_do_not_share_changes(crm: Caller) -> None:
    before = await crm.every("contacts", associations="companies")
    await crm.change("contacts", "1001", firstname="Changed", email="")
    await crm.call("DELETE", f"/crm/objects/{V}/contacts/1001/associations/companies/1001")
    await crm.post(f"/crm/objects/{V}/contacts/merge", {"primaryObjectId": "1002", "objectIdToMerge": "1003"})
    await crm.call("DELETE", f"/crm/objects/{V}/contacts/1004")
    await crm.control("PUT", "data", {"size": 300, "broken": 2})
    assert await crm.every("contacts", associations="companies") == before


async def test_the_log_has_paths_without_ids(crm: Caller) -> None:
    await crm.control("DELETE", "requests")
    for key in ("1001", "1002"):
        await crm.one("contacts", key)
        await crm.get(f"/crm/v4/objects/contacts/{key}/associations/companies")
    await crm.search("contacts", limit=1)
    await crm.get("/crm/v3/owners/", limit=9999)
    log = (await crm.control("GET", "requests")).json()
    assert [(call["method"], call["path"], call["status"], call["count"]) for call in log["calls"]] == [
        ("GET", f"/crm/objects/{V}/contacts/{{id}}", 200, 2),
        ("GET", "/crm/v3/owners", 400, 1),
        ("GET", "/crm/v4/objects/contacts/{id}/associations/companies", 200, 2),
        ("POST", f"/crm/objects/{V}/contacts/search", 200, 1),
    ]
    assert log["tokens"] == 6
    assert log["recent"][0]["path"] == f"/crm/objects/{V}/contacts/1001"
    page = (await crm.client.get("/")).text
    assert "token sandbox-hubspot-2: 60 contacts" in page
