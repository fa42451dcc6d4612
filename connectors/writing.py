"""How a connector says that records are written: what a draft has, how it is made and changed, and how it is found again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

from connectors.errors import Ambiguous, CrmError, Unwritable
from connectors.facts import Catalog, Field, Payload, Reference
from connectors.paths import follow_path
from connectors.reading import Api, Lists, Reads
from connectors.values import read_id

E = TypeVar("E", bound=CrmError)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A record as it is to be in the CRM, in our words: what is left out stays as it is there."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """column of the unified record -> value, as a source's `mapped` has it; None empties. Custom fields are
    `custom_fields`: {name: value}."""
    refs: Mapping[str, Sequence[Reference]] = field(default_factory=dict)
    """relation -> the CRM's records that it leads to: all of them, none to empty it."""
    owner: str | None = None
    """The external id of a user of the CRM."""
    label: str | None = None
    """The value of an option, as `Client.find_label` gives it: added to the labels that are there, where a record can have
    several."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A draft in the CRM's words."""

    fields: Mapping[str, Any]
    """By the CRM's name, as the API takes it."""
    refs: Mapping[str, Sequence[Reference]] = field(default_factory=dict)
    """Relations that are no fields there."""


@dataclass(frozen=True, kw_only=True)
class Making:
    """What a function knows of the draft that it fills a field of."""

    values: Mapping[str, Any]
    catalog: Catalog
    fields: Mapping[str, Field]
    """The fields of the type by name; none where the account does not tell them."""
    now: datetime
    """By the CRM's clock."""
    left: list[Unwritable] = field(default_factory=list)
    """What of the values has no place there, while the rest of them has."""

    def leave(self, name: str, message: str) -> None:
        """Notes what is left out of a value."""
        self.left.append(Unwritable(name, message))

    def refuse(self, name: str, message: str) -> Unwritable:
        """The error of a value that the CRM has no place for."""
        return Unwritable(name, message)


def find_stage(value: Any, making: Making, field: str) -> tuple[str, str]:
    """(pipeline, stage), by their ids in the CRM, of a stage by its name; several pipelines can have stages of one name.
    Raises Unwritable, for that field."""
    wanted = making.values.get("pipeline")
    found = [
        (pipeline.external_id, stage.external_id)
        for pipeline in making.catalog.pipelines
        for stage in pipeline.stages
        if stage.name == value and wanted in (None, pipeline.name)
    ]
    if len(found) != 1:
        why = "Several pipelines have" if found else "There is no"
        raise making.refuse(field, f"{why} stage {str(value)[:100]}{': name its pipeline too' if found else ''}.")
    return found[0]


Fill: TypeAlias = Callable[[Any, Making], Mapping[str, Any]]
"""What a value of ours makes: field of the CRM -> value as the API takes it. Raises Unwritable."""
Encode: TypeAlias = Callable[[str, Any, Making], Mapping[str, Any]]
"""As Fill, of one field by its type in the CRM."""


class WriteApi(Api, Protocol):
    """The API of one account, which can be written to as well."""

    async def write(self, method: str, path: str, body: Any, cost: int) -> Any:
        """What the CRM answers. Sent once, unless nothing of it can have been done. Raises a CrmError: Ambiguous where
        nobody knows what has been done."""

    def refuse(self, status: int, body: Any) -> CrmError:
        """The error that an answer of that status and body stands for, in the vendor's words."""


class Creates(Protocol):
    """A way to make a record."""

    async def create(self, api: WriteApi, written: Written) -> str:
        """The id of the new record."""


class Changes(Protocol):
    """A way to change records."""

    @property
    def most(self) -> int:
        """How many records a call can change."""

    async def change(self, api: WriteApi, written: Mapping[str, Written]) -> Mapping[str, CrmError | None]:
        """By id: what went wrong with each of up to `most` records."""


Key: TypeAlias = tuple[str, str]
"""(email, phone, domain or name; its value)"""


class Seeks(Protocol):
    """A way to find records by keys."""

    @property
    def lag(self) -> float:
        """Seconds until what was written is found; 0: a read on a unique key, which finds it at once."""

    async def seek(self, api: Api, keys: Sequence[Key], region: str | None) -> Sequence[str]:
        """The ids of records that may have one of them, in as few calls as the CRM allows: the caller reads them, and looks
        for itself which they have."""


class Labels(Protocol):
    """The field whose options label records."""

    @property
    def many(self) -> bool:
        """A record can have several."""

    async def find(self, api: Api, name: str) -> str | None:
        """The value of the option of that name, as it is now; capitals do not count."""

    async def add(self, api: WriteApi, name: str) -> str:
        """Adds an option, keeping all others, and gives its value. Two at the same time can undo each other: the caller
        holds a lock. Raises Unsupported where the account does not let us."""

    def read(self, payload: Payload) -> Sequence[str] | None:
        """The values that a record has; None where the record does not show it."""

    def mark(self, value: str, fields: Mapping[str, Any], current: Payload | None) -> Mapping[str, Any]:
        """The fields that give a record the label, beside what else is written and what the record has."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """Where it shows what was made of late: evidence after a create that was not answered."""

    listing: Lists
    """The newest first; it may take the time since when."""
    lag: float = 0.0
    """Seconds until a new record shows there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Writes:
    """How records of a type are written."""

    fills: Mapping[str, str | Fill]
    """column of the unified record -> the CRM's field, which is written by its type, or a function that fills it. What is
    not there cannot be written."""
    encode: Encode
    """A value as JSON has it becomes what the API takes, by the field's type: the reverse of the type's `read`."""
    starts: Callable[[Making], Mapping[str, Any]] = lambda _: {}
    """What a new record has where the draft does not say it."""
    at_first: frozenset[str] = frozenset()
    """Columns of which only `starts` makes something."""
    relations: Mapping[str, Callable[[Sequence[Reference]], Mapping[str, Any]] | None]
    """relation -> the fields that it is in the CRM; None where the CRM has relations apart from its fields."""
    owner: str
    """The field of the owner."""
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """field as it is written -> what the CRM's list of fields calls it, where that differs."""
    together: tuple[frozenset[str], ...] = ()
    """Columns that make one field: a draft that has one of them has all."""
    spare: frozenset[str] = frozenset()
    """Fields that some accounts list and do not take: a new record can be made without one that is refused."""
    required: frozenset[str] = frozenset()
    """Fields of which a new record has at least one."""
    creates: Creates | None = None
    changes: Changes
    finds: Mapping[str, Seeks] = field(default_factory=dict)
    """By key: email, phone, domain, name. Keys with the same way are asked for together."""
    made: Made | None = None
    reads: Reads | None = None
    """How a few records are read with all that they have in one turn, where the type's own lookups take several."""
    label: Labels | None = None

    def complete(self, columns: Collection[str]) -> frozenset[str]:
        """The columns with those that have to be drafted together with them."""
        wanted = frozenset(columns)
        return wanted.union(*(group for group in self.together if group & wanted))


# ---------------------------------------------------------------- one record in a call


@dataclass(frozen=True, kw_only=True)
class Create:
    """Makes one record by one call."""

    path: str
    cost: int
    shape: Callable[[Written], Any]
    """The body."""
    method: str = "POST"
    id: str
    """The path of the new id in the answer."""

    async def create(self, api: WriteApi, written: Written) -> str:
        """The id of the new record."""
        body = await api.write(self.method, self.path, self.shape(written), self.cost)
        made = read_id(follow_path(body, self.id))
        if made is None:
            raise api.error(Ambiguous, "did not say what it has made")
        return made


@dataclass(frozen=True, kw_only=True)
class Change:
    """Changes one record by one call."""

    path: str
    """With `{id}`."""
    cost: int
    shape: Callable[[Written], Any]
    method: str = "PATCH"
    most: int = 1

    async def change(self, api: WriteApi, written: Mapping[str, Written]) -> Mapping[str, CrmError | None]:
        """What went wrong with it."""
        ((one, wanted),) = written.items()
        try:
            await api.write(self.method, self.path.format(id=quote(one, safe="")), self.shape(wanted), self.cost)
        except CrmError as error:
            return {one: error}
        return {one: None}
