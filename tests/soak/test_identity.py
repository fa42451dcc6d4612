"""People of two accounts that sync at the same time, a hundred times: no twin."""

from tests.flows.conftest import Stage
from tests.stage import HASTE, TOKENS

ROUNDS, PEOPLE = 100, 5
CONTACTS = """
query ($after: String) { list: contacts(first: 250, after: $after) {
  nodes { email sources { id } } pageInfo { hasNextPage endCursor }
} }
"""


def test_who_is_new_in_two_accounts_is_one_each_time(stage: Stage) -> None:
    gateway, crm = stage.gateway, stage.crm
    for account in (1, 2):
        crm.fill(5, account=account, seed=account)
        crm.disturb(account, **HASTE)
    integrations = [gateway.connect(TOKENS[account]) for account in (1, 2)]
    for round_ in range(ROUNDS):
        for number in range(PEOPLE):
            emails = [{"value": f"new-{round_}-{number}@soak.example", "primary": True}]
            for account in (1, 2):
                crm.call("POST", "/api/v2/persons", {"name": f"New {number}", "emails": emails}, account=account)
        runs = [gateway.start(integration) for integration in integrations]
        assert [gateway.wait(run)["status"] for run in runs] == ["SUCCEEDED", "SUCCEEDED"]
    found = [node for node in gateway.walk(CONTACTS) if str(node["email"]).endswith("@soak.example")]
    assert (len(found), {len(node["sources"]) for node in found}) == (ROUNDS * PEOPLE, {2})
