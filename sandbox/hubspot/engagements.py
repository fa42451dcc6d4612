"""Calls, emails, meetings, tasks and notes, made up: what each has beside what every record has."""

import json
import random
from collections.abc import Callable
from typing import NamedTuple

from sandbox.hubspot.moments import DAY, write_seconds
from sandbox.hubspot.profiles import Profile
from sandbox.table import Json

TOPICS = ("Intro", "Follow up", "Send quote", "Check in", "Contract review", "Kick-off", "Lunch", "Site visit")
NOTES = (
    '<div style="" dir="auto" data-top-level="true"><p style="margin:0;">Talked about the budget.</p></div>',
    "<b>Important:</b> wants a demo next week &amp; a quote", "<p>Decision maker is on holiday until the 14th.</p>",
    "Café – 20&nbsp;% discount agreed 🎉", "<ul><li>25 seats</li><li>two years</li></ul>",
    "<div>Call back<br>after 5&nbsp;pm</div>", "1 &lt; 2 &gt; 0 &quot;quoted&quot;",
    "<script>alert('note')</script>Left a message", "Plain text without any HTML",
    "<p>Meeting notes: " + "went on and on. " * 400 + "</p>",
)  # fmt: skip
TEXTS = (
    "Dear {name},\n\nthank you for your time today.\n\nBest wishes", "Hello {name}, please find the quote attached.",
    "Hi {name},\njust checking in – grüße aus Berlin",
)  # fmt: skip
OUTCOMES = ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED", None)
CALLS = (
    ("COMPLETED", "f240bbac-87c9-4f6e-bf70-924b57d47db7"), ("COMPLETED", "a4c4c377-d246-4b32-a13b-75a56a4cd0ff"),
    ("NO_ANSWER", "73a0d17f-1163-4015-bdd5-ec830791da20"), ("BUSY", "9d9162e7-6cf3-4944-bf63-4dff82258764"),
    ("CANCELED", None), (None, None),
)  # fmt: skip


class Source(NamedTuple):
    """What is made up from: chance, the record's number and times in seconds, the contact it is about."""

    dice: random.Random
    number: int
    made: int
    changed: int
    contact: Json
    profile: Profile

    def name(self) -> str:
        return self.contact.get("firstname") or ""

    def topic(self) -> str:
        return f"{self.dice.choice(TOPICS)} {self.name()}".strip()


def make_call(source: Source) -> Json:
    status, disposition = source.dice.choice(CALLS)
    direction = source.dice.choice(("INBOUND", "OUTBOUND", "OUTBOUND"))
    numbers = [source.contact.get("phone") or source.contact.get("mobilephone"), "+49 30 5550100"]
    caller, called = numbers if direction == "INBOUND" else reversed(numbers)
    return {
        "hs_call_title": source.topic(),
        "hs_call_body": NOTES[source.number % len(NOTES)] if source.dice.random() < 0.5 else None,
        "hs_call_direction": direction,
        "hs_call_status": status,
        "hs_call_disposition": disposition,
        "hs_call_duration": str(source.dice.randrange(5_000, 1_800_000)) if status == "COMPLETED" else None,
        "hs_call_from_number": caller,
        "hs_call_to_number": called,
    }


def make_email(source: Source) -> Json:
    direction = source.dice.choice(("EMAIL", "EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"))
    people = [person(source), {"email": source.profile.user_email, "firstName": "Rae", "lastName": "Repke"}]
    sender, receiver = people if direction == "INCOMING_EMAIL" else reversed(people)
    text = source.dice.choice(TEXTS).format(name=source.name())
    headers = {"from": sender, "to": [receiver], "cc": [], "bcc": [], "sender": {}}
    return {
        "hs_email_subject": source.topic(),
        "hs_email_direction": direction,
        "hs_email_status": source.dice.choice(("SENT", "SENT", "SENT", "BOUNCED", None)),
        "hs_email_text": text,
        "hs_email_html": "<html><body><p>" + text.replace("\n", "<br>") + "</p></body></html>",
        "hs_email_headers": json.dumps(headers),
        "hs_email_from_email": sender["email"],
        "hs_email_to_email": receiver["email"],
    }


def person(source: Source) -> Json:
    contact = source.contact
    return {"email": contact.get("email"), "firstName": contact.get("firstname"), "lastName": contact.get("lastname")}


def make_meeting(source: Source) -> Json:
    begin = source.made - source.made % 900 + source.dice.randrange(20) * DAY
    return {
        "hs_meeting_title": source.topic(),
        "hs_meeting_body": NOTES[source.number % len(NOTES)] if source.dice.random() < 0.6 else None,
        "hs_timestamp": write_seconds(begin),
        "hs_meeting_start_time": write_seconds(begin),
        "hs_meeting_end_time": write_seconds(begin + source.dice.choice((900, 1800, 3600))),
        "hs_meeting_outcome": source.dice.choice(OUTCOMES),
        "hs_meeting_location": source.dice.choice((None, "Room 4", "https://meet.example/abc")),
    }


def make_task(source: Source) -> Json:
    status = source.dice.choice(("NOT_STARTED", "NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"))
    return {
        "hs_task_subject": source.topic(),
        "hs_task_body": NOTES[source.number % len(NOTES)] if source.dice.random() < 0.4 else None,
        "hs_timestamp": write_seconds(source.made + source.dice.randrange(30) * DAY),
        "hs_task_status": status,
        "hs_task_priority": source.dice.choice(("NONE", "LOW", "MEDIUM", "HIGH", None)),
        "hs_task_type": source.dice.choice(("TODO", "CALL", "EMAIL", "LINKED_IN")),
        "hs_task_completion_date": write_seconds(source.changed) if status == "COMPLETED" else None,
    }


def make_note(source: Source) -> Json:
    return {"hs_note_body": NOTES[source.number % len(NOTES)]}


MAKERS: dict[str, Callable[[Source], Json]] = {
    "calls": make_call, "emails": make_email, "meetings": make_meeting, "tasks": make_task, "notes": make_note,
}  # fmt: skip
