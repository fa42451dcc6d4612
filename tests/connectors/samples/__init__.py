"""Records as the vendors document them, the messy ones too, and what each must become: written by hand."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from connectors.facts import Catalog
from connectors.reading import Source
from connectors.registry import CONNECTORS

HERE = Path(__file__).parent
FOLDERS = {name: HERE / name.lower() for name in CONNECTORS}
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
    """{"url": the account's address, "lists": {path: the rows that the vendor gives there}}."""
    found: dict[str, Any] = json.loads((FOLDERS[crm] / "account.json").read_text())
    return found


def read_source(crm: str, source: Source[Any]) -> Any:
    """What the connector's own reader makes of the account's lists."""
    return source.read(*(account(crm)["lists"][listing.path] for listing in source.listings))


@cache
def catalog(crm: str, external_type: str) -> Catalog:
    """What the mapping of the type looks up in the account."""
    connector = CONNECTORS[crm]
    external = connector.type(external_type)
    fields = connector.fields.get(external_type)
    return Catalog(
        fields={external_type: read_source(crm, fields) if fields else ()},
        pipelines=read_source(crm, connector.pipelines) if "pipelines" in external.needs else (),
        words={name: read_source(crm, source) for name, source in connector.words.items() if name in external.needs},
        region="DE",
        account_url=account(crm)["url"],
    )
