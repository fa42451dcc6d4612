"""Scenario 31 at HubSpot: the mess of real accounts. Pipedrive's is in test_scenarios."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.flows.users import Hubspot, Row

PERSONS, BROKEN = 620, 6
PERSON = (
    "... on Contact { name organization { name } emails { value } phones { value e164 } customFields"
    " sources { payload } }"
)
NAMES = ("firstname", "lastname", "email", "hs_additional_emails", "phone", "mobilephone", "legacy_id")


class Messy:
    """An account in which every oddity is somewhere by itself, synced."""

    def __init__(self, stage: Stage, integration: str) -> None:
        self.stage, self.integration, self.user = stage, integration, Hubspot(stage.crm)
        self.people = self.user.rows("contacts", *NAMES)

    def find(self, query: str, kind: str, rows: list[Row], fits: Callable[[Row], Any]) -> tuple[Row, Any]:
        """(the CRM's properties, ours) of the first record that fits, and is nobody else's too."""
        for row in rows:
            if fits(row["properties"]):
                ours = self.stage.gateway.show(self.integration, kind, row["id"], query)
                if ours and len(ours["sources"]) == 1:
                    return row["properties"], ours
        raise LookupError(f"nothing fits in {len(rows)} rows")

    def person(self, fits: Callable[[Row], Any]) -> tuple[Row, Any]:
        return self.find(PERSON, "contacts", self.people, fits)


def has(name: str, value: str | None) -> Callable[[Row], bool]:
    """Whether a property is that."""
    return lambda row: row[name] == value


@pytest.fixture(scope="module")
def messy(shared: Stage) -> Messy:
    stage = replace(shared, crm=shared.crm.of("hubspot"))
    stage.clear()
    return Messy(stage, stage.run_all(PERSONS, broken=BROKEN))


def test_every_record_is_there_and_what_cannot_be_read_is_one_error(messy: Messy) -> None:
    """One of them does not even have an id."""
    gateway, crm = messy.stage.gateway, messy.stage.crm
    (run,) = gateway.ask("{ syncRuns { nodes { id status recordsFailed } } }")["syncRuns"]["nodes"]
    failed = gateway.failures(run["id"])
    assert [kind for kind, key in failed if key is None] == ["calls"]
    missing = Counter(crm.ids()) - Counter(gateway.sources()) - Counter(failed)
    assert [kind for kind, _ in missing.elements()] == ["calls"]
    assert Counter(gateway.sources()) - Counter(crm.ids()) == Counter()
    assert (run["status"], run["recordsFailed"], len(failed)) == ("PARTIAL", BROKEN, BROKEN)
    query = "query($r: ID!) { syncRun(id: $r) { errors { nodes { externalType field code } } } }"
    told = gateway.ask(query, r=run["id"])["syncRun"]["errors"]["nodes"]
    assert {(one["externalType"], one["field"], one["code"]) for one in told} == {
        ("tasks", "hs_timestamp", "UNMAPPABLE"),
        ("deals", "amount", "UNMAPPABLE"),
        ("contacts", "createdAt", "UNMAPPABLE"),
        ("meetings", "hs_meeting_start_time", "UNMAPPABLE"),
        ("notes", "properties", "UNMAPPABLE"),
        ("calls", "id", "UNMAPPABLE"),
    }


def test_a_nul_is_dropped(messy: Messy) -> None:
    row, ours = messy.person(lambda row: "\0" in (row["firstname"] or ""))
    assert row["firstname"] == "Anna\0Berg"
    assert ours["name"] == ours["sources"][0]["payload"]["properties"]["firstname"] == "AnnaBerg"


def test_a_lone_surrogate_becomes_a_sign_for_it(messy: Messy) -> None:
    row, ours = messy.person(lambda row: "\ud83d" in (row["firstname"] or ""))
    assert row["firstname"] == "Miko \ud83d"
    assert ours["name"] == ours["sources"][0]["payload"]["properties"]["firstname"] == "Miko \ufffd"


@pytest.mark.parametrize("number", ["1180591620717411303425", "-9223372036854775813"])
def test_an_integer_beyond_64_bits_keeps_all_its_digits(messy: Messy, number: str) -> None:
    _, ours = messy.person(has("legacy_id", number))
    assert ours["customFields"]["Legacy ID"] == number


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        (r"0151 \d{4} \d{4}", lambda value: "+49" + value[1:].replace(" ", "")),
        (r"00\d+", lambda value: "+" + value[2:]),
        ("０３０ １２３４５６７", lambda _: "+49301234567"),
        ("n/a", lambda _: None),
    ],
)
def test_phones_as_people_write_them(messy: Messy, value: str, e164: Callable[[str], str | None]) -> None:
    row, ours = messy.person(lambda row: re.fullmatch(value, row["phone"] or ""))
    assert {"value": row["phone"], "e164": e164(row["phone"])} in ours["phones"]


def test_invalid_addresses_are_kept_and_empty_ones_are_none(messy: Messy) -> None:
    for text in ("not-an-email", "also@not@one.example", "one@two.example, three@four.example"):
        _, ours = messy.person(has("email", text))
        assert ours["emails"][0] == {"value": text}
    _, ours = messy.person(lambda row: row["email"] is None and row["hs_additional_emails"] is None)
    assert ours["emails"] == []


@pytest.mark.parametrize("name", [None, "", "   "])
def test_somebody_without_a_name(messy: Messy, name: str | None) -> None:
    _, ours = messy.person(lambda row: row["firstname"] == name and not row["lastname"])
    assert ours["name"] is None


def test_what_could_run_is_taken_out_of_html(messy: Messy) -> None:
    query = "... on Activity { body sources { externalId } }"
    given = "<p>Fish &amp; chips</p><script>steal()</script><img src=x onerror=alert(1)>"
    for kind, name in (("notes", "hs_note_body"), ("calls", "hs_call_body"), ("emails", "hs_email_html")):
        rows = [row for row in messy.user.rows(kind, name) if isinstance(row["properties"], dict) and "id" in row]
        _, ours = messy.find(query, kind, rows, has(name, given))
        assert ours["body"] == '<p>Fish &amp; chips</p><img src="x">'


def test_amounts_currencies_and_stages_as_they_came(messy: Messy) -> None:
    names = ("amount", "deal_currency_code", "dealstage", "dealname")
    deals = messy.user.rows("deals", *names)
    query = "... on Deal { title stage pipeline amount { amount currency } sources { externalId } }"
    for text in ("-250.75", "123456789012.34", "0", "1E+5"):
        row, ours = messy.find(query, "deals", deals, has("amount", text))
        assert Decimal(ours["amount"]["amount"]) == Decimal(text)
        assert ours["amount"]["currency"] == (row["deal_currency_code"] or "EUR")
    priced = [row for row in deals if row["properties"]["amount"]]
    for code in ("USD", None):
        _, ours = messy.find(query, "deals", priced, has("deal_currency_code", code))
        assert ours["amount"]["currency"] == (code or "EUR")  # which is the account's own
    _, ours = messy.find(query, "deals", deals, has("dealstage", "999999"))
    assert (ours["stage"], ours["pipeline"]) == (None, None)
    _, ours = messy.find(query, "deals", deals, has("dealname", None))
    assert ours["title"] is None


def test_two_fields_of_one_name_and_one_renamed(messy: Messy) -> None:
    """Of what has a name of its own, the values move to the new name with the next run."""
    gateway, user = messy.stage.gateway, messy.user
    key = user.add("contacts", firstname="Ada", region="by the sea", region_2="north", background="in/ada")
    assert gateway.sync(messy.integration, ["CONTACT"], kind="DELTA")["recordsCreated"] == 1
    query = "... on Contact { customFields }"
    shown = {"Region (region)": "by the sea", "Region (region_2)": "North"}
    assert gateway.show(messy.integration, "contacts", key, query)["customFields"] == shown | {"Background": "in/ada"}
    user.rename_field("background", "Story")
    gateway.sync(messy.integration, ["CONTACT"])
    assert gateway.show(messy.integration, "contacts", key, query)["customFields"] == shown | {"Story": "in/ada"}
