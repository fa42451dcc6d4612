"""People who are in two CRMs, edited here and in both under faults; and what has to be so once it is quiet."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx

from tests.flows.conftest import Stage
from tests.stage import HASTE, wait_until
from tests.trio import ACCOUNT, NOBODY, OWNERS, ROOM, Here, Hubspot, Pipedrive, Row, draw, fold

FASTEST = 6_000
"""Pushes a minute, the most that a workspace can ask for."""
OPEN = "[PENDING, SENDING, UNKNOWN, FAILED]"
FAULTS: Sequence[Mapping[str, Any]] = (
    {"status": {"code": 503, "times": 2}},
    {"status": {"code": 500, "times": 3}},
    {"cutEvery": 4},
    {"cutEvery": 9, "latencyMs": 20},
    {"timeoutAfterCommit": 1, "latencyMs": 40},
    {},
)
CROWDED: Mapping[str, Any] = {"limits": {"BURST": 40}, "retryAfter": True}
"""Takes its time: a window of HubSpot's is ten seconds."""
DOWN: Mapping[str, Any] = {"status": {"code": 503, "path": "/crm/objects/2026-09/contacts/batch", "times": 40}}
"""For pushes to HubSpot, which fail for long, while Pipedrive takes them."""


class Trial:
    """The same people in both CRMs, edited by three."""

    def __init__(self, stage: Stage, people: int, seed: int, policy: str, faults: Sequence[Mapping[str, Any]]) -> None:
        self.faults = faults
        self.gateway, self.dice, self.mark = stage.gateway, random.Random(seed), 0  # noqa: S311 # not a secret
        self.pipedrive, self.hubspot = Pipedrive(stage.crm.of("pipedrive")), Hubspot(stage.crm.of("hubspot"))
        self.sides: tuple[Pipedrive | Hubspot, ...] = (self.pipedrive, self.hubspot)
        begun: list[Row] = [
            {**NOBODY, "name": f"Mia Weiß{number}", "emails": [f"p{number}@soak.example"], "owner": OWNERS[0]}
            for number in range(people)
        ]
        for side in self.sides:
            side.begin(begun)
            side.crm.disturb(ACCOUNT, **HASTE)
        self.ids = [side.crm.ids(ACCOUNT) for side in self.sides]
        self.here = Here(self.gateway)
        assert self.gateway.do("updateWorkspace", "workspace { id }", pushesPerMinute=FASTEST)["userErrors"] == []
        self.integrations = [
            self.gateway.connect(side.crm.token(ACCOUNT), side.crm.name.upper()) for side in self.sides
        ]
        asked = "mutation($i: UpdateIntegrationInput!) { updateIntegration(input: $i) { userErrors { code message } } }"
        for integration in self.integrations:
            settings = {"integrationId": integration, "direction": "BIDIRECTIONAL", "conflictPolicy": policy}
            assert self.gateway.ask(asked, i=settings)["updateIntegration"]["userErrors"] == []
            assert self.gateway.sync(integration)["status"] == "SUCCEEDED"
        self.said: dict[tuple[int, str], dict[str, Any]] = {
            (number, name): {"at first": value}
            for number, each in enumerate(begun)
            for name, value in fold(each).items()
        }
        """(number, field) -> what each side has said of it last."""
        for node in self.here.nodes():
            (mine,) = (one["externalId"] for one in node["sources"] if one["integration"]["crm"] == "PIPEDRIVE")
            self.here.contacts[self.pipedrive.ids.index(mine)] = node["id"]
        assert len(self.here.contacts) == people

    # ------------------------------------------------------------ edits

    def disturb(self) -> None:
        """Other faults of both."""
        for side in self.sides:
            side.crm.disturb(ACCOUNT, **{**HASTE, **self.dice.choice(self.faults)})

    def calm(self) -> None:
        """No faults any more."""
        for side in self.sides:
            side.crm.disturb(ACCOUNT, **HASTE)

    def edit(self, times: int) -> None:
        """So many edits, each by one of the three."""
        for _ in range(times):
            self.mark += 1
            number = self.dice.randrange(len(self.here.contacts))
            given = draw(self.dice, number, self.mark)
            who = self.dice.choice(("here", "here", "pipedrive", "hubspot"))
            if who == "here":
                self.here.write(number, given, self.mark)
            else:
                side = self.pipedrive if who == "pipedrive" else self.hubspot
                persist(partial(side.write, number, given))
            for name, value in fold({**NOBODY, **given}).items():
                if name in given:
                    self.said[number, name].pop("at first", None)
                    self.said[number, name][who] = value

    def sync(self) -> list[dict[str, Any]]:
        """A DELTA run of both at the same time."""
        runs = [self.gateway.start(integration, kind="DELTA") for integration in self.integrations]
        return [self.gateway.wait(run, seconds=300) for run in runs]

    def count_open(self) -> int:
        """Pushes that are on their way, or have failed."""
        found = self.gateway.ask(f"{{ pushes(first: 1, status: {OPEN}) {{ totalCount }} }}")
        return int(found["pushes"]["totalCount"])

    def settle(self, most: int = 6) -> None:
        """Waits until nothing is on its way, and a sync moves nothing any more: it sends nothing, changes nothing here, and
        nothing there."""
        self.calm()
        for _ in range(most):
            for integration in self.integrations:
                self.gateway.do("retryPushes", "pushes { id }", integrationId=integration)
            wait_until(lambda: not self.count_open(), 120)
            before = self.look()
            assert [run["status"] for run in self.sync()] == ["SUCCEEDED", "SUCCEEDED"]
            if self.look() == before:
                return
        raise TimeoutError(f"after {most} syncs there is still something to be sent")

    # ------------------------------------------------------------ what has to be so

    def look(self) -> tuple[Any, ...]:
        """What must not move once it is quiet: pushes, changes here, times there."""
        pushes = self.gateway.ask("{ pushes(first: 1) { totalCount } }")["pushes"]["totalCount"]
        walk = "query($after: String) { list: changes(first: 250, after: $after) { nodes { __typename }"
        changes = sum(1 for _ in self.gateway.walk(f"{walk} pageInfo {{ hasNextPage endCursor }} }} }}"))
        return pushes, changes, *(side.times() for side in self.sides)

    def check(self) -> None:
        """All three have the same, and each record once."""
        assert [side.crm.ids(ACCOUNT) for side in self.sides] == self.ids, "duplicates"
        assert self.count_open() == 0
        here, *there = self.here.read(), self.pipedrive.read(), self.hubspot.read()
        assert Counter(len(node["sources"]) for node in self.here.nodes()) == {2: len(here)}
        told = {number: fold(held) for number, held in here.items()}
        for side, held in zip(("pipedrive", "hubspot"), there, strict=True):
            other = {number: fold(each) for number, each in held.items()}
            wrong = [
                (number, name, value, other[number][name], self.said[number, name])
                for number, each in told.items()
                for name, value in each.items()
                if not is_same(value, other[number][name], ROOM.get(name) if side == "hubspot" else None)
            ]
            assert wrong == [], f"here, and in {side}: {wrong}"
        for number, each in told.items():
            mine, theirs = ({one.lower() for one in held[number]["emails"]} for held in (here, there[0]))
            assert mine == theirs
            for name, value in each.items():
                said = self.said[number, name]
                is_known = is_said(name, value, list(said.values()))
                assert is_known, f"nobody has said it last: {number}, {name}, {value}, {said}"


def is_said(name: str, value: Any, said: Sequence[Any]) -> bool:
    """Whether somebody has said it last: of a list each of its entries, of a name its first and its last one, which are two
    fields."""
    if name in ROOM:
        return bool(value <= frozenset().union(*said))
    if name == "name" and value:
        return set(value.split()) <= {word for one in said if one for word in one.split()}
    return value in said


def is_same(here: Any, there: Any, room: int | None) -> bool:
    """Whether two sides say the same, of which one has room for so many alone."""
    return bool(here == there if room is None else there <= here and len(there) == min(room, len(here)))


def persist(act: Callable[[], None]) -> None:
    """Does what can be done twice until it has succeeded: people try again too."""

    def is_done() -> bool:
        try:
            act()
        except (RuntimeError, httpx.TransportError):
            return False
        return True

    wait_until(is_done)


def run(
    stage: Stage,
    *,
    people: int,
    seed: int,
    rounds: int,
    edits: int,
    policy: str = "NEWEST_WINS",
    faults: Sequence[Mapping[str, Any]] = FAULTS,
) -> None:
    """Rounds of edits under changing faults, with syncs between them; then quiet, and all has to be the same."""
    trial = Trial(stage, people, seed, policy, faults)
    try:
        for _ in range(rounds):
            trial.disturb()
            trial.edit(edits // 2)
            runs = [trial.gateway.start(integration, kind="DELTA") for integration in trial.integrations]
            trial.edit(edits - edits // 2)
            for one in runs:
                trial.gateway.wait(one, seconds=300)
        trial.settle()
        trial.check()
    except (AssertionError, TimeoutError, RuntimeError) as error:
        error.add_note(f"seed {seed}, {policy}")
        raise
