"""Which record a source belongs to, and what several sources together say."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from storage.shapes import RecordType
from sync.golden import Source, merge_sources

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
            "crm": "PIPEDRIVE",
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
