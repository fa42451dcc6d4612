"""More of HubSpot's changes than any search shows, of one time and of many."""

from collections import Counter

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

PERSONS = 25_000
BATCH = 100


@pytest.fixture
def crm() -> str:
    return "hubspot"


@pytest.mark.parametrize("way", ["at once", "one after the other"])
def test_scenarios_2_and_3_25_000_changes_since_the_last_run(stage: Stage, way: str) -> None:
    integration = stage.connect()
    stage.gateway.sync(integration, ["CONTACT"])
    stage.crm.fill(PERSONS)
    everybody = sorted(one for one in stage.crm.ids() if one[0] == "contacts")
    if way == "at once":
        stage.crm.disturb(**HASTE, sameTime=PERSONS)
    else:
        stage.crm.disturb(limits="none")
        for start in range(0, PERSONS, BATCH):
            inputs = [{"id": key, "properties": {"city": "Moved"}} for _, key in everybody[start : start + BATCH]]
            stage.crm.call("POST", "/crm/objects/2026-09/contacts/batch/update", {"inputs": inputs})
        stage.crm.disturb(**HASTE)
    run = stage.gateway.sync(integration, ["CONTACT"], kind="DELTA", seconds=300)
    assert (run["status"], run["recordsCreated"]) == ("SUCCEEDED", PERSONS)
    assert Counter(stage.gateway.sources()) == Counter(everybody)
    requests = stage.crm.requests()
    assert {"400", "429"}.isdisjoint(requests["byStatus"])
    listed = [call["query"] for call in requests["recent"] if call["path"].endswith("/contacts")]
    assert not [query for query in listed if "archived=false" in query]  # it was no list that brought them
