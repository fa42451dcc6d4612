"""Archives that wait for the end of their run: how much they are, when a person has to look, and the plan of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.records import now
from storage.shapes import ChangeKind, PlannedAction
from storage.tables import SyncRun
from sync.journal import Difference

Row = Mapping[str, Any]

FEW = 10
"""Records of a type that a run may archive whatever part of it they are."""
MOST_SAMPLES = 100


@dataclass(frozen=True)
class Pile:
    """What waits to be archived."""

    rows: Mapping[str, Sequence[Row]]
    """By external type: as `storage.staging.list_staged` has it, without what was seen since."""
    before: Mapping[str, int]
    """external type -> its live sources before the run."""

    @classmethod
    def of(cls, staged: Sequence[Row], here: Mapping[str, int], run: SyncRun) -> "Pile":
        """`here` has the live sources of each type now, without those that wait."""
        rows: dict[str, list[Row]] = {}
        for row in staged:
            if row["unseen"]:
                rows.setdefault(row["external_type"], []).append(row)
        before = {name: here.get(name, 0) + len(each) for name, each in rows.items()}
        if not run.is_dry_run:
            for name in before:
                counts = run.counts.get(name, {})
                before[name] += counts.get("archived", 0) - counts.get("created", 0)
        return cls(rows, before)

    def weigh(self, name: str) -> float:
        """How many per cent of a type's live sources wait."""
        waiting = len(self.rows[name])
        return round(100 * waiting / max(self.before[name], waiting), 2)

    @property
    def percent(self) -> float:
        """Of the type of which it is most."""
        return max(map(self.weigh, self.rows), default=0.0)

    def find_heavy(self, percent: int) -> list[str]:
        """The types of which a run may not archive so many without a word."""
        return [name for name, rows in self.rows.items() if len(rows) > FEW and self.weigh(name) > percent]

    def ask(self, label: str, percent: int) -> str:
        """Why the run is held, and what a person can do; `label` is the CRM's name."""
        parts = [f"{len(self.rows[name]):,} of {self.before[name]:,} {name}" for name in self.find_heavy(percent)]
        return (
            f"{label} knows {', '.join(parts)} no more; more than {percent} % of a type are not archived without a word."
            " Look at the plan: approveSync archives them, cancelSync keeps them as they are."
        )

    def plan(self, run: SyncRun, more: int = 0, sample: Sequence[Row] = ()) -> dict[str, Any]:
        """What the run would do, with what waits archived, in `more` calls than it has made: as the run's row keeps it."""
        counts = {name: dict(each) for name, each in run.counts.items()}
        for name, rows in self.rows.items():
            kept = counts.setdefault(name, {})
            kept["archived"] = kept.get("archived", 0) + len(rows)
        at = now().isoformat()
        archived = [describe(row, at) for rows in self.rows.values() for row in rows[:MOST_SAMPLES]]
        return {
            "counts": counts,
            "moreCalls": more,
            "archivePercent": self.percent,
            "sample": [*sample, *archived][:MOST_SAMPLES],
        }


ACTIONS: Mapping[str, PlannedAction] = {
    ChangeKind.CREATED.value: PlannedAction.CREATE,
    ChangeKind.ARCHIVED.value: PlannedAction.ARCHIVE,
}
"""What became of a record -> what is told of it; anything else is an UPDATE."""


def sketch(differences: Iterable[Difference]) -> Iterator[dict[str, Any]]:
    """What was changed for a trial, as a plan has it; a record that would be new has no id yet."""
    for one in differences:
        action = ACTIONS.get(one.kind, PlannedAction.UPDATE)
        if one.external_type is not None:
            yield {
                "externalType": one.external_type,
                "externalId": one.external_id,
                "action": action.value,
                "recordType": one.record_type.value,
                "recordId": None if action is PlannedAction.CREATE else str(one.record_id),
                "changes": one.changes,
            }


def describe(row: Row, at: str) -> dict[str, Any]:
    """A source that would be archived: its record too, unless another source of it is alive."""
    return {
        "externalType": row["external_type"],
        "externalId": row["external_id"],
        "action": PlannedAction.ARCHIVE.value,
        "recordType": row["record_type"],
        "recordId": str(row["record_id"]),
        "changes": {"archivedAt": [None, at]} if row["alone"] else {},
    }
