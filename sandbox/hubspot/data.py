"""The records of a HubSpot account, made up from a size and a seed, the same ones in every process."""

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from sandbox.hubspot import mess
from sandbox.hubspot.engagements import MAKERS, Source
from sandbox.hubspot.follow import count_digits
from sandbox.hubspot.kinds import ENGAGEMENTS, KINDS
from sandbox.hubspot.links import BUILT_IN, PLAIN, PRIMARY, Links, Pair
from sandbox.hubspot.moments import BEGIN, DAY, END, write_date, write_seconds
from sandbox.hubspot.profiles import Pipeline, Profile, Stage, make_owners
from sandbox.people import Company, Human, people
from sandbox.table import Json

USUAL = 2_000
FIRST = 1001  # the first id of every type: the same number is a contact, a company and a deal
ARCHIVED_EVERY = 60
CROWD = 600  # people at one meeting
SHARES = {"calls": 0.3, "emails": 0.4, "meetings": 0.3, "tasks": 0.5, "notes": 1 / 6}  # of the contacts
WORDS = (
    "onboarding", "licences", "pilot", "renewal", "expansion", "migration", "consulting", "hardware", "support plan",
)  # fmt: skip
STAGES = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist",
    "other", "1054321", None,
)  # fmt: skip
LEAD_STATUSES = ("NEW", "OPEN", "IN_PROGRESS", "CONNECTED", "UNQUALIFIED", None, None, None)
JOBS = ("Buyer", "Head of Sales", "CTO", "Geschäftsführer", None, None)
PLAIN_TYPES = {pair: ((BUILT_IN, number),) for pair, number in PLAIN.items()}
INDUSTRIES = ("COMPUTER_SOFTWARE", "FOOD_PRODUCTION", "TEXTILES", None)


class Made(NamedTuple):
    """Not to be changed by who gets it; `links` are by direction and record, as in Links."""

    records: dict[str, list[Json]]
    archived: dict[str, list[Json]]
    links: Links


class Maker:
    """Makes all records of one account, one after the other, out of one stream of chance."""

    def __init__(self, profile: Profile, size: int, seed: int) -> None:
        self.dice = random.Random(f"hubspot {profile.portal_id} {size} {seed}")  # noqa: S311 - made-up data
        self.profile, self.size = profile, size
        extra = size // ARCHIVED_EVERY
        self.humans = people(size + extra, f"hubspot {profile.block} {seed}", profile.block)
        owners = [owner["id"] for owner in make_owners(profile)]
        self.owners: list[str | None] = [*(owners[: len(owners) - profile.retired] * 6), *owners, None, None]
        self.companies = list(dict.fromkeys(human.company for human in self.humans))[: max(1, size // 4)]
        self.numbers = {company.domain: FIRST + place for place, company in enumerate(self.companies)}
        self.stages: list[tuple[Pipeline, Stage]] = [
            (each, stage) for each in profile.pipelines for stage in each.stages
        ]
        self.imports = [self.dice.randrange(BEGIN, END) for _ in range(12)]
        self.links = Links()
        self.employers: dict[int, int] = {}

    def make(self, broken: int) -> Made:
        contacts = [self.make_contact(FIRST + place, human) for place, human in enumerate(self.humans)]
        companies = [self.make_company(FIRST + place, each) for place, each in enumerate(self.companies)]
        self.employ(contacts)
        mess.apply(mess.CONTACTS, contacts)
        mess.spell_phones(contacts, self.humans)
        mess.apply(mess.COMPANIES, companies)
        deals = [self.make_deal(FIRST + place, self.pick(contacts)) for place in range(self.size // 3)]
        mess.apply(mess.DEALS, deals)
        records = {"contacts": contacts, "companies": companies, "deals": deals}
        for name in ENGAGEMENTS:
            count = int(self.size * SHARES[name])
            records[name] = [self.make_engagement(name, FIRST + place, contacts, deals) for place in range(count)]
            mess.apply(mess.ENGAGEMENTS[name], records[name])
        self.invite(contacts)
        mess.break_records(records, broken)
        return self.archive(records)

    def pick(self, records: list[Json]) -> Json:
        return records[int(self.dice.random() * len(records))]

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def draw_times(self) -> tuple[int, int]:
        """When a record was made and last changed; one in twelve came by an import and shares its time with others."""
        if self.chance(1 / 12):
            moment = self.imports[int(self.dice.random() * len(self.imports))]
            return moment, moment
        made = BEGIN + int(self.dice.random() * (END - BEGIN - DAY))
        return made, made + int(self.dice.random() ** 2 * (END - made))

    def base(self, kind: str, number: int) -> tuple[Json, int, int]:
        """What every record has, and its two times in seconds."""
        made, changed = self.draw_times()
        split = 0 if made == changed else number * 37 % 1000
        names = KINDS[kind]
        return (
            {
                "id": number,
                "hs_object_id": str(number),
                names.created: write_seconds(made, split),
                names.changed: write_seconds(changed, split),
                "hubspot_owner_id": self.dice.choice(self.owners),
                "hs_object_source_label": "IMPORT" if not split else "CRM_UI",
            },
            made,
            changed,
        )

    def make_contact(self, number: int, human: Human) -> Json:
        contact, made, _ = self.base("contacts", number)
        contact |= {
            "email": human.email if self.chance(0.92) else None,
            "firstname": human.first,
            "lastname": human.last,
            "company": human.company.name if self.chance(0.5) else None,
            "jobtitle": self.dice.choice(JOBS),
            "lifecyclestage": self.dice.choice(STAGES),
            "hs_lead_status": self.dice.choice(LEAD_STATUSES),
            "country": human.company.country if self.chance(0.7) else None,
        }
        if contact["email"] and self.chance(0.08):
            contact["hs_additional_emails"] = f"{human.email.partition('@')[0]}@home.example"
        if self.chance(0.8):
            contact["mobilephone" if self.chance(0.4) else "phone"] = (
                human.phone if self.chance(0.5) else human.national
            )
        if self.chance(0.1) and "phone" not in contact:  # the switchboard, which colleagues share
            contact["phone"] = human.company.phone
        if self.chance(0.3):
            contact |= {
                "address": human.company.street,
                "city": human.company.city,
                "zip": f"{10_000 + number % 80_000}",
            }
        return contact | count_digits(contact) | self.draw_custom(made)

    def draw_custom(self, made: int) -> Json:
        """A few of the custom properties of contacts, of those that every account here has."""
        if not self.chance(0.4):
            return {}
        drawn = (
            ("lead_source_2", self.dice.choice(("inbound", "outbound", "referral", "fair"))),
            ("interests", self.dice.choice(("pricing", "pricing;support", "security;roadmap"))),
            ("score_by_hand", self.dice.choice(("7", "12.5", "-3", "0"))),
            ("region", self.dice.choice(("North", "Süd", "anywhere"))),
            ("region_2", self.dice.choice(("north", "south"))),
            ("last_contract", write_date(made // DAY)),
            ("last_demo", write_seconds(made)),
        )
        return dict(drawn[int(self.dice.random() * 7) :][:3])

    def make_company(self, number: int, company: Company) -> Json:
        record, _, _ = self.base("companies", number)
        return record | {
            "name": company.name,
            "domain": company.domain,
            "website": f"https://www.{company.domain}" if self.chance(0.8) else None,
            "phone": company.phone,
            "address": company.street,
            "city": company.city,
            "country": company.country,
            "industry": self.dice.choice(INDUSTRIES),
            "lifecyclestage": self.dice.choice(STAGES),
            "numberofemployees": self.dice.choice((None, "1", "12", "250")),
            "annualrevenue": self.dice.choice((None, "0", "250000", "12000000.50")),
        }

    def employ(self, contacts: list[Json]) -> None:
        """Links contacts with companies: most with their own, some with another beside it, some with none."""
        pair = ("contacts", "companies")
        for contact, human in zip(contacts, self.humans, strict=True):
            own = self.numbers.get(human.company.domain)
            if own is None or not self.chance(0.93):
                continue
            self.link(pair, contact["id"], own, primary=True)
            self.employers[contact["id"]] = own
            if self.chance(0.08):
                other = FIRST + int(self.dice.random() * len(self.companies))
                if other != own:
                    self.link(pair, contact["id"], other)

    def link(self, pair: Pair, key: int, other: int, *, primary: bool = False) -> None:
        types = PLAIN_TYPES[pair]
        self.links.begin(pair, key, other, ((BUILT_IN, PRIMARY[pair]), *types) if primary else types)

    def make_deal(self, number: int, contact: Json) -> Json:
        record, made, changed = self.base("deals", number)
        pipeline, stage = self.dice.choice(self.stages)
        amount = self.dice.choice(
            (f"{self.dice.randrange(5, 900) * 100}", f"{self.dice.uniform(10, 90_000):.2f}", None)
        )
        record |= {
            "dealname": f"{contact.get('lastname') or 'Unnamed'} {self.dice.choice(WORDS)}"[:120],
            "amount": amount,
            "pipeline": pipeline.key,
            "dealstage": stage.key,
            "hs_deal_stage_probability": stage.probability,
            "hs_is_closed": str(stage.closed).lower(),
            "hs_is_closed_won": str(stage.closed and stage.probability == "1.0").lower(),
            "closedate": write_seconds(changed if stage.closed else made + 90 * DAY) if self.chance(0.8) else None,
            "dealtype": self.dice.choice(("newbusiness", "existingbusiness", None)),
            "closed_lost_reason": "Price" if stage.key == "closedlost" else None,
            "hs_priority": self.dice.choice(("low", "medium", "high", None)),
        }
        if self.profile.currencies and self.chance(0.7):
            codes = (self.profile.currency, *self.profile.currencies)
            record["deal_currency_code"] = self.dice.choice(codes)
        self.link(("deals", "contacts"), number, contact["id"])
        employer = self.employers.get(contact["id"])
        if employer and self.chance(0.8):
            self.link(("deals", "companies"), number, employer, primary=True)
        return record

    def make_engagement(self, kind: str, number: int, contacts: list[Json], deals: list[Json]) -> Json:
        record, made, changed = self.base(kind, number)
        contact, deal = self.pick(contacts), self.pick(deals) if deals and self.chance(0.4) else None
        record["hs_timestamp"] = write_seconds(made)
        record |= MAKERS[kind](Source(self.dice, number, made, changed, contact, self.profile))
        if self.chance(0.97):
            self.link((kind, "contacts"), number, contact["id"])
        employer = self.employers.get(contact["id"])
        if employer and self.chance(0.6):
            self.link((kind, "companies"), number, employer)
        if deal:
            self.link((kind, "deals"), number, deal["id"])
        return record

    def invite(self, contacts: list[Json]) -> None:
        """Makes the first meeting one of so many people that its associations have a second page."""
        if len(contacts) > CROWD:
            for contact in contacts[:CROWD]:
                self.link(("meetings", "contacts"), FIRST, contact["id"])

    def archive(self, records: dict[str, list[Json]]) -> Made:
        """Puts a few into the recycle bin; of contacts as many as were made beyond the size asked for."""
        places = {name: set(range(ARCHIVED_EVERY - 1, len(rows), ARCHIVED_EVERY)) for name, rows in records.items()}
        places["contacts"] = set(self.spread(len(self.humans), len(self.humans) - self.size))
        kept: dict[str, list[Json]] = {}
        gone: dict[str, list[Json]] = {}
        for name, rows in records.items():
            kept[name] = [drop_empty(row) for place, row in enumerate(rows) if place not in places[name]]
            gone[name] = [
                drop_empty(row) | {"archivedAt": write_seconds(END - DAY + place % DAY)}
                for place, row in enumerate(rows)
                if place in places[name]
            ]
        return Made(kept, gone, self.links)

    def spread(self, among: int, count: int) -> Iterator[int]:
        """`count` places of `among`, never the first."""
        return (among * (place + 1) // (count + 1) for place in range(count))


def drop_empty(record: Json) -> Json:
    """A property without a value is not stored."""
    return {name: value for name, value in record.items() if value is not None}


def make_records(profile: Profile, size: int, seed: int, broken: int) -> Made:
    """Those of a usual size are made once."""
    if size == 0:
        return Made({kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}, Links())
    return remember(profile, size, seed, broken) if size <= USUAL else Maker(profile, size, seed).make(broken)


@lru_cache(maxsize=8)
def remember(profile: Profile, size: int, seed: int, broken: int) -> Made:
    return Maker(profile, size, seed).make(broken)
