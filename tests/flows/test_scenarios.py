"""What real CRMs do to a sync: scenarios 1, 15, 21, 31 and 32. The death of a process, which is 7, is in test_death."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

PAGE = 500
ALL = 100_000
"""More than there are of any type."""

Row = dict[str, Any]


def test_scenario_1_many_rows_share_one_update_time_across_a_page_end(stage: Stage) -> None:
    stage.crm.fill(PAGE + 10)
    stage.crm.disturb(**HASTE, sameTime=ALL)
    rows = stage.crm.list("/api/v2/persons")
    assert len(rows) == PAGE
    assert len({row["update_time"] for row in rows}) == 1
    run = stage.gateway.sync(stage.gateway.connect())
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    met = {count["externalType"]: count["fetched"] for count in run["counts"]}
    assert met == Counter(name for name, _ in stage.crm.ids())
    assert met["Person"] > PAGE
    assert [run[name] for name in ("status", "recordsCreated", "recordsUpdated", "recordsSkipped")] == [
        "SUCCEEDED", len(stage.crm.ids()), 0, 0,
    ]  # fmt: skip


def test_scenario_15_the_field_list_itself_has_pages(stage: Stage) -> None:
    for number in range(PAGE):
        stage.crm.call("POST", "/api/v2/personFields", {"field_name": f"Column {number}", "field_type": "varchar"})
    first = stage.crm.call("GET", f"/api/v2/personFields?limit={PAGE}")
    assert first["additional_data"]["next_cursor"]
    second = stage.crm.call(
        "GET", f"/api/v2/personFields?limit={PAGE}&cursor={first['additional_data']['next_cursor']}"
    )
    fields = first["data"] + second["data"]
    last = second["data"][-1]
    person = {"name": "Ada", "custom_fields": {last["field_code"]: "on the second page"}}
    stage.crm.call("POST", "/api/v2/persons", person)
    integration = stage.gateway.connect()
    stage.gateway.sync(integration)
    query = 'query($i: ID!) { integration(id: $i) { fields(externalType: "Person") { name label } } }'
    shown = stage.gateway.ask(query, i=integration)["integration"]["fields"]
    assert [(one["name"], one["label"]) for one in shown] == [(one["field_code"], one["field_name"]) for one in fields]
    (ada,) = stage.gateway.ask("{ contacts { nodes { customFields } } }")["contacts"]["nodes"]
    assert ada["customFields"] == {f"Column {PAGE - 1}": "on the second page"}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"limits": {"BURST": 5}}, id="with Retry-After"),
        pytest.param({"limits": {"BURST": 5}, "retryAfter": False}, id="without"),
        pytest.param({"limits": {"BURST": 3}, "retryAfter": False}, id="a storm"),
    ],
)
def test_scenario_21_429_is_waited_for_as_told(stage: Stage, faults: Row) -> None:
    """What is known of the account comes in calls side by side, all under way before the first one is answered."""
    stage.crm.fill(20)
    stage.crm.disturb(**HASTE)
    integration = stage.gateway.connect()  # what it hears here makes it bold
    stage.crm.forget()
    stage.crm.disturb(**faults, latencyMs=200)
    run = stage.gateway.sync(integration)
    assert run["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    calls = stage.crm.requests()["recent"]
    refused = [number for number, call in enumerate(calls) if call["status"] == 429]
    assert faults["limits"]["BURST"] - refused[0] in (0, 1)  # connecting was one, perhaps in the same window
    assert refused == list(range(refused[0], refused[-1] + 1))
    assert len(refused) <= 12 - faults["limits"]["BURST"] + 1  # no call more than were under way
    assert seconds(calls[refused[-1]], calls[refused[-1] + 1]) >= 2


def seconds(first: Row, second: Row) -> float:
    moments = [datetime.fromisoformat(call["at"]) for call in (first, second)]
    return (moments[1] - moments[0]).total_seconds()


# ---------------------------------------------------------------- 31


@pytest.fixture(scope="module")
def messy(shared: Stage) -> "Messy":
    shared.clear()
    integration = shared.run_all(715, broken=8)
    return Messy(shared, integration)


class Messy:
    """An account in which every oddity is somewhere by itself, synced."""

    def __init__(self, stage: Stage, integration: str) -> None:
        self.stage, self.integration = stage, integration
        self.people = self.read("persons")
        self.fields = {row["field_name"]: row["field_code"] for row in stage.crm.list("/api/v2/personFields")}

    def read(self, name: str) -> list[Row]:
        """All rows of a list of the CRM's own."""
        page = self.stage.crm.call("GET", f"/api/v2/{name}?limit={PAGE}")
        rows: list[Row] = page["data"]
        while cursor := page["additional_data"]["next_cursor"]:
            page = self.stage.crm.call("GET", f"/api/v2/{name}?limit={PAGE}&cursor={cursor}")
            rows += page["data"]
        return rows

    def find(self, query: str, type_: str, rows: list[Row], fits: Callable[[Row], Any]) -> tuple[Row, Row]:
        """(the CRM's row, ours) of the first record that fits, and is nobody else's too."""
        for row in rows:
            if fits(row):
                ours = self.show(query, type_, str(row["id"]))
                if ours and len(ours["sources"]) == 1:
                    return row, ours
        raise LookupError(f"nothing fits in {len(rows)} rows")

    def show(self, query: str, type_: str, key: str) -> Any:
        """What a CRM's record has become."""
        text = (
            "query($i: ID!, $t: String!, $e: String!) { recordBySource(integrationId: $i, externalType: $t, externalId: $e)"
            f" {{ {query} }} }}"
        )
        return self.stage.gateway.ask(text, i=self.integration, t=type_, e=key)["recordBySource"]

    def person(self, fits: Callable[[Row], Any]) -> tuple[Row, Row]:
        query = (
            "... on Contact { name organization { name } emails { value } phones { value e164 } customFields"
            " sources { payload } }"
        )
        return self.find(query, "Person", self.people, fits)


def test_scenario_31_every_record_is_there_and_what_cannot_be_read_is_one_error(messy: Messy) -> None:
    gateway, crm = messy.stage.gateway, messy.stage.crm
    (run,) = gateway.ask("{ syncRuns { nodes { id status recordsFailed } } }")["syncRuns"]["nodes"]
    failed = gateway.failures(run["id"])
    assert Counter(gateway.sources()) + Counter(failed) == Counter(crm.ids())
    assert (run["status"], run["recordsFailed"], len(failed)) == ("PARTIAL", 8, 8)
    texts = gateway.ask("query($r: ID!) { syncRun(id: $r) { errors { nodes { field code message } } } }", r=run["id"])[
        "syncRun"
    ]["errors"]["nodes"]
    assert {(text["field"], text["code"]) for text in texts} == {
        ("due_date", "UNMAPPABLE"),
        ("expected_close_date", "UNMAPPABLE"),
        ("add_time", "UNMAPPABLE"),
        ("value", "UNMAPPABLE"),
    }


def test_scenario_31_a_nul_is_dropped(messy: Messy) -> None:
    row, ours = messy.person(lambda row: "\0" in (row["name"] or ""))
    assert row["name"] == "Anna\0Berg"
    assert ours["name"] == ours["sources"][0]["payload"]["name"] == "AnnaBerg"


def test_scenario_31_a_lone_surrogate_becomes_a_sign_for_it(messy: Messy) -> None:
    row, ours = messy.person(lambda row: "\ud83d" in (row["name"] or ""))
    assert row["name"] == "Miko \ud83d"
    assert ours["name"] == ours["sources"][0]["payload"]["name"] == "Miko \ufffd"


@pytest.mark.parametrize("number", [2**70 + 1, -(2**63) - 5])
def test_scenario_31_an_integer_beyond_64_bits_keeps_all_its_digits(messy: Messy, number: int) -> None:
    score = messy.fields["Score"]
    _, ours = messy.person(lambda row: row["custom_fields"].get(score) == number)
    assert ours["customFields"]["Score"] == str(number)
    assert ours["sources"][0]["payload"]["custom_fields"][score] == str(number)


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        (r"0151 \d{4} \d{4}", lambda value: "+49" + value[1:].replace(" ", "")),
        (r"00\d+", lambda value: "+" + value[2:]),
        ("０３０ １２３４５６７", lambda _: "+49301234567"),
        ("ask reception", lambda _: None),
    ],
)
def test_scenario_31_phones_as_people_write_them(messy: Messy, value: str, e164: Callable[[str], str | None]) -> None:
    def first(row: Row) -> str:
        return str(next((one["value"] for one in row["phones"] if re.fullmatch(value, one["value"] or "")), ""))

    row, ours = messy.person(first)
    assert {"value": first(row), "e164": e164(first(row))} in ours["phones"]


def test_scenario_31_invalid_addresses_are_kept_and_empty_ones_are_none(messy: Messy) -> None:
    row, ours = messy.person(lambda row: [one["value"] for one in row["emails"]][:1] == ["not-an-email"])
    assert ours["emails"] == [{"value": "not-an-email"}, {"value": "also@not@one.example"}]
    row, ours = messy.person(lambda row: [one["value"] for one in row["emails"]] == [None])
    assert (len(row["emails"]), ours["emails"]) == (1, [])


@pytest.mark.parametrize("name", [None, "", "   "])
def test_scenario_31_somebody_without_a_name(messy: Messy, name: str | None) -> None:
    _, ours = messy.person(lambda row: row["name"] == name)
    assert ours["name"] is None


@pytest.mark.parametrize("organization", [None, 999_999_999])
def test_scenario_31_an_organization_that_is_not_there(messy: Messy, organization: int | None) -> None:
    row, ours = messy.person(lambda row: row["org_id"] == organization)
    assert row["org_id"] == organization
    assert ours["organization"] is None


def test_scenario_31_what_could_run_is_taken_out_of_html(messy: Messy) -> None:
    notes = messy.stage.crm.list("/api/v1/notes")
    query = "... on Activity { body sources { payload } }"
    row, ours = messy.find(query, "Note", notes, lambda row: "<script>" in row["content"])
    assert (row["content"], ours["body"]) == ("<script>alert('note')</script>Left a message", "Left a message")
    row, ours = messy.find(query, "Note", notes, lambda row: "<b>" in row["content"])
    assert ours["body"] == row["content"]
    activities = messy.read("activities")
    _, ours = messy.find(query, "Activity", activities, lambda row: "onerror" in (row["note"] or ""))
    assert ours["body"] == '<p>Fish &amp; chips</p><img src="x">'


def test_scenario_31_two_fields_of_one_name_and_one_renamed(messy: Messy) -> None:
    """Of what has a name of its own, the values move to the new name with the next run."""
    gateway, crm = messy.stage.gateway, messy.stage.crm
    text, choice = (
        row for row in crm.list("/api/v2/personFields") if row["field_name"] == "Region" and row["is_custom_field"]
    )
    north = choice["options"][0]
    values = {text["field_code"]: "by the sea", choice["field_code"]: north["id"], messy.fields["LinkedIn"]: "in/ada"}
    created = crm.call("POST", "/api/v2/persons", {"name": "Ada", "custom_fields": values})["data"]
    before = gateway.sync(messy.integration)
    names = [f"Region ({row['field_code'][:6]})" for row in (text, choice)]
    query = "... on Contact { customFields }"
    shown = {names[0]: "by the sea", names[1]: north["label"]}
    assert messy.show(query, "Person", str(created["id"]))["customFields"] == shown | {"LinkedIn": "in/ada"}
    crm.call("PATCH", f"/api/v2/personFields/{messy.fields['LinkedIn']}", {"field_name": "Profile"})
    after = gateway.sync(messy.integration)
    assert messy.show(query, "Person", str(created["id"]))["customFields"] == shown | {"Profile": "in/ada"}
    linked = {str(row["id"]) for row in messy.read("persons") if row["custom_fields"].get(messy.fields["LinkedIn"])}
    moved = len(linked - {key for name, key in gateway.failures(after["id"]) if name == "Person"})
    assert (before["recordsCreated"], before["recordsUpdated"]) == (1, 0)
    assert (after["recordsCreated"], after["recordsUpdated"]) == (0, moved)


def test_scenario_32_a_shared_mailbox_joins_nobody_and_who_was_joined_can_be_split(stage: Stage) -> None:
    stage.crm.fill(5)
    stage.crm.disturb(**HASTE)
    phones = [{"value": "+37255501010", "primary": True}]
    for number in range(6):
        emails = [{"value": "info@shared.example"}]
        stage.crm.call("POST", "/api/v2/persons", {"name": f"Shared {number}", "emails": emails, "phones": phones})
    for number in range(2):
        twin = {"name": f"Twin {number}", "emails": [{"value": "twins@home.example"}]}
        stage.crm.call("POST", "/api/v2/persons", twin)
    integration = stage.gateway.connect()
    stage.gateway.sync(integration)
    query = "query ($q: String) { contacts(search: $q) { nodes { id sources { id externalId } } } }"

    def find(text: str) -> list[Row]:
        rows: list[Row] = stage.gateway.ask(query, q=text)["contacts"]["nodes"]
        return rows

    assert [len(row["sources"]) for row in find("shared")] == [1] * 6
    [joined] = find("twins@home.example")
    split = "mutation ($s: ID!) { splitRecord(input: {sourceRecordId: $s}) { kept { id } userErrors { code } } }"
    done = stage.gateway.ask(split, s=joined["sources"][0]["id"])["splitRecord"]
    assert done == {"kept": {"id": joined["id"]}, "userErrors": []}
    stage.crm.call("PATCH", f"/api/v2/persons/{joined['sources'][0]['externalId']}", {"name": "Twin himself"})
    stage.gateway.sync(integration, kind="FULL")
    assert [len(row["sources"]) for row in find("twins@home.example")] == [1, 1]
