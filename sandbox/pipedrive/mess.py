"""The mess of real accounts: a few records in a hundred, each odd in one way, and records nobody can map."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from sandbox.people import Human
from sandbox.pipedrive.values import phone_spellings

Json = dict[str, Any]
Oddity = Callable[[Json, Json], None]  # the record, and an earlier one of its type

EVERY = 16  # one record in so many is odd
GONE_OPTION = 987_654


def item(value: Any, label: str = "work", *, primary: bool = False) -> Json:
    return {"value": value, "primary": primary, "label": label}


def sets(name: str, value: Any) -> Oddity:
    return lambda record, _: record.__setitem__(name, value)


def named(value: Any) -> Oddity:
    return lambda record, _: record.update(name=value, first_name=value, last_name=None)


def emails(*values: Any) -> Oddity:
    return lambda record, _: record.__setitem__("emails", [item(v, primary=n == 0) for n, v in enumerate(values)])


def phones(*values: Any) -> Oddity:
    return lambda record, _: record.__setitem__("phones", [item(v, primary=n == 0) for n, v in enumerate(values)])


def custom(place: int, value: Any) -> Oddity:
    """Puts the value into the custom field at that place of the declaration, if the account has it."""

    def apply(record: Json, _: Json) -> None:
        codes = list(record["custom_fields"])
        if place < len(codes):
            record["custom_fields"][codes[place]] = value

    return apply


def same_email_other_case(record: Json, earlier: Json) -> None:
    record["emails"] = [{**each, "value": each["value"].upper()} for each in earlier["emails"] if each["value"]]


def same_name_and_email(record: Json, earlier: Json) -> None:
    names = {part: earlier[part] for part in ("name", "first_name", "last_name")}
    record.update(names, emails=[dict(each) for each in earlier["emails"]])


def shared_mailbox(record: Json, _: Json) -> None:
    domain = next((each["value"].rpartition("@")[2] for each in record["emails"]), "") or "nowhere.example"
    record["emails"] = [item(f"info@{domain}", primary=True), item(f"office@{domain}")]


def four_primaries(record: Json, _: Json) -> None:
    values = [each["value"] for each in record["emails"]] or ["lone@home.example"]
    record["emails"] = [
        item(f"{n}{values[0]}", label, primary=True) for n, label in enumerate(("work", "home", "x", ""))
    ]


PERSONS: tuple[Oddity, ...] = (
    emails(),
    emails(None),
    emails(""),
    emails("not-an-email", "also@not@one.example"),
    emails("anna@", "  Padded@Example.EXAMPLE  "),
    emails("one@two.example, three@four.example"),
    emails("Karl Ohm <karl.ohm@wire.example>"),
    emails("юрий@пошта.example", "用户@例子.example"),
    four_primaries,
    same_email_other_case,
    same_name_and_email,
    shared_mailbox,
    phones(),
    phones(None, ""),
    phones("n/a", "ask reception", "0"),
    phones("1-800-FLOWERS", "+1 212 555 0101 ext. 42"),
    phones("０３０ １２３４５６７"),
    phones("+49 30 1234567 / +49 30 7654321"),
    named(None),
    named(""),
    named("   "),
    named("Anna\u0000Berg"),
    named("Miko \ud83d"),
    named("\u202bלאה כהן\u202c"),
    named("👩‍🚀 Astro Nautin 🦄"),
    named("Zoe\u0308 Nu\u0301n\u0303ez"),
    named("<b>Bob</b> &amp; Söhne <script>alert(1)</script>"),
    named("Robert'); DROP TABLE persons;--"),
    named("Nobody knows\nwho wrote\tthis"),
    named("Very Long Name " * 300),
    sets("first_name", None),
    sets("org_id", None),
    sets("org_id", 999_999_999),
    sets("label_ids", [GONE_OPTION]),
    sets("visible_to", 1),
    custom(3, 2**70 + 1),
    custom(3, -(2**63) - 5),
    custom(2, "half a smile \ude00 and a NUL \u0000"),
    custom(4, {"value": None, "currency": None}),
    custom(4, {"value": 1000, "currency": None}),
    custom(5, dict.fromkeys(("value", "locality", "country"))),
    custom(10, "مرحبا\n" * 9_000),
    custom(0, GONE_OPTION),
)
ORGANIZATIONS: tuple[Oddity, ...] = (
    sets("name", ""),
    sets("address", None),
    sets("website", "not a url"),
    sets("website", "HTTPS://WWW.Müller-Söhne.example/?a=1#top"),
    sets("owner_id", 999_999),
    sets("name", "Ünïcødé GmbH & Co. KG „Süd“"),
    sets("name", "شركة النور \u200f(ش.م.م)"),
    sets("label_ids", []),
    custom(7, 10**25),
)
DEALS: tuple[Oddity, ...] = (
    sets("person_id", None),
    sets("value", None),
    sets("currency", None),
    lambda record, _: record.update(value=None, currency=None, person_id=None, org_id=None),
    sets("value", 0),
    sets("value", -250.75),
    sets("value", 123_456_789_012.34),
    sets("currency", "XBT"),
    sets("title", ""),
    sets("title", "🚀 Größter Deal \u0000 ever"),
    sets("title", "Angebot " * 500),
    sets("org_id", 999_999_999),
    sets("expected_close_date", None),
    sets("owner_id", 999_999),
    custom(3, 2**65),
    custom(6, {"value": "2026-01-01", "until": None}),
)
ACTIVITIES: tuple[Oddity, ...] = (
    sets("subject", None),
    sets("subject", ""),
    sets("due_date", None),
    sets("note", "<p>Fish &amp; chips</p><script>steal()</script><img src=x onerror=alert(1)>"),
    sets("note", "\u0000\ud83d"),
    sets("type", "fax"),
    sets("type", "removed_type"),
    sets("participants", []),
    lambda record, _: record.update(person_id=None, org_id=None, deal_id=None, lead_id=None, participants=[]),
    sets("duration", "999:00:00"),
    sets("person_id", 999_999_999),
)

# What no strict reader can map: one record each, asked for with `broken`.
BROKEN: tuple[tuple[str, str, Any], ...] = (
    ("Activity", "due_date", "2026-13-45"),
    ("Deal", "expected_close_date", "end of the quarter"),
    ("Person", "add_time", "0000-00-00T00:00:00Z"),
    ("Deal", "value", "12.500,00 €"),
)


def apply(oddities: tuple[Oddity, ...], records: list[Json]) -> None:
    """Each oddity in turn, spread over the records so that most stay clean."""
    turn: Iterator[Oddity] = cycle(oddities)
    for place in range(EVERY // 2, len(records), EVERY):
        next(turn)(records[place], records[place - 3])


def spelled(human: Human) -> Json:
    return {"name": f"{human.first} {human.last}", "first_name": human.first, "last_name": human.last}


def spell_phones(records: list[Json], humans: list[Human]) -> None:
    """Doubles of earlier people under ids of their own: the same number, written differently, and no e-mail."""
    for place in range(EVERY + 3, len(records), 4 * EVERY):
        human = humans[place - 5]
        spelling = phone_spellings(human)[place // EVERY % 5]
        records[place].update(spelled(human), emails=[], phones=[item(spelling, primary=True)])


def break_records(tables: dict[str, list[Json]], count: int) -> None:
    for number in range(count):
        kind, name, value = BROKEN[number % len(BROKEN)]
        records = tables[kind]
        if records:
            records[(11 + 37 * number) % len(records)][name] = value
