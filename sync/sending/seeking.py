"""Whether a contact or an organization is in a CRM already, by its keys: as it is stored here, and as the CRM finds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.declaration import ExternalType
from connectors.facts import Mapped, Payload
from connectors.finding import has_key
from storage import sending
from storage.outbound import Push
from storage.shapes import RecordType
from sync.identity import Key, is_named_alike, list_keys
from sync.sending.desk import Desk, Doubtful

SOON = 3.0
"""Seconds after which it may be known what another push has made."""


@dataclass(frozen=True)
class Found:
    """A record that is there."""

    payload: Payload
    mapped: Mapped


def name_keys(type_: RecordType, row: Mapping[str, Any] | None) -> list[str]:
    """What nobody else may look for, or make, at the same time; an organization without any key by its id."""
    if row is None:
        return []
    return [*(" ".join(key) for key in list_keys(type_, row)), f"{type_.value} {row['id']}"]


async def find_there(desk: Desk, push: Push, step: str, external: ExternalType, row: Mapping[str, Any]) -> Found | None:
    """The record that has one of the keys by which ours is recognised, the strongest first. What is stored here, or was made
    just now, is looked at first: it knows numbers and domains in any spelling, and a search only knows what is older. Where
    the push has begun to make it, nothing else is asked.

    Raises a CrmError; Doubtful where another push may have made it.
    """
    keys = list_keys(external.record_type, row)
    stored = await _read(desk, external, await _list_known(desk, push, step, external, row))
    answers = [[one for one in stored if has_key(external, one, *key, desk.region)] for key in keys]
    surest = [key for key in keys if key[0] == keys[0][0]]
    found = await _choose(desk, external, row, surest, answers)
    if found is not None:
        return found
    if push.progress.get(step):
        return await _choose(desk, external, row, keys, answers)
    finds = external.writes.finds if external.writes else {}
    asked = [key for key in keys if key[0] in finds]
    told = dict(zip(asked, await desk.client.find_any(external, asked, desk.region), strict=True))
    both = [[*known, *told.get(key, ())] for key, known in zip(keys, answers, strict=True)]
    return await _choose(desk, external, row, keys, both)


async def look_up(desk: Desk, external: ExternalType, external_id: str) -> Found | None:
    """A record as it is there now, or what it has become part of; None where there is none any more."""
    for row in await _read(desk, external, [external_id]):
        for mapped in await desk.map(external, [row]):
            if not mapped.is_deleted:
                return Found(row, mapped)
    survivors = await desk.find_survivors(external, [external_id])
    return next((Found(one.payload, one) for one in survivors.values()), None)


async def _read(desk: Desk, external: ExternalType, ids: Sequence[str]) -> list[Payload]:
    return list((await desk.client.read_back(external, ids)).values()) if ids else []


async def _list_known(desk: Desk, push: Push, step: str, external: ExternalType, row: Mapping[str, Any]) -> list[str]:
    """The ids of records that a sync has read, or other pushes have made. Raises Doubtful where one of those is about to."""
    keys, names = list_keys(external.record_type, row), name_keys(external.record_type, row)
    integration = desk.integration.id
    async with desk.database.session(push.workspace_id) as session:
        stored = await sending.find_keyed(
            desk.database, session, integration, external.record_type, external.name, keys
        )
        begun = await sending.find_begun(desk.database, session, integration, push.id, step, names)
    ids = [one["external_id"] for one in stored if _fits(one["kind"], row, one["mapped"], one["record_id"])]
    made = [one["step"].get("id") for one in begun]
    if not ids and None in made and not push.progress.get(step):
        label = desk.client.connector.label
        raise Doubtful(f"Another push may have made it in {label}: it waits until that is known.", SOON)
    return list(dict.fromkeys([*ids, *(one for one in made if one)]))


def _fits(kind: str, row: Mapping[str, Any], values: Mapping[str, Any], record: Any) -> bool:
    """Whether a record that shares a key with ours is the same. A company of the same name and another domain is another
    one. A number is a switchboard's, unless the names agree; where it is nobody else's here, an address that one of them
    has not got says nothing against it. `record`: what it is here, if anything."""
    if kind == "name":
        return not row["domain"] or values.get("domain") in (None, row["domain"])
    if kind == "phone":
        is_free = record in (None, row["id"])
        return is_named_alike(row, values) or (is_free and not (row["emails"] and values.get("emails")))
    return True


async def _choose(
    desk: Desk,
    external: ExternalType,
    row: Mapping[str, Any],
    keys: Sequence[Key],
    answers: Sequence[Sequence[Payload]],
) -> Found | None:
    """By the strongest key; of several the one whose name agrees, then the oldest."""
    for (kind, _), rows in zip(keys, answers, strict=False):
        found = [Found(one, mapped) for one in rows for mapped in await desk.map(external, [one])]
        alive = [one for one in found if not one.mapped.is_deleted]
        known = await _find_records(desk, external, alive) if kind == "phone" else {}
        fits = [one for one in alive if _fits(kind, row, one.mapped.values, known.get(one.mapped.external_id))]
        if fits:
            return min(fits, key=lambda one: _rank(external, row, one.mapped))
    return None


def _rank(external: ExternalType, row: Mapping[str, Any], mapped: Mapped) -> tuple[bool, int, str]:
    is_other = external.record_type is RecordType.CONTACT and not is_named_alike(row, mapped.values)
    return is_other, len(mapped.external_id), mapped.external_id


async def _find_records(desk: Desk, external: ExternalType, found: Sequence[Found]) -> dict[str, Any]:
    ids = [one.mapped.external_id for one in found]
    async with desk.database.session(desk.integration.workspace_id) as session:
        return dict(await sending.find_records(desk.database, session, desk.integration.id, external.name, ids))
