"""What is HubSpot's alone: limits of several kinds, its own errors, what it tells of an account, lifecycle stages."""

from datetime import UTC, datetime

import httpx
import pytest

from connectors.client import Client
from connectors.errors import QuotaExhausted, Rejected, Retryable, Unsupported
from connectors.facts import Pipeline, Stage, User
from connectors.http import open_http
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage.shapes import BudgetWindow
from tests.connectors.clock import Time
from tests.connectors.samples import catalog, read_source
from tests.connectors.simulator import Simulator, Wire

HUBSPOT = CONNECTORS["HUBSPOT"]
CONTACTS = HUBSPOT.type("contacts")


@pytest.fixture
def crm() -> str:
    return "HUBSPOT"


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return simulator.client()


# ---------------------------------------------------------------- limits and errors


async def test_searches_have_a_budget_of_their_own(simulator: Simulator, client: Client) -> None:
    begun = simulator.time.now
    for _ in range(26):
        await client.search(CONTACTS, "ann")
    searched = simulator.time.now - begun

    assert 4.5 <= searched <= 6  # five a second
    left = {one.window: one.limit for one in await client.budget()}
    assert left[BudgetWindow.SEARCH] == 5


POLICY = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached your limit."}


@pytest.mark.parametrize(("window", "path", "least", "most"), [("BURST", "", 10, 12), ("SEARCH", "/search", 1, 3)])
async def test_a_429_without_a_time_waits_for_the_window_that_it_names(
    simulator: Simulator, client: Client, window: str, path: str, least: float, most: float
) -> None:
    await client.fields("contacts")
    await simulator.faults(limits={window: 0})
    waited = simulator.time.pause

    async def pause(seconds: float) -> None:
        await waited(seconds)
        await simulator.faults()

    client.wire.pause = pause
    begun = simulator.time.now

    await client.page(CONTACTS.changes[0] if path else CONTACTS.listings[0])

    assert [response.status_code for _, response in simulator.sent].count(429) == 1
    assert least <= simulator.time.now - begun <= most


@pytest.mark.parametrize(
    ("said", "span"),
    [
        ({"message": "You have reached your secondly limit.", "category": "RATE_LIMITS"}, 1),
        ({"message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT"}, 10),
        ({"message": "Slow down", "policyName": "TEN_SECONDLY_ROLLING"}, 10),
        ({"message": "Slow down", "policyName": "SECONDLY"}, 1),
    ],
)
async def test_a_limit_that_stays_full_is_not_taken_for_the_days(time: Time, said: dict[str, str], span: int) -> None:
    body = {"status": "error", **said}
    async with open_http(httpx.MockTransport(lambda _: httpx.Response(429, json=body))) as http:
        client = Simulator(HUBSPOT, time, Wire(0), http).client()
        with pytest.raises(Retryable) as caught:
            await client.pipelines()

    assert (type(caught.value), client.calls) == (Retryable, 5)
    assert 4 * span <= sum(time.waited) < 20 * span  # four waits, each longer than the one before


async def test_a_policy_that_names_the_day_is_believed_without_headers(simulator: Simulator, client: Client) -> None:
    await simulator.faults(dailyQuota=0)
    # apps are told nothing of the day
    simulator.wire.added[429] = dict.fromkeys(("x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"), "")

    with pytest.raises(QuotaExhausted):
        await client.users()

    asked = [request.url.params["archived"] for request, _ in simulator.sent]
    assert len(set(asked)) == len(asked)


async def test_a_day_ends_at_the_accounts_own_midnight(simulator: Simulator, client: Client) -> None:
    await client.identify()  # in Berlin, where it is 13:00
    await simulator.faults(dailyQuota=0)

    with pytest.raises(QuotaExhausted) as caught:
        await client.page(CONTACTS.listings[0])

    assert caught.value.until == datetime(2026, 11, 21, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "after", "message"),
    [
        (400, Rejected, None, "HubSpot refuses the request (HTTP 400, VALIDATION_ERROR)."),
        (414, Rejected, None, "HubSpot refuses the request (HTTP 414)."),
        (477, Retryable, 2, "HubSpot is moving the account to another data centre (HTTP 477, MIGRATION_IN_PROGRESS)."),
        (423, Retryable, 2, "HubSpot is changing the same records for somebody else (HTTP 423, LOCKED)."),
        (521, Retryable, None, "HubSpot has a failure (HTTP 521)."),
    ],
)
async def test_errors_that_others_have_not(
    simulator: Simulator, client: Client, status: int, kind: type[Exception], after: float | None, message: str
) -> None:
    await simulator.faults(status=status)

    with pytest.raises(kind) as caught:
        await client.users()

    assert str(caught.value) == message
    assert getattr(caught.value, "after", None) == after


async def test_a_scope_that_was_not_granted_is_named_by_its_code(simulator: Simulator, client: Client) -> None:
    await simulator.faults(status={"code": 403, "path": "/crm/owners"})

    with pytest.raises(Unsupported) as caught:
        await client.users()

    assert caught.value.message == (
        "HubSpot does not allow that: a scope, a right or the plan (HTTP 403, USER_DOES_NOT_HAVE_PERMISSIONS)."
    )


# ---------------------------------------------------------------- what is told of an account


def test_owners_are_named_by_their_owner_id() -> None:
    assert read_source("HUBSPOT", HUBSPOT.users) == (
        User(external_id="77", name="Rae Rep", email="rep@example.com", login="501"),
        User(external_id="78", name="Gone Girl", email="gone@example.com", is_active=False),
        User(external_id="79", name="Inbox", email=None),
    )


def test_pipelines_are_in_the_order_of_the_board() -> None:
    assert read_source("HUBSPOT", HUBSPOT.pipelines) == (
        Pipeline(
            external_id="default",
            name="Sales Pipeline",
            stages=(
                Stage(
                    external_id="appointmentscheduled",
                    name="Appointment Scheduled",
                    position=0,
                    probability=20,
                    is_closed=False,
                ),
                Stage(external_id="closedwon", name="Closed Won", position=5, probability=100, is_closed=True),
                Stage(external_id="closedlost", name="Closed Lost", position=6, probability=0, is_closed=True),
            ),
        ),
        Pipeline(
            external_id="7000",
            name="Partners",
            stages=(
                Stage(external_id="7001", name="Talk", position=0, probability=50, is_closed=False),
                Stage(external_id="7002", name="Parked", position=1, probability=30, is_closed=True),
            ),
        ),
    )


def test_the_account_is_its_portal() -> None:
    identity = read_source("HUBSPOT", HUBSPOT.identity)

    assert (identity.account_id, identity.time_zone) == ("24819034", "Europe/Berlin")
    assert identity.account_url == "https://app.hubspot.com/contacts/24819034"


@pytest.mark.parametrize(
    ("stage", "kind", "label"),
    [
        ("subscriber", "LEAD", "Subscriber"),
        ("lead", "LEAD", "Lead"),
        ("marketingqualifiedlead", "LEAD", "Marketing Qualified Lead"),
        ("salesqualifiedlead", "LEAD", "Sales Qualified Lead"),
        ("opportunity", "CONTACT", "Opportunity"),
        ("customer", "CONTACT", "Customer"),
        ("evangelist", "CONTACT", "Evangelist"),
        ("other", None, "Other"),
        ("1054321", None, "Trial user"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_the_kind_of_a_contact_follows_from_its_lifecycle_stage(
    stage: str | None, kind: str | None, label: str | None
) -> None:
    payload = {"id": "1", "properties": {"lifecyclestage": stage}}

    values = map_record(CONTACTS, payload, catalog("HUBSPOT", "contacts")).values

    assert (values["kind"], values["lifecycle_stage"]) == (kind, label)
