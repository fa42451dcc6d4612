"""Whether a FULL run has read everything: what the CRM counts or shows apart from the run's own lists, against the store."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.errors import Unmappable
from connectors.facts import Payload
from connectors.mapping import compile_type
from connectors.reading import Counts, Lists
from connectors.values import read_moment
from storage import attest
from storage.database import Database
from storage.shapes import Evidence, Verdict
from storage.tables import SyncRun
from sync.progress import MOST_NAMED, Progress
from sync.steps import NOTHING, Batch, Cursor, Proof

SLACK = timedelta(seconds=5)
"""Times are whole seconds, and clocks differ."""
SETTLED = timedelta(minutes=10)
"""How old a record is that a count must know of."""
MOST_PAGES = 500
"""That are read to name what a count has and the store has not."""


@dataclass(frozen=True, kw_only=True)
class ProofStep:
    """Holds what the CRM shows of a type apart from its lists against the store, once those are stored."""

    external: ExternalType
    database: Database
    run: SyncRun
    optional: bool = True
    ahead: bool = False

    async def compare(self, client: Client, rows: Sequence[Payload]) -> Proof:
        """What a page says: how many it shows, and which of them should be here and are not.

        One that was made or changed since the run began is no evidence: the next run reads it.
        """
        program = compile_type(self.external)
        shown = {
            str(program.identifier(row)): row for row in rows if not (program.deleted and program.deleted(row, NOTHING))
        }
        absent = await attest.find_absent(self.database, self.run, self.external.name, list(shown))
        begun = (self.run.started_at or client.now()) + timedelta(seconds=client.wire.ahead) - SLACK
        young = {one for one in absent if self._find_time(shown[one], begun) >= begun}
        missing = sorted(absent - young)
        known = len(shown) - len(young)
        return Proof(remote=known, shown=len(shown), missing=len(missing), ids=missing[:MOST_NAMED])

    def _find_time(self, row: Payload, default: datetime) -> datetime:
        """When the record was made or changed last; the default where it does not say."""
        program, times = compile_type(self.external), list[datetime]()
        for read in (program.created, program.updated):
            try:
                moment = read_moment(read(row), "") if read else None
            except Unmappable:
                continue
            times += [moment] if moment else []
        return max(times, default=default)


@dataclass(frozen=True, kw_only=True)
class SecondStep(ProofStep):
    """Reads a list once more, in another order: ids and times alone."""

    listing: Lists

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """A page."""
        page = await client.page(self.listing, cursor)
        return Batch(proof=await self.compare(client, page.records), next=page.next)


@dataclass(frozen=True, kw_only=True)
class CountStep(ProofStep):
    """Asks the CRM how many there are; where that is more than are here, which."""

    counts: Counts

    def start(self, client: Client) -> "asyncio.Task[int]":
        """Counts beside the lists: what is there by then has to be here at their end."""
        return client.once.start(("count", self.external.name), partial(self.counts.count, client))

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The count; then, where something is missing, a page of the records that were counted.

        The cursor: {"behind": the last id, "pages": how many were read}.
        """
        if cursor is None:
            return await self._count(client)
        page = await self.counts.page(client, cursor["behind"])
        pages = cursor["pages"] + 1
        proof: Proof = {**await self.compare(client, page.records), "remote": 0}
        if proof["missing"]:  # an index shows for a while what is no more
            there = await client.read(self.external, list(proof["ids"]))
            ids = [one for one in proof["ids"] if one in there]
            gone = len(proof["ids"]) - len(ids)
            proof = {**proof, "ids": ids, "missing": proof["missing"] - gone}
        goes_on = page.next is not None and pages < MOST_PAGES
        return Batch(proof=proof, next={"behind": page.next, "pages": pages} if goes_on else None)

    async def _count(self, client: Client) -> Batch:
        async with self.database.session(self.run.workspace_id) as session:
            tallies = await attest.tally(self.database, session, self.run, [self.external.name], client.now())
        known = tallies[self.external.name]["here"] + tallies[self.external.name]["failed"]
        remote = await asyncio.shield(self.start(client))
        if remote > known:  # some may have gone since the count was taken
            remote = await self.counts.count(client)
        return Batch(proof=Proof(remote=remote), next={"behind": None, "pages": 0} if remote > known else None)


def list_proofs(external: ExternalType, database: Database, run: SyncRun) -> list[SecondStep | CountStep]:
    """The steps by which it is known whether all records of a type are here."""
    known: dict[str, Any] = {"external": external, "database": database, "run": run}
    if external.counts:
        return [CountStep(counts=external.counts, **known)]
    return [SecondStep(listing=listing, **known) for listing in external.second]


async def attest_types(
    database: Database, session: AsyncSession, types: Sequence[ExternalType], progress: Progress
) -> list[dict[str, Any]]:
    """What was proven of each type, as the run's row keeps it."""
    run = progress.run
    settled = run.started_at - SETTLED if run.started_at else None
    tallies = await attest.tally(database, session, run, [one.name for one in types], settled)
    return [judge(one, tallies[one.name], progress) for one in types]


def judge(external: ExternalType, tally: Mapping[str, int], progress: Progress) -> dict[str, Any]:
    """The attestation of one type. What the lists have not shown is missing in them, though it may be here from before."""
    proof, unlisted = progress.find_proof(external.name), progress.unlisted.get(external.name)
    hidden: Sequence[str] = unlisted["ids"] if unlisted else ()
    count: int | None = unlisted["count"] if unlisted else None
    remote = None
    if proof and not proof["broken"]:
        remote = proof["remote"]
        count = (count or 0) + count_missing(external, proof, tally)
        hidden = list(dict.fromkeys([*hidden, *proof["ids"]]))[:MOST_NAMED]
    verdict = Verdict.INCOMPLETE if count else Verdict.UNKNOWN
    if remote is not None and not count and remote >= tally["settled"]:
        verdict = Verdict.COMPLETE
    return {
        "externalType": external.name,
        "recordType": external.record_type.value,
        "evidence": external.evidence.value,
        "remoteCount": remote,
        "localCount": tally["here"],
        "missingCount": count,
        "missing": hidden,
        "verdict": verdict.value,
    }


def count_missing(external: ExternalType, proof: Proof, tally: Mapping[str, int]) -> int:
    """How many records the CRM has that are not here and have not failed."""
    if external.evidence is not Evidence.COUNT or proof["shown"] >= proof["remote"]:
        return proof["missing"]
    return max(proof["missing"], proof["remote"] - tally["here"] - tally["failed"], 0)
