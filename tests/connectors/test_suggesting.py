"""Suggested mappings: with the connectors' own hidden, most of the standard fields of both CRMs are found by themselves."""

import pytest

from connectors.defaults import list_defaults
from connectors.facts import Field
from connectors.registry import CONNECTORS
from connectors.suggesting import suggest
from tests.connectors.simulator import Simulator, read_pages

SAMPLES = 50
WANTED = 0.8


@pytest.mark.parametrize("crm", sorted(CONNECTORS))
async def test_of_the_standard_fields_four_in_five_are_suggested_first(crm: str) -> None:
    simulator = await Simulator.open(crm)
    client = simulator.client()
    hits: list[str] = []
    misses: list[str] = []
    for external in simulator.connector.types:
        listed = external.name in simulator.connector.fields
        fields = await client.fields(external.name) if listed else ()
        names = {field.name for field in fields}
        rows = (await read_pages(client, external.listings[0]))[0][:SAMPLES]
        found = suggest(simulator.connector, external, fields, await client.complete(external, rows))
        for default in list_defaults(external):
            if default.crm_field in names:
                first = next((one.crm_field for one in found if one.local_field == default.local_field), None)
                told = f"{external.name}.{default.local_field}: {default.crm_field}, not {first}"
                (hits if first == default.crm_field else misses).append(told)
    await simulator.http.aclose()
    assert len(hits) + len(misses) > 30
    assert len(hits) >= WANTED * (len(hits) + len(misses)), misses


def test_a_suggestion_says_why_and_what_people_fill_is_worth_keeping() -> None:
    connector = CONNECTORS["HUBSPOT"]
    fields = [
        Field(external_type="contacts", name="position_at_work", label="Job title", type="string"),
        Field(external_type="contacts", name="shoe_size", label="Shoe size", type="number"),
        Field(external_type="contacts", name="shoe_color", label="Shoe colour", type="string"),
    ]
    samples = [{"properties": {"position_at_work": "Head", "shoe_size": "42"}}, {"properties": {"shoe_size": "43"}}]
    found = suggest(connector, connector.type("contacts"), fields, samples, skip={"name"})
    assert [(one.local_field, one.crm_field, one.reason) for one in found] == [
        (
            "jobTitle",
            "position_at_work",
            "Its label “Job title” reads like jobTitle; it holds a text; 50 % of 2 records have a value.",
        ),
        (
            "customFields.Shoe size",
            "shoe_size",
            "100 % of 2 records have a value, which is kept nowhere else.",
        ),
    ]
    assert 0.9 < found[0].score <= 1
