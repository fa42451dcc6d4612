"""Which record a source belongs to, and what several sources together say."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from storage.shapes import RecordType
from sync.merge import Matcher, Source, list_keys, merge_sources

HERE = UUID(int=1)
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def person(**values: Any) -> dict[str, Any]:
    return {"emails": [], "phones": [], "tags": [], "custom_fields": {}, "kind": "LEAD", "name": None} | values


def email(*addresses: str) -> list[dict[str, Any]]:
    return [{"value": one, "label": None, "primary": not number} for number, one in enumerate(addresses)]


def source(number: int, values: dict[str, Any], *, day: int = 0, **more: Any) -> Source:
    return Source(
        **{
            "id": UUID(int=number),
            "integration_id": HERE,
            "external_type": "Person",
            "external_id": str(number),
            "record_id": None,
            "mapped": values,
            "refs": {},
            "remote_updated_at": DAY + timedelta(days=day),
            "deleted_at": None,
            **more,
        }
    )


def test_a_person_is_recognised_by_addresses_then_by_numbers() -> None:
    phones = [{"value": "020", "e164": None}, {"value": "+372 555 0101", "e164": "+3725550101"}]
    values = person(emails=email(" Ann@Example.COM", "not an address", "ann@example.com"), phones=phones)
    assert list_keys(RecordType.CONTACT, values) == [("email", "ann@example.com"), ("phone", "+3725550101")]


def test_nobody_is_recognised_by_a_name() -> None:
    assert list_keys(RecordType.CONTACT, person(name="Ann Lee")) == []


def test_a_company_is_recognised_by_its_domain_then_by_its_name() -> None:
    values = {"domain": "Acme.com", "name": " ACME  Ltd"}
    assert list_keys(RecordType.ORGANIZATION, values) == [("domain", "acme.com"), ("name", "acme ltd")]


def test_companies_of_one_name_with_two_domains_are_two() -> None:
    matcher = Matcher([("domain", "acme.com", UUID(int=7)), ("name", "acme", UUID(int=7))])
    assert matcher.match([("domain", "acme.org"), ("name", "acme")]) is None
    assert matcher.match([("name", "acme")]) == UUID(int=7)


def test_the_link_is_stronger_than_any_key() -> None:
    linked = source(1, person(emails=email("ann@example.com")), record_id=UUID(int=100))
    matcher = Matcher([("email", "ann@example.com", UUID(int=200))])
    matcher.place([linked], {linked.id: [("email", "ann@example.com")]})
    assert linked.record_id == UUID(int=100)


@given(st.lists(st.sets(st.sampled_from("abcdef"), max_size=3), max_size=12), st.randoms(use_true_random=False))
def test_a_page_makes_the_same_people_in_any_order(addresses: list[set[str]], chance: random.Random) -> None:
    def people(order: list[int]) -> set[frozenset[str]]:
        sources = {n: source(n + 1, person()) for n in order}
        keys = {sources[n].id: [("email", f"{one}@example.com") for one in sorted(addresses[n])] for n in order}
        Matcher([]).place([sources[n] for n in order], keys)
        found: dict[UUID | None, set[str]] = {}
        for each in sources.values():
            found.setdefault(each.record_id, set()).add(each.external_id)
        return {frozenset(group) for group in found.values()}

    order = list(range(len(addresses)))
    shuffled = chance.sample(order, len(order))
    assert people(order) == people(shuffled)


def test_the_source_changed_last_speaks_first_and_the_others_fill_the_gaps() -> None:
    old = source(1, person(name="Ann", job_title="CEO", emails=email("a@x.com"), tags=["vip"]), day=1)
    new = source(2, person(name="Ann Lee", emails=email("b@x.com", "A@x.com"), tags=["vip", "hot"]), day=2)
    row, links = merge_sources(RecordType.CONTACT, [old, new], {})
    assert (row["name"], row["job_title"], row["tags"]) == ("Ann Lee", "CEO", ["vip", "hot"])
    assert [(one["value"], one["primary"]) for one in row["emails"]] == [("b@x.com", True), ("A@x.com", False)]
    assert links == {}, "a person's deals are named by the deals"


def test_a_deal_whose_people_have_all_gone_has_none() -> None:
    deal = source(1, {"title": "Big", "custom_fields": {}}, refs={"contacts": []})
    assert merge_sources(RecordType.DEAL, [deal], {})[1] == {"contacts": []}


@given(st.permutations(range(5)))
def test_a_merge_does_not_depend_on_the_order_of_its_sources(order: list[int]) -> None:
    sources = [source(n + 1, person(name=f"name {n}", tags=[f"t{n}"]), day=n % 2) for n in range(5)]
    expected = merge_sources(RecordType.CONTACT, sources, {})
    assert merge_sources(RecordType.CONTACT, [sources[n] for n in order], {}) == expected


def test_a_deleted_source_speaks_only_when_no_other_is_left() -> None:
    gone = source(1, person(name="Gone"), day=9, deleted_at=DAY)
    left = source(2, person(name="Left"), day=1)
    assert merge_sources(RecordType.CONTACT, [gone, left], {})[0]["name"] == "Left"
    row, _ = merge_sources(RecordType.CONTACT, [gone], {})
    assert (row["name"], row["archived_at"]) == ("Gone", DAY)


def test_references_lead_to_the_records_that_are_here() -> None:
    company = UUID(int=50)
    ann = source(1, person(), refs={"organization": [["Organization", "9"]]})
    row, _ = merge_sources(RecordType.CONTACT, [ann], {(HERE, "Organization", "9"): company})
    assert row["organization_id"] == company
    assert merge_sources(RecordType.CONTACT, [ann], {})[0]["organization_id"] is None
