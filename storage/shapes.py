"""The words that rows, connectors and GraphQL share: states, kinds, roles."""

from enum import Enum


class RecordType(Enum):
    """The four kinds of unified record."""

    CONTACT = "CONTACT"
    ORGANIZATION = "ORGANIZATION"
    DEAL = "DEAL"
    ACTIVITY = "ACTIVITY"


class Plan(Enum):
    """What a workspace has subscribed to."""

    FREE = "FREE"
    STARTER = "STARTER"
    BUSINESS = "BUSINESS"
    TEAMS = "TEAMS"
    ENTERPRISE = "ENTERPRISE"


class Role(Enum):
    """VIEWER reads; OPERATOR also syncs; ADMIN does everything."""

    VIEWER = "VIEWER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"

    def includes(self, other: "Role") -> bool:
        """Whether it may do what the other one may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class IntegrationStatus(Enum):
    """Whether an integration can be used, and by whom it was stopped."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ERROR = "ERROR"
    DISCONNECTED = "DISCONNECTED"


class CredentialKind(Enum):
    """How an integration proves itself to its CRM."""

    OAUTH2 = "OAUTH2"
    API_TOKEN = "API_TOKEN"  # noqa: S105 # the name of a kind, not a secret


class SyncKind(Enum):
    """What a run reads."""

    FULL = "FULL"
    DELTA = "DELTA"
    SELECTIVE = "SELECTIVE"


class SyncStatus(Enum):
    """WAITING: for a quota, until resumesAt. HELD: for a person, with its plan. PARTIAL: ended, and something is missing or
    failed."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    HELD = "HELD"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


LIVE = (SyncStatus.QUEUED, SyncStatus.RUNNING, SyncStatus.WAITING, SyncStatus.HELD)


class SyncTrigger(Enum):
    """Who or what asked for a run."""

    MEMBER = "MEMBER"
    API_KEY = "API_KEY"
    COMMAND = "COMMAND"
    SCHEDULE = "SCHEDULE"
    WEBHOOK = "WEBHOOK"
    SYSTEM = "SYSTEM"


class BudgetWindow(Enum):
    """Which limit of an account's API a budget is of."""

    BURST = "BURST"
    DAY = "DAY"
    SEARCH = "SEARCH"
    CONCURRENCY = "CONCURRENCY"
