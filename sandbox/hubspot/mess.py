"""The mess of real accounts: a few records in a hundred, each odd in one way, and records nobody can map."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from sandbox.people import Human
from sandbox.table import Json

Oddity = Callable[[Json], None]

EVERY = 16  # one record in so many is odd
LONGEST = 65_536


def sets(**values: Any) -> Oddity:
    return lambda record: record.update(values)


def named(first: str | None, last: str | None = None) -> Oddity:
    return sets(firstname=first, lastname=last)


def upper_case(record: Json) -> None:
    record["email"] = (record["email"] or "Shout@Loud.example").upper()


def shared_mailbox(record: Json) -> None:
    """Of a company; addresses are unique, so that the second of its people has it among the others."""
    domain = (record["email"] or "").rpartition("@")[2] or "nowhere.example"
    record["hs_additional_emails"] = f"info+{record['id']}@{domain};office+{record['id']}@{domain}"


CONTACTS: tuple[Oddity, ...] = (
    sets(email=None),
    sets(email="not-an-email"),
    sets(email="also@not@one.example"),
    sets(email="  padded@example.example  "),
    sets(email="one@two.example, three@four.example"),
    sets(email="юрий@пошта.example", hs_additional_emails="用户@例子.example"),
    upper_case,
    shared_mailbox,
    sets(phone=None, mobilephone=None),
    sets(phone="n/a", mobilephone="0"),
    sets(phone="1-800-FLOWERS", mobilephone="+1 212 555 0101 ext. 42"),
    sets(phone="０３０ １２３４５６７"),
    sets(phone="+49 30 1234567 / +49 30 7654321"),
    named(None),
    named("", ""),
    named("   "),
    lambda record: record.update(firstname=None, lastname=None, email=None, phone=None, mobilephone=None),
    named("Anna\u0000Berg"),
    named("Miko \ud83d"),
    named("\u202bלאה", "כהן\u202c"),
    named("👩‍🚀 Astro", "Nautin 🦄"),
    named("Zoe\u0308", "Nu\u0301n\u0303ez"),
    named("<b>Bob</b>", "&amp; Söhne <script>alert(1)</script>"),
    named("Robert'); DROP TABLE contacts;--"),
    named("Nobody knows\nwho wrote\tthis"),
    named("Very Long Name " * 300),
    sets(hubspot_owner_id="999999"),
    sets(lifecyclestage="removed_stage"),
    sets(hs_lead_status="Removed Status"),
    sets(legacy_id="1180591620717411303425"),
    sets(legacy_id="-9223372036854775813"),
    sets(background="half a smile \ude00 and a NUL \u0000"),
    sets(background="مرحبا\n" * 9_000),
    sets(last_contract="1899-12-31"),
    sets(score_by_hand="1e400"),
    sets(interests=";;pricing;removed_option"),
    sets(region_2="removed_option"),
    sets(country="Deutschland", state="", zip="D-10115"),
)
COMPANIES: tuple[Oddity, ...] = (
    sets(name=None),
    sets(name="", domain=None),
    sets(website="not a url"),
    sets(website="HTTPS://WWW.Müller-Söhne.example/?a=1#top"),
    sets(hubspot_owner_id="999999"),
    sets(name="Ünïcødé GmbH & Co. KG „Süd“"),
    sets(name="شركة النور \u200f(ش.م.م)"),
    sets(phone="ask reception"),
    sets(legacy_id="1" + "0" * 25),
    sets(industry="removed_industry"),
)
DEALS: tuple[Oddity, ...] = (
    sets(amount=None),
    sets(amount="0"),
    sets(amount="-250.75"),
    sets(amount="123456789012.34"),
    sets(deal_currency_code="XBT"),
    sets(deal_currency_code=None),
    sets(dealname=None),
    sets(dealname="🚀 Größter Deal \u0000 ever"),
    sets(dealname="Angebot " * 500),
    sets(dealstage="999999", pipeline="888888"),
    sets(closedate=None),
    sets(hubspot_owner_id="999999"),
    sets(amount="1E+5"),
)
BODIES = (
    "<p>Fish &amp; chips</p><script>steal()</script><img src=x onerror=alert(1)>",
    "\u0000\ud83d",
    "<p>" + "long " * 20_000,
)
ENGAGEMENTS: dict[str, tuple[Oddity, ...]] = {
    "calls": (
        sets(hs_call_title=None), sets(hs_call_duration="-1"), sets(hs_call_status="REMOVED"),
        sets(hs_call_direction=None), sets(hs_call_body=BODIES[0]), sets(hs_call_disposition="gone"),
    ),
    "emails": (
        sets(hs_email_subject=None), sets(hs_email_headers="not { JSON"), sets(hs_email_headers=None),
        sets(hs_email_html=None), sets(hs_email_html=BODIES[0]), sets(hs_email_text=None, hs_email_html=None),
    ),
    "meetings": (
        sets(hs_meeting_title=None), sets(hs_meeting_start_time=None, hs_meeting_end_time=None),
        sets(hs_meeting_end_time="2020-01-01T00:00:00.000Z"), sets(hs_meeting_body=BODIES[0]),
    ),
    "tasks": (
        sets(hs_task_subject=None), sets(hs_task_status="REMOVED"), sets(hs_task_type=None),
        sets(hs_task_body=BODIES[1]), sets(hs_task_subject=""),
    ),
    "notes": (
        sets(hs_note_body=None), sets(hs_note_body=""), sets(hs_note_body=BODIES[0]), sets(hs_note_body=BODIES[1]),
        sets(hs_note_body=BODIES[2][:LONGEST]),
    ),
}  # fmt: skip

# What no strict reader can map: one record each, asked for with `broken`. Of the last two the answer itself is odd.
SHAPE = "@shape"
BROKEN: tuple[tuple[str, str, Any], ...] = (
    ("tasks", "hs_timestamp", "2026-13-45"),
    ("deals", "amount", "12.500,00 €"),
    ("contacts", "createdate", "0000-00-00T00:00:00Z"),
    ("meetings", "hs_meeting_start_time", "end of the quarter"),
    ("notes", SHAPE, "properties"),
    ("calls", SHAPE, "id"),
)


def apply(oddities: tuple[Oddity, ...], records: list[Json]) -> None:
    """Each oddity in turn, spread over the records so that most stay clean; an e-mail address only once."""
    turn: Iterator[Oddity] = cycle(oddities)
    taken: set[str] = {record["email"].lower() for record in records if record.get("email")}
    for place in range(EVERY // 2, len(records), EVERY):
        record = records[place]
        before = record.get("email")
        next(turn)(record)
        given = record.get("email")
        if given and given != before:
            if given.lower() in taken and given.lower() != (before or "").lower():
                record["email"] = f"{record['id']}.{given.strip()}"
            taken.add(record["email"].lower())


def spell_phones(records: list[Json], humans: list[Human]) -> None:
    """Doubles of earlier people under ids of their own: the same number, written differently, and no e-mail."""
    for place in range(EVERY + 3, len(records), 4 * EVERY):
        human = humans[place - 5]
        bare = human.phone[1:]
        spellings = (
            human.phone, human.national, f"00{bare}", human.national.replace(" ", "-"), f"+{bare[:2]} (0) {bare[2:]}",
        )  # fmt: skip
        spelling = spellings[place // EVERY % 5]
        records[place].update(firstname=human.first, lastname=human.last, email=None, phone=spelling, mobilephone=None)


def break_records(tables: dict[str, list[Json]], count: int) -> None:
    for number in range(count):
        kind, name, value = BROKEN[number % len(BROKEN)]
        records = tables[kind]
        if records:
            records[(11 + 37 * number) % len(records)][name] = value
