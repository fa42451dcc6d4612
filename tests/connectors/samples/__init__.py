"""Records as the vendors document them, the messy ones too, and what each must become: written by hand."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from connectors.facts import Catalog
from connectors.registry import CONNECTORS

HERE = Path(__file__).parent
FOLDERS = {"PIPEDRIVE": HERE / "pipedrive"}
Sample = dict[str, Any]


def load_samples() -> list[tuple[str, Sample]]:
    """(CRM, sample) of every connector."""
    return [
        (crm, sample)
        for crm, folder in FOLDERS.items()
        for file in sorted(folder.glob("*.json"))
        if file.stem != "account"
        for sample in json.loads(file.read_text())
    ]


@cache
def account(crm: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDERS[crm] / "account.json").read_text())
    return found


@cache
def catalog(crm: str) -> Catalog:
    """The account's catalog, read by the connector's own readers."""
    connector, rows = CONNECTORS[crm], account(crm)
    fields = rows["fields"] | {"Lead": rows["fields"]["Deal"]}
    return Catalog(
        pipelines=connector.pipelines.read(rows["pipelines"], rows["stages"]),
        fields={name: source.read(fields[name]) for name, source in connector.fields.items()},
        words={name: source.read(rows[name]) for name, source in connector.words.items()},
        region="DE",
        account_url="https://acme.pipedrive.com",
    )
