"""The records of a Pipedrive account, made up from a size and a seed, the same ones in every process."""

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

from sandbox.people import Company, Human, people
from sandbox.pipedrive import mess
from sandbox.pipedrive.company import ACTIVITY_TYPES, LOST_REASONS, Profile, make_stages, make_users
from sandbox.pipedrive.fields import custom_fields, label_ids, make_fields
from sandbox.pipedrive.moments import BEGIN, DAY, END, LEAD_FORM, V1_FORM, V2_FORM, write_day, write_seconds
from sandbox.pipedrive.values import Source, draw_amount, draw_clock, draw_custom, make_address

Json = dict[str, Any]

KINDS = ("Person", "Organization", "Deal", "Lead", "Activity", "Note")
USUAL = 2_000
ACTIVE = [key for key, _, active, _ in ACTIVITY_TYPES if active]
ALWAYS = 19  # so many custom fields show as null where they are empty
DELETED_EVERY = 60
WORDS = (
    "onboarding", "licences", "pilot", "renewal", "expansion", "migration", "consulting", "hardware", "support plan",
)  # fmt: skip
TOPICS = ("Intro", "Follow up", "Send quote", "Check in", "Contract review", "Kick-off", "Lunch", "Site visit")
NOTES = (
    "Talked about the budget.", "<b>Important:</b> wants a demo next week &amp; a quote",
    "<p>Decision maker is on holiday until the 14th.</p>", "Café – 20&nbsp;% discount agreed 🎉",
    "<ul><li>25 seats</li><li>two years</li></ul>", "<div>Call back<br>after 5&nbsp;pm</div>",
    "<script>alert('note')</script>Left a message", "Zero\u0000width and a NUL", "1 &lt; 2 &gt; 0 &quot;quoted&quot;",
    "Meeting notes: " + "went on and on. " * 400,
)  # fmt: skip


class Maker:
    """Makes all tables of one account, one after the other, out of one stream of chance."""

    def __init__(self, profile: Profile, size: int, seed: int) -> None:
        self.dice = random.Random(f"pipedrive {profile.company_id} {size} {seed}")  # noqa: S311 - made-up data
        self.profile = profile
        self.fields = make_fields(profile)
        extra = size // DELETED_EVERY
        self.humans = people(size + extra, f"pipedrive {profile.block} {seed}", profile.block)
        self.size = size
        self.users: list[int] = [user["id"] for user in make_users(profile)]
        self.owners = self.users[: len(self.users) - profile.retired] * 6 + self.users
        self.stages = make_stages(profile)
        self.companies = self.choose_companies(max(1, size // 4) if size else 0)
        self.numbers = {company.domain: number for number, company in enumerate(self.companies, 1)}
        self.imports = [self.dice.randrange(BEGIN, END) for _ in range(12)]
        self.source = Source(self.dice, self.users, len(self.humans), len(self.companies), profile.zone)
        self.shapes = {kind: self.shape(kind) for kind in self.fields}
        self.labels = {kind: label_ids(listed) for kind, listed in self.fields.items()}

    def make(self, broken: int) -> dict[str, list[Json]]:
        persons = [self.make_person(number, human) for number, human in enumerate(self.humans, 1)]
        organizations = [self.make_organization(number, each) for number, each in enumerate(self.companies, 1)]
        mess.apply(mess.PERSONS, persons)
        mess.spell_phones(persons, self.humans)
        mess.apply(mess.ORGANIZATIONS, organizations)
        deals = [self.make_deal(number, self.pick(persons)) for number in range(1, self.size // 2 + 1)]
        mess.apply(mess.DEALS, deals)
        leads = [self.make_lead(number, self.pick(persons)) for number in range(self.size // 8)]
        activities = [self.make_activity(n, self.pick(persons), deals, leads) for n in range(1, self.size * 3 // 2 + 1)]
        mess.apply(mess.ACTIVITIES, activities)
        notes = [self.make_note(number, persons, deals, leads) for number in range(1, self.size // 6 + 1)]
        tables = dict(zip(KINDS, (persons, organizations, deals, leads, activities, notes), strict=True))
        self.delete_some(tables)
        mess.break_records(tables, broken)
        return tables

    def choose_companies(self, count: int) -> list[Company]:
        return list(dict.fromkeys(human.company for human in self.humans))[:count]

    def shape(self, kind: str) -> tuple[list[Json], dict[str, None]]:
        custom = custom_fields(self.fields[kind])
        return list(custom.values()), dict.fromkeys(list(custom)[:ALWAYS])

    def pick(self, records: list[Json]) -> Json:
        return records[int(self.dice.random() * len(records))]

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def owner(self) -> int:
        return self.dice.choice(self.owners)

    def draw_times(self) -> tuple[int, int]:
        """When a record was added and last updated; one in twelve came by an import and shares its time with others."""
        if self.chance(1 / 12):
            moment = self.imports[int(self.dice.random() * len(self.imports))]
            return moment, moment
        added = BEGIN + int(self.dice.random() * (END - BEGIN - DAY))
        return added, added + int(self.dice.random() ** 2 * (END - added))

    def times(self, form: tuple[str, str]) -> Json:
        added, updated = self.draw_times()
        return {"add_time": write_seconds(added, form), "update_time": write_seconds(updated, form)}

    def draw_labels(self, kind: str) -> list[int]:
        if not self.chance(0.3):
            return []
        return sorted(self.dice.sample(self.labels[kind], self.dice.choice((1, 1, 1, 2))))

    def make_person(self, number: int, human: Human) -> Json:
        emails = [mess.item(human.email, primary=True)] if self.chance(0.92) else []
        if emails and self.chance(0.08):
            emails.append(mess.item(f"{human.email.partition('@')[0]}@home.example", "home"))
        phones = []
        if self.chance(0.8):
            number_text = human.phone if self.chance(0.5) else human.national
            phones.append(mess.item(number_text, "mobile", primary=True))
        if self.chance(0.1):  # the switchboard, which colleagues share
            phones.append(mess.item(human.company.phone, "work", primary=not phones))
        person = {
            "id": number,
            "name": f"{human.first} {human.last}",
            "first_name": human.first,
            "last_name": human.last,
            "owner_id": self.owner(),
            "org_id": self.numbers.get(human.company.domain) if self.chance(0.93) else None,
            **self.times(V2_FORM),
            "emails": emails,
            "phones": phones,
            "is_deleted": False,
            "visible_to": 3,
            "label_ids": self.draw_labels("Person"),
            "picture_id": None,
            "custom_fields": draw_custom(self.source, *self.shapes["Person"]),
        }
        return person | self.synced_contact() if self.profile.contact_sync else person

    def synced_contact(self) -> Json:
        title = self.dice.choice(("Buyer", "Head of Sales", "CTO", None, ""))
        return {"notes": None, "im": [], "birthday": None, "job_title": title, "postal_address": None}

    def make_organization(self, number: int, company: Company) -> Json:
        organization = {
            "id": number,
            "name": company.name,
            "owner_id": self.owner(),
            **self.times(V2_FORM),
            "address": make_address(company.street, company.city, company.country),
            "is_deleted": False,
            "visible_to": 3,
            "label_ids": self.draw_labels("Organization"),
            "custom_fields": draw_custom(self.source, *self.shapes["Organization"]),
        }
        if self.profile.firmographics:
            organization |= {
                "website": f"https://www.{company.domain}" if self.chance(0.8) else None,
                "linkedin": None,
                "industry": self.dice.choice((None, 1, 2, 7)),
                "annual_revenue": self.dice.choice((None, 0, 250_000, 12_000_000)),
                "employee_count": self.dice.choice((None, 1, 12, 250)),
            }
        return organization

    def make_deal(self, number: int, person: Json) -> Json:
        added, updated = self.draw_times()
        stage = self.dice.choice(self.stages)
        status = self.dice.choices(("open", "won", "lost"), (5, 3, 2))[0]
        closed = write_seconds(updated, V2_FORM) if status != "open" else None
        archived = self.chance(0.08)
        return {
            "id": number,
            "title": f"{person['name'] or 'Unnamed'} {self.dice.choice(WORDS)}"[:120],
            "creator_user_id": self.owner(),
            "owner_id": self.owner(),
            "value": draw_amount(self.dice),
            "person_id": person["id"],
            "org_id": person["org_id"],
            "stage_id": stage["id"],
            "pipeline_id": stage["pipeline_id"],
            "currency": self.dice.choice((self.profile.currency,) * 4 + ("USD", "GBP", "PLN", "JPY")),
            "archive_time": write_seconds(updated, V2_FORM) if archived else None,
            "add_time": write_seconds(added, V2_FORM),
            "update_time": write_seconds(updated, V2_FORM),
            "stage_change_time": write_seconds((added + updated) // 2, V2_FORM) if self.chance(0.6) else None,
            "status": status,
            "is_archived": archived,
            "is_deleted": False,
            "probability": self.dice.choice((None, None, 10, 50, 90)),
            "lost_reason": self.dice.choice(LOST_REASONS) if status == "lost" else None,
            "visible_to": 3,
            "close_time": closed,
            "won_time": closed if status == "won" else None,
            "lost_time": closed if status == "lost" else None,
            "local_won_date": closed[:10] if closed and status == "won" else None,
            "local_lost_date": closed[:10] if closed and status == "lost" else None,
            "local_close_date": closed[:10] if closed else None,
            "expected_close_date": write_day(updated + 40 * DAY) if self.chance(0.7) else None,
            "label_ids": self.draw_labels("Deal"),
            "origin": self.dice.choice(("ManuallyCreated", "ManuallyCreated", "API", "Import")),
            "origin_id": None,
            "channel": None,
            "channel_id": None,
            "acv": None,
            "arr": None,
            "mrr": None,
            "custom_fields": draw_custom(self.source, *self.shapes["Deal"]),
        }

    def make_lead(self, number: int, person: Json) -> Json:
        archived = self.chance(0.2)
        by_person = self.chance(0.85) or not person["org_id"]
        lead = {
            "id": str(UUID(int=self.dice.getrandbits(128), version=4)),
            "title": f"{person['name'] or 'Unnamed'} lead"[:120],
            "owner_id": self.owner(),
            "creator_id": self.owner(),
            "label_ids": [],
            "person_id": person["id"] if by_person else None,
            "organization_id": person["org_id"] if self.chance(0.5) or not by_person else None,
            "source_name": self.dice.choice(("Manually created", "API", "Web forms", "Import")),
            "origin": "ManuallyCreated",
            "origin_id": None,
            "channel": None,
            "channel_id": None,
            "is_archived": archived,
            "was_seen": self.chance(0.7),
            "value": {"amount": draw_amount(self.dice), "currency": self.profile.currency}
            if self.chance(0.6)
            else None,
            "expected_close_date": None,
            "next_activity_id": None,
            **self.times(LEAD_FORM),
            "visible_to": "3",
            "cc_email": f"{self.profile.domain}+lead{number}@pipedrivemail.example",
        }
        return lead | {"archive_time": lead["update_time"] if archived else None} | self.lead_values()

    def lead_values(self) -> Json:
        """Leads inherit the deals' custom fields, at the top level, and only those that are set."""
        if not self.chance(0.1):
            return {}
        code = next(iter(self.shapes["Deal"][1]))
        return {code: self.fields_by_code("Deal")[code]["options"][0]["id"]}

    def fields_by_code(self, kind: str) -> dict[str, Json]:
        return custom_fields(self.fields[kind])

    def make_activity(self, number: int, person: Json, deals: list[Json], leads: list[Json]) -> Json:
        added, updated = self.draw_times()
        done = self.chance(0.6)
        deal = self.pick(deals) if deals and self.chance(0.4) else None
        lead = self.pick(leads) if leads and not deal and self.chance(0.05) else None
        return {
            "id": number,
            "subject": f"{TOPICS[int(self.dice.random() * len(TOPICS))]} {person['first_name'] or ''}".strip(),
            "type": ACTIVE[int(self.dice.random() ** 1.5 * len(ACTIVE))],
            "owner_id": self.owner(),
            "creator_user_id": self.owner(),
            "is_deleted": False,
            "add_time": write_seconds(added, V2_FORM),
            "update_time": write_seconds(updated, V2_FORM),
            "deal_id": deal and deal["id"],
            "lead_id": lead and lead["id"],
            "person_id": person["id"],
            "org_id": person["org_id"],
            "project_id": None,
            "due_date": write_day(added + int(self.dice.random() * 30) * DAY),
            "due_time": draw_clock(self.dice) if self.chance(0.6) else None,
            "duration": self.dice.choice((None, "00:15:00", "00:30:00", "01:00:00")),
            "busy": None if self.chance(0.5) else True,
            "done": done,
            "marked_as_done_time": write_seconds(updated, V2_FORM) if done else None,
            "location": None,
            "participants": [{"person_id": person["id"], "primary": True}],
            "attendees": None,
            "conference_meeting_client": None,
            "conference_meeting_url": None,
            "conference_meeting_id": None,
            "public_description": None,
            "priority": None,
            "note": "<p>Bring the offer &amp; samples</p>" if self.chance(0.1) else None,
        }

    def make_note(self, number: int, persons: list[Json], deals: list[Json], leads: list[Json]) -> Json:
        person = self.pick(persons)
        deal = self.pick(deals) if deals and self.chance(0.3) else None
        lead = self.pick(leads) if leads and not deal and self.chance(0.1) else None
        return {
            "id": number,
            "active_flag": True,
            **self.times(V1_FORM),
            "content": NOTES[number % len(NOTES)],
            "lead_id": lead and lead["id"],
            "deal_id": deal and deal["id"],
            "person_id": person["id"] if not deal or self.chance(0.5) else None,
            "org_id": person["org_id"] if self.chance(0.5) else None,
            "project_id": None,
            "task_id": None,
            "user_id": self.owner(),
            "last_update_user_id": None,
            "pinned_to_lead_flag": False,
            "pinned_to_deal_flag": deal is not None and self.chance(0.1),
            "pinned_to_organization_flag": False,
            "pinned_to_person_flag": False,
            "pinned_to_project_flag": False,
            "pinned_to_task_flag": False,
        }

    def delete_some(self, tables: dict[str, list[Json]]) -> None:
        """Soft-deletes a few; of persons as many as were made beyond the size asked for."""
        spare = iter(self.spread(len(self.humans), len(self.humans) - self.size))
        for place in spare:
            tables["Person"][place]["is_deleted"] = True
        for kind in ("Organization", "Deal", "Activity"):
            for record in tables[kind][DELETED_EVERY - 1 :: DELETED_EVERY]:
                record["is_deleted"] = True
        for record in tables["Note"][DELETED_EVERY - 1 :: DELETED_EVERY]:
            record["active_flag"] = False

    def spread(self, among: int, count: int) -> Iterator[int]:
        """`count` places of `among`, never the first."""
        return (among * (place + 1) // (count + 1) for place in range(count))


def make_tables(profile: Profile, size: int, seed: int, broken: int) -> dict[str, list[Json]]:
    """Records by external type, not to be changed by who gets them: those of a usual size are made once."""
    if size == 0:
        return {kind: [] for kind in KINDS}
    return remember(profile, size, seed, broken) if size <= USUAL else Maker(profile, size, seed).make(broken)


@lru_cache(maxsize=8)
def remember(profile: Profile, size: int, seed: int, broken: int) -> dict[str, list[Json]]:
    return Maker(profile, size, seed).make(broken)
