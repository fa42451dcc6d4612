"""The two HubSpot accounts, as they are before they have records: who they are, owners, pipelines, currencies."""

from typing import Any, NamedTuple

Json = dict[str, Any]

FOUNDED = "2024-10-01T08:00:00.000Z"
CHANGED = "2025-01-07T10:00:00.000Z"


class Stage(NamedTuple):
    key: str
    label: str
    probability: str
    closed: bool = False


class Pipeline(NamedTuple):
    key: str
    label: str
    stages: tuple[Stage, ...]


class Profile(NamedTuple):
    """`currencies` are those beside the account's own: with any, deals have a currency of their own."""

    token: str
    block: int
    portal_id: int
    name: str
    hub_domain: str
    time_zone: str
    utc_offset: str
    currency: str
    currencies: tuple[str, ...]
    user_id: int
    user_email: str
    first_owner: int
    owners: tuple[str, ...]
    retired: int  # how many of the last owners are archived
    pipelines: tuple[Pipeline, ...]
    custom: int  # how many custom properties of each type of record


SALES = Pipeline(
    "default", "Sales Pipeline",
    (
        Stage("appointmentscheduled", "Appointment Scheduled", "0.2"), Stage("qualifiedtobuy", "Qualified To Buy", "0.4"),
        Stage("presentationscheduled", "Presentation Scheduled", "0.6"),
        Stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
        Stage("contractsent", "Contract Sent", "0.9"), Stage("closedwon", "Closed Won", "1.0", closed=True),
        Stage("closedlost", "Closed Lost", "0.0", closed=True),
    ),
)  # fmt: skip
RENEWALS = Pipeline(
    "74218301", "Renewals 🤝",
    (
        Stage("139224871", "Due", "0.5"), Stage("139224872", "Offer sent", "0.7"),
        Stage("139224873", "Signed", "1.0", closed=True), Stage("139224874", "Cancelled", "0.0", closed=True),
    ),
)  # fmt: skip
LARGE = Profile(
    token="sandbox-hubspot",  # noqa: S106 - the simulator's published token
    block=3, portal_id=24819034, name="Nordlicht Handel", hub_domain="nordlicht-handel.example",
    time_zone="Europe/Berlin", utc_offset="+01:00", currency="EUR", currencies=("USD", "GBP", "PLN", "JPY"),
    user_id=50101, user_email="rae@nordlicht-sandbox.example", first_owner=700101,
    owners=("Rae Repke", "Jonas Ahlers", "Swantje Petersen", "Mehmet Aydın", "Claire Dupont", "Ivo Novák",
            "Incoming requests", "Gerda Altmann"),
    retired=1, pipelines=(SALES, RENEWALS), custom=40,
)  # fmt: skip
SMALL = Profile(
    token="sandbox-hubspot-2",  # noqa: S106 - the simulator's published token
    block=4, portal_id=8120577, name="Harbor & Pine LLC", hub_domain="harborpine.example",
    time_zone="America/New_York", utc_offset="-05:00", currency="USD", currencies=(),
    user_id=60201, user_email="dana@harborpine-sandbox.example", first_owner=810201,
    owners=("Dana Pine", "Luis Ortega", "Former Colleague"),
    retired=1, pipelines=(SALES,), custom=8,
)  # fmt: skip
QUEUE = "Incoming requests"  # an owner that is no person: it has no e-mail address


def describe_account(profile: Profile) -> Json:
    return {
        "portalId": profile.portal_id,
        "accountType": "STANDARD",
        "timeZone": profile.time_zone,
        "companyCurrency": profile.currency,
        "additionalCurrencies": list(profile.currencies),
        "utcOffset": profile.utc_offset,
        "utcOffsetMilliseconds": int(profile.utc_offset[:3]) * 3_600_000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }


def make_owners(profile: Profile) -> list[Json]:
    active = len(profile.owners) - profile.retired
    return [make_owner(profile, place, name, archived=place >= active) for place, name in enumerate(profile.owners)]


def make_owner(profile: Profile, place: int, name: str, *, archived: bool) -> Json:
    """`userId` is another number than `id`; a person who has left has none any more."""
    first, _, last = name.partition(" ")
    user = profile.user_id + place
    domain = profile.user_email.partition("@")[2]
    owner: Json = {"id": str(profile.first_owner + 3 * place)}
    if name == QUEUE:
        owner |= {"email": None, "type": "QUEUE", "firstName": name, "lastName": ""}
    else:
        owner |= {
            "email": f"{first.lower()}@{domain}",
            "type": "PERSON",
            "firstName": first,
            "lastName": last,
            "userIdIncludingInactive": user,
            **({} if archived else {"userId": user}),
        }
    teams = [{"id": "3", "name": "EU", "primary": True}] if place % 2 else []
    return owner | {"createdAt": FOUNDED, "updatedAt": CHANGED, "archived": archived, "teams": teams}


def make_pipelines(profile: Profile) -> list[Json]:
    return [
        {
            "label": pipeline.label,
            "displayOrder": order,
            "id": pipeline.key,
            "stages": [make_stage(stage, place) for place, stage in enumerate(pipeline.stages)],
            "createdAt": FOUNDED,
            "updatedAt": CHANGED,
            "archived": False,
        }
        for order, pipeline in enumerate(profile.pipelines)
    ]


def make_stage(stage: Stage, order: int) -> Json:
    return {
        "label": stage.label,
        "displayOrder": order,
        "metadata": {"isClosed": str(stage.closed).lower(), "probability": stage.probability},
        "id": stage.key,
        "createdAt": FOUNDED,
        "updatedAt": CHANGED,
        "archived": False,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }
