"""The peer: dlt's rest_api source reads the same persons into the same Postgres. Runs in an environment of its own.

Its arguments: the CRM's name, the API's address, the database's URL. It prints {"records", "cpu"} as JSON: CPU seconds of
its process and its children, from the start of the pipeline to its end; imports are not counted, nor what it takes to make
records harmless for it.
"""

# mypy: ignore-errors
# dlt is installed for the bench only

import json
import re
import resource
import sys
import tempfile
import time

import dlt
import requests
from dlt.sources.rest_api import rest_api_source


def spent() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


# Records that dlt cannot take at all (it stops at the first lone surrogate) are made harmless before it sees them.
HARMFUL = re.compile(rb"\\u(?:d[89a-f][0-9a-f]{2}|0000)|-?\d{19,}")
taming: list[float] = []


def tame(response: requests.Response, *_: object) -> requests.Response:
    """The same answer without what would stop dlt."""
    began = time.thread_time()
    response._content = HARMFUL.sub(b"0", response.content)  # noqa: SLF001
    taming.append(time.thread_time() - began)
    return response


def read_pipedrive(api: str) -> tuple[dict, dict]:
    """Pages of 500."""
    client = {
        "base_url": f"{api}/api/v2/",
        "headers": {"x-api-token": "sandbox-pipedrive"},
        "paginator": {"type": "cursor", "cursor_path": "additional_data.next_cursor", "cursor_param": "cursor"},
    }
    return client, {"path": "persons", "params": {"limit": 500}, "data_selector": "data"}


def read_hubspot(api: str) -> tuple[dict, dict]:
    """Pages of 100, with all properties of the account and the companies of each person."""
    headers = {"authorization": "Bearer sandbox-hubspot"}
    known = requests.get(f"{api}/crm/properties/2026-09/contacts", headers=headers, timeout=60).json()["results"]
    client = {
        "base_url": f"{api}/crm/objects/2026-09/",
        "headers": headers,
        "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_param": "after"},
    }
    names = ",".join(sorted(each["name"] for each in known))
    params = {"limit": 100, "archived": "false", "properties": names, "associations": "companies"}
    return client, {"path": "contacts", "params": params, "data_selector": "results"}


READERS = {"pipedrive": read_pipedrive, "hubspot": read_hubspot}


def main(crm: str, api: str, database: str) -> None:
    client, endpoint = READERS[crm](api)
    persons = {
        "name": "persons",
        "primary_key": "id",
        "write_disposition": "append",
        "endpoint": {**endpoint, "response_actions": [tame]},
    }
    source = rest_api_source({"client": client, "resources": [persons]})
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "peer",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(database),
            dataset_name="peer",
            progress=None,
        )
        began = spent()
        pipeline.run(source)
        cpu = spent() - began - sum(taming)
        with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM persons") as found:
            records = found.fetchone()[0]
    sys.stdout.write(json.dumps({"records": records, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
