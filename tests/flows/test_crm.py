"""Fields that reach into the CRM while the query runs: fresh, in few calls, and null where the CRM is down."""

import asyncio
import math
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

ACCOUNT = """
query($i: ID!) { integration(id: $i) {
  displayName
  users { externalId name email isActive }
  pipelines { externalId name stages { externalId name position probability } }
  fields(externalType: "Deal") { name label isCustom options { value label } }
  budget { window limit remaining }
} }
"""


def find_person(stage: Stage, fields: str, key: str = "1") -> Any:
    """The unified record of a person of the CRM."""
    (integration,) = stage.gateway.ask("{ integrations { id } }")["integrations"]
    query = (
        'query($i: ID!, $e: String!) { recordBySource(integrationId: $i, externalType: "Person", externalId: $e)'
        f" {{ ... on Contact {{ {fields} }} }} }}"
    )
    return stage.gateway.ask(query, i=integration["id"], e=key)["recordBySource"]


def test_users_pipelines_fields_and_what_is_left_of_the_limits(stage: Stage) -> None:
    crm, integration = stage.crm, stage.gateway.connect()
    stages = crm.list("/api/v2/stages")
    shown = stage.gateway.ask(ACCOUNT, i=integration)["integration"]
    assert shown["users"] == [
        {"externalId": str(row["id"]), "name": row["name"], "email": row["email"], "isActive": row["active_flag"]}
        for row in crm.list("/api/v1/users")
    ]
    assert shown["pipelines"] == [
        {
            "externalId": str(row["id"]),
            "name": row["name"],
            "stages": [
                {
                    "externalId": str(one["id"]),
                    "name": one["name"],
                    "position": one["order_nr"],
                    "probability": one["deal_probability"],
                }
                for one in stages
                if one["pipeline_id"] == row["id"]
            ],
        }
        for row in crm.list("/api/v2/pipelines")
    ]
    assert shown["fields"] == [
        {
            "name": row["field_code"],
            "label": row["field_name"],
            "isCustom": row["is_custom_field"],
            "options": [{"value": str(one["id"]), "label": one["label"]} for one in row["options"] or ()],
        }
        for row in crm.list("/api/v2/dealFields")
    ]
    limits = {one["window"]: one["limit"] for one in shown["budget"]}
    assert (limits["BURST"], limits["DAY"]) == (1000, 7 * 30_000)
    spent = crm.requests()["byStatus"]
    again = stage.gateway.ask(ACCOUNT, i=integration)["integration"]
    assert [again[name] for name in ("users", "pipelines", "fields")] == [
        shown[name] for name in ("users", "pipelines", "fields")
    ]
    assert crm.requests()["byStatus"] == spent  # kept for a while


def test_a_payload_is_read_again_and_the_stored_one_stays(stage: Stage) -> None:
    stage.run_all(20)
    name = find_person(stage, "name")["name"]
    stage.crm.call("PATCH", "/api/v2/persons/1", {"name": "Ada Changed"})
    shown = find_person(
        stage, "name sources { old: payload new: payload(maxStaleness: 0) some: payload(maxStaleness: 600) }"
    )
    (source,) = shown["sources"]
    assert (shown["name"], source["old"]["name"], source["some"]["name"]) == (name, name, name)
    assert source["new"]["name"] == "Ada Changed"


def test_a_record_is_read_again_and_taken_over(stage: Stage) -> None:
    stage.run_all(20)
    before = find_person(stage, "id name")
    stage.crm.call("PATCH", "/api/v2/persons/1", {"name": "Ada Changed", "emails": [{"value": "ada@new.example"}]})
    query = "query($c: ID!, $s: Int) { contact(id: $c, maxStaleness: $s) { id name email freshness { servedFrom } } }"
    kept = stage.gateway.ask(query, c=before["id"], s=600)["contact"]
    fresh = stage.gateway.ask(query, c=before["id"], s=0)["contact"]
    after = stage.gateway.ask(query, c=before["id"])["contact"]
    assert kept["name"] == before["name"]
    assert (fresh["id"], fresh["name"], fresh["email"]) == (before["id"], "Ada Changed", "ada@new.example")
    assert (after["name"], after["email"]) == ("Ada Changed", "ada@new.example")
    assert [one["freshness"]["servedFrom"] for one in (kept, fresh, after)] == ["STORE", "CRM", "STORE"]


DOWN = """
query($i: ID!) {
  integration(id: $i) { displayName users { name } pipelines { name } fields { name } budget { window } }
  remoteRecords(integrationId: $i, externalType: "Person") { nodes { externalId } }
  contacts(first: 3) { nodes { id sources { externalId payload(maxStaleness: 0) } } }
}
"""


@pytest.mark.parametrize(
    ("faults", "code", "message"),
    [
        ({"status": 503}, "CRM_UNAVAILABLE", "Pipedrive has a failure (HTTP 503)."),
        ({"refuseToken": True}, "CRM_REAUTHORIZE", "Pipedrive refuses the token (HTTP 401)."),
        ({"dailyQuota": 0}, "CRM_QUOTA", "The daily quota of the Pipedrive account is used up."),
    ],
)
def test_what_the_crm_does_not_give_is_null_and_the_rest_stands(
    stage: Stage, faults: dict[str, Any], code: str, message: str
) -> None:
    integration = stage.run_all(8)
    stage.crm.disturb(**HASTE, **faults)
    answer = stage.gateway.answer(DOWN, i=integration)
    shown = answer["data"]["integration"]
    assert [shown[name] for name in ("users", "pipelines", "fields")] == [None, None, None]
    assert answer["data"]["remoteRecords"] is None
    assert shown["displayName"] == "Nordlicht Handel"
    assert [one["window"] for one in shown["budget"]] == ["BURST", "SEARCH", "DAY"]
    sources = [source for contact in answer["data"]["contacts"]["nodes"] for source in contact["sources"]]
    assert len(sources) >= 3
    assert {source["payload"] for source in sources} == {None}
    assert {(error["extensions"]["code"], error["message"]) for error in answer["errors"]} == {(code, message)}
    assert len(answer["errors"]) == 4 + len(sources)


def test_250_payloads_are_three_calls(stage: Stage) -> None:
    stage.crm.fill(300)
    stage.crm.disturb(**HASTE)
    stage.gateway.sync(stage.gateway.connect(), ["CONTACT"])
    stage.crm.forget()
    query = "{ contacts(first: 250) { nodes { sources { payload(maxStaleness: 0) } } } }"
    contacts = stage.gateway.ask(query)["contacts"]["nodes"]
    payloads = [source["payload"] for contact in contacts for source in contact["sources"]]
    assert (len(contacts), None in payloads) == (250, False)
    calls = stage.crm.requests()["recent"]
    assert [call["path"] for call in calls] == math.ceil(len(payloads) / 100) * ["/api/v2/persons"]
    assert len(calls) == 3


async def test_100_who_ask_at_the_same_time_are_one_call(stage: Stage) -> None:
    integration = stage.gateway.connect()
    stage.crm.disturb(**HASTE, latencyMs=300)
    stage.crm.forget()
    body = {"query": "query($i: ID!) { integration(id: $i) { users { email } } }", "variables": {"i": integration}}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        asked = [client.post(f"{stage.gateway.address}/graphql", json=body) for _ in range(100)]
        answers = [answer.json() for answer in await asyncio.gather(*asked)]
    assert len(answers[0]["data"]["integration"]["users"]) == 8
    assert all(answer == answers[0] for answer in answers)
    assert [(call["path"], call["count"]) for call in stage.crm.requests()["calls"]] == [("/api/v1/users", 1)]
