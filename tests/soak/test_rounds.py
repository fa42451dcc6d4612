"""The same thing many times, each time with other people."""

from collections import Counter

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

TOKENS = ("sandbox-pipedrive", "sandbox-pipedrive-2")


@pytest.mark.parametrize("seed", range(20))
def test_two_accounts_at_the_same_time(stage: Stage, seed: int) -> None:
    """And once more at the same time, when some of it has changed; then nothing is left to be done."""
    gateway, crm = stage.gateway, stage.crm
    for account in (1, 2):
        crm.fill(400, seed=seed, account=account)
        crm.disturb(account, **HASTE)
    integrations = [gateway.connect(token) for token in TOKENS]
    made = []
    for faults in ({"editWhilePaging": 5}, {"sameTime": 50, "cutEvery": 9}, {}):
        for account in (1, 2):
            crm.disturb(account, **HASTE, **faults)
        runs = [gateway.start(integration) for integration in integrations]
        ended = [gateway.wait(run) for run in runs]
        assert [run["status"] for run in ended] == ["SUCCEEDED", "SUCCEEDED"]
        assert Counter(gateway.sources()) == Counter(crm.ids(1)) + Counter(crm.ids(2))
        made.append(sum(run["recordsCreated"] for run in ended))
    assert made == [len(crm.ids(1)) + len(crm.ids(2)), 0, 0]
    assert [run["recordsUpdated"] for run in ended] == [0, 0]


@pytest.mark.parametrize("seed", range(10))
def test_all_that_can_happen_to_an_answer(stage: Stage, seed: int) -> None:
    """Slow, cut off, refused for a while, too many: a large account arrives whole."""
    stage.crm.fill(1_500, seed=seed, broken=9)
    stage.crm.disturb(limits={"BURST": 12}, latencyMs=30, cutEvery=6, status={"code": 502, "times": 4})
    integration = stage.gateway.connect()
    run = stage.gateway.sync(integration, seconds=300)
    failed = stage.gateway.failures(run["id"])
    assert (run["status"], len(failed)) == ("PARTIAL", 9)
    assert Counter(stage.gateway.sources()) + Counter(failed) == Counter(stage.crm.ids())
