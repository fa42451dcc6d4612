"""A page that was mapped before the mappings changed is mapped anew when it is written."""

from connectors.facts import Catalog
from connectors.mapping import map_record
from connectors.overrides import NONE, Overrides, Rule
from sync.mappings import renew
from tests.sync.conftest import TYPES

PERSON = TYPES["Person"]


def test_records_of_older_mappings_are_mapped_anew_and_those_that_cannot_be_are_told() -> None:
    older = [
        map_record(PERSON, {"id": key, "job_title": title}, Catalog(), NONE) for key, title in ((1, "7"), (2, "x"))
    ]
    rule = Rule(local_field="jobTitle", crm_field="job_title", transform="string(int(value) * 2)")
    now = Overrides(version=3, rules={"Person": (rule,)})

    kept, failed = renew(PERSON, older, Catalog(), now)

    assert [(one.external_id, one.values["job_title"], one.version) for one in kept] == [("1", "14", 3)]
    assert [(one.external_id, error.field) for one, error in failed] == [("2", "job_title")]
    assert renew(PERSON, kept, Catalog(), now) == (kept, [])
