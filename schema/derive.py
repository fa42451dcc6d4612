"""GraphQL types made from declared records: fields, filters, orders, the arguments of their lists."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import GenericAlias
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from connectors.registry import Crm
from resolvers.records import get_related, list_related
from schema.field import Info, field, shown, words
from schema.filters import (
    Archived,
    CustomFieldFilter,
    DateFilter,
    DateTimeFilter,
    DecimalFilter,
    IntFilter,
    OrderDirection,
    StringFilter,
)
from schema.paging import NODES, Listing, Row
from storage.declare import Column, Group, Relation, columns, declared
from storage.listing import Window
from storage.query import Arguments, describe_filters, describe_orders
from storage.records import RECORDS, Record

R = TypeVar("R", bound=Row)

OPERATORS: dict[Any, Any] = {
    str: StringFilter,
    int: IntFilter,
    Decimal: DecimalFilter,
    date: DateFilter,
    datetime: DateTimeFilter,
}
PAGING = {
    "first": (int, "How many, from the beginning of the list: 1 to 250; 25 where no number is given."),
    "after": (str, "A cursor: the page begins after it."),
    "last": (int, "How many, from the end of the list: 1 to 250. Not together with `first`."),
    "before": (str, "A cursor: the page ends before it."),
}
ABOUT = {
    "and": "All of these; an empty list is always met.",
    "or": "At least one of these; an empty list is never met.",
    "not": "Anything that does not meet this; what is null meets nothing.",
    "ids": "One of these records.",
    "integration_id": "Has a source in one of these integrations.",
    "crm": "Has a source in one of these CRMs.",
    "owner_email": "The e-mail address of the user in charge; small or capital letters are the same.",
    "email": "Any of the e-mail addresses; small or capital letters are the same.",
    "phone": "Any of the phone numbers, in E.164 or as the CRM holds it.",
    "tag": "Any of the labels.",
    "is_warm_lead": "Whether it is as warm as the workspace's threshold, or warmer.",
    "contact_id": "One of these contacts takes part.",
    "organization_id": "One of these organizations.",
    "deal_id": "One of these deals.",
    "custom_fields": "The values of custom fields; all must hold.",
    "replication_status": "How far it has come in any integration that takes activities.",
    "amount": "The amount, in whatever currency.",
    "currency": "The code of the amount's currency.",
}
"""Filters that no shown column describes."""

ORDERS = {
    "Deal": "AMOUNT orders within a currency; currencies come in the order of their codes.",
}
"""What there is to say of a record's orders beyond the names."""


def record_type(record: type[Record]) -> Callable[[type[R]], type[R]]:
    """Makes a class the GraphQL type of a record: adds a field for each column, group and relation."""

    def decorate(cls: type[R]) -> type[R]:
        for column in columns(record).values():
            if column.description:
                cls.__annotations__[column.name] = column.type | None if column.nullable else column.type
                setattr(cls, column.name, shown(column.description))
        for name, made in declared(record, Group).items():
            setattr(cls, name, _group(made))
        for name, relation in declared(record, Relation).items():
            setattr(cls, name, _many(name, relation) if relation.many else _one(relation))
        return strawberry.type(cls, description=record.__doc__)

    return decorate


def _group(made: Group) -> StrawberryField:
    def resolve(self: Any) -> Any:
        values = {part: getattr(self.row, column) for part, column in made.parts.items()}
        return made.type(**values) if values[next(iter(values))] is not None else None

    return field(made.description, graphql_type=made.type | None)(resolve)


def _one(relation: Relation) -> StrawberryField:
    async def resolve(self: Any, info: Info) -> Any:
        row = await get_related(info.context, self.row, relation)
        return NODES[relation.target].of(row) if row else None

    return field(relation.description, graphql_type=f"{relation.target} | None")(resolve)


def _many(name: str, relation: Relation) -> StrawberryField:
    async def resolve(self: Any, info: Info, page: Arguments) -> Any:
        found = await list_related(info.context, self.row, name, page)
        return Listing.of(found, NODES[relation.target])

    arguments = Paged(RECORDS[relation.target])
    return field(relation.description, arguments, graphql_type=f"Listing[{relation.target}]")(resolve)


class Paged(FieldExtension):
    """Gives a field the arguments of a list; its resolver gets them as one value, `page`.

    Of records: also filter, orders and, where it is `searched`, a search.
    """

    def __init__(
        self, record: type[Record] | None = None, *, searched: bool = False, names: tuple[str, ...] = tuple(PAGING)
    ) -> None:
        self.made: type[Window] = Arguments if record else Window
        self.types: dict[str, tuple[Any, str, Any]] = {
            name: (type_ | None, about, strawberry.UNSET) for name, (type_, about) in PAGING.items() if name in names
        }
        if searched:
            about = "Words, or beginnings of words, that all have to be there; a phone number is one word."
            self.types["search"] = (str | None, about, strawberry.UNSET)
        if record:
            orders = GenericAlias(list, order_input(record)) | None
            self.types["filter"] = (filter_input(record) | None, "What has to hold.", strawberry.UNSET)
            about = "What the list is sorted by, the most important first; UPDATED_AT DESC where nothing is said."
            self.types["order_by"] = (orders, about, strawberry.UNSET)
            self.types["archived"] = (Archived, "Whether archived records are in the list.", Archived.EXCLUDE)

    def apply(self, field: StrawberryField) -> None:
        """Exchanges the resolver's `page` for the arguments."""
        given = [
            StrawberryArgument(name, None, StrawberryAnnotation(type_), description=about, default=default)
            for name, (type_, about, default) in self.types.items()
        ]
        field.arguments = [*given, *(argument for argument in field.arguments if argument.python_name != "page")]

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Gathers the arguments into `page`. Raises InvalidQuery for what they cannot mean."""
        page = {name: kwargs.pop(name) for name in self.types if name in kwargs}
        if "archived" in page:
            page["archived"] = page["archived"].value
        given = {name: value for name, value in page.items() if value is not strawberry.UNSET}
        return {**kwargs, "page": self.made(**given)}


def _plain(made: type) -> type:
    """An input whose resolver gets the plain mapping that was sent, as GraphQL names it."""
    made.__strawberry_definition__.from_input = lambda _type, value, _context: value  # type: ignore[attr-defined]
    return made


@cache
def filter_input(record: type[Record]) -> Any:
    """`ContactFilter` from `Contact`."""
    made = type(f"{record.__name__}Filter", (), {})
    types: dict[str, Any] = {"and_": GenericAlias(list, made), "or_": GenericAlias(list, made), "not_": made}
    about = {f"{name}_": ABOUT[name] for name in ("and", "or", "not")}
    for name, each in describe_filters(record).items():
        types[name] = _filter_type(each.type, several=not isinstance(each, Column) or each.type is UUID)
        shown_as = each.description if isinstance(each, Column) else None
        about[name] = shown_as or ABOUT[name]
    made.__annotations__ = {name: type_ | None for name, type_ in types.items()}
    for name, text in about.items():
        setattr(
            made, name, strawberry.field(name=name.removesuffix("_") if name.endswith("_") else None, description=text)
        )
    strawberry.input(made, description=f"Conditions on a record of the type {record.__name__}; all must hold.")
    return _plain(made)


def _filter_type(type_: Any, *, several: bool) -> Any:
    """Operators for what is compared, a list for what is one of several, else the value itself."""
    if type_ in OPERATORS and not (several and type_ is not str):
        return OPERATORS[type_]
    if type_ == "Crm":
        return GenericAlias(list, Crm)
    if type_ is UUID:
        return GenericAlias(list, strawberry.ID)
    if type_ is dict:
        return GenericAlias(list, CustomFieldFilter)
    return GenericAlias(list, type_) if issubclass(type_, Enum) else type_


@cache
def order_input(record: type[Record]) -> Any:
    """`ContactOrder` and its `ContactOrderField` from `Contact`."""
    fields = describe_orders(record)
    groups = {part: made.description for made in declared(record, Group).values() for part in made.parts.values()}
    enum: Any = Enum(f"{record.__name__}OrderField", {name: name for name in fields})  # type: ignore[misc]
    about = {name: column.description or groups[column.name] for name, column in fields.items()}
    words(
        enum,
        enum.__name__,
        ORDERS.get(record.__name__, f"What records of the type {record.__name__} are sorted by."),
        about,
    )
    made = type(f"{record.__name__}Order", (), {})
    made.__annotations__ = {"field": enum, "direction": OrderDirection}
    made.field = strawberry.field(description="By what.")  # type: ignore[attr-defined]
    made.direction = strawberry.field(description="Which way.", default=OrderDirection.ASC)  # type: ignore[attr-defined]
    strawberry.input(
        made, description=f"How records of the type {record.__name__} are sorted; what is null comes last."
    )
    return _plain(made)
