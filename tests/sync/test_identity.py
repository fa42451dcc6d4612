"""By what people and companies are recognised, and which of them are one."""

from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from storage.shapes import RecordType
from sync.identity import Carrier, Groups, Member, Word, divide, find_joined, list_keys

HERE, THERE = UUID(int=1), UUID(int=2)


def keys_of(*emails: str, phones: list[str | None] | None = None) -> list[tuple[str, str]]:
    numbers = [{"value": "+372 555 0101", "e164": one} for one in phones or []]
    return list_keys(RecordType.CONTACT, {"emails": [{"value": one} for one in emails], "phones": numbers})


def test_a_person_is_recognised_by_addresses_then_by_numbers() -> None:
    found = keys_of(" Ann@Example.COM", "not an address", "ann@example.com", phones=[None, "+3725550101"])
    assert found == [("email", "ann@example.com"), ("phone", "+3725550101")]


@pytest.mark.parametrize("address", ["info@acme.com", "Sales@acme.com", "info+fair@acme.com", "no-reply@acme.com"])
def test_an_office_is_nobody(address: str) -> None:
    assert keys_of(address) == []


@pytest.mark.parametrize("address", ["information.lee@acme.com", "ann+sales@acme.com", "ann@info.com"])
def test_a_person_whose_address_has_such_a_word_in_it_is_somebody(address: str) -> None:
    assert keys_of(address) == [("email", address)]


def company(name: str | None, domain: str | None) -> list[tuple[str, str]]:
    return list_keys(RecordType.ORGANIZATION, {"name": name, "domain": domain})


def test_a_company_is_recognised_by_its_domain_then_by_its_name() -> None:
    assert company(" ACME  Ltd", "Acme.com") == [("domain", "acme.com"), ("name", "acme ltd")]


@pytest.mark.parametrize("domain", ["gmail.com", "Yahoo.co.uk", "gmx.de", "seznam.cz", "outlook.com"])
def test_where_anybody_gets_an_address_is_no_companys_domain(domain: str) -> None:
    assert company("Acme", domain) == [("name", "acme")]


def test_a_deal_is_recognised_by_nothing() -> None:
    assert list_keys(RecordType.DEAL, {"title": "Pumps", "name": "Pumps"}) == []


def carrier(number: int, *domains: str, integration: UUID = HERE) -> Carrier:
    return Carrier(UUID(int=number), None, integration, domains)


def joined(kind: str, *carriers: Carrier) -> list[int]:
    return [one.source.int for one in find_joined(kind, carriers)]


@pytest.mark.parametrize("kind", ["email", "phone", "domain", "name"])
def test_what_more_than_a_handful_of_one_account_have_joins_nobody(kind: str) -> None:
    five = [carrier(number) for number in range(10, 15)]
    assert joined(kind, *five) == [10, 11, 12, 13, 14]
    assert joined(kind, *five, carrier(20, integration=THERE)) == [10, 11, 12, 13, 14, 20]
    assert joined(kind, *five, carrier(15)) == []


def test_companies_of_one_name_with_two_domains_are_several_and_those_without_one_are_none_of_them() -> None:
    assert joined("name", carrier(1, "acme.com"), carrier(2), carrier(3, "acme.com")) == [1, 2, 3]
    assert joined("name", carrier(1, "acme.com"), carrier(2), carrier(3, "acme.org"), carrier(4)) == [2, 4]


def test_what_has_not_joined_records_before_their_sources_left_joins_nobody() -> None:
    left = [Carrier(UUID(int=number), UUID(int=record), None) for number, record in ((7, 7), (8, 7), (9, 9))]
    assert joined("phone", left[0], left[1], carrier(1)) == [7, 8, 1]
    assert joined("phone", left[0], left[2], carrier(1)) == []


def test_groups_grow_together() -> None:
    groups, (a, b, c, d) = Groups(), (UUID(int=number) for number in range(4))
    groups.unite(a, b)
    groups.unite(c, d)
    groups.unite(a, a)
    assert sorted(groups.list_all(), key=min) == [{a, b}, {c, d}]
    groups.unite(b, d)
    assert groups.list_all() == [{a, b, c, d}]


NAMES = "abcd"


def divided(keys: dict[tuple[str, str], str], apart: list[str], order: tuple[int, ...], same: list[str]) -> list[str]:
    """The groups of a, b, c and d, whose ids are those of an order of arrival."""
    ids = {name: UUID(int=number) for name, number in zip(NAMES, order, strict=True)}
    called: Any = {one: name for name, one in ids.items()}
    members = {one: Member(id=one, record=None, name=("1", "Person", name)) for name, one in ids.items()}
    words = [
        Word(ids[pair[0]], ids[pair[1]], same=said) for said, pairs in ((False, apart), (True, same)) for pair in pairs
    ]
    found = divide(members, {key: [ids[name] for name in each] for key, each in keys.items()}, words)
    return sorted("".join(sorted(called[one] for one in group)) for group in found)


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize(
    ("keys", "apart", "same", "expected"),
    [
        ({("email", "x"): "ab", ("phone", "1"): "bc"}, [], [], ["abc", "d"]),
        ({("email", "x"): "abc"}, ["ac"], [], ["ab", "c", "d"]),  # b fits to both: the first by its name
        ({("phone", "1"): "ab", ("email", "x"): "bc"}, ["ac"], [], ["a", "bc", "d"]),  # the strongest key first
        ({("email", "y"): "ab", ("email", "x"): "bc"}, ["ac"], [], ["a", "bc", "d"]),  # then by its value
        (
            {("email", "x"): "ab", ("email", "y"): "cd"},
            ["ad"],
            ["bc"],
            ["abc", "d"],
        ),  # what was said comes first of all
        ({}, [], ["ad"], ["ad", "b", "c"]),
    ],
)
def test_nobody_is_brought_together_with_whom_he_is_not(
    order: tuple[int, ...], keys: dict[tuple[str, str], str], apart: list[str], same: list[str], expected: list[str]
) -> None:
    assert divided(keys, apart, order, same) == expected
