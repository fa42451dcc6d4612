"""The log of calls to one account: what was called, how often, with which status."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

RECENT = 500


@dataclass
class Calls:
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def note(self, method: str, template: str, path: str, query: str, status: int) -> None:
        """`template` is the path with its ids left out (`/api/v2/persons/{id}`), under which the call is counted."""
        self.counts[method, template, status] += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.recent.append({"at": at, "method": method, "path": path, "query": query, "status": status})

    def clear(self) -> None:
        self.counts.clear()
        self.recent.clear()

    def report(self) -> dict[str, Any]:
        statuses: Counter[str] = Counter()
        for (_, _, status), count in self.counts.items():
            statuses[str(status)] += count
        return {
            "total": self.counts.total(),
            "byStatus": dict(sorted(statuses.items())),
            "calls": [
                {"method": method, "path": path, "status": status, "count": count}
                for (method, path, status), count in sorted(self.counts.items())
            ],
            "recent": list(self.recent),
        }
