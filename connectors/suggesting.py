"""Which field of a CRM could be which of ours: by names, labels, types and what the records hold, with a reason in words."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from connectors.declaration import Connector, ExternalType
from connectors.facts import Catalog, Field, Payload
from connectors.families import TAKES, Family
from connectors.targets import CUSTOM, Target, list_targets
from connectors.values import DAY, HOST, MOMENT, read_domain

LEAST = 0.7
"""Names that are less alike than this are so by chance: phones and shoe colour are 0.5."""

OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("full name",),
    "firstName": ("given name", "first name"),
    "lastName": ("family name", "surname"),
    "jobTitle": ("position", "role", "function"),
    "emails": ("email", "email address"),
    "phones": ("phone", "phone number", "telephone"),
    "phone": ("phone number", "telephone"),
    "address": ("postal address", "street address", "street"),
    "tags": ("labels", "label", "status of the lead", "lead status"),
    "owner": ("assigned to", "responsible", "account manager"),
    "domain": ("domain name", "website domain", "website"),
    "website": ("website url", "homepage", "web address"),
    "employeeCount": ("number of employees", "headcount", "staff", "company size"),
    "kind": ("type", "lifecycle stage"),
    "kindLabel": ("type",),
    "title": ("name",),
    "amount": ("value", "worth", "price"),
    "status": ("state", "is won", "is closed won"),
    "expectedCloseOn": ("expected close date", "close date"),
    "closedAt": ("closed on", "closed date", "close date", "won time"),
    "probability": ("likelihood", "chance", "win probability"),
    "subject": ("title", "topic"),
    "body": ("note", "text", "content", "description", "html"),
    "dueOn": ("due date", "date", "start time", "activity date"),
    "dueAt": ("due date", "due time", "start time", "activity date", "timestamp"),
    "durationMinutes": ("duration", "length", "start time"),
    "isDone": ("done", "completed", "outcome", "status"),
}
"""What CRMs call such a field, in words that people use."""

SHAPES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "emails": ("e-mail addresses", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch),
    "phones": ("phone numbers", re.compile(r"\+?[\d ()./-]{6,20}").fullmatch),
    "phone": ("phone numbers", re.compile(r"\+?[\d ()./-]{6,20}").fullmatch),
    "domain": ("domains", lambda text: HOST.fullmatch(text) or read_domain(text)),
    "website": ("web addresses", lambda text: "." in text and read_domain(text)),
}
"""local field -> what its values are, and how one is known."""
DATES = frozenset({Family.DAY, Family.MOMENT})


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A mapping that may be wanted."""

    local_field: str
    crm_field: str
    score: float
    """0 to 1."""
    reason: str


@dataclass(frozen=True)
class Held:
    """What records hold in a field."""

    records: int
    values: Sequence[Any]
    """Of those that have one."""

    @property
    def share(self) -> float:
        """Of the records, how many have a value; 0 where there are none."""
        return len(self.values) / self.records if self.records else 0.0


def suggest(
    connector: Connector,
    external: ExternalType,
    fields: Iterable[Field],
    samples: Sequence[Payload],
    *,
    skip: Collection[str] = (),
) -> list[Suggestion]:
    """What of our fields each field of the CRM may be, the best first; `skip`: fields of ours that need none."""
    asked = list(fields)
    catalog = Catalog(fields={external.name: asked})
    targets = [one for one in list_targets(external.record_type).values() if one.name not in skip]
    found = []
    for field in asked:
        held = look_into(external, catalog, samples, field)
        family = connector.families.get(field.type, Family.OTHER)
        alike = [made for target in targets if (made := compare(target, field, family, held)) is not None]
        kept = None if alike else keep(field, held)
        found += [kept] if kept else alike
    return sorted(found, key=lambda one: (-one.score, one.local_field, one.crm_field))


def look_into(external: ExternalType, catalog: Catalog, samples: Sequence[Payload], field: Field) -> Held:
    """What the records hold in a field."""
    values = (external.read(payload, catalog, field.name) for payload in samples)
    return Held(len(samples), [value for value in values if value not in (None, "", [], {})])


def compare(target: Target, field: Field, family: Family, held: Held) -> Suggestion | None:
    """How far a field of the CRM is one of ours; None where it is not."""
    word, likeness = find_likeness(target, field)
    fits = family in TAKES[target.family]
    shape = measure_shape(target, held)
    filled = held.share if held.records else 0.5
    score = 0.62 * likeness + (0.16 if fits else 0.0) + 0.08 * filled + 0.08 * (0.5 if shape is None else shape)
    score += 0.03 * (not field.is_custom) + 0.03 * field.is_writable
    if likeness < LEAST:
        return None
    reasons = [f"{word} reads like {target.name}"]
    reasons.append(f"it holds {family.value}" + ("" if fits else f", and {target.name} {target.family.value}"))
    if shape and target.name in SHAPES:
        reasons.append(f"{round(100 * shape)} % of its values are {SHAPES[target.name][0]}")
    if held.records:
        reasons.append(f"{round(100 * held.share)} % of {held.records} records have a value")
    return _suggest(target.name, field, score, reasons)


def keep(field: Field, held: Held) -> Suggestion | None:
    """A field that is none of ours, and that people fill: it can be kept as a custom one."""
    if field.is_custom or not field.is_writable or held.share < 0.2:
        return None
    reason = f"{round(100 * held.share)} % of {held.records} records have a value, which is kept nowhere else"
    name = " ".join(field.label.replace(".", " ").split())[:100].strip()
    return _suggest(f"{CUSTOM}{name}", field, 0.2 + 0.25 * held.share, [reason])


def _suggest(local_field: str, field: Field, score: float, reasons: Sequence[str]) -> Suggestion:
    told = "; ".join(reasons)
    return Suggestion(
        local_field=local_field,
        crm_field=field.name,
        score=round(min(score, 1.0), 3),
        reason=f"{told[0].upper()}{told[1:]}.",
    )


def find_likeness(target: Target, field: Field) -> tuple[str, float]:
    """Whether its name or its label is more like ours, and how much: 0 to 1."""
    ours = [split_words(target.name), *OTHER_WORDS.get(target.name, ())]
    theirs = {f"Its label “{field.label}”": split_words(field.label), f"Its name {field.name}": split_words(field.name)}
    scores = {told: max(_alike(one, words, at) for at, one in enumerate(ours)) for told, words in theirs.items()}
    best = max(scores, key=lambda told: scores[told])
    return best, scores[best]


def _alike(ours: str, theirs: str, at: int) -> float:
    """What we call it counts a little more than what others do."""
    whole, together = fuzz.token_sort_ratio(ours, theirs), fuzz.ratio(ours.replace(" ", ""), theirs.replace(" ", ""))
    within = 0.9 * fuzz.token_set_ratio(ours, theirs)
    return max(whole, together, within) / 100 * (1.0 if at == 0 else 0.97)


def split_words(name: str) -> str:
    """`hs_call_title`, `jobTitle`, `Job title`: words in small letters, what only marks a field as one left out."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = re.findall(r"[^\W_]+", spaced.lower())
    return " ".join(word for word in words if word not in {"hs", "id", "ids", "the", "of"}) or name.lower()


def measure_shape(target: Target, held: Held) -> float | None:
    """Of the values that a field holds, the share that looks like ours; None where that cannot be told."""
    if not held.values:
        return None
    test = SHAPES[target.name][1] if target.name in SHAPES else None
    if test is None and target.family in DATES:
        test = _is_date
    if test is None:
        return None
    texts = [text for value in held.values for text in _list_texts(value)]
    return sum(bool(test(text)) for text in texts) / len(texts) if texts else 0.0


def _is_date(text: str) -> Any:
    return DAY.fullmatch(text) or MOMENT.fullmatch(text)


def _list_texts(value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    parts = (one.get("value") if isinstance(one, dict) else one for one in several)
    return [part.strip() for part in parts if isinstance(part, str)]
