"""The change feed under a large sync, and a consumer that is cut off all the time."""

from itertools import islice
from typing import Any

from tests.feed import replay
from tests.flows.conftest import Stage
from tests.flows.test_feed import read_changes, read_records
from tests.stage import HASTE

PERSONS = 4_000
STRANGER = "999999"
"""An owner whom the sandbox has no user for: the record shows none, and the feed the id."""
FOLLOW = """
subscription($after: String) {
  recordChanges(after: $after) { cursor kind recordId changes { field before after } }
}
"""
CURSORS = """
query($after: String) { list: changes(first: 250, after: $after) {
  nodes { cursor } pageInfo { hasNextPage endCursor } } }
"""
CUTS = 50
AT_A_TIME = 150
"""Changes between two cuts; in all fewer than there are, since some people are in the account twice."""


def test_a_consumer_is_cut_off_50_times_during_a_sync_of_10_000(stage: Stage) -> None:
    gateway, seen = stage.gateway, list[dict[str, Any]]()
    stage.crm.fill(PERSONS)
    stage.crm.disturb(**HASTE)
    assert len(stage.crm.ids()) >= 10_000
    run = gateway.start(stage.connect())

    for number in range(CUTS):
        follow = gateway.by_stream if number % 2 else gateway.by_socket
        stream = follow(FOLLOW, after=seen[-1]["cursor"] if seen else None)
        seen += [each["recordChanges"] for each in islice(stream, AT_A_TIME)]
        stream.close()  # type: ignore[attr-defined] # it is a generator

    assert gateway.wait(run, seconds=300)["status"] == "SUCCEEDED"
    seen += read_changes(gateway, seen[-1]["cursor"])
    assert [each["cursor"] for each in seen] == [each["cursor"] for each in gateway.walk(CURSORS)]
    assert len({each["cursor"] for each in seen}) == len(seen)
    made = replay(seen)
    for record in made.values():
        if record.get("owner", {}).get("externalId") == STRANGER:
            del record["owner"]
    assert made == read_records(gateway)
