"""What a connector says of its CRM: frozen values, which the shared client and the sync execute."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from connectors.errors import CrmError
from connectors.facts import Catalog, Field, Identity, Payload, Pipeline, User
from connectors.families import Family
from connectors.reading import Api, Counts, Finds, Listing, Lists, Lookup, Paging, Reads, Source
from connectors.writing import Writes
from storage.records import ActivityKind
from storage.shapes import BudgetWindow, CredentialKind, Evidence, RecordType

Convert: TypeAlias = Callable[[Payload, Catalog], Any]
Complete: TypeAlias = Callable[[Api, Sequence[Payload]], Awaitable[Sequence[Payload]]]
ReadField: TypeAlias = Callable[[Payload, Catalog, str], Any]
Trace: TypeAlias = Callable[[Api, Sequence[str]], Awaitable[Mapping[str, Payload]]]


def read_plainly(payload: Payload, _: Catalog, name: str) -> Any:
    """What a payload has by that name."""
    return payload.get(name)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalType:
    """A kind of record in the CRM, and the unified type that it becomes."""

    name: str
    """The CRM's own word: Person, contacts, Opportunity."""
    record_type: RecordType
    label: str
    is_writable: bool
    listings: tuple[Lists, ...]
    identifier: str = "id"
    """The path of the id in a payload."""
    mapping: Mapping[str, str | Convert]
    """column of the unified record -> a path into the payload, or a small named function."""
    read: ReadField = read_plainly
    """The value of a field by the name that the CRM's list of fields has for it, as its type has it in JSON."""
    places: Callable[[str], Collection[str]] = lambda _: ()
    """The paths at which `read` looks for a field, where they are few; none: it may look at anything."""
    keys: Callable[[str], Collection[str]] = lambda name: (name,)
    """Under which keys payloads have a field, with its parts."""
    holders: tuple[str, ...] = ()
    """Objects in a payload that hold what the mapping looks at."""
    telling: Mapping[str, str] = field(default_factory=dict)
    """column -> the CRM's field that its value is of, where a function looks at another one before."""
    references: Mapping[str, Convert]
    """relation -> a function that names the CRM's records it points at, as References."""
    created: str | None = None
    updated: str | None = None
    """The paths of the CRM's times."""
    deleted: str | Convert | None = None
    """The path of the mark that a record is deleted, or a function that tells."""
    lookups: tuple[Reads, ...] = ()
    """How to read records by id, in the order they are tried: the next for those that the one before did not show."""
    search: Finds | None = None
    """How it is found by words; None where the CRM finds none of it."""
    page: str | None = None
    """Its page in the CRM, as a format of {account} and {id}."""
    changes: tuple[Lists, ...] = ()
    """How those are listed that changed since a time, deleted ones too where a list has them; none: a DELTA reads all."""
    proof: Lookup | None = None
    """How one record is asked for that nothing else shows: a deleted one says so, one that is gone is missing, and for one
    that was merged the survivor is shown."""
    complete: Complete | None = None
    """Reads what the rows of lists, searches and look-ups lack, for many of them in a call."""
    trace: Trace | None = None
    """Reads of these ids the parts that can change without a new time: payloads with what `references` look at, and no
    more. From DELTA to DELTA all records are gone through."""
    bin: Listing | None = None
    """The list of its deleted records, where that knows no time: gone through as well."""
    counts: Counts | None = None
    """How the CRM counts its records apart from the lists: what proves that the lists have shown all."""
    second: tuple[Lists, ...] = ()
    """The listings in another order, for a CRM that does not count: what they have left out shows there."""
    merged: Convert | None = None
    """The ids of the records of its type that have been merged into it."""
    needs: tuple[str, ...] = ()
    """What its mapping looks up beside the fields of its type: `pipelines`, or one of the connector's words."""
    writes: Writes | None = None
    """How it is written; None where nothing of it is."""
    promotes: bool = False
    """A deal of this type makes a CONTACT of the people who take part, where a person alone is a LEAD."""

    @property
    def evidence(self) -> Evidence:
        """By what it is known that nothing is missing."""
        if self.counts:
            return Evidence.COUNT
        return Evidence.SECOND_PASS if self.second else Evidence.NONE

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
    on_api: bool = False
    """The address for tokens is at the API's host."""
    client_auth: str = "client_secret_basic"
    """How the client says who it is: RFC 6749, 2.3.1, in the words of RFC 7591."""
    sends_scopes: bool = True
    """False: the vendor's console fixes them, and the address to consent at names none."""
    scopes: str = "scope"
    """The path in a token answer of what was granted."""
    user: str | None = None
    """The path in a token answer of who has consented, by the `login` of the CRM's users; None where it does not say."""
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
    account_host: str | None = None
    """A pattern of the addresses at which an account has its own API; calls go there once it is known. None: all are at the
    vendor's host."""
    request_id: str
    """The header by which the vendor's support finds a call."""
    refusals: Callable[[Any], int | None] = lambda _: None
    """The HTTP status that a body of a 200 stands for, where the body says that the call failed."""
    exceeded: Callable[[Any], BudgetWindow | None] = lambda _: None
    """Which limit the body of a 429 names."""
    codes: tuple[str, ...] = ()
    """Paths into an error's body of words that may be shown: short codes, never texts."""

    complaints: Callable[[Any], Sequence[tuple[str, str]]] = lambda _: ()
    """(field, or empty, and what is wrong) as the body of an error to a write has it, in the vendor's words."""
    existing: Callable[[Any], str | None] = lambda _: None
    """The id of the record that the body of a 409 names as the one that is there already."""

    paging: Mapping[str, Paging]
    limits: tuple[Limit, ...]
    rates: tuple[Rate, ...]
    errors: tuple[Remedy, ...]

    identity: Source[Identity]
    users: Source[tuple[User, ...]]
    pipelines: Source[tuple[Pipeline, ...]]
    fields: Mapping[str, Source[tuple[Field, ...]]]
    """By external type."""
    families: Mapping[str, Family] = field(default_factory=dict)
    """By the CRM's word for a field's type: what such a field holds."""
    words: Mapping[str, Source[Mapping[str, str]]]
    types: tuple[ExternalType, ...]
    """In the order in which a FULL reads them: a relation's target comes first."""
    activities: Mapping[ActivityKind, tuple[str, str]] = field(default_factory=dict)
    """Our kind of activity -> the type that it becomes, and the CRM's word for it there; kinds left out are not written."""
    removals: Removals | None = None
    """Where deletions are named that the types' own lists of changes do not show."""
    needed: frozenset[str] = frozenset()
    """Fields, beside the paths of ids and times, that nobody can exclude: what a record is, and what became of it."""
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
