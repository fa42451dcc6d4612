"""How far a run has come: its cursor and its counts, as they are committed with each page."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.declaration import ExternalType
from connectors.facts import Mapped
from storage.tables import SyncRun
from sync.steps import Cursor, Proof

MOST_NAMED = 100
"""Ids of one type that are kept to be named."""


class Progress:
    """Of one run. What it has to survive is in the run's cursor.

    The cursor: {"listing": number of the step, "page": its own cursor, "started": the CRM's time, "newest": {type: time},
    "taken": {type: records}, "unlisted": {type: {"count", "ids"}}, "failed": [types], "rounds": {name: where the next run
    goes on}, "proofs": {type: Proof}, "sample": what a dry run would change, "spared": calls}.
    """

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.cursor: dict[str, Any] = {"listing": 0, "page": None, **(run.cursor or {})}

    def save(self) -> None:
        """The run's row has it from the next commit on."""
        self.cursor.pop("waits", None)
        self.run.cursor = self.cursor

    # ------------------------------------------------------------ where it stands

    @property
    def place(self) -> tuple[int, Cursor | None]:
        """The number of the step, and where that goes on."""
        return self.cursor["listing"], self.cursor["page"]

    def move(self, step: int, cursor: Cursor | None) -> None:
        """Goes on there."""
        self.cursor |= {"listing": step, "page": cursor}

    def go_round(self, name: str, place: Cursor | None) -> None:
        """How far a round has come."""
        self.cursor["rounds"] = {**self.rounds, name: place}

    @property
    def rounds(self) -> Mapping[str, Any]:
        """How far rounds have come, by name."""
        found: Mapping[str, Any] = self.cursor.get("rounds", {})
        return found

    # ------------------------------------------------------------ what it has met

    def count(self, name: str, made: Mapping[str, int]) -> None:
        """So many more of a type."""
        counts = self.run.counts.setdefault(name, {})
        for each, number in made.items():
            counts[each] = counts.get(each, 0) + number

    def count_taken(self, name: str, more: int = 0) -> int:
        """How many records of a type were taken, with these."""
        taken = self.cursor.setdefault("taken", {})
        taken[name] = taken.get(name, 0) + more
        return int(taken[name])

    def note_times(self, external: ExternalType | None, mapped: Iterable[Mapped], started: datetime) -> None:
        """How far the changes of a type are seen by now."""
        self.cursor.setdefault("started", started.isoformat())
        times = [one.remote_updated_at for one in mapped if one.remote_updated_at]
        if external and times:
            newest = self.cursor.setdefault("newest", {})
            newest[external.name] = max(newest.get(external.name, ""), max(times).astimezone(UTC).isoformat())

    def mark(self, types: Iterable[ExternalType], begun: datetime, before: Mapping[str, str]) -> dict[str, str]:
        """The newest change seen of each type, and never later than the beginning: what changed after it may be unseen.

        `before` has the marks of runs before this one: it has not looked behind them.
        """
        started, newest = self.cursor.get("started", begun.isoformat()), self.cursor.get("newest", {})
        return {
            name: max(before.get(name, ""), min(newest.get(name) or before.get(name) or started, started))
            for name in (external.name for external in types)
            if name not in self.failed
        }

    @property
    def spared(self) -> int:
        """Calls that a dry run has not made: those by which a run is held against the CRM."""
        return int(self.cursor.get("spared", 0))

    def spare(self, calls: int) -> None:
        """So many more."""
        self.cursor["spared"] = self.spared + calls

    @property
    def sample(self) -> list[dict[str, Any]]:
        """Some of what a dry run would change, each as a plan has it."""
        found: list[dict[str, Any]] = self.cursor.setdefault("sample", [])
        return found

    # ------------------------------------------------------------ what it could not, and what is missing

    @property
    def failed(self) -> Sequence[str]:
        """The types that the account does not allow to read, or whose lists cannot be read."""
        found: Sequence[str] = self.cursor.get("failed", ())
        return found

    def fail(self, name: str) -> None:
        """Nothing more is read of a type."""
        self.cursor["failed"] = [*self.failed, name]

    @property
    def unlisted(self) -> Mapping[str, Mapping[str, Any]]:
        """type -> {"count", "ids"} of records that are there, and that its lists have not shown."""
        found: Mapping[str, Mapping[str, Any]] = self.cursor.get("unlisted", {})
        return found

    def note_unlisted(self, name: str, ids: Collection[str]) -> None:
        """The lists have not shown these."""
        if ids:
            old = self.unlisted.get(name, {"count": 0, "ids": []})
            new = {"count": old["count"] + len(ids), "ids": [*old["ids"], *ids][:MOST_NAMED]}
            self.cursor["unlisted"] = {**self.unlisted, name: new}

    def find_proof(self, name: str) -> Proof | None:
        """What the CRM has told of a type apart from its lists."""
        found: Proof | None = self.cursor.get("proofs", {}).get(name)
        return found

    def add_proof(self, name: str, more: Proof) -> None:
        """The CRM has told more."""
        old: Proof = self.find_proof(name) or {}
        added: Proof = {
            "remote": old.get("remote", 0) + more.get("remote", 0),
            "shown": old.get("shown", 0) + more.get("shown", 0),
            "missing": old.get("missing", 0) + more.get("missing", 0),
            "ids": [*old.get("ids", ()), *more.get("ids", ())][:MOST_NAMED],
            "broken": old.get("broken", False) or more.get("broken", False),
        }
        self.cursor.setdefault("proofs", {})[name] = added
