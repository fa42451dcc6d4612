"""A contact that has become warm, on its way into a CRM: owner, organization, person, label."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from connectors.declaration import ExternalType
from connectors.errors import (
    Ambiguous,
    CrmError,
    Missing,
    QuotaExhausted,
    Reauthorize,
    Rejected,
    Retryable,
    Unsupported,
)
from connectors.facts import Mapped, Reference
from connectors.overrides import Overrides
from connectors.writing import Draft
from storage import sending
from storage.outbound import Push
from storage.shapes import RecordType
from sync.outcomes import Committed, Outcome, Refused, Skipped
from sync.sending.desk import Desk
from sync.sending.owners import find_owner
from sync.sending.seeking import Found, find_there, look_up, name_keys

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
    keys = name_keys(RecordType.CONTACT, lead.contact if lead else None)
    async with desk.locks.hold(desk.integration.id, keys) as has_waited:
        if has_waited:  # for one that may have become the same contact
            await desk.follow([push])
            lead = await _read_lead(desk, push)
        if lead is None or lead.contact["archived_at"]:
            return Skipped("The contact is archived.")
        if lead.person is not None and lead.person["external_type"] != person.name:
            return Skipped(f"It is there already, as {lead.person['external_type']} {lead.person['external_id']}.")
        return await _bring(desk, push, person, lead)


async def _bring(desk: Desk, push: Push, external: ExternalType, lead: Lead) -> Outcome:
    """Whoever has one of its keys waits until it is stored."""
    employer = name_keys(RecordType.ORGANIZATION, lead.organization)
    push.progress = {**push.progress, "keys": [*name_keys(RecordType.CONTACT, lead.contact), *employer]}
    placing = Placing.start(desk, push, lead)
    try:
        owner, found, (label, note) = await asyncio.gather(
            find_owner(desk, push, lead.wanted),
            _find_person(desk, push, external, lead),
            _find_label(desk, external),
        )
        notes = [note] if note else []
        if found is None:
            push.progress = {**push.progress, "owner": owner}
            placing.allow(owner)
            made, mapped = await _make(desk, push, external, lead, Draft(owner=owner, label=label), placing), None
        else:
            there = Improving(desk=desk, push=push, external=external, lead=lead, found=found)
            made, mapped = found.mapped.external_id, await there.improve(placing, owner, label)
            notes += there.notes
        mapped = mapped or await desk.confirm(push, "person", external, made)
    finally:
        await placing.end()
    done = push.progress["person"]
    async with desk.database.session(push.workspace_id) as session:
        place = {made: push.record_id}
        await desk.take_over(external, [mapped] if mapped else [], place, session, done=done)
    notes += desk.list_left(push)
    return Committed(external_type=external.name, external_id=made, note=" ".join(notes) or None)


async def _make(desk: Desk, push: Push, external: ExternalType, lead: Lead, draft: Draft, placing: "Placing") -> str:
    """The id of the new person."""
    employer = await placing.reference
    refs = {"organization": [employer]} if employer else {}
    values = choose_values(lead.contact, PERSON, external, desk.overrides)
    return await desk.make(push, "person", external, replace(draft, values=values, refs=refs), SPARE)


@dataclass(kw_only=True)
class Improving:
    """A person who was there before gets what they lack, by one change; what they have stays."""

    desk: Desk
    push: Push
    external: ExternalType
    lead: Lead
    found: Found
    notes: list[str] = field(default_factory=list)
    """What was left as it is, a sentence for each."""

    async def improve(self, placing: "Placing", owner: str | None, label: str | None) -> Mapped | None:
        """The person as found, where nothing was to be changed; None: to be read anew."""
        desk, push, mapped = self.desk, self.push, self.found.mapped
        current = mapped.values.get("owner_external_id")
        push.progress = {**push.progress, "owner": current or owner}
        placing.allow(owner, may_make=not mapped.refs.get("organization"))
        await desk.note_made(push, "person", self.external, mapped.external_id, is_ours=False)
        refs = await self._choose_employer(placing)
        if current and owner and current != owner and push.details.get("owner_email"):
            self.notes.append(f"Somebody else owns it in {desk.client.connector.label}, which stays so.")
        draft = Draft(refs=refs, owner=None if current else owner, label=self._choose_label(label))
        if draft == Draft():
            return mapped
        catalog = await desk.catalog(self.external)
        told = await desk.client.change(self.external, {mapped.external_id: draft}, catalog, desk.overrides)
        error = told[mapped.external_id]
        if isinstance(error, Rejected | Unsupported):
            self.notes.append(f"Left as it was: {error.message}")
            return mapped
        if error is not None:
            raise error
        return None

    async def _choose_employer(self, placing: "Placing") -> dict[str, list[Reference]]:
        """The organization, for somebody who has none."""
        employer, there = (
            await placing.reference,
            [tuple(one) for one in self.found.mapped.refs.get("organization", ())],
        )
        if self.lead.organization is not None and there and employer not in there:
            label = self.desk.client.connector.label
            self.notes.append(f"It belongs to another organization in {label}, which stays so.")
        return {"organization": [employer]} if employer and not there else {}

    def _choose_label(self, label: str | None) -> str | None:
        """The label, where it takes no other one away."""
        labels = self.external.writes.label if self.external.writes else None
        if label is None or labels is None:
            return None
        there = labels.read(self.found.payload)
        if there is None:
            return label if labels.many else None
        if label in there or (there and not labels.many):
            if label not in there:
                named = ", ".join(self.found.mapped.values.get("tags") or there)
                self.notes.append(f"It is labelled “{named}” already, which stays: the label “{LABEL}” was left out.")
            return None
        return label


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

    reference: "asyncio.Future[Reference | None]"
    """None where the contact has none, or the CRM takes none, or none was to be made."""
    allowed: "asyncio.Future[tuple[str | None, bool]]"
    """Who is to own a new one, and whether one may be made: once it is known who the person is there."""
    task: "asyncio.Task[None]"

    @classmethod
    def start(cls, desk: Desk, push: Push, lead: Lead) -> "Placing":
        """Looks for it at once."""
        loop = asyncio.get_running_loop()
        reference: asyncio.Future[Reference | None] = loop.create_future()
        allowed: asyncio.Future[tuple[str | None, bool]] = loop.create_future()
        return cls(reference, allowed, asyncio.create_task(_place(desk, push, lead, allowed, reference)))

    def allow(self, owner: str | None, *, may_make: bool = True) -> None:
        """From now on it can be made."""
        self.allowed.set_result((owner, may_make))

    async def end(self) -> None:
        """Once it is stored; at once, where it was never allowed. Raises what went wrong with it."""
        if not self.allowed.done():
            self.allowed.cancel()
        try:
            await asyncio.shield(self.task)
        except asyncio.CancelledError:
            if not self.task.cancelled():
                raise
        finally:
            await asyncio.wait([self.task])
            if self.reference.done() and not self.reference.cancelled():
                self.reference.exception()  # heard, even if nobody waits


async def _place(
    desk: Desk,
    push: Push,
    lead: Lead,
    allowed: "asyncio.Future[tuple[str | None, bool]]",
    reference: "asyncio.Future[Reference | None]",
) -> None:
    """By its link, else as it is found, else made. Those who look for one of its keys at once wait for each other, and go on
    with what one of them has begun, so that it is made once."""
    external = desk.writes(RecordType.ORGANIZATION)
    try:
        if lead.organization is None or external is None:
            reference.set_result(None)
            return
        record: UUID = lead.organization["id"]
        keys = name_keys(RecordType.ORGANIZATION, lead.organization)
        async with desk.locks.hold(desk.integration.id, keys):
            linked, step = await _find_begun(desk, push, record, keys)
            if linked is not None:
                reference.set_result(linked)
                return
            push.progress = {**push.progress, **({"organization": step} if step else {})}
            found = (
                None
                if step and "id" in step
                else await find_there(desk, push, "organization", external, lead.organization)
            )
            made, mapped = (found.mapped.external_id, found.mapped) if found else (None, None)
            owner, may_make = await allowed
            if made is None and not (may_make or step):
                reference.set_result(None)
                return
            if made is not None and step:
                await desk.note_made(push, "organization", external, made, is_ours=False)
            if made is None:
                values = choose_values(lead.organization, COMPANY, external, desk.overrides)
                made = await desk.make(push, "organization", external, Draft(values=values, owner=owner), SPARE)
            done = push.progress.get("organization")
            reference.set_result((external.name, made))
            mapped = mapped or await desk.confirm(push, "organization", external, made)
            async with desk.database.session(push.workspace_id) as session:
                await desk.take_over(external, [mapped] if mapped else [], {made: record}, session, done=done)
    except BaseException as error:
        if not reference.done():
            reference.set_exception(error)
        raise


async def _find_begun(
    desk: Desk, push: Push, record: UUID, keys: Sequence[str]
) -> tuple[Reference | None, Mapping[str, Any] | None]:
    """What the organization is in the CRM by now, and how far this push, or another one, has come with making it."""
    database, integration = desk.database, desk.integration.id
    async with database.session(push.workspace_id) as session:
        links = await sending.find_links(database, session, integration, [record])
        begun = await sending.find_begun(database, session, integration, push.id, "organization", keys)
    linked = [(one["external_type"], one["external_id"]) for one in links.get(record, ())]
    steps = [one["step"] for one in begun if _is_same(keys, one)]
    return next(iter(linked), None), push.progress.get("organization") or next(iter(steps), None)


def _is_same(keys: Sequence[str], begun: Mapping[str, Any]) -> bool:
    """Companies of one name with different domains are not."""
    return len({key for key in (*keys, *begun["keys"]) if key.startswith("domain ")}) <= 1


async def _find_person(desk: Desk, push: Push, external: ExternalType, lead: Lead) -> Found | None:
    """The person by its link, by e-mail, by phone; None where a new one is made, or is being made. Raises Missing for a link
    to nobody."""
    if lead.person is not None:
        linked = str(lead.person["external_id"])
        found = await look_up(desk, external, linked)
        if found is None:
            raise Missing(f"{desk.client.connector.label} no longer has {external.label} {linked}.")
        return found
    is_known = "id" in push.progress.get("person", {})
    return None if is_known else await find_there(desk, push, "person", external, lead.contact)


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
