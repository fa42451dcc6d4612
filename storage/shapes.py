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
    REMAP = "REMAP"


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


class Direction(Enum):
    """Which way the values of a mapping go: from the CRM to here, from here to the CRM, or both."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"
    BIDIRECTIONAL = "BIDIRECTIONAL"


class ChangeKind(Enum):
    """What has become of a record."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    ARCHIVED = "ARCHIVED"
    RESTORED = "RESTORED"
    MERGED = "MERGED"


class ChangeCause(Enum):
    """What has changed a record."""

    SYNC = "SYNC"
    WEBHOOK = "WEBHOOK"
    MEMBER = "MEMBER"
    MAPPING = "MAPPING"


class PlannedAction(Enum):
    """What a run would do with a record."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    ARCHIVE = "ARCHIVE"


class Evidence(Enum):
    """COUNT: the CRM counts. ID_LIST: its ids, listed apart. SECOND_PASS: another listing in another order. The run's own
    listing is no evidence."""

    COUNT = "COUNT"
    ID_LIST = "ID_LIST"
    SECOND_PASS = "SECOND_PASS"  # noqa: S105 # the name of a kind, not a secret
    NONE = "NONE"


class Verdict(Enum):
    """Whether everything is here."""

    COMPLETE = "COMPLETE"
    INCOMPLETE = "INCOMPLETE"
    UNKNOWN = "UNKNOWN"


class ConflictPolicy(Enum):
    """Whose value counts where a field has changed both here and in the CRM."""

    NEWEST_WINS = "NEWEST_WINS"
    CRM_WINS = "CRM_WINS"
    LOCAL_WINS = "LOCAL_WINS"
    MANUAL = "MANUAL"


class ConflictStatus(Enum):
    """Whether somebody has decided."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class ConflictResolution(Enum):
    """What was decided: the value from here, the CRM's, or another one."""

    LOCAL = "LOCAL"
    CRM = "CRM"
    VALUE = "VALUE"


class PushKind(Enum):
    """What goes to a CRM: a contact that is warm, an activity, changed fields."""

    WARM_LEAD = "WARM_LEAD"
    ACTIVITY = "ACTIVITY"
    EDIT = "EDIT"


class PushStatus(Enum):
    """UNKNOWN: it may have arrived, and is not tried again before that is known."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    COMMITTED = "COMMITTED"
    SKIPPED = "SKIPPED"
    UNKNOWN = "UNKNOWN"
    FAILED = "FAILED"


class ReplicationStatus(Enum):
    """How far an activity that was logged here has come."""

    NOT_APPLICABLE = "NOT_APPLICABLE"
    PENDING = "PENDING"
    REPLICATED = "REPLICATED"
    FAILED = "FAILED"


class NotificationLevel(Enum):
    """How urgent it is."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
