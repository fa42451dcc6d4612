"""The peer: dlt's rest_api source reads the same persons into the same Postgres. Runs in an environment of its own.

Its arguments: the API's address, the database's URL. It prints {"records", "cpu"} as JSON: CPU seconds of its process and
its children, from the start of the pipeline to its end; imports are not counted.
"""

# mypy: ignore-errors
# dlt is installed for the bench only

import json
import re
import resource
import sys
import tempfile

import dlt
import requests
from dlt.sources.rest_api import rest_api_source


def spent() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


# Records that dlt cannot take at all (it stops at the first lone surrogate) are made harmless before it sees them.
HARMFUL = re.compile(rb"\\u(?:d[89a-f][0-9a-f]{2}|0000)|-?\d{19,}")


def tame(response: requests.Response, *_: object) -> requests.Response:
    """The same answer without what would stop dlt."""
    response._content = HARMFUL.sub(b"0", response.content)  # noqa: SLF001
    return response


def main(api: str, database: str) -> None:
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{api}/api/v2/",
                "headers": {"x-api-token": "sandbox-pipedrive"},
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "additional_data.next_cursor",
                    "cursor_param": "cursor",
                },
            },
            "resources": [
                {
                    "name": "persons",
                    "primary_key": "id",
                    "write_disposition": "append",
                    "endpoint": {
                        "path": "persons",
                        "params": {"limit": 500},
                        "data_selector": "data",
                        "response_actions": [tame],
                    },
                }
            ],
        }
    )
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
        cpu = spent() - began
        with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM persons") as found:
            records = found.fetchone()[0]
    sys.stdout.write(json.dumps({"records": records, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
