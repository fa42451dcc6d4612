"""A dozen people, edited here and in two CRMs under faults: then it is quiet, and all three are equal."""

from tests.edits import run
from tests.flows.conftest import Stage


def test_edits_here_and_in_two_crms_come_to_the_same(stage: Stage) -> None:
    run(stage, people=12, seed=1, rounds=2, edits=12)
