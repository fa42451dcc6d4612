"""The data: the same in every process, messy in proportion, of every field type."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

from sandbox.people import people, shared_people
from tests.conftest import ROOT
from tests.sandbox.caller import Caller, has_lone_surrogate

TYPES = {
    "varchar", "varchar_auto", "text", "double", "monetary", "enum", "set", "user", "org", "people", "date",
    "daterange", "time", "timerange", "address", "phone",
}  # fmt: skip
DIGEST = """
import hashlib, json
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.company import LARGE
company = Company(LARGE, 200, 5, 1)
rows = {kind: [row.record for row in table.rows.values()] for kind, table in company.tables.items()}
print(hashlib.sha256(json.dumps([rows, company.fields, company.users]).encode()).hexdigest())
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
    rows = await crm.every("/api/v2/persons")
    await crm.control("PUT", "data", {"size": 120, "seed": 2})
    other = await crm.every("/api/v2/persons")
    again = (await crm.control("PUT", "data", {"size": 120, "seed": 1})).json()
    assert one == again
    assert one["Person"] == 120
    assert other != rows
    assert await crm.every("/api/v2/persons") == rows
    assert (await crm.control("PUT", "data", {"size": 0})).json() == dict.fromkeys(one, 0)
    for size in (1, 2, 5):
        assert (await crm.control("PUT", "data", {"size": size})).json()["Person"] == size


async def test_proportions(crm: Caller) -> None:
    counts = await crm.counts()
    assert counts["Person"] == 300
    for kind, part in {"Organization": 1 / 4, "Deal": 1 / 2, "Activity": 1.5, "Note": 1 / 6, "Lead": 1 / 8}.items():
        assert abs(counts[kind] - 300 * part) <= 300 * part * 0.1
    deals = await crm.every("/api/v2/deals")
    assert set(Counter(deal["status"] for deal in deals)) == {"open", "won", "lost"}
    assert len({deal["currency"] for deal in deals}) > 3
    clean = [row for row in await crm.every("/api/v2/persons") if row["name"] and row["emails"] and row["org_id"]]
    assert len(clean) > 0.75 * counts["Person"]


def flat(records: list[Any]) -> str:
    return json.dumps(records, ensure_ascii=True)


async def test_the_mess_is_there(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 1200})
    persons = await crm.every("/api/v2/persons", limit=500)
    emails = [email["value"] for person in persons for email in person["emails"]]
    phones = [phone["value"] for person in persons for phone in person["phones"]]
    lower = Counter(email.lower() for email in emails if email)
    assert {None, "", "not-an-email"} <= set(emails)
    assert any(email and email != email.lower() and lower[email.lower()] > 1 for email in emails)
    assert any(email and email.startswith("info@") for email in emails)
    assert any(len(person["emails"]) > 3 for person in persons)
    assert {None, "", "n/a"} <= set(phones)
    assert any(phone and not phone.startswith(("+", "00")) for phone in phones)
    names = {person["name"] for person in persons}
    assert {None, ""} <= names
    assert any("\u0000" in (name or "") for name in names)
    assert any(any("\u0590" <= letter <= "\u06ff" for letter in name or "") for name in names)
    assert any("🦄" in (name or "") for name in names)
    assert any(len(name or "") > 3000 for name in names)
    values = [value for person in persons for value in person["custom_fields"].values()]
    assert any(isinstance(value, int) and value > 2**64 for value in values)
    gone = set(await crm.ids("Organization"))
    assert any(person["org_id"] and str(person["org_id"]) not in gone for person in persons)
    assert "<script>" in flat(await crm.every("/api/v1/notes"))
    deals = await crm.every("/api/v2/deals")
    for name in ("person_id", "value", "currency"):
        assert any(deal[name] is None for deal in deals)


async def test_fields_of_every_type_and_two_of_one_name(crm: Caller, small: Caller) -> None:
    for name in ("personFields", "dealFields"):
        fields = [each for each in await crm.every(f"/api/v2/{name}") if each["is_custom_field"]]
        assert {each["field_type"] for each in fields} == TYPES
        assert all(len(each["field_code"]) == 40 for each in fields)
    people = [each for each in await crm.every("/api/v2/personFields") if each["is_custom_field"]]
    assert [each["field_type"] for each in people if each["field_name"] == "Region"] == ["varchar", "enum"]
    codes = {each["field_code"] for each in people}
    assert codes.isdisjoint(each["field_code"] for each in await small.every("/api/v2/personFields"))
    used = {code for person in await crm.every("/api/v2/persons") for code in person["custom_fields"]}
    assert used <= codes


async def test_broken_records_are_those_asked_for(crm: Caller, small: Caller) -> None:
    """The large account starts with two, the small one with none."""
    assert [row["id"] for row in await crm.every("/api/v2/activities") if row["due_date"] == "2026-13-45"] == [12]
    await crm.control("PUT", "data", {"size": 300, "broken": 1})
    assert "end of the quarter" not in flat(await crm.every("/api/v2/deals"))
    assert "2026-13-45" in flat(await crm.every("/api/v2/activities"))
    assert "2026-13-45" not in flat(await small.every("/api/v2/activities"))


async def test_lone_surrogates_go_out_escaped(wire: Caller) -> None:
    await wire.control("PUT", "data", {"size": 1200})
    bodies = [(await wire.get("/api/v2/persons", limit=500, sort_direction=way)).content for way in ("asc", "desc")]
    assert any(has_lone_surrogate(body) for body in bodies)
    assert all(body.decode("utf-8") for body in bodies)
    assert any(b"\\u0000" in body for body in bodies)


async def test_record_times_are_not_of_today(crm: Caller) -> None:
    for path in ("/api/v2/persons", "/api/v2/deals", "/api/v1/leads"):
        times = [row["update_time"] for row in await crm.every(path)]
        assert min(times) > "2024-10-31"
        assert max(times) <= "2026-11-01T00:00:00Z"


async def test_the_accounts_share_some_people(crm: Caller, small: Caller) -> None:
    def addresses(persons: list[Any]) -> set[str]:
        return {each["value"] for person in persons for each in person["emails"]}

    common = addresses(await crm.every("/api/v2/persons")) & addresses(await small.every("/api/v2/persons"))
    assert 5 < len(common) < 30


def test_people_are_a_prefix_of_more_people() -> None:
    assert people(40, "a", 1) == [*shared_people(10), *people(80, "a", 1)[20:50]]
    assert people(40, "a", 1)[:10] == people(80, "b", 2)[:10]
    numbers = [person.phone for block in (1, 2) for person in people(4000, "a", block)[1000:]]
    assert len(set(numbers)) == len(numbers)


async def test_accounts_made_alike_do_not_share_changes(crm: Caller) -> None:
    before = await crm.every("/api/v2/persons")
    await crm.call("PATCH", "/api/v2/persons/1", {"name": "Changed", "phones": [], "custom_fields": {}})
    await crm.call("PUT", "/api/v1/persons/3/merge", {"merge_with_id": 2})
    await crm.control("PUT", "data", {"size": 300, "broken": 2})
    assert await crm.every("/api/v2/persons") == before
