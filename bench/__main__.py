"""`make bench`: syncs beside dlt and at rate limits, remaps, pushes; what DELTAs and limits cost, and what attacks do."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from bench.abuse import SETTINGS, make_key, measure_abuse
from bench.changes import measure_delta, measure_full
from bench.full import measure_peer, measure_sync
from bench.limits import measure_limits
from bench.pace import measure_changes, measure_pace
from bench.push import measure_push
from bench.remap import measure_remap
from bench.vendors import MANY, VENDORS, Vendor
from storage.embedded import Embedded
from tests.stage import Sandbox, gateway, sandbox

FEW = 5_000
PARTS = ["sync", "peer", "limit", "remap", "push", "changes", "cost", "abuse"]


def fresh(server: Embedded, name: str) -> str:
    """The address of an empty database."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)


def tell(**found: Any) -> None:
    """A figure, as a JSON line."""
    print(json.dumps(found), flush=True)


def compare(what: Iterable[str], vendor: Vendor, home: Path, server: Embedded, crm: Sandbox) -> None:
    """Our FULL sync, and the peer's of the same persons."""
    ours: dict[int, dict[str, Any]] = {}
    if "sync" in what:
        for persons in (FEW, MANY):
            with gateway(home, fresh(server, f"{vendor.name}_{persons}"), crm) as address:
                ours[persons] = measure_sync(crm, address, persons)
                tell(crm=vendor.name, sync=ours[persons])
    if "peer" in what:
        name = f"{vendor.name}_peer"
        fresh(server, name)
        peer = measure_peer(crm, MANY, name)
        tell(crm=vendor.name, dlt=peer)
        if ours:
            tell(crm=vendor.name, ratio=ours[MANY]["perCpuSecond"] / peer["perCpuSecond"])


def keep_limits(vendor: Vendor, home: Path, server: Embedded, crm: Sandbox) -> None:
    """FULLs at a tight limit and at the vendor's own, and a DELTA at that one."""
    for pace in (vendor.tight, vendor.usual):
        with gateway(home, fresh(server, f"{vendor.name}_pace"), crm) as address:
            tell(crm=vendor.name, limit=measure_pace(crm, address, vendor, pace))
    with gateway(home, fresh(server, f"{vendor.name}_pace"), crm) as address:
        tell(crm=vendor.name, changes=measure_changes(crm, address, vendor))


def main() -> None:
    """Prints each figure as it comes, as JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="part of it; repeat for more")
    names = [vendor.name for vendor in VENDORS]
    parser.add_argument("--crm", choices=names, action="append", help="of all but the last three; repeat for more")
    given = parser.parse_args()
    what, crms = given.only or PARTS, given.crm or names
    home = Path(tempfile.mkdtemp(prefix="crosswalk-bench-", dir="/dev/shm" if Path("/dev/shm").exists() else None))  # noqa: S108
    try:
        with Embedded(home / "db", {"listen_addresses": "127.0.0.1", "port": "5432"}) as server, sandbox(home) as crm:
            for vendor in (one for one in VENDORS if one.name in crms):
                compare(what, vendor, home, server, crm.of(vendor.name))
                if "limit" in what:
                    keep_limits(vendor, home, server, crm.of(vendor.name))
                if "remap" in what:
                    with gateway(home, fresh(server, "remap"), crm) as address:
                        tell(crm=vendor.name, remap=measure_remap(crm.of(vendor.name), address))
                if "push" in what:
                    with gateway(home, fresh(server, "push"), crm) as address:
                        tell(push=measure_push(crm.of(vendor.name), address))
            if "changes" in what:
                with gateway(home, fresh(server, "first"), crm) as address:
                    tell(full=measure_full(crm, address))
                with gateway(home, fresh(server, "changes"), crm) as address:
                    tell(delta=measure_delta(crm, address))
            if "cost" in what:
                tell(cost=measure_limits())
            if "abuse" in what:
                with gateway(home, url := fresh(server, "abuse"), crm, **SETTINGS) as address:
                    for found in measure_abuse(crm, address, make_key(home, url)):
                        tell(abuse=found)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
