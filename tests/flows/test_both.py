"""Two CRMs in one workspace, by token and by OAuth: one list of people, each source once."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.flows.person import consent
from tests.flows.users import USERS, User
from tests.stage import HASTE, Gateway, Sandbox

PERSONS = 60
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
PEOPLE = """
query($after: String) { list: contacts(first: 250, after: $after, archived: INCLUDE) {
  nodes { id sources { externalType externalId integration { id } } } pageInfo { hasNextPage endCursor }
} }
"""
Key = tuple[str, str, str]
"""Integration, external type, external id."""


class Account:
    """One account of a CRM, connected by token or by consent."""

    def __init__(self, stage: Stage, name: str, number: int, *, by_token: bool) -> None:
        self.crm, self.number = stage.crm.of(name), number
        self.crm.fill(PERSONS, account=number)
        self.crm.disturb(number, **HASTE)
        if by_token:
            self.id = stage.gateway.connect(self.crm.token(number), name.upper())
        else:
            self.id = consent(stage.gateway, crm=name.upper(), account=number)

    @property
    def user(self) -> User:
        """Somebody who works in it, where it is the first of its CRM."""
        return USERS[self.crm.name](self.crm)

    def list_all(self) -> set[Key]:
        """Of all its records, by the sandbox's own list."""
        return {(self.id, kind, key) for kind, key in self.crm.ids(self.number)}

    def addresses(self) -> dict[str, Key]:
        """Whose each address is, of those that are of one person here."""
        kind, found = self.user.person, read_addresses(self.crm, self.number)
        owners = Counter(address for _, addresses in found for address in addresses)
        return {
            address: (self.id, kind, key) for key, addresses in found for address in addresses if owners[address] == 1
        }


def read_addresses(crm: Sandbox, account: int) -> list[tuple[str, set[str]]]:
    """The id and the first address of each person, where it is one."""
    if crm.name == "hubspot":
        rows = crm.call("GET", "/crm/objects/2026-09/contacts?limit=100&properties=email", account=account)["results"]
        pairs = [(row["id"], row["properties"]["email"]) for row in rows]
    else:
        rows = crm.call("GET", "/api/v2/persons?limit=500", account=account)["data"]
        pairs = [(str(row["id"]), (row["emails"] or [{"value": None}])[0]["value"]) for row in rows]
    return [(key, {email.lower()}) for key, email in pairs if email and ADDRESS.fullmatch(email)]


@pytest.fixture
def accounts(stage: Stage) -> list[Account]:
    """Four, of which two are connected by token."""
    return [
        Account(stage, "pipedrive", 1, by_token=True),
        Account(stage, "pipedrive", 2, by_token=False),
        Account(stage, "hubspot", 1, by_token=False),
        Account(stage, "hubspot", 2, by_token=True),
    ]


def run_all(gateway: Gateway, accounts: list[Account], kind: str) -> list[dict[str, Any]]:
    """Runs of all accounts at the same time."""
    runs = [gateway.start(account.id, kind=kind) for account in accounts]
    return [gateway.wait(run) for run in runs]


def sources(gateway: Gateway) -> Counter[Key]:
    """How often each record of a CRM is a source."""
    found: Counter[Key] = Counter()
    for name in ("contacts", "organizations", "deals", "activities"):
        for node in gateway.walk(PEOPLE.replace("contacts", name)):
            found.update(list_keys(node))
    return found


def list_keys(node: dict[str, Any]) -> list[Key]:
    return [(one["integration"]["id"], one["externalType"], one["externalId"]) for one in node["sources"]]


def test_every_record_of_four_accounts_is_a_source_once(stage: Stage, accounts: list[Account]) -> None:
    gateway = stage.gateway
    assert [run["status"] for run in run_all(gateway, accounts, "FULL")] == ["SUCCEEDED"] * 4
    assert sources(gateway) == Counter(key for account in accounts for key in account.list_all())
    check_who_is_in_two(gateway, accounts)
    deleted: Counter[Key] = Counter()
    for account in accounts[::2]:
        user = account.user
        user.rename(user.person, user.key(2), "Changed Person")
        user.add_person("Ada New", "ada@new.example")
        user.delete(user.note, user.key(1))
        deleted[account.id, user.note, user.key(1)] = 1
    made = [
        [run[f"records{name}"] for name in ("Created", "Updated", "Archived")]
        for run in run_all(gateway, accounts, "DELTA")
    ]
    assert made == [[1, 1, 1], [0, 0, 0]] * 2
    assert sources(gateway) == Counter(key for account in accounts for key in account.list_all()) + deleted
    (ada,) = gateway.ask('{ contacts(search: "ada@new.example") { nodes { sources { integration { crm } } } } }')[
        "contacts"
    ]["nodes"]
    assert sorted(one["integration"]["crm"] for one in ada["sources"]) == ["HUBSPOT", "PIPEDRIVE"]


def check_who_is_in_two(gateway: Gateway, accounts: list[Account]) -> None:
    """Whoever has one address in two accounts is one contact."""
    contact = {key: node["id"] for node in gateway.walk(PEOPLE) for key in list_keys(node)}
    known = [account.addresses() for account in accounts]
    both = [
        (one[address], other[address]) for one in known[:2] for other in known[2:] for address in one.keys() & other
    ]
    assert len(both) >= 20
    assert [pair for pair in both if contact[pair[0]] != contact[pair[1]]] == []
