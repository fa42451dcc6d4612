"""Mappings that change, fields that are excluded, links that are forgotten: over what a CRM has brought."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway.cli import app
from gateway.trouble import StartError
from tests.flows.conftest import Stage
from tests.stage import environment

Row = dict[str, Any]

CONTACTS = "query($a: String) { list: contacts(first: 250, after: $a) { nodes { id name jobTitle tags } } }"
UPDATE = """
mutation($i: UpdateFieldMappingsInput!) { updateFieldMappings(input: $i) { remapRun { id } userErrors { message } } }
"""


def people(stage: Stage) -> dict[str, Row]:
    """All contacts, by id."""
    found: list[Row] = stage.gateway.ask(CONTACTS)["list"]["nodes"]
    return {one["id"]: one for one in found}


def remap_of(stage: Stage, integration: str) -> Row:
    """The last run, once it has ended."""
    query = "query($i: ID!) { integration(id: $i) { syncRuns(first: 1) { nodes { id kind } } } }"
    [run] = stage.gateway.ask(query, i=integration)["integration"]["syncRuns"]["nodes"]
    assert run["kind"] == "REMAP"
    return stage.gateway.wait(run["id"])


def read_payloads(stage: Stage, staleness: int | None = None) -> list[Row]:
    """Those of all contacts."""
    asked = "payload" if staleness is None else f"payload(maxStaleness: {staleness})"
    query = f"{{ contacts(first: 250) {{ nodes {{ sources {{ {asked} }} }} }} }}"
    nodes = stage.gateway.ask(query)["contacts"]["nodes"]
    return [source["payload"] for node in nodes for source in node["sources"]]


def test_a_mapping_is_changed_without_a_call_to_the_crm(stage: Stage, tmp_path: Path) -> None:
    integration = stage.run_all(12)
    before = people(stage)
    mapping = {"externalType": "Person", "localField": "jobTitle", "crmField": "name", "transform": "upper(value)"}
    given = {"integrationId": integration, "mappings": [{**mapping, "direction": "INBOUND"}]}
    stage.gateway.ask("query($i: ID!) { integration(id: $i) { fields { name } } }", i=integration)
    stage.crm.forget()
    answer = stage.gateway.ask(UPDATE, i=given)["updateFieldMappings"]
    assert answer["userErrors"] == []
    run = stage.gateway.wait(answer["remapRun"]["id"])
    assert (run["status"], run["apiCalls"], run["progress"]) == ("SUCCEEDED", 0, 1.0)
    assert stage.crm.requests()["total"] == 0
    after = people(stage)
    assert {key: one["jobTitle"] for key, one in after.items()} == {
        key: (one["name"] or "").upper() or None for key, one in before.items()
    }
    assert stage.gateway.sync(integration)["recordsUpdated"] == 0

    env = environment(stage.folder, stage.database, stage.crm)
    file = tmp_path / "mappings.json"
    assert CliRunner().invoke(app, ["mappings", "export", "pipedrive", "--out", str(file)], env=env).exit_code == 0
    exported = json.loads(file.read_text())
    assert exported == {"mappings": given["mappings"]}
    file.write_text(json.dumps({"mappings": [*exported["mappings"], {**mapping, "crmField": "nothing_such"}]}))
    refused = CliRunner().invoke(app, ["mappings", "import", "pipedrive", str(file)], env=env)
    assert isinstance(refused.exception, StartError)
    lines = str(refused.exception).splitlines()
    assert any(line.startswith("mappings.1.crmField: ") for line in lines)
    assert lines[-1] == "nothing is saved"
    assert people(stage) == after


def test_an_excluded_field_is_nowhere_until_it_is_taken_off_the_list(stage: Stage) -> None:
    integration = stage.run_all(6)

    def exclude(*names: str) -> Row:
        fields = "integration { settings { excludedFields } }"
        return stage.gateway.do("updateIntegration", fields, integrationId=integration, excludedFields=list(names))

    for name, reason in (
        ("nothing_such", "Pipedrive has no field nothing_such: `fields` of the integration lists what it has."),
        ("update_time", "Pipedrive needs update_time: without ids and times nothing can be synced."),
    ):
        refused = exclude(name)
        assert [(one["code"], one["message"]) for one in refused["userErrors"]] == [("BAD_INPUT", reason)]

    done = exclude("email", "first_name")
    assert done["integration"]["settings"]["excludedFields"] == ["email", "first_name"]
    assert remap_of(stage, integration)["status"] == "SUCCEEDED"
    remote = (
        'query($i: ID!) { remoteRecords(integrationId: $i, externalType: "Person", first: 50) { nodes { payload } } }'
    )
    shown = [node["payload"] for node in stage.gateway.ask(remote, i=integration)["remoteRecords"]["nodes"]]
    for payloads in (read_payloads(stage), read_payloads(stage, 0), shown):
        assert len(payloads) == 6
        assert not [one for one in payloads if {"email", "emails", "first_name"} & set(one)]
    assert stage.gateway.sync(integration)["recordsUpdated"] == 0

    exclude()
    assert stage.gateway.sync(integration)["recordsUpdated"] >= 6
    assert all("emails" in one for one in read_payloads(stage))


def test_links_are_forgotten_and_people_found_again(stage: Stage) -> None:
    integration = stage.run_all(8)
    before = people(stage)
    stage.crm.disturb(latencyMs=300)
    run = stage.gateway.start(integration)
    fields = "integration { lastSyncedAt }"
    refused = stage.gateway.do("clearLinks", fields, integrationId=integration)
    assert [one["code"] for one in refused["userErrors"]] == ["RUN_UNDER_WAY"]
    stage.crm.disturb(limits="none")
    stage.gateway.wait(run)

    env = environment(stage.folder, stage.database, stage.crm)
    stats = json.loads(CliRunner().invoke(app, ["stats", "--json"], env=env).stdout)
    assert {one["record_type"]: one["records"] for one in stats[0]["records"]}["CONTACT"] == len(before)
    assert sum(one["sources"] for one in stats[0]["sources"] if one["external_type"] == "Person") == 8
    asked = CliRunner().invoke(app, ["clear-links", "pipedrive"], env=env, input="n\n")
    assert asked.exit_code == 1
    assert CliRunner().invoke(app, ["clear-links", "pipedrive", "--yes"], env=env).exit_code == 0
    assert people(stage) == before
    assert stage.gateway.sources() == []

    query = "{ contacts(first: 250) { nodes { id email sources { externalId } } } }"
    run = stage.gateway.do("sync", "syncRun { id kind }", integrationId=integration)["syncRun"]
    assert run["kind"] == "FULL"
    assert stage.gateway.wait(run["id"])["status"] in ("SUCCEEDED", "PARTIAL")
    found = {one["id"]: one for one in stage.gateway.ask(query)["contacts"]["nodes"]}
    known = [key for key in before if found[key]["email"]]
    assert known
    assert all(found[key]["sources"] for key in known)
