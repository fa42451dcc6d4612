"""Records of CRMs in our shapes: every sample becomes exactly what is written beside it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import Unmappable
from connectors.facts import Catalog, Field
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage.declare import columns
from storage.records import BY_TYPE
from tests.connectors.samples import Sample, catalog, load_samples

SAMPLES = load_samples()
MAPPED = [(crm, sample) for crm, sample in SAMPLES if "expected" in sample]
REFUSED = [(crm, sample) for crm, sample in SAMPLES if "unmappable" in sample]
PIPEDRIVE = CONNECTORS["PIPEDRIVE"]


def properties_of(sample: Sample) -> Sample:
    found = sample["payload"].get("properties")
    return found if isinstance(found, dict) else {}


def named(samples: list[tuple[str, Sample]]) -> list[str]:
    return [f"{crm} {sample['type']}: {sample['name']}" for crm, sample in samples]


@pytest.mark.parametrize(("crm", "sample"), MAPPED, ids=named(MAPPED))
def test_a_sample_becomes_exactly_what_is_expected(crm: str, sample: Sample) -> None:
    external, expected = CONNECTORS[crm].type(sample["type"]), sample["expected"]

    mapped = map_record(external, sample["payload"], catalog(crm, external.name))

    assert mapped.values == expected["values"]
    assert mapped.refs == {name: [tuple(one) for one in targets] for name, targets in expected["refs"].items()}
    assert (mapped.external_id, mapped.url) == (expected["external_id"], expected["url"])
    assert mapped.is_deleted is expected["deleted"]
    assert list(mapped.merged) == expected.get("merged", [])
    assert (mapped.remote_created_at and mapped.remote_created_at.isoformat()) == expected["created"]
    assert (mapped.remote_updated_at and mapped.remote_updated_at.isoformat()) == expected["updated"]
    assert mapped.payload is sample["payload"]


@pytest.mark.parametrize(("crm", "sample"), REFUSED, ids=named(REFUSED))
def test_what_cannot_be_mapped_names_its_field(crm: str, sample: Sample) -> None:
    external = CONNECTORS[crm].type(sample["type"])

    with pytest.raises(Unmappable) as caught:
        map_record(external, sample["payload"], catalog(crm, external.name))

    assert caught.value.field == sample["unmappable"]


@pytest.mark.parametrize("crm", CONNECTORS)
def test_values_are_columns_and_json(crm: str) -> None:
    ours = {"id", "workspace_id", "created_at", "updated_at", "archived_at", "owner_integration_id"}
    ours |= {"warmness"}
    for external in CONNECTORS[crm].types:
        record = BY_TYPE[external.record_type]
        payload = {external.identifier: "1", "properties": {}}

        values = map_record(external, payload, Catalog()).values

        keys = {"organization_id", "deal_id"} & set(columns(record))
        assert set(values) == set(columns(record)) - ours - keys
        assert json.loads(json.dumps(values)) == values


def test_a_renamed_field_keeps_its_values() -> None:
    before = Field(external_type="Person", name="a" * 40, label="Old", type="varchar", is_custom=True)
    payload = {"id": 1, "custom_fields": {"a" * 40: "kept"}}

    found = [
        map_record(PIPEDRIVE.type("Person"), payload, Catalog(fields={"Person": [field]})).values["custom_fields"]
        for field in (before, replace(before, label="New"))
    ]

    assert found == [{"Old": "kept"}, {"New": "kept"}]


def test_without_an_address_of_the_account_there_is_no_url() -> None:
    assert map_record(PIPEDRIVE.type("Person"), {"id": 1}, Catalog()).url is None


def test_only_deals_make_contacts_of_people() -> None:
    assert [external.name for external in PIPEDRIVE.types if external.promotes] == ["Deal"]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-02-30", "2026-01-01", "9" * 400, "1795132800000", "-" + "9" * 14, "²", "12:00"])
    | st.sampled_from(["\x00", "\ud800", "<b>", "1,2", "+49"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "value",
                    "id",
                    "primary",
                    "label",
                    "person_id",
                    "amount",
                    "currency",
                    "companies",
                    "contacts",
                    "results",
                ]
            ),
            inner,
        )
    ),
    max_leaves=6,
)
FIELDS = sorted(
    {key for _, sample in SAMPLES for part in (sample["payload"], properties_of(sample)) for key in part}
    | {"email", "phone", "label", "user_id", "duration"}
)
TYPES = [(crm, external.name) for crm, connector in CONNECTORS.items() for external in connector.types]


@pytest.mark.parametrize(("crm", "name"), TYPES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6),
)
def test_nothing_but_unmappable_is_ever_raised(
    crm: str, name: str, payload: dict[str, Any], properties: dict[str, Any]
) -> None:
    refused = None
    try:
        map_record(CONNECTORS[crm].type(name), {"properties": properties, "id": "1"} | payload, catalog(crm, name))
    except Unmappable as error:
        refused = error

    assert refused is None or refused.field
