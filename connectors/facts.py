"""What is read of an account: whose it is, its users, fields and pipelines, and its records in our shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from storage.shapes import CredentialKind

Payload: TypeAlias = Mapping[str, Any]
Reference: TypeAlias = tuple[str, str]
"""A record in the CRM: (external type, external id)."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the CRM, custom ones included."""

    external_type: str
    name: str
    """The CRM's own key: what it is called in the API."""
    label: str
    type: str
    is_custom: bool = False
    is_writable: bool = True
    is_required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    """(value, label) of a picklist."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A user of the CRM."""

    external_id: str
    name: str | None
    email: str | None
    is_active: bool = True
    login: str | None = None
    """The id by which a consent names who has given it, where that is another one."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a pipeline."""

    external_id: str
    name: str
    position: int
    probability: int | None = None
    """Per cent."""
    is_closed: bool | None = None
    """A deal in it is over: won at 100 per cent, lost at 0."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline with its stages, in their order."""

    external_id: str
    name: str
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What opens an account. Never shown: its texts are not in its repr."""

    kind: CredentialKind
    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    """What a newer token is got with; None where the token has no end."""
    expires_at: float | None = None
    """When the token ends, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose account a credential opens."""

    account_id: str
    account_name: str | None
    account_url: str | None
    user: User | None = None
    """Who has given the credential; None where the CRM does not say."""
    time_zone: str | None = None
    """By whose midnight the account's days end: Europe/Prague."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalog:
    """What the mapping of a type has to know of the account beside the record: read once in a run.

    Equal to itself only, so that tables made from it can be kept beside it.
    """

    fields: Mapping[str, Sequence[Field]] = field(default_factory=dict)
    """external type -> its fields."""
    pipelines: Sequence[Pipeline] = ()
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Other names by id, by what they are of: {"activityTypes": {"call": "Call"}, "leadLabels": {…}}."""
    region: str | None = None
    """ISO country for phone numbers without one."""
    account_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A record of the CRM in our shape."""

    external_id: str
    values: Mapping[str, Any]
    """By column of the unified record, valid and ready for JSON."""
    refs: Mapping[str, Sequence[Reference]]
    """relation of the unified record (`organization`, `contacts`, `deal`) -> the CRM's records it points at."""
    payload: Payload
    url: str | None = None
    remote_created_at: datetime | None = None
    remote_updated_at: datetime | None = None
    is_deleted: bool = False
    merged: Sequence[str] = ()
    """The ids of records of its type that have become part of it."""
    version: int = 0
    """Of the mappings that it was made by."""
