"""What a field holds, whatever a CRM calls its type: by it mappings are checked before anything is mapped."""

from collections.abc import Mapping
from enum import Enum


class Family(Enum):
    """What a field of a CRM, or one of ours, holds."""

    TEXT = "a text"
    NUMBER = "a number"
    FLAG = "true or false"
    DAY = "a day"
    MOMENT = "a moment"
    TIME = "a day or a moment"
    CHOICE = "one of its options"
    CHOICES = "several of its options"
    ENTRIES = "a list of addresses or numbers"
    MONEY = "an amount of money"
    ADDRESS = "a postal address"
    LINK = "the id of another record"
    OTHER = "a value of its own kind"


SCALARS = frozenset(
    {Family.TEXT, Family.NUMBER, Family.FLAG, Family.DAY, Family.MOMENT, Family.TIME, Family.CHOICE, Family.LINK}
)

TAKES: Mapping[Family, frozenset[Family]] = {
    Family.TEXT: SCALARS,
    Family.NUMBER: frozenset({Family.NUMBER}),
    Family.FLAG: frozenset({Family.FLAG}),
    Family.DAY: frozenset({Family.DAY, Family.MOMENT, Family.TIME}),
    Family.MOMENT: frozenset({Family.MOMENT, Family.TIME}),
    Family.CHOICE: frozenset({Family.CHOICE, Family.TEXT}),
    Family.CHOICES: frozenset({Family.CHOICES, Family.CHOICE, Family.TEXT}),
    Family.ENTRIES: frozenset({Family.ENTRIES, Family.TEXT}),
    Family.MONEY: frozenset({Family.MONEY, Family.NUMBER}),
    Family.ADDRESS: frozenset({Family.ADDRESS, Family.TEXT}),
    Family.LINK: frozenset({Family.LINK}),
    Family.OTHER: frozenset(Family),
}
"""What a field of ours takes as it is. The other way round, a CRM's field takes what ours has by the same table."""
