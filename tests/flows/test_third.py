"""A third connector is one folder on the path: it is found, it is in the schema, and it syncs."""

import difflib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.flows.conftest import Stage
from tests.nursery import NURSERY
from tests.stage import ROOT, Gateway, gateway

FOLDER = Path(__file__).parent / "third"
TOKEN = "acme-token"
CRMS = '{ __type(name: "Crm") { enumValues { name description } } crmPlatforms { crm name } }'


class Acme:
    """The vendor: two people, of whom a page shows one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Paths with their queries."""
        self.people: dict[str, dict[str, Any]] = {
            "p1": {
                "key": "p1",
                "name": "Ada Byron",
                "mail": "ada@byron.example",
                "phone": "030 1234567",
                "work": {"title": "Analyst"},
                "owner": "u1",
                "x7": "Oolong",
                "born": "2026-01-02T10:00:00Z",
                "changed": "2026-01-03T10:00:00Z",
                "gone": False,
            },
            "p2": {"key": "p2", "name": "Bo Li", "mail": None, "changed": "2026-02-03T10:00:00Z", "gone": False},
        }

    def pages(self) -> list[dict[str, str]]:
        """The queries by which pages of people were asked for."""
        calls = [urlsplit(each) for each in self.asked]
        return [dict(parse_qsl(call.query)) for call in calls if call.path == "/people"]

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """What is there; None where nothing is."""
        if path == "/people":
            return self.list_people(int(query.get("page", "0")), query.get("changed_since", ""))
        return {
            "/me": {"number": 77, "name": "Acme of Tests"},
            "/users": {"rows": [{"id": "u1", "name": "Uma Owner", "mail": "uma@acme.example"}]},
            "/people/fields": {
                "rows": [
                    {"key": "name", "label": "Name", "type": "text", "custom": False},
                    {"key": "x7", "label": "Favourite tea", "type": "text", "custom": True},
                ]
            },
            **{f"/people/{key}": person for key, person in self.people.items()},
        }.get(path)

    def list_people(self, page: int, since: str) -> Any:
        """The one of that page, and which page is next."""
        found = [person for person in self.people.values() if person["changed"] >= since]
        return {"rows": found[page : page + 1], "next": page + 1 if page + 1 < len(found) else None}


@contextmanager
def serving(acme: Acme) -> Iterator[str]:
    """The address of the vendor's API while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            acme.asked.append(self.path)
            known = self.headers["x-acme-key"] == TOKEN
            found = acme.answer(parts.path, dict(parse_qsl(parts.query))) if known else None
            body = json.dumps(found or {"code": "NO"}).encode()
            self.send_response(200 if found else 404 if known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def acme() -> Acme:
    return Acme()


@pytest.fixture
def extended(acme: Acme, shared: Stage, server: Embedded, template: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with the folder on its path."""
    path = os.pathsep.join((str(ROOT), str(FOLDER)))
    with (
        serving(acme) as address,
        copy_database(server, template) as url,
        gateway(tmp_path, url, shared.crm, PYTHONPATH=path, ACME_API_URL=address) as opened,
    ):
        yield opened


def print_schema(*path: Path) -> list[str]:
    """The lines of `crosswalk schema` with these folders on the path."""
    command = [sys.executable, "-m", "gateway", "schema"]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))}
    ended = NURSERY.run(command, env)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_schema_has_the_third_crm_and_nothing_else_that_is_new(tmp_path: Path) -> None:
    (stranger := tmp_path / "connectors" / "sources").mkdir(parents=True)
    (stranger.parent / "__init__.py").touch()  # another program's package, of the name of ours
    (stranger / "__init__.py").write_text("raise SystemExit('a stranger is loaded')")
    committed = (ROOT / "schema" / "schema.graphql").read_text().splitlines()

    shown = print_schema(tmp_path, FOLDER)

    changed = [line for line in difflib.ndiff(committed, shown) if not line.startswith(" ")]
    assert changed == ['+   """Acme"""', "+   ACME", "+ "]
    at = shown.index("  ACME")
    assert shown[at - 2 : at + 3] == ["enum Crm {", '  """Acme"""', "  ACME", "", '  """HubSpot"""']


def test_the_third_crm_connects_and_syncs(acme: Acme, extended: Gateway) -> None:
    known = extended.ask(CRMS)
    assert {"name": "ACME", "description": "Acme"} in known["__type"]["enumValues"]
    assert {"crm": "ACME", "name": "Acme"} in known["crmPlatforms"]
    wrong = extended.do("connect", "integration { id }", crm="ACME", apiToken="another")
    assert (wrong["integration"], wrong["userErrors"][0]["code"]) == (None, "CREDENTIAL_REFUSED")

    made = extended.do("connect", "integration { id displayName status }", crm="ACME", apiToken=TOKEN)
    integration = made["integration"].pop("id")
    assert made == {"integration": {"displayName": "Acme of Tests", "status": "ACTIVE"}, "userErrors": []}

    full = extended.sync(integration)
    assert (full["status"], full["recordsCreated"]) == ("SUCCEEDED", 2)
    assert acme.pages() == [{}, {"page": "1"}]
    fields = "name jobTitle email phone owner { name } customFields sources { crm externalType externalId url }"
    people = extended.ask(
        f"{{ contacts(first: 9, orderBy: {{field: NAME, direction: ASC}}) {{ nodes {{ {fields} }} }} }}"
    )
    ada, bo = people["contacts"]["nodes"]
    assert ada == {
        "name": "Ada Byron",
        "jobTitle": "Analyst",
        "email": "ada@byron.example",
        "phone": "+49301234567",
        "owner": {"name": "Uma Owner"},
        "customFields": {"Favourite tea": "Oolong"},
        "sources": [
            {
                "crm": "ACME",
                "externalType": "People",
                "externalId": "p1",
                "url": "https://acme.example/people/p1",
            }
        ],
    }
    assert (bo["name"], bo["email"]) == ("Bo Li", None)

    acme.people["p1"] |= {"name": "Ada Lovelace", "changed": "2026-03-04T10:00:00Z"}
    acme.asked.clear()
    delta = extended.sync(integration, kind="DELTA")
    counts = [delta[f"records{name}"] for name in ("Created", "Updated", "Archived", "Failed")]
    assert (delta["status"], counts) == ("SUCCEEDED", [0, 1, 0, 0])
    since = {"changed_since": "2026-02-03T09:50:00Z"}  # ten minutes before the newest change that was seen
    assert acme.pages() == [since, {**since, "page": "1"}]
    assert extended.show(integration, "People", "p1", "... on Contact { name }")["name"] == "Ada Lovelace"


def test_without_the_folder_nobody_knows_it(stage: Stage) -> None:
    known = stage.gateway.ask(CRMS)
    assert "ACME" not in {one["name"] for one in known["__type"]["enumValues"]}
    assert "ACME" not in {one["crm"] for one in known["crmPlatforms"]}
    refused = stage.gateway.answer('mutation { connect(input: {crm: ACME, apiToken: "t"}) { integration { id } } }')
    assert refused["errors"][0]["message"] == "Value 'ACME' does not exist in 'Crm' enum."
