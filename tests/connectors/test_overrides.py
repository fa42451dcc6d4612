"""Mappings of somebody's own: what they make of records of both CRMs, in the place of the connector's."""

from typing import Any

import pytest

from connectors.defaults import list_defaults
from connectors.errors import Unmappable
from connectors.facts import Catalog, Field
from connectors.mapping import map_record
from connectors.overrides import Overrides, Rule
from connectors.registry import CONNECTORS
from storage.shapes import Direction
from tests.connectors.samples import catalog, load_samples

KEY = "a" * 40


def field(name: str, type_: str, *options: tuple[str, str], custom: bool = False) -> Field:
    return Field(external_type="x", name=name, label=name.title(), type=type_, options=options, is_custom=custom)


FIELDS = {
    "HUBSPOT": [
        field("role", "string"), field("people", "number"), field("vip", "bool"), field("since", "date"),
        field("seen", "datetime"), field("tier", "enumeration", ("t1", "Gold"), ("t2", "Silver")),
        field("interests", "checkbox", ("a", "Price"), ("b", "Support")), field("fax", "phone_number"),
        field("signup", "string"),
    ],
    "PIPEDRIVE": [
        field("role", "varchar"), field("people", "int"), field(KEY, "enum", ("7", "Gold"), custom=True),
        field("interests", "set", ("1", "Price"), ("2", "Support")), field("worth", "monetary"),
        field("home", "address"), field("phone", "phone"), field("seen", "date"),
    ],
}  # fmt: skip
TYPES = {"HUBSPOT": ("contacts", "companies", "deals"), "PIPEDRIVE": ("Person", "Organization", "Deal")}


def payload_of(crm: str, values: dict[str, Any]) -> dict[str, Any]:
    if crm == "HUBSPOT":
        return {"id": "1", "properties": values}
    held = {name: value for name, value in values.items() if name == KEY}
    return {"id": 1, **values, "custom_fields": held}


def map_with(crm: str, place: int, rule: Rule, excluded: frozenset[str] = frozenset(), **values: Any) -> dict[str, Any]:
    external = CONNECTORS[crm].type(TYPES[crm][place])
    catalog = Catalog(fields={external.name: FIELDS[crm]}, region="CZ")
    overrides = Overrides(version=1, rules={external.name: (rule,)}, excluded=excluded)
    return dict(map_record(external, payload_of(crm, values), catalog, overrides).values)


PERSON, COMPANY, DEAL = range(3)
MADE: list[tuple[str, int, str, str, str | None, Any, dict[str, Any]]] = [
    ("HUBSPOT", PERSON, "jobTitle", "role", None, "Head", {"job_title": "Head"}),
    ("PIPEDRIVE", PERSON, "jobTitle", "role", "upper(value)", "Head", {"job_title": "HEAD"}),
    ("HUBSPOT", PERSON, "jobTitle", "tier", None, "t2", {"job_title": "Silver"}),
    ("PIPEDRIVE", PERSON, "jobTitle", KEY, None, 7, {"job_title": "Gold"}),
    ("HUBSPOT", PERSON, "jobTitle", "people", None, "12.50", {"job_title": "12.5"}),
    ("HUBSPOT", PERSON, "tags", "interests", None, "b;a", {"tags": ["Support", "Price"]}),
    ("PIPEDRIVE", PERSON, "tags", "interests", None, [2], {"tags": ["Support"]}),
    ("HUBSPOT", PERSON, "kind", "tier", "pick(value, {'Gold': 'CONTACT'}, 'LEAD')", "t1", {"kind": "CONTACT"}),
    ("HUBSPOT", PERSON, "phones", "fax", None, "602 123 456", {"phone": "+420602123456"}),
    ("PIPEDRIVE", PERSON, "address", "home", None, {"value": "Main St 1, Brno", "locality": "Brno"},
     {"address": {"street": "Main St 1, Brno", "city": "Brno", "region": None, "postal_code": None, "country": None}}),
    ("HUBSPOT", PERSON, "customFields.VIP", "vip", None, "true", {"custom_fields": {"VIP": True}}),
    ("HUBSPOT", PERSON, "customFields.Since", "since", None, "2026-11-02", {"custom_fields": {"Since": "2026-11-02"}}),
    ("HUBSPOT", PERSON, "customFields.Tier", "tier", "lower(value)", "t1", {"custom_fields": {"Tier": "gold"}}),
    ("HUBSPOT", PERSON, "jobTitle", "role", None, "", {"job_title": None}),
    ("HUBSPOT", COMPANY, "employeeCount", "people", None, "12", {"employee_count": 12}),
    ("PIPEDRIVE", COMPANY, "employeeCount", "role", "int(value)", "12", {"employee_count": 12}),
    ("PIPEDRIVE", DEAL, "amount", "worth", None, {"value": 12.5, "currency": "USD"},
     {"amount_value": "12.5", "amount_currency": "USD"}),
    ("HUBSPOT", DEAL, "amount", "people", "money(value, 'CZK')", "7",
     {"amount_value": "7", "amount_currency": "CZK"}),
    ("HUBSPOT", DEAL, "closedAt", "seen", None, "2026-11-02T10:00:00Z", {"closed_at": "2026-11-02T10:00:00Z"}),
    ("HUBSPOT", DEAL, "expectedCloseOn", "seen", None, "2026-11-02T10:00:00Z", {"expected_close_on": "2026-11-02"}),
    ("HUBSPOT", DEAL, "expectedCloseOn", "signup", "date(value, 'DD.MM.YYYY')", "2.11.2026",
     {"expected_close_on": "2026-11-02"}),
    ("PIPEDRIVE", DEAL, "owner", "role", None, "77", {"owner_external_id": "77"}),
]  # fmt: skip


@pytest.mark.parametrize(("crm", "place", "local", "theirs", "transform", "value", "expected"), MADE)
def test_a_rule_fills_its_field_with_what_the_crm_holds(
    crm: str, place: int, local: str, theirs: str, transform: str | None, value: Any, expected: dict[str, Any]
) -> None:
    rule = Rule(local_field=local, crm_field=theirs, transform=transform)
    made = map_with(crm, place, rule, **{theirs: value})
    custom = made["custom_fields"]
    made["custom_fields"] = {name: custom.get(name) for name in expected.get("custom_fields", ())}
    assert {name: made[name] for name in expected} == expected


WRONG: list[tuple[str, int, str, str, str | None, Any, str]] = [
    ("HUBSPOT", COMPANY, "employeeCount", "role", None, "many", "employeeCount, from role: the value is no number."),
    ("HUBSPOT", COMPANY, "employeeCount", "people", None, "1.5",
     "employeeCount, from people: the value is no whole number."),
    ("HUBSPOT", COMPANY, "employeeCount", "people", "100 / value", "0",
     "employeeCount, from people: the transform divides by zero."),
    ("HUBSPOT", PERSON, "kind", "tier", None, "t1", "kind, from tier: the value is none of LEAD, CONTACT."),
    ("HUBSPOT", PERSON, "jobTitle", "interests", None, "a;b",
     "jobTitle, from interests: the value is no single text: a transform can make one of it."),
    ("HUBSPOT", DEAL, "closedAt", "since", None, "2026-11-02",
     "closedAt, from since: the value is no moment, such as 2026-11-02T10:11:12Z."),
]  # fmt: skip


@pytest.mark.parametrize(("crm", "place", "local", "theirs", "transform", "value", "message"), WRONG)
def test_a_value_that_does_not_fit_is_told_with_its_rule(
    crm: str, place: int, local: str, theirs: str, transform: str | None, value: Any, message: str
) -> None:
    with pytest.raises(Unmappable) as told:
        map_with(crm, place, Rule(local_field=local, crm_field=theirs, transform=transform), **{theirs: value})
    assert (told.value.message, told.value.field) == (message, theirs)


def test_an_amount_without_a_currency_keeps_the_one_that_the_deal_has() -> None:
    made = map_with("PIPEDRIVE", DEAL, Rule(local_field="amount", crm_field="people"), people=7, currency="EUR")
    assert (made["amount_value"], made["amount_currency"]) == ("7", "EUR")


def test_of_an_excluded_field_a_rule_takes_nothing() -> None:
    rule = Rule(local_field="jobTitle", crm_field="role")
    assert map_with("HUBSPOT", PERSON, rule, frozenset({"role"}), role="Head")["job_title"] is None


@pytest.mark.parametrize(
    ("crm", "sample"), [pair for pair in load_samples() if "expected" in pair[1]], ids=lambda each: str(each)[:30]
)
def test_the_connectors_own_mappings_written_as_rules_change_nothing(crm: str, sample: Any) -> None:
    external = CONNECTORS[crm].type(sample["type"])
    rules = tuple(Rule(local_field=one.local_field, crm_field=one.crm_field) for one in list_defaults(external))
    overrides = Overrides(version=1, rules={external.name: rules})
    mapped = map_record(external, sample["payload"], catalog(crm, external.name), overrides)
    assert mapped.values == sample["expected"]["values"]


def test_what_the_connector_can_write_goes_back_and_a_field_is_written_from_one_of_ours() -> None:
    ways = {one.local_field: one.direction for one in list_defaults(CONNECTORS["HUBSPOT"].type("contacts"))}
    # the name is made of the parts, which are written; the kind follows from the lifecycle stage
    back = {name for name, direction in ways.items() if direction is Direction.BIDIRECTIONAL}
    assert ways.keys() - back == {"name", "kind"}
    for connector in CONNECTORS.values():
        for external in connector.types:
            fields = [one.crm_field for one in list_defaults(external) if one.direction is Direction.BIDIRECTIONAL]
            assert len(set(fields)) == len(fields), external.name
