"""The enums that rows and connectors share with clients, and what their values mean."""

from enum import Enum

from connectors.registry import CONNECTORS, Crm
from resolvers.sources import ServedFrom
from schema.field import words
from storage.records import ActivityKind, ContactKind, DealStatus
from storage.shapes import (
    BudgetWindow,
    ChangeCause,
    ChangeKind,
    ConflictPolicy,
    ConflictResolution,
    ConflictStatus,
    CredentialKind,
    Direction,
    Evidence,
    IntegrationStatus,
    NotificationLevel,
    Plan,
    PlannedAction,
    PushStatus,
    RecordType,
    ReplicationStatus,
    Role,
    SyncKind,
    SyncStatus,
    SyncTrigger,
    Verdict,
)


class SyncRequestKind(Enum):
    """What a run can be asked to read."""

    FULL = "FULL"
    DELTA = "DELTA"
    SELECTIVE = "SELECTIVE"


KINDS = {
    "FULL": "Everything, from the beginning to the end; what the CRM has no more is archived.",
    "DELTA": "What has changed in the CRM, or was deleted there, since the last run.",
    "SELECTIVE": "Named records, or what a filter lets in; other records stay as they are.",
    "REMAP": "The stored payloads anew, with the mappings as they are now: no call to the CRM.",
}

words(
    Crm,
    "Crm",
    "The CRMs that there is a connector for.",
    {name: connector.label for name, connector in CONNECTORS.items()},
)
words(
    RecordType,
    "RecordType",
    "The unified types that records of CRMs become.",
    {
        "CONTACT": "A person.",
        "ORGANIZATION": "A company.",
        "DEAL": "A sale: hoped for, under way, won or lost.",
        "ACTIVITY": "A call, a meeting, a task, a note.",
    },
)
words(
    ContactKind,
    "ContactKind",
    str(ContactKind.__doc__),
    {"LEAD": "There is no business yet.", "CONTACT": "There is, or was, business."},
)
words(
    DealStatus,
    "DealStatus",
    str(DealStatus.__doc__),
    {"OPEN": "Not decided yet.", "WON": "The customer has bought.", "LOST": "The customer has not bought."},
)
words(
    ActivityKind,
    "ActivityKind",
    str(ActivityKind.__doc__),
    {
        "CALL": "A telephone call.",
        "EMAIL": "An e-mail.",
        "MEETING": "A meeting, in person or not.",
        "TASK": "Something to be done.",
        "NOTE": "A note.",
        "LINKEDIN": "A message or a contact on LinkedIn.",
        "REFERRAL": "A recommendation by somebody.",
        "CONFERENCE": "A conference or a fair.",
        "OTHER": "Anything else; `kindLabel` says what.",
    },
)
words(
    ServedFrom,
    "ServedFrom",
    str(ServedFrom.__doc__),
    {
        "STORE": "The gateway's own database, as of the last sync.",
        "CACHE": "What was read from the CRM a short time ago.",
        "CRM": "The CRM, just now.",
        "STALE": "An older copy: the CRM did not answer.",
    },
)
words(
    IntegrationStatus,
    "IntegrationStatus",
    str(IntegrationStatus.__doc__),
    {
        "PENDING": "The user has yet to consent in the CRM.",
        "ACTIVE": "It can be used.",
        "PAUSED": "A person has paused it.",
        "ERROR": "The CRM refuses it: it has to be connected anew.",
        "DISCONNECTED": "Its credentials are forgotten; its records are kept.",
    },
)
words(
    CredentialKind,
    "CredentialKind",
    str(CredentialKind.__doc__),
    {"OAUTH2": "A user consents in the CRM.", "API_TOKEN": "A user copies a token from the CRM."},
)
words(
    BudgetWindow,
    "BudgetWindow",
    str(BudgetWindow.__doc__),
    {
        "BURST": "Calls in a few seconds.",
        "DAY": "Calls, or what they cost, in a day.",
        "SEARCH": "Searches in a few seconds.",
        "CONCURRENCY": "Calls at the same time.",
    },
)
words(SyncKind, "SyncKind", str(SyncKind.__doc__), KINDS)
words(SyncRequestKind, "SyncRequestKind", str(SyncRequestKind.__doc__), KINDS)
words(
    SyncStatus,
    "SyncStatus",
    "WAITING: for a quota, until resumesAt. HELD: for a person, with its plan."
    " PARTIAL: ended, and something is missing or failed.",
    {
        "QUEUED": "It has not begun yet.",
        "RUNNING": "A worker is at it.",
        "WAITING": "For a quota until `resumesAt`, or for the integration to be resumed.",
        "HELD": "For a person, with its plan.",
        "SUCCEEDED": "Ended, and nothing is missing.",
        "PARTIAL": "Ended, and something is missing or failed: see `errors`.",
        "FAILED": "Ended before its end: see `message`.",
        "CANCELLED": "Ended by a person, or with its integration.",
    },
)
words(
    SyncTrigger,
    "SyncTrigger",
    str(SyncTrigger.__doc__),
    {
        "MEMBER": "A member.",
        "API_KEY": "A program with an API key.",
        "COMMAND": "Somebody at the command line.",
        "SCHEDULE": "The integration's schedule.",
        "WEBHOOK": "The CRM, by a webhook.",
        "SYSTEM": "The gateway itself.",
    },
)

words(
    Role,
    "Role",
    str(Role.__doc__),
    {"VIEWER": "Reads.", "OPERATOR": "Reads and syncs.", "ADMIN": "Does everything."},
)
words(
    Plan,
    "Plan",
    str(Plan.__doc__),
    {
        "FREE": "To look at it.",
        "STARTER": "For one person.",
        "BUSINESS": "For a small company.",
        "TEAMS": "For several teams.",
        "ENTERPRISE": "For a large company.",
    },
)
words(
    ChangeKind,
    "ChangeKind",
    str(ChangeKind.__doc__),
    {
        "CREATED": "It is new here.",
        "UPDATED": "Some of its fields have other values.",
        "ARCHIVED": "Its last source was deleted, or it was archived here.",
        "RESTORED": "It is live again.",
        "MERGED": "It has become part of another one: its id leads there.",
    },
)
words(
    ChangeCause,
    "ChangeCause",
    str(ChangeCause.__doc__),
    {
        "SYNC": "A run that a person, a program or a schedule has asked for.",
        "WEBHOOK": "A run that the CRM has asked for.",
        "MEMBER": "A person, or a program with an API key.",
        "MAPPING": "Another mapping of the CRM's fields.",
    },
)
words(
    PlannedAction,
    "PlannedAction",
    str(PlannedAction.__doc__),
    {
        "CREATE": "A record that is new here.",
        "UPDATE": "Other values.",
        "ARCHIVE": "`archivedAt` is set; the values stay.",
    },
)
words(
    Evidence,
    "AttestationEvidence",
    "COUNT: the CRM counts. ID_LIST: its ids, listed apart. SECOND_PASS: another listing in another order. The run's own"
    " listing is no evidence.",
    {
        "COUNT": "The CRM counts its records apart from its lists.",
        "ID_LIST": "The CRM lists the ids apart from the records.",
        "SECOND_PASS": "The lists, read once more in another order.",
        "NONE": "There is nothing to hold it against.",
    },
)
words(
    Verdict,
    "AttestationVerdict",
    str(Verdict.__doc__),
    {
        "COMPLETE": "Everything is here.",
        "INCOMPLETE": "The lists have left something out.",
        "UNKNOWN": "That cannot be told.",
    },
)
words(
    Direction,
    "Direction",
    "Which way the values of a mapping go.",
    {
        "INBOUND": "From the CRM to here.",
        "OUTBOUND": "From here to the CRM.",
        "BIDIRECTIONAL": "Both ways.",
    },
)
words(
    ConflictStatus,
    "ConflictStatus",
    "Whether a conflict is decided.",
    {"OPEN": "A person has yet to decide.", "RESOLVED": "It is decided, or both sides agree again."},
)
words(
    ConflictResolution,
    "ConflictResolution",
    "What counts where a field has changed on both sides.",
    {"LOCAL": "What is here.", "CRM": "What the CRM has.", "VALUE": "Another value."},
)
words(
    ConflictPolicy,
    "ConflictPolicy",
    str(ConflictPolicy.__doc__),
    {
        "NEWEST_WINS": "The one that was written last.",
        "CRM_WINS": "The CRM's.",
        "LOCAL_WINS": "The one that was written here.",
        "MANUAL": "A person decides: it becomes a Conflict.",
    },
)
words(
    PushStatus,
    "PushStatus",
    "How a push stands.",
    {
        "PENDING": "It waits for its turn, or for its next try.",
        "SENDING": "A worker is at it.",
        "COMMITTED": "It is in the CRM.",
        "SKIPPED": "There was nothing to be written: see `lastError`.",
        "UNKNOWN": "It may have arrived, and is not written again before that is known.",
        "FAILED": "Three tries have failed, and it is tried again every hour for three days; or the CRM has refused it.",
    },
)
words(
    ReplicationStatus,
    "ReplicationStatus",
    "Whether, and how far, an activity that was logged here has reached a CRM.",
    {
        "NOT_APPLICABLE": "It is not to be there: it came from a CRM, or nobody who takes part is there.",
        "PENDING": "It is on its way.",
        "REPLICATED": "It is in the CRM.",
        "FAILED": "It could not be written: see `lastError`.",
    },
)
words(
    NotificationLevel,
    "NotificationLevel",
    str(NotificationLevel.__doc__),
    {
        "INFO": "Good to know.",
        "WARNING": "Something waits, or is tried again.",
        "ERROR": "Something does not go on before a person has acted.",
    },
)
