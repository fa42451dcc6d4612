"""The change feed of a gateway that syncs two accounts, and what becomes of records when another one comes first."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from tests.feed import CHANGES, LISTS, SHAPES, flatten, replay
from tests.flows.conftest import Stage
from tests.stage import HASTE, Gateway, wait_until

FOLLOW = """
subscription($after: String) {
  recordChanges(after: $after) {
    cursor kind recordId recordType mergedIntoId cause at syncRun { id } record { id } changes { field before after }
  }
}
"""
SHARED = """
query($after: String) { list: contacts(first: 50, after: $after) {
  nodes { provenance(fields: ["name"]) { source { integration { id } } alternatives { source { integration { id } } } } }
  pageInfo { hasNextPage endCursor } } }
"""


def read_changes(gateway: Gateway, after: str | None) -> Iterator[dict[str, Any]]:
    """All after a cursor."""
    while True:
        page = gateway.ask(CHANGES, first=250, after=after)["changes"]
        yield from page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return


def read_records(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """All records, as the feed tells them."""
    found = dict[str, dict[str, Any]]()
    for name, shape in SHAPES.items():
        query = (
            f"query($after: String) {{ list: {LISTS[name]}(first: 100, after: $after, archived: INCLUDE)"
            f" {{ nodes {{ id {shape} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        found |= {node["id"]: flatten(node) for node in gateway.walk(query)}
    return found


def test_who_is_cut_off_sees_every_change_once_by_either_way(stage: Stage) -> None:
    gateway, seen = stage.gateway, list[dict[str, Any]]()
    for account in (1, 2):
        stage.crm.fill(25, account=account)
        stage.crm.disturb(account, **HASTE)
    one, other = stage.connect(1), stage.connect(2)
    runs = [gateway.start(one), gateway.start(other)]

    for number in range(6):
        follow = gateway.by_stream if number % 2 else gateway.by_socket
        stream = follow(FOLLOW, after=seen[-1]["cursor"] if seen else None)
        seen += [each["recordChanges"] for each in islice(stream, 20)]
        stream.close()  # type: ignore[attr-defined] # it is a generator

    assert {gateway.wait(run)["status"] for run in runs} == {"SUCCEEDED"}
    seen += read_changes(gateway, seen[-1]["cursor"])
    assert [each["cursor"] for each in seen] == [each["cursor"] for each in read_changes(gateway, None)]
    assert {each["syncRun"]["id"] for each in seen} == set(runs)
    prefer(gateway, one)
    prefer(gateway, other)
    assert replay(read_changes(gateway, None)) == read_records(gateway)


def prefer(gateway: Gateway, integration: str) -> None:
    """Puts an account first: soon every name that it has an opinion on is its own."""
    payload = gateway.do("updateWorkspace", "workspace { id }", sourcePriority=[integration])
    assert payload["userErrors"] == []
    wait_until(lambda: holds_all(gateway, integration))


def holds_all(gateway: Gateway, integration: str) -> bool:
    """Whether the account holds all names that it and another one know."""
    shared = 0
    for contact in gateway.walk(SHARED):
        for name in contact["provenance"]:
            others = [each["source"]["integration"]["id"] for each in name["alternatives"]]
            shared += bool(others)
            if integration in others and name["source"]["integration"]["id"] != integration:
                return False
    assert shared
    return True
