"""A contact that has become warm, on its way into a CRM: owner, organization, person, label."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from connectors.declaration import ExternalType
from connectors.errors import Ambiguous, CrmError, QuotaExhausted, Reauthorize, Retryable
from connectors.overrides import Overrides
from connectors.writing import Draft
from storage import sending
from storage.outbound import Push
from storage.shapes import RecordType
from sync.identity import list_keys
from sync.outcomes import Committed, Outcome, Refused, Skipped
from sync.sending.desk import Desk
from sync.sending.owners import find_owner

LABEL: Final = "Warm Lead"

PERSON: Final = ("name", "first_name", "last_name", "job_title", "emails", "phones", "address")
COMPANY: Final = ("name", "domain", "website", "industry", "employee_count", "phone", "address")
"""What goes with a new record, beside what people have mapped outbound."""
SPARE: Final = frozenset({"job_title", "address", "website", "industry", "employee_count", "phone", "custom_fields"})
"""What a CRM may refuse of it without the lead being lost: it is not what anybody is found by."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """What is known here of a warm lead."""

    contact: Mapping[str, Any]
    organization: Mapping[str, Any] | None
    person: Mapping[str, Any] | None
    """Its link in the CRM, where it has one."""
    company: Mapping[str, Any] | None
    """The organization's."""
    wanted: Mapping[str, Any] | None
    """Who is to own it, as somebody has written here."""


async def push_lead(desk: Desk, push: Push) -> Outcome:
    """Raises a CrmError, Doubtful, Taken."""
    person = desk.writes(RecordType.CONTACT)
    if person is None:
        return Refused(f"{desk.client.connector.label} takes no contacts.")
    lead = await _read_lead(desk, push)
    if lead is None or lead.contact["archived_at"]:
        return Skipped("The contact is archived.")
    if lead.person is not None and lead.person["external_type"] != person.name:
        return Skipped(f"It is there already, as {lead.person['external_type']} {lead.person['external_id']}.")
    owner, found, company, (label, note) = await asyncio.gather(
        find_owner(desk, push, lead.wanted),
        _find_person(desk, push, person, lead),
        _find_company(desk, push, lead),
        _find_label(desk, person),
    )
    push.progress = {**push.progress, "owner": owner}
    placing = await Placing.start(desk, push, lead, company, owner)
    try:
        if found is None:
            employer = await placing.reference
            refs = {"organization": [employer]} if employer else {}
            values = choose_values(lead.contact, PERSON, person, desk.overrides)
            draft = Draft(values=values, refs=refs, owner=owner, label=label)
            found = await desk.make(push, "person", person, draft, SPARE)
        else:
            await desk.note_made(push, "person", person, found, is_ours=False)
            if label is not None:
                await _label(desk, person, found, label)
        mapped = await desk.read(person, [found])
    finally:
        await placing.end()
    done = push.progress["person"]
    store = partial(desk.take_over, person, list(mapped.values()), {found: push.record_id}, done=done)
    notes = [*([note] if note else []), *desk.list_left(push)]
    return Committed(external_type=person.name, external_id=found, note=" ".join(notes) or None, store=store)


async def _label(desk: Desk, external: ExternalType, found: str, label: str) -> None:
    """Labels a person who was there before, where that takes no other label away."""
    if external.writes and external.writes.label and external.writes.label.many:
        catalog = await desk.catalog(external)
        error = (await desk.client.change(external, {found: Draft(label=label)}, catalog, desk.overrides))[found]
        if error is not None:
            raise error


async def _read_lead(desk: Desk, push: Push) -> Lead | None:
    """None where the contact is no longer here."""
    database, integration = desk.database, desk.integration.id
    async with database.session(push.workspace_id) as session:
        contact = await sending.find_record(database, session, RecordType.CONTACT, push.record_id)
        if contact is None:
            return None
        employer = contact["organization_id"]
        organization = None
        if employer:
            organization = await sending.find_record(database, session, RecordType.ORGANIZATION, employer)
        links = await sending.find_links(
            database, session, integration, [push.record_id, *([employer] if employer else [])]
        )
        wanted = await sending.find_wanted_owner(database, session, push.record_id)
    return Lead(
        contact=contact,
        organization=organization,
        person=next(iter(links.get(push.record_id, ())), None),
        company=next(iter(links.get(employer, ())), None) if employer else None,
        wanted=wanted,
    )


# ---------------------------------------------------------------- organization and person


@dataclass(frozen=True)
class Placing:
    """The contact's organization on its way into the CRM; what it is there is known before it is read back."""

    reference: "asyncio.Future[tuple[str, str] | None]"
    """(type, id); None where the contact has none, or the CRM takes none."""
    task: "asyncio.Task[None]"

    @classmethod
    async def start(cls, desk: Desk, push: Push, lead: Lead, found: str | None, owner: str | None) -> "Placing":
        """`found`: what it is in the CRM, if that is known."""
        reference: asyncio.Future[tuple[str, str] | None] = asyncio.get_running_loop().create_future()
        return cls(reference, asyncio.create_task(_place(desk, push, lead, found, owner, reference)))

    async def end(self) -> None:
        """Once it is stored. Raises what went wrong with it."""
        try:
            await asyncio.shield(self.task)
        finally:
            await asyncio.wait([self.task])
            if self.reference.done() and not self.reference.cancelled():
                self.reference.exception()  # heard, even if nobody waits


async def _place(
    desk: Desk,
    push: Push,
    lead: Lead,
    found: str | None,
    owner: str | None,
    reference: "asyncio.Future[tuple[str, str] | None]",
) -> None:
    """By its link, else as it was found, else made. Contacts of one organization that come at once wait for each other, and
    go on with what one of them has begun, so that it is made once."""
    external = desk.writes(RecordType.ORGANIZATION)
    try:
        if lead.organization is None or external is None:
            reference.set_result(None)
            return
        key: UUID = lead.organization["id"]
        async with desk.locks.of(desk.integration.id, f"organization:{key}"):
            async with desk.database.session(push.workspace_id) as session:
                links = await sending.find_links(desk.database, session, desk.integration.id, [key])
                begun = await sending.find_employing(desk.database, session, desk.integration.id, key, push.id)
            if key in links:
                reference.set_result((links[key][0]["external_type"], links[key][0]["external_id"]))
                return
            step = push.progress.get("organization") or begun
            push.progress = {**push.progress, "employer": str(key), **({"organization": step} if step else {})}
            values = choose_values(lead.organization, COMPANY, external, desk.overrides)
            draft = Draft(values=values, owner=owner)
            made = found or await desk.make(push, "organization", external, draft, SPARE)
            done = push.progress.get("organization")
            reference.set_result((external.name, made))
            mapped = await desk.read(external, [made])
            async with desk.database.session(push.workspace_id) as session:
                await desk.take_over(external, list(mapped.values()), {made: key}, session, done=done)
    except BaseException as error:
        if not reference.done():
            reference.set_exception(error)
        raise


async def _find_company(desk: Desk, push: Push, lead: Lead) -> str | None:
    """The organization by a key; None where it is linked, new, or being made."""
    external = desk.writes(RecordType.ORGANIZATION)
    if lead.organization is None or lead.company is not None or external is None or push.progress.get("organization"):
        return None
    return await _find(desk, external, lead.organization)


async def _find_person(desk: Desk, push: Push, external: ExternalType, lead: Lead) -> str | None:
    """The person by its link, by e-mail, by phone; None where a new one is made, or is being made."""
    if lead.person is not None:
        return str(lead.person["external_id"])
    return None if push.progress.get("person") else await _find(desk, external, lead.contact)


async def _find(desk: Desk, external: ExternalType, row: Mapping[str, Any]) -> str | None:
    """The record that has one of the keys by which ours is recognised, the strongest first; of several the oldest. A
    company of the same name and another domain is another one."""
    finds = external.writes.finds if external.writes else {}
    keys = [(key, value) for key, value in list_keys(external.record_type, row) if key in finds]
    answers = await desk.client.find_any(external, keys, desk.region)
    for (key, _), rows in zip(keys, answers, strict=True):
        alive = [one for one in await desk.map(external, rows) if not one.is_deleted]
        if key == "name" and row["domain"]:
            alive = [one for one in alive if one.values.get("domain") in (None, row["domain"])]
        if alive:
            return min(alive, key=lambda one: (len(one.external_id), one.external_id)).external_id
    return None


def choose_values(
    row: Mapping[str, Any], names: tuple[str, ...], external: ExternalType, overrides: Overrides
) -> dict[str, Any]:
    """What a new record is made with: what every one has, and the fields that people have mapped outbound."""
    values = {name: row[name] for name in names if row.get(name) not in (None, "", [], {})}
    mapped = {rule.local_field for rule in overrides.out_of(external.name)}
    custom = {name: value for name, value in row["custom_fields"].items() if f"customFields.{name}" in mapped}
    return {**values, "custom_fields": custom} if custom else values


# ---------------------------------------------------------------- the label


async def _find_label(desk: Desk, external: ExternalType) -> tuple[str | None, str | None]:
    """The value of the label; without it, why it is left out: a lead matters more than its label."""
    label, client = desk.client.connector.label, desk.client
    if external.writes is None or external.writes.label is None:
        return None, f"{label} has no labels: the contact is there without one."
    try:
        async with desk.locks.of(desk.integration.id, f"label:{external.name}"):
            value = await client.find_label(external, LABEL)
            if value is None and desk.integration.allow_new_picklist_values:
                value = await client.add_label(external, LABEL)
    except (Ambiguous, Retryable, QuotaExhausted, Reauthorize):
        raise
    except CrmError as error:
        return None, f"The label “{LABEL}” was left out: {error.message}"
    if value is None:
        what = f"{label} has no label “{LABEL}”, so the contact is there without it"
        return None, f"{what}: add it there, or let this integration add picklist values."
    await desk.know_option(external, value, LABEL)
    return value, None
