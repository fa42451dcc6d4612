"""Queries and mutations that schemathesis makes up from the schema: none may meet a fault of the gateway."""

import sys
import time
from collections import Counter
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

CASES = 2_000
EXAMPLES = settings(
    max_examples=80,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


SYNC = """mutation { connect(input: {crm: PIPEDRIVE, apiToken: "sandbox-pipedrive-2"}) { integration { id } } }"""
START = """mutation($i: ID!) { sync(input: {integrationId: $i}) { syncRun { id } } }"""
IDS = """{ viewer { workspace { id } } integrations { id } syncRuns { nodes { id status } } contacts { nodes { id } }
organizations { nodes { id } } deals { nodes { id } } activities { nodes { id } } }"""


def find_ids(address: str) -> list[str]:
    """Something of each kind, from a synced account."""

    def ask(query: str, **variables: str) -> Any:
        return httpx.post(address, json={"query": query, "variables": variables}, timeout=60).json()["data"]

    run = ask(START, i=ask(SYNC)["connect"]["integration"]["id"])["sync"]["syncRun"]["id"]
    while "RUNNING" in str(found := ask(IDS)) or "QUEUED" in str(found):
        time.sleep(0.1)
    lists = [found[name]["nodes"][:3] for name in ("contacts", "organizations", "deals", "activities")]
    ids = [found["viewer"]["workspace"]["id"], run, *(one["id"] for one in found["integrations"])]
    return ids + [one["id"] for each in lists for one in each]


def teach(ids: list[str]) -> None:
    """What made-up values of our scalars look like; ids are mostly of what is there, or nothing is ever found."""
    whole = st.integers(-(10**20), 10**20).map(str)
    values: dict[str, st.SearchStrategy[str]] = {
        "ID": st.sampled_from(ids) | st.sampled_from(ids) | st.text(),
        "DateTime": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "Date": st.dates().map(str),
        "Decimal": st.decimals(allow_nan=False).map(str) | whole,
        "JSON": st.text(),
    }
    for name, strategy in values.items():
        schemathesis.graphql.scalar(name, strategy.map(nodes.String))


def main() -> int:
    """Asks the gateway at the address that is given. The exit code is 1 where any answer was a fault."""
    address, faults, codes = sys.argv[1], list[str](), Counter[str]()
    teach(find_ids(address))
    schema = schemathesis.graphql.from_url(address)
    operations = [found.ok() for found in schema.get_all_operations()]

    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        errors = answer.json().get("errors") or () if answer.status_code < 500 else ()
        code = errors[0]["extensions"]["code"] if errors else "answered"
        codes[code] += 1
        if answer.status_code >= 500 or code == "INTERNAL":
            faults.append(f"{answer.status_code} {answer.text[:500]}\n  {case.body}")

    number = 0
    while codes.total() < CASES:  # few arguments make few cases
        for operation in operations:
            number += 1
            if codes.total() >= CASES:
                break
            seed(number)(EXAMPLES(given(case=operation.as_strategy())(ask)))()
    told = ", ".join(f"{number:,} {name}" for name, number in codes.most_common())
    sys.stdout.write(
        f"schemathesis: {codes.total():,} cases of {len(operations)} fields: {told}; {len(faults)} faults\n"
    )
    sys.stdout.write("".join(f"FAULT {fault}\n" for fault in faults[:10]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
