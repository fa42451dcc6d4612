"""The names of custom fields."""

from connectors.custom import name_fields
from connectors.facts import Field


def field(name: str, label: str, *, custom: bool = True) -> Field:
    return Field(external_type="Person", name=name, label=label, type="varchar", is_custom=custom)


def test_a_field_is_known_by_its_label() -> None:
    assert name_fields([field("a1b2c3d4e5", "Budget"), field("name", "Name", custom=False)]) == {"a1b2c3d4e5": "Budget"}


def test_two_of_one_label_both_carry_the_beginning_of_their_key() -> None:
    named = name_fields([field("9dc80c50d7", "Region"), field("946947d1b0", "Region"), field("0000000000", "Size")])

    assert named == {"0000000000": "Size", "9dc80c50d7": "Region (9dc80c)", "946947d1b0": "Region (946947)"}


def test_names_never_collide() -> None:
    fields = [field("abcdef1", "X"), field("abcdef2", "X"), field("zzz", "X (abcdef)")]

    assert name_fields(fields) == {"zzz": "X (abcdef)", "abcdef1": "X (abcdef1)", "abcdef2": "X (abcdef2)"}


def test_a_renamed_field_is_the_same_field() -> None:
    assert list(name_fields([field("a1b2c3", "Old")])) == list(name_fields([field("a1b2c3", "New")]))
