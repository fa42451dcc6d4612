"""Who is who: what a source is recognised by, and which sources are one record. Nothing of it depends on who came first."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.matching import LISTED
from storage.shapes import RecordType
from sync.shared import is_provider, is_role

Key = tuple[str, str]
"""What a record can be recognised by: (kind, normalised value)."""

ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")
LONGEST_KEY = 250
HANDFUL = 5
"""Sources of one integration that may carry a key: what more of them have is a switchboard's, or nobody's."""

STRENGTH = {"email": 0, "domain": 0, "phone": 1, "name": 2}
"""Where not all that belongs together may be together, the strongest keys count first."""


# ---------------------------------------------------------------- keys


def contact_keys(values: Mapping[str, Any]) -> Iterable[Key]:
    """E-mail addresses first, then phone numbers; what is no address, an office's address, or no number matches nobody."""
    for email in values["emails"]:
        address = email["value"].strip().lower()
        if ADDRESS.fullmatch(address) and not is_role(address):
            yield "email", address
    for phone in values["phones"]:
        if phone["e164"]:
            yield "phone", phone["e164"]


def organization_keys(values: Mapping[str, Any]) -> Iterable[Key]:
    """The domain first, where it is the company's own, then the name."""
    if values["domain"] and not is_provider(domain := values["domain"].lower()):
        yield "domain", domain
    if values["name"] and (name := " ".join(values["name"].casefold().split())):
        yield "name", name


WORD = re.compile(r"[^\W\d_]+")


def is_named_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two contacts can be one person by their names: the same words in any order; somebody without a name, or with
    an address or a number in its place, can be anybody."""
    words = [sorted(WORD.findall("" if "@" in (name := _name(each)) else name.casefold())) for each in (one, other)]
    return not all(words) or words[0] == words[1]


def _name(values: Mapping[str, Any]) -> str:
    parts = (values.get("first_name"), values.get("last_name"))
    return values.get("name") or " ".join(part for part in parts if part)


KEYS = {RecordType.CONTACT: contact_keys, RecordType.ORGANIZATION: organization_keys}
"""How records of a type are recognised; others only ever by their link."""


def list_keys(type_: RecordType, values: Mapping[str, Any]) -> list[Key]:
    """The keys of a record, the strongest first, each once."""
    found = KEYS[type_](values) if type_ in KEYS else ()
    return list(dict.fromkeys(key for key in found if len(key[1]) <= LONGEST_KEY))


# ---------------------------------------------------------------- what a key joins


@dataclass(frozen=True, slots=True)
class Carrier:
    """Somebody who has a key."""

    source: UUID
    record: UUID | None
    """None while it has none."""
    integration: UUID | None
    """None for a record whose sources have left, which keeps what they were known by."""
    domains: Collection[str] = ()
    """All that it has; known where the key is a name."""


def find_joined(kind: str, carriers: Collection[Carrier]) -> Collection[Carrier]:
    """Those of a key's carriers that it says are the same: all or none, or the companies of a name without a domain.

    A company without a domain may be any of several of its name that have one: it is none of them. What several records
    whose sources have left were known by has not made them one before, and joins nobody now.
    """
    if len(carriers) > 1 and len({one.record for one in carriers if one.integration is None}) > 1:
        return ()
    if len(carriers) > HANDFUL:
        counts = Counter(one.integration for one in carriers if one.integration)
        if len(carriers) >= LISTED or max(counts.values(), default=0) > HANDFUL:
            return ()
    if kind == "name" and len({domain for one in carriers for domain in one.domains}) > 1:
        return [one for one in carriers if not one.domains]
    return carriers


# ---------------------------------------------------------------- groups


class Groups:
    """Things that are found to be the same, bit by bit."""

    def __init__(self) -> None:
        self._above: dict[UUID, UUID] = {}

    def find(self, one: UUID) -> UUID:
        """What stands for the group of this one."""
        above = self._above
        root = one
        while (parent := above.get(root, root)) != root:
            root = parent
        while (parent := above.get(one, one)) != root:
            above[one], one = root, parent
        return root

    def unite(self, one: UUID, other: UUID) -> None:
        """From now on they are in one group."""
        first, second = self.find(one), self.find(other)
        if first != second:
            self._above.setdefault(first, first)
            self._above[second] = first

    def list_all(self) -> list[set[UUID]]:
        """Every group that two or more have been united to."""
        found: dict[UUID, set[UUID]] = {}
        for one in self._above:
            found.setdefault(self.find(one), set()).add(one)
        return list(found.values())


NOWHERE = ""
"""The integration of a record whose sources have left, in its name."""


@dataclass(frozen=True, slots=True)
class Member:
    """A source, or a record whose sources have left, as one of those that may be the same."""

    id: UUID
    record: UUID | None
    name: tuple[str, str, str]
    """(integration, external type, external id): the order of ids, which is that of arrival, decides nothing."""
    keys: Collection[Key] = ()

    @property
    def is_source(self) -> bool:
        """Not a record whose sources have left."""
        return self.name[0] != NOWHERE


@dataclass(frozen=True, slots=True)
class Word:
    """What has been said of two sources."""

    one: UUID
    other: UUID
    same: bool


def divide(
    members: Mapping[UUID, Member], joined: Mapping[Key, Collection[UUID]], words: Sequence[Word]
) -> list[set[UUID]]:
    """Which members are one record. `joined`: for each key those whom it says to be the same.

    What has been said counts first, then each key, the strongest first. None of them brings those together, directly or
    through others, of whom it was said that they are not the same; whoever fits to several goes to the first by its name.
    """
    parts = Parts(members, words)
    parts.obey(words)
    for key in sorted(joined, key=lambda key: (STRENGTH[key[0]], key)):
        parts.join(joined[key])
    return list({id(part): part for part in parts.found.values()}.values())


class Parts:
    """Members on their way into groups that nothing said of them comes against."""

    def __init__(self, members: Mapping[UUID, Member], words: Sequence[Word]) -> None:
        self.members = members
        self.found = {one: {one} for one in members}
        self.apart: dict[UUID, set[UUID]] = {}
        for word in words:
            if not word.same:
                self.apart.setdefault(word.one, set()).add(word.other)
                self.apart.setdefault(word.other, set()).add(word.one)

    def obey(self, words: Sequence[Word]) -> None:
        """Unites those that are the same."""
        pairs = [sorted((word.one, word.other), key=self._rank) for word in words if word.same]
        for one, other in sorted(pairs, key=lambda pair: (self._rank(pair[0]), self._rank(pair[1]))):
            self._unite(one, other)

    def join(self, carriers: Collection[UUID]) -> None:
        """Unites those that have a key, each with the first one that it may be united with."""
        firsts: list[UUID] = []
        for one in sorted((one for one in carriers if one in self.members), key=self._rank):
            if not any(self._unite(first, one) for first in firsts):
                firsts.append(one)

    def _rank(self, one: UUID) -> tuple[str, str, str]:
        return self.members[one].name

    def _unite(self, one: UUID, other: UUID) -> bool:
        mine, theirs = self.found[one], self.found[other]
        if mine is not theirs:
            if any(self.apart[each] & theirs for each in mine if each in self.apart):
                return False
            mine |= theirs
            self.found.update(dict.fromkeys(theirs, mine))
        return True
