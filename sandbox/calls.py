"""The log of calls to one account: what was called, how often, with which status."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

RECENT = 500
OPERATIONS = ("exchanges", "refreshes", "revocations")


@dataclass
class Calls:
    """Calls of OAuth are listed beside those of the API, and are not in the totals."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    oauth_counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    tokens: int = 0  # what the calls cost of the daily budget
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def note(self, method: str, template: str, path: str, query: str, status: int) -> None:
        """`template` is the path with its ids left out (`/api/v2/persons/{id}`), under which the call is counted."""
        self.counts[method, template, status] += 1
        self.remember(method, path, query, status)

    def note_oauth(self, operation: str, method: str, path: str, query: str, status: int) -> None:
        """An operation that was answered with an error counts as refused; `path` has no token in it."""
        self.oauth_counts[method, path.rstrip("/"), status] += 1
        self.operations[operation if status < 400 else "refused"] += 1
        self.remember(method, path, query, status)

    def remember(self, method: str, path: str, query: str, status: int) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.recent.append({"at": at, "method": method, "path": path, "query": query, "status": status})

    def report(self) -> dict[str, Any]:
        statuses: Counter[str] = Counter()
        for (_, _, status), count in self.counts.items():
            statuses[str(status)] += count
        return {
            "total": self.counts.total(),
            "byStatus": dict(sorted(statuses.items())),
            "tokens": self.tokens,
            "oauth": {name: self.operations[name] for name in (*OPERATIONS, "refused")},
            "calls": [
                {"method": method, "path": path, "status": status, "count": count}
                for (method, path, status), count in sorted((self.counts + self.oauth_counts).items())
            ],
            "recent": list(self.recent),
        }
