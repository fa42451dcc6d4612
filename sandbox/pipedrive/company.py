"""What a Pipedrive company has before it has records: users, pipelines, stages, labels, types, currencies."""

from typing import Any, NamedTuple
from uuid import UUID, uuid5

Json = dict[str, Any]

FOUNDED = "2024-10-01 08:00:00"
SPACE = UUID("6f1cbb2e-3a0f-4d57-9d0c-2f6f7a1f8d11")


class Profile(NamedTuple):
    """The two companies. `contact_sync` and `firmographics` are features that show as more fields."""

    token: str
    block: int
    company_id: int
    name: str
    domain: str
    country: str
    currency: str
    zone: str
    first_user: int
    users: tuple[str, ...]
    retired: int  # how many of the last users are no longer active
    pipelines: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    contact_sync: bool
    firmographics: bool
    custom: int  # how many custom fields of each type of record


LARGE = Profile(
    token="sandbox-pipedrive",  # noqa: S106 - the simulator's published token
    block=1, company_id=7812345, name="Nordlicht Handel", domain="nordlicht-sandbox", country="DE", currency="EUR",
    zone="Europe/Berlin", first_user=1001,
    users=("Rae Repke", "Jonas Ahlers", "Swantje Petersen", "Mehmet Aydın", "Claire Dupont", "Ivo Novák", "Tom Büttner",
           "Gerda Altmann"),
    retired=1,
    pipelines=(
        ("New business", (("Lead in", 10), ("Contacted", 20), ("Demo scheduled", 40), ("Proposal", 60), ("Closing", 90))),
        ("Renewals", (("Due", 70), ("Offer sent", 80), ("Signed", 100))),
        ("Partners 🤝", (("Talk", 0), ("Agreement", 50))),
    ),
    contact_sync=False, firmographics=True, custom=200,
)  # fmt: skip
SMALL = Profile(
    token="sandbox-pipedrive-2",  # noqa: S106 - the simulator's published token
    block=2, company_id=9154021, name="Harbor & Pine LLC", domain="harborpine-sandbox", country="US", currency="USD",
    zone="America/New_York", first_user=2001,
    users=("Dana Pine", "Luis Ortega", "Former Colleague"),
    retired=1,
    pipelines=(
        ("Sales", (("Qualified", 20), ("Negotiation", 60), ("Contract", 90))),
        ("Support upsell", (("Idea", 10), ("Offer", 50))),
    ),
    contact_sync=True, firmographics=False, custom=8,
)  # fmt: skip

LABELS = ("Hot", "Warm", "Cold", "Customer", "VIP ⭐", "customer")  # the last differs from another in case only
COLORS = ("red", "yellow", "blue", "green", "purple", "gray")
LOST_REASONS = ("Price", "No budget", "Chose a competitor", "Timing", None)

# key_string, name, active, custom
ACTIVITY_TYPES = (
    ("call", "Call", True, False),
    ("meeting", "Meeting", True, False),
    ("task", "Task", True, False),
    ("deadline", "Deadline", True, False),
    ("email", "Email", True, False),
    ("lunch", "Lunch", True, False),
    ("demo", "Product demo", True, True),
    ("site_visit", "Site visit", True, True),
    ("fax", "Fax", False, True),
)
CURRENCIES = (
    ("EUR", "Euro", 2, "€"),
    ("USD", "US Dollar", 2, "$"),
    ("GBP", "British Pound", 2, "£"),
    ("PLN", "Polish Złoty", 2, "zł"),
    ("JPY", "Japanese Yen", 0, "¥"),
    ("SEK", "Swedish Krona", 2, "kr"),
)
LEAD_SOURCES = ("Manually created", "Deal", "Web forms", "Prospector", "Live chat", "Import", "API")


def uuid_for(profile: Profile, *parts: object) -> str:
    return str(uuid5(SPACE, ":".join(map(str, (profile.company_id, *parts)))))


def make_users(profile: Profile) -> list[Json]:
    active = len(profile.users) - profile.retired
    return [make_user(profile, place, name, active=place < active) for place, name in enumerate(profile.users)]


def make_user(profile: Profile, place: int, name: str, *, active: bool) -> Json:
    """A v1 user; the first is the one whose token it is."""
    admin = place == 0
    return {
        "id": profile.first_user + place,
        "name": name,
        "default_currency": profile.currency,
        "locale": "en_US",
        "lang": 1,
        "email": f"{name.split(maxsplit=1)[0].lower()}@{profile.domain}.example",
        "phone": None,
        "activated": True,
        "last_login": "2026-10-30 07:45:56",
        "created": FOUNDED,
        "modified": "2026-10-30 07:45:56",
        "has_created_company": admin,
        "access": [
            {"app": app, "admin": admin, "permission_set_id": uuid_for(profile, "permissions", app, admin)}
            for app in ("sales", "global", "account_settings")
        ],
        "active_flag": active,
        "timezone_name": profile.zone,
        "timezone_offset": "+01:00" if profile.zone == "Europe/Berlin" else "-05:00",
        "role_id": 1,
        "icon_url": None,
        "is_you": admin,
        "is_deleted": not active,
    }


def describe_company(profile: Profile) -> Json:
    """What `users/me` adds to the user."""
    return {
        "company_id": profile.company_id,
        "company_name": profile.name,
        "company_domain": profile.domain,
        "company_country": profile.country,
        "company_industry": "Wholesale",
        "language": {"language_code": "en", "country_code": "US"},
    }


def make_pipelines(profile: Profile) -> list[Json]:
    return [
        {
            "id": number,
            "name": name,
            "order_nr": number,
            "is_deleted": False,
            "is_deal_probability_enabled": number != 3,
            "add_time": "2024-10-01T08:00:00Z",
            "update_time": "2025-01-07T10:00:00Z",
        }
        for number, (name, _) in enumerate(profile.pipelines, 1)
    ]


def make_stages(profile: Profile) -> list[Json]:
    stages = [
        (pipeline, order, name, probability)
        for pipeline, (_, stages) in enumerate(profile.pipelines, 1)
        for order, (name, probability) in enumerate(stages, 1)
    ]
    return [
        {
            "id": number,
            "order_nr": order,
            "name": name,
            "is_deleted": False,
            "deal_probability": probability,
            "pipeline_id": pipeline,
            "is_deal_rot_enabled": pipeline == 1,
            "days_to_rotten": 30 if pipeline == 1 else None,
            "add_time": "2024-10-01T08:00:00Z",
            "update_time": "2025-01-07T10:00:00Z",
        }
        for number, (pipeline, order, name, probability) in enumerate(stages, 1)
    ]


def make_lead_labels(profile: Profile) -> list[Json]:
    return [
        {
            "id": uuid_for(profile, "lead label", name),
            "name": name,
            "color": color,
            "add_time": "2024-10-01T08:00:00.000Z",
            "update_time": "2024-10-01T08:00:00.000Z",
        }
        for name, color in zip(LABELS[:4], COLORS, strict=False)
    ]


def make_activity_types() -> list[Json]:
    return [
        {
            "id": number,
            "order_nr": number,
            "name": name,
            "key_string": key,
            "icon_key": "task" if custom else key,
            "active_flag": active,
            "color": "FFFFFF",
            "is_custom_flag": custom,
            "add_time": FOUNDED,
            "update_time": FOUNDED,
        }
        for number, (key, name, active, custom) in enumerate(ACTIVITY_TYPES, 1)
    ]


def make_currencies() -> list[Json]:
    return [
        {
            "id": number,
            "code": code,
            "name": name,
            "decimal_points": decimals,
            "symbol": symbol,
            "active_flag": True,
            "is_custom_flag": False,
        }
        for number, (code, name, decimals, symbol) in enumerate(CURRENCIES, 1)
    ]
