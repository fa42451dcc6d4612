"""The command line, as far as it needs no process of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.mappings import read_file, write_wish
from gateway.progress import choose, read_types
from gateway.trouble import StartError
from schema.build import print_sdl
from storage.identifiers import uuid7
from storage.listing import GlobalId
from storage.shapes import CredentialKind, RecordType
from storage.tables import Integration
from tests.house.sources import ROOT

COMMANDS = (
    "serve",
    "worker",
    "sandbox",
    "sync",
    "migrate",
    "schema",
    "rotate-keys",
    "workspaces create",
    "workspaces list",
    "workspaces plan",
    "keys create",
    "keys list",
    "keys revoke",
    "mappings export",
    "mappings import",
    "stats",
    "clear-links",
    "db status",
    "db stop",
    "db psql",
    "db url",
    "db backup",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_and_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.stdout


def test_the_first_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert all(f"\n  {command.split()[0]} " in shown for command in COMMANDS)
    assert not [line for line in shown.splitlines()[1:] if line.endswith("...")]


def test_the_schema_is_printed_or_written(tmp_path: object) -> None:
    assert CliRunner().invoke(app, ["schema"]).stdout == print_sdl()
    assert CliRunner().invoke(app, ["schema", "--out", f"{tmp_path}/out.graphql"]).stdout == ""


def test_types_are_read_as_people_write_them() -> None:
    assert read_types(None) is None
    assert read_types("contact, DEAL") == [RecordType.CONTACT, RecordType.DEAL]
    with pytest.raises(StartError, match="--types: got 'PERSON', but takes some of ACTIVITY,CONTACT,DEAL,ORGANIZATION"):
        read_types("contact,person")


def make(name: str, crm: str = "PIPEDRIVE") -> Integration:
    return Integration(
        id=uuid7(), workspace_id=uuid7(), crm=crm, display_name=name, credential_kind=CredentialKind.API_TOKEN.value
    )


def test_an_integration_is_found_by_id_by_name_and_by_crm() -> None:
    one, other = make("Acme"), make("Zenith", "OTHER")
    both = [one, other]
    wanted = (str(one.id), str(GlobalId("Integration", one.id)), "acme", "pipedrive")
    assert [choose(each, both) for each in wanted] == [one] * 4
    with pytest.raises(StartError, match="'x' is no integration: take one of 'Acme'"):
        choose("x", both)
    with pytest.raises(StartError, match="'pipedrive' is not one integration"):
        choose("pipedrive", [one, make("Acme 2")])
    with pytest.raises(StartError, match="no integration is connected yet"):
        choose("x", [])


def test_a_file_of_mappings_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "mappings.json"
    row = {"externalType": "Person", "localField": "jobTitle", "crmField": "job_title"}
    file.write_text(json.dumps({"mappings": [row, {**row, "direction": "INBOUND", "transform": "trim(value)"}]}))
    read = read_file(file)
    assert [write_wish(one) for one in read] == [
        {**row, "direction": "BIDIRECTIONAL", "transform": None},
        {**row, "direction": "INBOUND", "transform": "trim(value)"},
    ]

    wrong = [row, {**row, "crmField": 1}, 7, {**row, "direction": "UP"}, {**row, "colour": "red"}]
    file.write_text(json.dumps({"mappings": wrong}))
    with pytest.raises(StartError) as told:
        read_file(file)
    assert str(told.value).splitlines() == [
        "mappings.1: needs crmField as text",
        "mappings.2: is no object",
        "mappings.3: `direction` is one of INBOUND, OUTBOUND, BIDIRECTIONAL",
        "mappings.4: has colour, which nothing reads",
        "nothing is saved",
    ]
    for text, reason in (("[", "is no JSON"), ("[]", "has no list `mappings`")):
        file.write_text(text)
        with pytest.raises(StartError, match=reason):
            read_file(file)
    with pytest.raises(StartError, match="cannot read"):
        read_file(tmp_path / "none.json")


def test_every_command_is_in_the_readme_or_its_own_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert all(f"crosswalk {command}" in text for command in COMMANDS)
