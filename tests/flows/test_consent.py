"""Consent by HTTP alone: given, refused, forged, used twice, too late, for another account; and what is left of it."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.flows.conftest import Stage
from tests.flows.person import Told, ask, consent, decide, look, visit
from tests.stage import HTTP, Gateway, gateway, wait_until

NORDLICHT, HARBOR = "Nordlicht Handel", "Harbor & Pine LLC"
INVALID = Told(
    400,
    "This consent cannot be used",
    "The consent came too late, was used before, or was not asked for here.",
    "STATE_INVALID",
    None,
)
DEMO = UUID("00000000-0000-4000-8000-00000000de30")
WATCH = "subscription($i: ID!) { integration(id: $i) { id status lastError } }"
LIST = "{ integrations { id } }"


def all_ids(gateway: Gateway) -> list[str]:
    return [one["id"] for one in gateway.ask(LIST)["integrations"]]


def rows(stage: Stage, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(stage.database, autocommit=True) as admin:
        return admin.execute(query.encode(), values).fetchall()


def oauth_calls(stage: Stage, account: int = 1) -> dict[str, int]:
    """How often what was asked of the vendor's OAuth, as far as any of it was."""
    return {name: count for name, count in stage.crm.requests(account)["oauth"].items() if count}


def refused(gateway: Gateway, **given: Any) -> dict[str, Any]:
    (error,) = gateway.do("connect", "integration { id } authorizationUrl", crm="PIPEDRIVE", **given)["userErrors"]
    found: dict[str, Any] = error
    return found


# ---------------------------------------------------------------- given and refused


def test_an_account_is_connected(stage: Stage) -> None:
    integration, url = ask(stage.gateway)
    asked = urlsplit(url)
    assert (asked._replace(query="").geturl(), set(parse_qs(asked.query))) == (
        f"{stage.crm.address}/pipedrive/oauth/authorize",
        {"client_id", "redirect_uri", "state"},
    )
    before = look(stage.gateway, integration)
    assert (before["status"], before["displayName"], before["accountId"]) == ("PENDING", "Pipedrive", None)
    told = visit(decide(url))
    assert told == Told(200, "Pipedrive is connected", f"The account {NORDLICHT} is connected.", "", None)
    after = look(stage.gateway, integration)
    assert (after["id"], after["status"], after["displayName"]) == (integration, "ACTIVE", NORDLICHT)
    assert (after["credentialKind"], len(after["scopes"])) == ("OAUTH2", 10)
    assert oauth_calls(stage) == {"exchanges": 1}
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    assert oauth_calls(stage) == {"exchanges": 1}


def test_a_name_that_was_given_stays(stage: Stage) -> None:
    integration, url = ask(stage.gateway, displayName="Sales")
    assert look(stage.gateway, integration)["displayName"] == "Sales"
    assert visit(decide(url)).sentence == f"The account {NORDLICHT} is connected as Sales."
    assert look(stage.gateway, consent(stage.gateway, integrationId=integration))["displayName"] == "Sales"


def test_a_refusal_is_told_and_may_be_taken_back(stage: Stage) -> None:
    integration, url = ask(stage.gateway)
    with ThreadPoolExecutor() as pool:
        events = stage.gateway.by_socket(WATCH, i=integration)
        seen = [next(events)["integration"]]
        told = pool.submit(visit, decide(url, "refuse")).result(20)
        seen.append(next(events)["integration"])
        assert told.http == 200
        assert (told.heading, told.sentence) == (
            "Pipedrive was not connected",
            "The consent was refused in Pipedrive.",
        )
        consent(stage.gateway, integrationId=integration)
        seen += [next(events)["integration"], next(events)["integration"]]
    assert [(one["id"], one["status"], one["lastError"]) for one in seen] == [
        (integration, "PENDING", None),
        (integration, "PENDING", told.sentence),
        (integration, "PENDING", told.sentence),
        (integration, "ACTIVE", None),
    ]


def test_a_refusal_leaves_a_connected_account_alone(stage: Stage) -> None:
    integration = consent(stage.gateway)
    before = look(stage.gateway, integration)
    visit(decide(ask(stage.gateway, integrationId=integration)[1], "refuse"))
    assert look(stage.gateway, integration) == before


@pytest.mark.parametrize(
    ("error", "http", "code"),
    [
        ("server_error", 502, "CRM_UNAVAILABLE"),
        ("invalid_scope", 400, "CREDENTIAL_REFUSED"),
        ("<b>", 400, "CREDENTIAL_REFUSED"),
    ],
)
def test_an_error_that_is_no_refusal(stage: Stage, error: str, http: int, code: str) -> None:
    integration, url = ask(stage.gateway)
    told = visit(answer_of(url, error=error))
    assert (told.http, told.heading, told.code) == (http, "Pipedrive was not connected", code)
    assert look(stage.gateway, integration)["lastError"] == told.sentence
    assert "<" not in told.sentence


def answer_of(url: str, **outcome: str) -> str:
    """The callback with another answer than the CRM's."""
    asked = parse_qs(urlsplit(url).query)
    return f"{asked['redirect_uri'][0]}?{urlencode({**outcome, 'state': asked['state'][0]})}"


@pytest.mark.parametrize(
    ("fault", "http", "code"),
    [
        ({"status": {"code": 503, "path": "/oauth/token"}}, 502, "CRM_UNAVAILABLE"),
        ({"status": {"code": 503, "path": "/api/v1/users"}}, 502, "CRM_UNAVAILABLE"),
        ({"dailyQuota": 0}, 503, "CRM_QUOTA"),
        ({"refuseToken": True}, 400, "CREDENTIAL_REFUSED"),
    ],
)
def test_a_crm_that_fails_meanwhile(stage: Stage, fault: dict[str, Any], http: int, code: str) -> None:
    integration, url = ask(stage.gateway)
    address = decide(url)
    stage.crm.disturb(**fault)
    told = visit(address)
    stage.crm.disturb()
    assert (told.http, told.code) == (http, code)
    found = look(stage.gateway, integration)
    assert (found["status"], found["lastError"]) == ("PENDING", told.sentence)


def test_a_code_that_the_crm_does_not_know(stage: Stage) -> None:
    told = visit(answer_of(ask(stage.gateway)[1], code="made-up"))
    assert (told.http, told.code) == (400, "CREDENTIAL_REFUSED")
    assert told.sentence == (
        "Pipedrive does not accept the consent: its code was used before, or came too late (HTTP 400, invalid_grant)."
    )


# ---------------------------------------------------------------- states


def test_a_forged_state_is_refused_and_uses_up_nothing(stage: Stage) -> None:
    integration, url = ask(stage.gateway)
    address = decide(url)
    parts = urlsplit(address)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    state = given["state"]
    other = urlsafe_b64encode(uuid4().bytes + urlsafe_b64decode(state)[16:]).decode()
    for forged in (
        "",
        "x",
        state[:-1],
        state + "A",
        f"{state[:-1]}{'A' if state[-1] != 'A' else 'B'}",
        other,
        "ü" * 64,
    ):
        assert visit(parts._replace(query=urlencode({**given, "state": forged})).geturl()) == INVALID
    for missing in ("code", "state"):
        kept = {name: value for name, value in given.items() if name != missing}
        assert visit(parts._replace(query=urlencode(kept)).geturl()) == INVALID
    assert visit(parts._replace(query="").geturl()) == INVALID
    assert look(stage.gateway, integration)["status"] == "PENDING"
    assert oauth_calls(stage) == {}
    assert visit(address).http == 200


def test_an_answer_counts_once_and_only_where_it_is_got(stage: Stage) -> None:
    address = decide(ask(stage.gateway)[1])
    for method in ("HEAD", "POST", "OPTIONS"):
        answer = HTTP.request(method, address)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert HTTP.get(address, headers={"host": "elsewhere.test"}).status_code == 403
    assert [visit(address).http, visit(address)] == [200, INVALID]
    assert oauth_calls(stage) == {"exchanges": 1}


def test_a_state_of_another_workspace(stage: Stage) -> None:
    """It is in the table, and says that it is ours."""
    state = urlsafe_b64encode(DEMO.bytes + bytes(32)).decode()
    digest = hashlib.sha256(state.encode()).digest()
    theirs, integration = uuid4(), uuid4()
    ours = stage.connect()
    with psycopg.connect(stage.database, autocommit=True) as admin:
        for table, whose, own in (
            ("workspace", "id", {"id": theirs, "name": "B", "handle": None}),
            ("integration", "workspace_id", {"id": integration, "workspace_id": theirs, "status": "PENDING"}),
        ):  # like ours, but for this
            copied = f"select (jsonb_populate_record(one, %s::jsonb)).* from {table} one where {whose} = %s"  # noqa: S608
            admin.execute(f"insert into {table} {copied}".encode(), (json.dumps(own, default=str), DEMO))
        admin.execute(
            "insert into oauth_state (digest, workspace_id, integration_id, expires_at)"
            " values (%s, %s, %s, now() + interval '1 hour')",
            (digest, theirs, integration),
        )
    assert visit(f"{stage.gateway.address}/oauth/callback?{urlencode({'code': 'c', 'state': state})}") == INVALID
    assert rows(stage, "delete from workspace where id = %s returning name", theirs) == [("B",)]
    assert all_ids(stage.gateway) == [ours]


def test_what_is_stored_answers_nothing(stage: Stage) -> None:
    _, url = ask(stage.gateway, displayName="Sales")
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert rows(stage, "select digest, display_name, workspace_id from oauth_state") == [
        (hashlib.sha256(state.encode()).digest(), "Sales", DEMO)
    ]


def test_the_page_is_safe_and_told_to_be(stage: Stage) -> None:
    answer = HTTP.get(answer_of(ask(stage.gateway, displayName="<script>x</script>")[1], code="x"))
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in answer.text
    named = decide(ask(stage.gateway, displayName="<script>x</script>")[1])
    page = HTTP.get(named).text
    assert "as &lt;script&gt;x&lt;/script&gt;." in page
    assert "<script" not in page


# ---------------------------------------------------------------- where the person came from

BACK = "https://app.test/settings?tab=crm#pipedrive"


def test_the_outcome_is_told_where_the_person_came_from(stage: Stage) -> None:
    integration, url = ask(stage.gateway, returnTo=BACK)
    told = visit(decide(url, "refuse"))
    there = "https://app.test/settings#pipedrive"
    assert told.sent_on == (there, {"tab": "crm", "integration": integration, "status": "refused"})
    told = visit(answer_of(ask(stage.gateway, integrationId=integration, returnTo=BACK)[1], code="made-up"))
    failed = {"tab": "crm", "integration": integration, "status": "failed", "code": "CREDENTIAL_REFUSED"}
    assert told.sent_on == (there, failed)
    address = decide(ask(stage.gateway, integrationId=integration, returnTo="http://127.0.0.1:3000")[1])
    assert visit(address).sent_on == ("http://127.0.0.1:3000", {"integration": integration, "status": "connected"})
    assert visit(address) == INVALID


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/",
        "http://app.test/",
        "https://app.test:8443/",
        "https://app.test.evil.test/",
        "https://me@app.test/",
        "https://app.test@evil.test/",
        "https://app.test\\@evil.test/",
        "https://app.test\t/",
        "https://app.test/\n",
        " https://app.test/",
        "//app.test/",
        "/settings",
        "javascript:alert(1)//https://app.test",
        "https:app.test",
        "https://app.test:99999/",
        "https://[app.test/",
        f"https://app.test/{'x' * 2000}",
        "",
    ],
)
def test_other_addresses_are_refused(stage: Stage, address: str) -> None:
    for given in ({}, {"apiToken": "sandbox-pipedrive"}):
        error = refused(stage.gateway, returnTo=address, **given)
        assert error["code"] == "BAD_INPUT"
        assert "RETURN_ORIGINS" in error["message"]
    assert all_ids(stage.gateway) == []


# ---------------------------------------------------------------- whose account


def test_consent_for_another_account(stage: Stage) -> None:
    integration = consent(stage.gateway)
    before = look(stage.gateway, integration)
    told = visit(decide(ask(stage.gateway, integrationId=integration)[1], account=2))
    assert told == Told(
        409,
        "That is another account",
        f"The integration is of the account {NORDLICHT}, and this is the account {HARBOR}.",
        "ACCOUNT_MISMATCH",
        None,
    )
    assert look(stage.gateway, integration) == before
    assert oauth_calls(stage, 2) == {"exchanges": 1, "revocations": 1}  # nobody has asked for that one
    stage.gateway.sync(integration)


def test_consent_for_another_account_that_is_connected_too(stage: Stage) -> None:
    integration = consent(stage.gateway)
    other = consent(stage.gateway, account=2)
    told = visit(decide(ask(stage.gateway, integrationId=integration)[1], account=2))
    assert (told.http, oauth_calls(stage, 2)) == (409, {"exchanges": 2})
    assert stage.gateway.sync(other)["status"] == "SUCCEEDED"


def test_a_token_of_another_account(stage: Stage) -> None:
    integration = consent(stage.gateway)
    before = look(stage.gateway, integration)
    error = refused(stage.gateway, integrationId=integration, apiToken="sandbox-pipedrive-2")
    assert (error["code"], error["details"]) == ("ACCOUNT_MISMATCH", {"expected": NORDLICHT, "found": HARBOR})
    assert look(stage.gateway, integration) == before
    assert oauth_calls(stage) == {"exchanges": 1}


def test_a_token_takes_the_place_of_a_consent(stage: Stage) -> None:
    integration = consent(stage.gateway)
    stage.gateway.do(
        "connect", "integration { id }", crm="PIPEDRIVE", integrationId=integration, apiToken="sandbox-pipedrive"
    )
    found = look(stage.gateway, integration)
    assert (found["credentialKind"], found["status"], all_ids(stage.gateway)) == ("API_TOKEN", "ACTIVE", [integration])
    assert oauth_calls(stage) == {"exchanges": 1, "revocations": 1}
    assert rows(stage, "select * from oauth_grant") == []


def test_ids_that_lead_nowhere(stage: Stage) -> None:
    integration = stage.gateway.connect()
    run = stage.gateway.start(integration)
    stage.gateway.wait(run)
    for wrong in (run, "SW50ZWdyYXRpb246MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAx"):
        assert refused(stage.gateway, integrationId=wrong)["code"] == "NOT_FOUND"
        assert refused(stage.gateway, integrationId=wrong, apiToken="sandbox-pipedrive")["code"] == "NOT_FOUND"


def test_the_same_account_twice_is_one_integration(stage: Stage) -> None:
    first = consent(stage.gateway)
    pending, url = ask(stage.gateway)
    events = stage.gateway.by_socket(WATCH, i=pending)
    assert next(events)["integration"]["id"] == pending
    assert visit(decide(url)).http == 200
    assert next(events)["integration"] == {"id": first, "status": "ACTIVE", "lastError": None}
    stage.gateway.do("pauseIntegration", "integration { id }", integrationId=first)
    assert next(events)["integration"] == {"id": first, "status": "PAUSED", "lastError": None}
    assert visit(decide(ask(stage.gateway)[1])).http == 200
    assert look(stage.gateway, first)["status"] == "PAUSED"  # nobody has resumed it
    stage.gateway.do("resumeIntegration", "integration { id }", integrationId=first)
    check_it_leads_to(stage.gateway, pending, first)


def check_it_leads_to(gateway: Gateway, pending: str, first: str) -> None:
    assert all_ids(gateway) == [first]
    assert look(gateway, pending)["id"] == first
    both = gateway.ask(
        "query($p: ID!, $f: ID!) { nodes(ids: [$p, $f]) { id } node(id: $p) { id ... on Integration { status } } }",
        p=pending,
        f=first,
    )
    assert both == {"nodes": [{"id": first}, {"id": first}], "node": {"id": first, "status": "ACTIVE"}}
    payload = gateway.do(
        "updateIntegration", "integration { id displayName }", integrationId=pending, displayName="Ada"
    )
    assert payload["integration"] == {"id": first, "displayName": "Ada"}
    payload = gateway.do("resumeIntegration", "integration { id }", integrationId=pending)
    assert payload == {"integration": {"id": first}, "userErrors": []}
    assert gateway.sync(pending)["status"] == "SUCCEEDED"


def test_a_token_for_an_integration_that_waits(stage: Stage) -> None:
    first, _ = ask(stage.gateway)
    second, _ = ask(stage.gateway)
    for waiting in (first, second):
        payload = stage.gateway.do(
            "connect", "integration { id }", crm="PIPEDRIVE", integrationId=waiting, apiToken="sandbox-pipedrive"
        )
        assert payload == {"integration": {"id": first}, "userErrors": []}
    check_it_leads_to(stage.gateway, second, first)


# ---------------------------------------------------------------- what ends


@pytest.fixture(scope="module")
def hasty(shared: Stage) -> Iterator[Stage]:
    """A gateway that does not wait for long."""
    times = {"OAUTH_STATE_SECONDS": "1", "PENDING_SECONDS": "2"}
    with gateway(shared.folder, shared.database, shared.crm, "--no-worker", **times) as opened:
        yield Stage(shared.crm, opened, shared.database, shared.folder)


def test_an_outwaited_state(stage: Stage, hasty: Stage) -> None:
    integration = consent(stage.gateway)
    address = decide(ask(hasty.gateway, integrationId=integration, returnTo=BACK)[1])
    wait_until(lambda: rows(stage, "select 1 from oauth_state where expires_at <= now()"))
    assert visit(address) == INVALID
    assert rows(stage, "select count(*) from oauth_state") == [(0,)]
    assert oauth_calls(stage) == {"exchanges": 1}


def test_an_integration_that_nobody_consents_to_ends(stage: Stage, hasty: Stage) -> None:
    pending, _ = ask(hasty.gateway)
    _, url = ask(stage.gateway, integrationId=pending)  # which makes it an hour
    address = decide(url)
    ask(hasty.gateway, integrationId=pending)
    assert all_ids(stage.gateway) == [pending]
    seen = [event["integration"]["status"] for event in stage.gateway.by_socket(WATCH, i=pending)]
    assert seen == ["PENDING"]
    assert all_ids(stage.gateway) == []
    found = stage.gateway.ask("query($i: ID!) { integration(id: $i) { id } node(id: $i) { id } }", i=pending)
    assert found == {"integration": None, "node": None}
    for mutation in ("pauseIntegration", "disconnect", "sync"):
        (error,) = stage.gateway.do(mutation, "", integrationId=pending)["userErrors"]
        assert error["code"] == "NOT_FOUND"
    assert refused(stage.gateway, integrationId=pending)["code"] == "NOT_FOUND"
    assert stage.gateway.answer(f'subscription {{ integration(id: "{pending}") {{ id }} }}')["errors"]
    assert visit(address) == INVALID
    assert oauth_calls(stage) == {}
    other, _ = ask(stage.gateway)
    assert [len(rows(stage, "select id from integration")), all_ids(stage.gateway)] == [1, [other]]


# ---------------------------------------------------------------- leaving


def test_the_last_one_to_leave_revokes(stage: Stage) -> None:
    integration = consent(stage.gateway)
    assert rows(stage, "select crm, account_id, user_id from oauth_grant") == [
        ("PIPEDRIVE", "7812345", account_user(stage))
    ]
    copy = "insert into oauth_grant select %s, crm, account_id, user_id from oauth_grant returning integration_id"
    (elsewhere,) = rows(stage, copy, uuid4())[0]  # an integration of another workspace
    assert leave(stage, integration) == {"exchanges": 1}
    assert leave(stage, integration) == {"exchanges": 1}  # twice is once
    consent(stage.gateway, integrationId=integration)
    rows(stage, "delete from oauth_grant where integration_id = %s returning 1", elsewhere)
    assert leave(stage, integration) == {"exchanges": 2, "revocations": 1}
    assert leave(stage, integration) == {"exchanges": 2, "revocations": 1}
    assert rows(stage, "select * from oauth_grant") == []


def account_user(stage: Stage) -> str:
    return str(stage.crm.call("GET", "/v1/users/me")["data"]["id"])


def leave(stage: Stage, integration: str) -> dict[str, int]:
    payload = stage.gateway.do("disconnect", "integration { status }", integrationId=integration)
    assert payload == {"integration": {"status": "DISCONNECTED"}, "userErrors": []}
    return oauth_calls(stage)


def test_a_crm_that_is_down_keeps_nobody(stage: Stage) -> None:
    integration = consent(stage.gateway)
    stage.crm.disturb(status={"code": 503, "path": "/oauth/revoke"})
    assert leave(stage, integration) == {"exchanges": 1, "refused": 1}
    consent(stage.gateway, integrationId=integration)
    assert look(stage.gateway, integration)["status"] == "ACTIVE"


def test_one_that_waits_is_left(stage: Stage) -> None:
    integration, url = ask(stage.gateway)
    assert leave(stage, integration) == {}
    assert visit(decide(url)) == INVALID
    assert look(stage.gateway, integration)["status"] == "DISCONNECTED"
    assert all_ids(stage.gateway) == [integration]


# ---------------------------------------------------------------- settings


def test_without_an_oauth_client(stage: Stage) -> None:
    address = f"{stage.crm.address}/pipedrive"
    alone = {"CROSSWALK_SANDBOX": "0", "PIPEDRIVE_API_URL": address, "PIPEDRIVE_OAUTH_URL": address}
    nothing = {**alone, "PIPEDRIVE_CLIENT_SECRET": ""}
    secret = stage.gateway.do("createApiKey", "secret", name="admin", role="ADMIN")["secret"]
    with gateway(stage.folder, stage.database, stage.crm, "--no-worker", **nothing) as nobody:
        opened = nobody.by(secret)
        query = "{ crmPlatforms { crm isConfigured missingSettings callbackUrl } }"
        platforms = {one.pop("crm"): one for one in opened.ask(query)["crmPlatforms"]}
        callback = {"callbackUrl": f"{opened.address}/oauth/callback"}
        assert platforms["PIPEDRIVE"] == {
            "isConfigured": False,
            "missingSettings": ["PIPEDRIVE_CLIENT_SECRET"],
            **callback,
        }
        assert platforms["HUBSPOT"] == {"isConfigured": True, "missingSettings": [], **callback}
        error = refused(opened)
        assert (error["code"], error["details"]) == ("NOT_CONFIGURED", {"missingSettings": ["PIPEDRIVE_CLIENT_SECRET"]})
        assert "PIPEDRIVE_CLIENT_SECRET" in error["message"]
        assert opened.connect()
    configured = stage.gateway.ask("{ crmPlatforms { isConfigured } }")["crmPlatforms"]
    assert configured == [{"isConfigured": True}] * len(platforms)
