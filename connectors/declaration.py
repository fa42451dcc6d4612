"""What a connector says of its CRM: frozen values, which the shared client and the sync execute."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from connectors.errors import CrmError
from storage.shapes import BudgetWindow, CredentialKind, RecordType

T = TypeVar("T")

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


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a pipeline."""

    external_id: str
    name: str
    position: int
    probability: int | None = None
    """Per cent."""


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
    user: User
    scopes: tuple[str, ...] = ()


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


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a listing, and where the next begins; None after the last."""

    records: Sequence[Payload]
    next: Any | None
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class Paging:
    """How a list goes on: all paths are into the answer."""

    items: str
    """Where the rows are; a single record counts as one row."""
    next: tuple[str, ...] = ()
    """Where the next page's cursor is, in one of these places; none: there is one page only."""
    more: tuple[str, ...] = ()
    """Where it is said whether there are more pages, if the cursor alone does not say it."""
    param: str = "cursor"
    """The query parameter that takes the cursor."""
    size: Mapping[str, str] = field(default_factory=dict)
    """The query parameters of the largest page."""
    counted: bool = False
    """The cursor is the number of rows before the page: where an answer has none, it is counted."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One way to list records of a type: a type can have several (live ones, archived ones)."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    paging: str
    """Which of the connector's paging styles."""
    cost: int
    """Of the daily budget, for each page."""
    since: str | None = None
    """The query parameter that takes a time: what has changed since, that second included."""
    clock: str = "%Y-%m-%dT%H:%M:%SZ"
    """How the time is written there."""
    optional: bool = False
    """An account without it is served without it."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One way to read records by their ids."""

    path: str
    """With `{id}`, one record is asked for at a time; without, up to `most` by the query parameter `param`."""
    params: Mapping[str, str] = field(default_factory=dict)
    param: str = "ids"
    most: int = 1
    paging: str
    cost: int


@dataclass(frozen=True, kw_only=True)
class Search:
    """How records are found by words, the best first: each row of the paging style has one, or a part of it, in `item`."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    param: str = "term"
    """The query parameter that takes the words."""
    shortest: int = 1
    """How many characters they have at least."""
    paging: str
    item: str = "item"
    cost: int


@dataclass(frozen=True, kw_only=True)
class Source(Generic[T]):
    """What the CRM knows beside records: the lists it is read from, and how their rows become it."""

    listings: tuple[Listing, ...]
    read: Callable[..., T]
    """Takes the rows of each listing, in the listings' order."""


Convert: TypeAlias = Callable[[Payload, Catalog], Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalType:
    """A kind of record in the CRM, and the unified type that it becomes."""

    name: str
    """The CRM's own word: Person, contacts, Opportunity."""
    record_type: RecordType
    label: str
    is_writable: bool
    listings: tuple[Listing, ...]
    identifier: str = "id"
    """The path of the id in a payload."""
    mapping: Mapping[str, str | Convert]
    """column of the unified record -> a path into the payload, or a small named function."""
    references: Mapping[str, Convert]
    """relation -> a function that names the CRM's records it points at, as References."""
    created: str | None = None
    updated: str | None = None
    """The paths of the CRM's times."""
    deleted: str | Convert | None = None
    """The path of the mark that a record is deleted, or a function that tells."""
    lookups: tuple[Lookup, ...] = ()
    """How to read records by id, in the order they are tried: the next for those that the one before did not show."""
    search: Search | None = None
    """How it is found by words; None where the CRM finds none of it."""
    page: str | None = None
    """Its page in the CRM, as a format of {account} and {id}."""
    changes: tuple[Listing, ...] = ()
    """How those are listed that changed since a time, deleted ones too where a list has them; none: a DELTA reads all."""
    proof: Lookup | None = None
    """How one record is asked for that nothing else shows: a deleted one says so, one that is gone is missing."""
    needs: tuple[str, ...] = ()
    """What its mapping looks up beside the fields of its type: `pipelines`, or one of the connector's words."""
    promotes: bool = False
    """A deal of this type makes a CONTACT of the people who take part, where a person alone is a LEAD."""

    @property
    def reads_many(self) -> bool:
        """Whether one call can read several records by their ids."""
        return any(lookup.most > 1 for lookup in self.lookups)


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A record that the CRM names as deleted."""

    external_type: str
    external_id: str


@dataclass(frozen=True, kw_only=True)
class Removals:
    """A list that names what was deleted since a time, of several types."""

    listing: Listing
    read: Callable[[Sequence[Payload]], Sequence[Removed]]
    """Takes the rows of a page; those that are not deleted are left out."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit of the vendor's API, as its lowest plan has it; headers correct it."""

    window: BudgetWindow
    seconds: int | None
    limit: int | None
    rolling: bool
    firm: bool = True
    """False: other plans have more, so the figure holds nobody back until the CRM itself has told the account's own."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The headers in which answers tell how an account's limit stands."""

    window: BudgetWindow
    limit: str
    remaining: str
    reset: str | None = None
    """Seconds until there is room again."""


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A line of the error table: answers like this are that error. The first that fits counts."""

    error: type[CrmError]
    message: str
    """A sentence; `{crm}` is the CRM's name as people write it."""
    status: tuple[int, int]
    """From, to: both included."""
    json: bool | None = None
    """Only where the body is, or is not, JSON."""
    after: float | None = None
    """Seconds for which nobody should call, where a Retryable asks for that."""


@dataclass(frozen=True, kw_only=True)
class OAuth:
    """How a user consents, and how tokens come of it: RFC 6749, the authorization code grant, as a confidential client."""

    default_url: str
    """The vendor's host; the paths below it stay where a setting names another host."""
    authorize: str
    token: str
    revoke: str | None = None
    sends_scopes: bool = True
    """False: the vendor's console fixes them, and the address to consent at names none."""
    refusals: tuple[str, ...] = ("access_denied",)
    """What the callback's `error` says where the user has refused; anything else is a failure."""
    host: str | None = None
    """The path in a token answer of the address at which the account has its own API."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Connector:
    """All that is known of one CRM."""

    name: str
    """As the enum Crm and every table has it: PIPEDRIVE."""
    label: str
    """As people write it."""
    credential_kinds: tuple[CredentialKind, ...]
    auth: Mapping[CredentialKind, tuple[str, str]]
    """The header that carries the credential, and its value as a format of {token}."""
    scopes: tuple[str, ...]
    """What an OAuth client of ours asks for."""
    wider: Callable[[str], tuple[str, ...]] = lambda _: ()
    """The scopes of which any one has a scope in it."""
    oauth: OAuth | None = None
    """How it is connected by consent; None where only tokens are taken."""
    settings: tuple[str, ...]
    """The environment variables of the OAuth client."""
    setup_url: str
    """The vendor's developer console."""
    docs: str
    default_api_url: str
    account_host: str
    """A pattern of the addresses at which an account has its own API; calls go there once it is known."""
    request_id: str
    """The header by which the vendor's support finds a call."""
    refusals: Callable[[Any], int | None]
    """The HTTP status that a body of a 200 stands for, where the body says that the call failed."""
    codes: tuple[str, ...] = ()
    """Paths into an error's body of words that may be shown: short codes, never texts."""

    paging: Mapping[str, Paging]
    limits: tuple[Limit, ...]
    rates: tuple[Rate, ...]
    errors: tuple[Remedy, ...]

    identity: Source[Identity]
    users: Source[tuple[User, ...]]
    pipelines: Source[tuple[Pipeline, ...]]
    fields: Mapping[str, Source[tuple[Field, ...]]]
    """By external type."""
    words: Mapping[str, Source[Mapping[str, str]]]
    types: tuple[ExternalType, ...]
    """In the order in which a FULL reads them: a relation's target comes first."""
    removals: Removals | None = None
    """Where deletions are named that the types' own lists of changes do not show."""
    overlap: int = 600
    """Seconds that a DELTA looks back behind the newest change it has seen: a change can be shown later than it is dated."""

    @cached_property
    def by_name(self) -> Mapping[str, ExternalType]:
        """The types by the CRM's own word."""
        return {external.name: external for external in self.types}

    def type(self, name: str) -> ExternalType:
        """A type by the CRM's own word; KeyError if there is none."""
        return self.by_name[name]

    @property
    def batch_size(self) -> int:
        """How many records one call can read by id."""
        return max((lookup.most for external in self.types for lookup in external.lookups), default=1)
