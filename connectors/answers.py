"""What an answer of a CRM says beside its data: which error it is, how long to wait, how the limits stand."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.declaration import Connector, Remedy
from connectors.errors import Conflict, CrmError, Rejected, Retryable
from connectors.http import Response
from connectors.hygiene import decode
from connectors.pacing import Told
from connectors.paths import follow_path

WORD = r"(?:[A-Z\d]{1,24}|[a-z\d]{1,24}|[A-Za-z][a-z\d]{1,15}(?:[A-Z][a-z\d]{1,15}){1,5})"
CODE = re.compile(rf"(?!(?:.*\d){{4}})(?=.{{1,60}}$){WORD}(?:[_.-]{WORD})*")
"""What may be shown of an error's body: words without spaces between them are no text about a person; and with hardly any
digits, and capitals only where words have them, they are no token that a CRM repeats."""


LONGEST, LONGEST_COMPLAINT, MOST_COMPLAINTS = 1_000, 300, 10
"""Of the CRM's words about a write: characters in all and of each, and how many."""
TOKEN = re.compile(r"(?=[\w.~+/=-]*\d)(?=[\w.~+/=-]*[A-Za-z])[\w.~+/=-]{24,}")
"""What may be a credential that an error repeats: long, without a blank, letters and digits."""
KEY = re.compile(r"[0-9a-f]{40}")
"""The key of a custom field, which looks like one."""
NAME = re.compile(r"[A-Za-z_]\w{0,99}|[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer, read."""

    status: int
    """The status of HTTP, or the one that the body of a 200 stands for."""
    body: Any
    """None where it is not JSON."""
    is_json: bool
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """The call did what it was to do."""
        return 200 <= self.status < 300


def read_answer(connector: Connector, response: Response) -> Answer | None:
    """The answer; None where it should have had a body and the body is not whole."""
    status, body, is_json = response.status_code, None, False
    try:
        body = decode(response.content) if status != 204 else None
        is_json = True
    except ValueError:
        if 200 <= status < 300:
            return None
    if 200 <= status < 300:
        status = connector.refusals(body) or status
    return Answer(status=status, body=body, is_json=is_json, headers=response.headers)


def told_seconds(answer: Answer) -> float | None:
    """How long the answer asks to wait: Retry-After in seconds or as a date; None where it does not."""
    text = answer.headers.get("retry-after", "").strip()
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - time.time())


def reset_seconds(connector: Connector, answer: Answer) -> float | None:
    """When the limits' own headers say that there is room again. Their unit is rarely documented: seconds up to a minute
    are believed."""
    found = [_number(answer.headers.get(rate.reset, "")) for rate in connector.rates if rate.reset]
    return max((span for span in found if span is not None and span <= 60), default=None)


def told_limits(connector: Connector, answer: Answer) -> Told:
    """How the limits stand by the answer's headers."""
    told = {}
    for rate in connector.rates:
        limit, remaining = (_number(answer.headers.get(name, "")) for name in (rate.limit, rate.remaining))
        if limit is not None or remaining is not None:
            told[rate.window] = (int(limit) if limit else None, int(remaining) if remaining is not None else None)
    return told


def find_remedy(connector: Connector, answer: Answer) -> Remedy | None:
    """The line of the error table that fits."""
    for remedy in connector.errors:
        least, most = remedy.status
        if least <= answer.status <= most and remedy.json in (None, answer.is_json):
            return remedy
    return None


def make_error(connector: Connector, answer: Answer, integration: str, *, secret: str | None = None) -> CrmError:
    """The answer as an error: a sentence, the status, and the CRM's own short code if it gives one.

    With the secret that the call was made with, what the CRM says of the fields is told too: of a write, it is about what
    was to be written, and whoever wrote it can put it right.
    """
    remedy = find_remedy(connector, answer)
    message = (remedy.message if remedy else "{crm} gave an answer that is not understood").format(crm=connector.label)
    codes = [follow_path(answer.body, path) for path in connector.codes]
    shown = [code for code in codes if isinstance(code, str) and CODE.fullmatch(code)]
    error = remedy.error if remedy else Rejected
    said = tell_complaints(connector, answer, secret) if secret is not None else {}
    told = "; ".join(f"{name}: {words}" if name else words for name, words in said.items())[:LONGEST]
    made = error(
        f"{message} (HTTP {answer.status}{', ' + shown[0] if shown else ''}){': ' + told.rstrip('.') if told else ''}.",
        crm=connector.name,
        integration=integration,
        request_id=answer.headers.get(connector.request_id, "")[:100],
        status=answer.status,
    )
    if isinstance(made, Retryable):
        seconds = told_seconds(answer)
        made.after = seconds if seconds is not None else remedy.after if remedy else None
    if isinstance(made, Rejected):
        made.fields = said
    if isinstance(made, Conflict):
        made.existing = connector.existing(answer.body)
    return made


def tell_complaints(connector: Connector, answer: Answer, secret: str) -> dict[str, str]:
    """What the CRM says of each field; under an empty name what it says of the whole. Bounded, and without what could open
    an account."""
    told: dict[str, str] = {}
    for name, words in connector.complaints(answer.body)[:MOST_COMPLAINTS]:
        plain = " ".join(words.replace(secret, "…").split()) if secret else " ".join(words.split())
        shown = TOKEN.sub(lambda found: found[0] if KEY.fullmatch(found[0]) else "…", plain)
        short = shown if len(shown) <= LONGEST_COMPLAINT else f"{shown[:LONGEST_COMPLAINT]}…"
        told.setdefault(name if NAME.fullmatch(name) else "", short)
    return told


def _number(text: str | None) -> float | None:
    """A number of seconds or calls, not negative; headers are texts that anybody between may have written."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None
