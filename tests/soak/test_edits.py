"""Many people, edited here and in two CRMs under faults: then it is quiet, and all three are equal."""

import pytest

from tests.edits import CROWDED, DOWN, FAULTS, run
from tests.flows.conftest import Stage

ALL = [*FAULTS, CROWDED, DOWN]


@pytest.mark.parametrize("seed", range(2))
def test_edits_here_and_in_two_crms_come_to_the_same(stage: Stage, seed: int) -> None:
    run(stage, people=500, seed=seed, rounds=8, edits=200, faults=ALL)


@pytest.mark.parametrize("policy", ["LOCAL_WINS", "CRM_WINS"])
def test_whoever_wins_all_have_the_same(stage: Stage, policy: str) -> None:
    run(stage, people=50, seed=7, rounds=5, edits=80, policy=policy, faults=ALL)
