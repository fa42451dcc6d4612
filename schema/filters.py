"""The operators that every filter is made of."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum

import strawberry

from schema.field import words

EQ = "Is this."
GT, GTE = "Is greater than this.", "Is this or greater."
LT, LTE = "Is less than this.", "Is this or less."
NULL = "True: there is none. False: there is one."


class Archived(Enum):
    """Whether archived records are in a list: those whose last source was deleted, or that were archived here."""

    EXCLUDE = "EXCLUDE"
    INCLUDE = "INCLUDE"
    ONLY = "ONLY"


class OrderDirection(Enum):
    """Which way a list is sorted; what is null comes last either way."""

    ASC = "ASC"
    DESC = "DESC"


words(
    Archived,
    "Archived",
    str(Archived.__doc__),
    {
        "EXCLUDE": "Only records that are not archived.",
        "INCLUDE": "All records.",
        "ONLY": "Only archived records.",
    },
)
words(
    OrderDirection,
    "OrderDirection",
    str(OrderDirection.__doc__),
    {"ASC": "The smallest, first or oldest comes first.", "DESC": "The largest, last or newest comes first."},
)


@strawberry.input(description="Conditions on a text; all must hold.")
class StringFilter:
    eq: str | None = strawberry.field(description=EQ)
    ne: str | None = strawberry.field(description="Is anything but this; none at all counts too.")
    in_: list[str] | None = strawberry.field(name="in", description="Is one of these.")
    contains: str | None = strawberry.field(description="Has this somewhere in it, in small or capital letters.")
    starts_with: str | None = strawberry.field(description="Begins with this, in small or capital letters.")
    ends_with: str | None = strawberry.field(description="Ends with this, in small or capital letters.")
    is_null: bool | None = strawberry.field(description=NULL)


@strawberry.input(description="Conditions on a whole number; all must hold.")
class IntFilter:
    eq: int | None = strawberry.field(description=EQ)
    gt: int | None = strawberry.field(description=GT)
    gte: int | None = strawberry.field(description=GTE)
    lt: int | None = strawberry.field(description=LT)
    lte: int | None = strawberry.field(description=LTE)
    is_null: bool | None = strawberry.field(description=NULL)


@strawberry.input(description="Conditions on an exact number; all must hold.")
class DecimalFilter:
    eq: Decimal | None = strawberry.field(description=EQ)
    gt: Decimal | None = strawberry.field(description=GT)
    gte: Decimal | None = strawberry.field(description=GTE)
    lt: Decimal | None = strawberry.field(description=LT)
    lte: Decimal | None = strawberry.field(description=LTE)
    is_null: bool | None = strawberry.field(description=NULL)


@strawberry.input(description="Conditions on a day; all must hold.")
class DateFilter:
    eq: date | None = strawberry.field(description="Is this day.")
    gt: date | None = strawberry.field(description="Is after this day.")
    gte: date | None = strawberry.field(description="Is this day or after it.")
    lt: date | None = strawberry.field(description="Is before this day.")
    lte: date | None = strawberry.field(description="Is this day or before it.")
    is_null: bool | None = strawberry.field(description=NULL)


@strawberry.input(description="Conditions on a moment; all must hold.")
class DateTimeFilter:
    gt: datetime | None = strawberry.field(description="Is after this.")
    gte: datetime | None = strawberry.field(description="Is this or after it.")
    lt: datetime | None = strawberry.field(description="Is before this.")
    lte: datetime | None = strawberry.field(description="Is this or before it.")
    is_null: bool | None = strawberry.field(description=NULL)


@strawberry.input(description="One comparison; `path` as in customFields.")
class CustomFieldFilter:
    path: str = strawberry.field(
        description="The field's name there; of a value with parts, one of them behind a dot: Budget.amount."
    )
    text: StringFilter | None = strawberry.field(description="The text, or one of the texts in a list.")
    number: DecimalFilter | None = strawberry.field(description="The number; what is no number counts as none.")
    date: DateTimeFilter | None = strawberry.field(
        description="The moment, or the day, which is its midnight in UTC; what is neither counts as none."
    )
    bool_: bool | None = strawberry.field(name="bool", description="Is true, or is false.")
