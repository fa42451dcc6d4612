"""The tables, in two groups: those with workspaces' data, and those that hold ids, hashes, counters and times only."""

import inspect
from collections.abc import Mapping
from typing import Final

from sqlmodel import SQLModel

import storage.golden
import storage.outbound
import storage.shared
import storage.tables  # noqa: F401 - fills SQLModel's registry

MODELS: Final[Mapping[str, type[SQLModel]]] = {
    str(mapper.class_.__tablename__): mapper.class_ for mapper in SQLModel._sa_registry.mappers
}
OWNED: Final = {name: model for name, model in MODELS.items() if not hasattr(model, "WITHOUT_WORKSPACE")}
"""The tables with workspaces' data."""

FOREIGN: Final[Mapping[str, str]] = {
    "alembic_version": "How far the tables are: the number of the newest revision.",
    "job_schema": "How far the job engine's tables are: its release.",
    "procrastinate_events": "When a job was put into the queue, begun and ended.",
    "procrastinate_jobs": "What is to be done next: wake-ups that name a workspace and a row in it.",
    "procrastinate_periodic_defers": "When the periodic jobs were last given out.",
    "procrastinate_workers": "Which workers there are, and when their hearts last beat.",
}
"""Tables that others make here, and what they hold."""

OTHERS: Final[Mapping[str, str]] = {
    **FOREIGN,
    **{name: inspect.cleandoc(model.__doc__ or "") for name, model in MODELS.items() if name not in OWNED},
}
"""Tables outside of row-level security, and what they hold."""

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "alembic_version": {"version_num": "a number"},
    "job_schema": {"reached": "a release"},
    "key_digest": {"digest": "SHA-256 of an API key"},
    "oauth_grant": {
        "crm": "the CRM's name",
        "account_id": "the CRM's id of the account",
        "user_id": "the CRM's id of the user",
    },
    "procrastinate_jobs": {
        "args": "ids, and the time of a periodic job",
        "lock": "a name of ours, an id in it",
        "queue_name": "a name of ours",
        "queueing_lock": "a name of ours, an id in it",
        "task_name": "a name of ours",
    },
    "procrastinate_periodic_defers": {
        "periodic_id": "empty",
        "task_name": "a name of ours",
    },
    "rate_window": {
        "crm": "the CRM's name",
        "account": "the CRM's id of the account; before it is known 64 bits of a hash of the credential",
        "window": "which limit, in a word of ours",
    },
    "schedule": {"name": "a word of ours"},
    "workspace_key": {"digest": "SHA-256 of a workspace's handle"},
}
"""What the texts, bytes and JSON in the others are: looked at one by one, for all workspaces' statements can read them."""
