"""Associations over the wire: in batches, of one record, and their labels."""

from datetime import UTC, datetime
from typing import Any

from sandbox.hubspot.answers import Answer, invalid, missing, succeed
from sandbox.hubspot.batch import answer_batch, describe_error
from sandbox.hubspot.call import BASE, Call, is_digits, read_after
from sandbox.hubspot.kinds import KINDS
from sandbox.hubspot.links import BUILT_IN, PLAIN, TYPES, Pair, Type, describe_types, plain
from sandbox.hubspot.records import read_types
from sandbox.table import Json

MOST_READ, MOST_WRITTEN = 1_000, 2_000
PAGE = 500


def read_pair(call: Call) -> Pair:
    pair = (call.kind("from").plural, call.kind("to").plural)
    if pair not in PLAIN:
        raise invalid(f"No associations exist between {pair[0]} and {pair[1]}")
    return pair


def write_key(call: Call, key: int) -> str | int:
    """Ids of the other end are numbers in v4 and texts in the dated API."""
    return key if call.version == "v4" else str(key)


def find_ends(call: Call, pair: Pair, key: int) -> list[tuple[int, tuple[Type, ...]]]:
    """In the order of their ids, without those in the recycle bin."""
    table = call.portal.tables[pair[1]]
    return [(end, types) for end, types in sorted(call.portal.links.ends(pair, key).items()) if table.get(end)]


def page_ends(call: Call, pair: Pair, key: int, after: int, limit: int) -> tuple[list[Json], int | None]:
    """A page, and the id that the next one begins with."""
    ends = [each for each in find_ends(call, pair, key) if each[0] >= after]
    known = TYPES[pair]
    shown = [
        {"toObjectId": write_key(call, end), "associationTypes": [known[each] for each in types]}
        for end, types in ends[:limit]
    ]
    return shown, ends[limit][0] if len(ends) > limit else None


def read_batch(call: Call) -> Answer:
    started, pair = datetime.now(UTC), read_pair(call)
    results, errors = [], []
    for one in call.inputs(MOST_READ):
        text = str(one.get("id", ""))
        row = call.portal.tables[pair[0]].get(int(text)) if is_digits(text) else None
        after = read_after(one.get("after"))
        shown, following = page_ends(call, pair, row.record["id"], after, PAGE) if row else ([], None)
        if not shown:
            errors.append(describe_none(pair, text))
            continue
        more = (
            {} if following is None else {"paging": {"next": {"after": str(following), "link": link(call, following)}}}
        )
        results.append({"from": {"id": text}, "to": shown, **more})
    return answer_batch(started, results, errors)


def link(call: Call, after: int) -> str:
    return f"{BASE}{call.path}?after={after}"


def describe_none(pair: Pair, text: str) -> Json:
    one, other = (KINDS[name].singular for name in pair)
    return describe_error(
        "OBJECT_NOT_FOUND",
        f"No {other} is associated with {one} {text}.",
        {"fromObjectId": [text], "fromObjectType": [one], "toObjectType": [other]},
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
    )


def read_end(call: Call, given: Any, kind: str) -> int:
    """The id of a live record in `{"id": ...}`."""
    text = str(given.get("id", "")) if isinstance(given, dict) else ""
    if not is_digits(text) or call.portal.tables[kind].get(int(text)) is None:
        raise missing(text)
    return int(text)


def read_known(pair: Pair, given: Any) -> tuple[Type, ...]:
    types = read_types(given)
    for each in types:
        if each not in TYPES[pair]:
            raise invalid(f"{each[0]} {each[1]} is no association type of {pair[0]} and {pair[1]}")
    return types


def create_batch(call: Call) -> Answer:
    started, pair = datetime.now(UTC), read_pair(call)
    planned = [
        (
            read_end(call, one.get("from"), pair[0]),
            read_end(call, one.get("to"), pair[1]),
            read_known(pair, one.get("types")),
        )
        for one in call.inputs(MOST_WRITTEN)
    ]
    for key, end, types in planned:
        call.portal.links.add(pair, key, end, types)
    made = [describe_made(call, pair, *each) for each in planned]
    return answer_batch(started, made, [], 201 if call.version == "v4" else 200)


def describe_made(call: Call, pair: Pair, key: int, end: int, types: tuple[Type, ...]) -> Json:
    return {
        "fromObjectTypeId": KINDS[pair[0]].type_id,
        "fromObjectId": write_key(call, key),
        "toObjectTypeId": KINDS[pair[1]].type_id,
        "toObjectId": write_key(call, end),
        "labels": [label for each in types if (label := TYPES[pair][each]["label"])],
    }


def associate_batch(call: Call) -> Answer:
    """Without a label."""
    started, pair = datetime.now(UTC), read_pair(call)
    planned = [
        (read_end(call, one.get("from"), pair[0]), read_end(call, one.get("to"), pair[1]))
        for one in call.inputs(MOST_WRITTEN)
    ]
    results: list[Json] = []
    for key, end in planned:
        call.portal.links.add(pair, key, end, ())
        results += describe_default(pair, key, end)
    return answer_batch(started, results, [])


def describe_default(pair: Pair, key: int, end: int) -> list[Json]:
    """In both directions."""
    ways = ((pair, key, end), ((pair[1], pair[0]), end, key))
    return [
        {
            "from": {"id": str(one)},
            "to": {"id": str(other)},
            "associationSpec": {"associationCategory": BUILT_IN, "associationTypeId": PLAIN[way]},
        }
        for way, one, other in ways
    ]


def archive_batch(call: Call) -> Answer:
    """What is not there is passed over."""
    pair = read_pair(call)
    for one in call.inputs(MOST_WRITTEN):
        ends = one.get("to")
        for end in ends if isinstance(ends, list) else [ends]:
            remove(call, pair, read_number(one.get("from")), read_number(end))
    return answer_archived(call)


def archive_labels(call: Call) -> Answer:
    """The labels named go; the plain association stays, unless it is named too."""
    pair = read_pair(call)
    for one in call.inputs(MOST_WRITTEN):
        key, end, types = read_number(one.get("from")), read_number(one.get("to")), read_known(pair, one.get("types"))
        known = call.portal.links.ends(pair, key).get(end, ())
        kept = () if plain(pair) in types else tuple(each for each in known if each not in types)
        call.portal.links.write(pair, key, end, kept)
    return answer_archived(call)


def answer_archived(call: Call) -> Answer:
    """v4 has nothing to say, the dated API an empty batch."""
    return Answer(status=204) if call.version == "v4" else answer_batch(datetime.now(UTC), [], [])


def read_number(given: Any) -> int:
    text = str(given.get("id", "")) if isinstance(given, dict) else ""
    if not is_digits(text):
        raise invalid(f"Invalid input JSON: {text or 'nothing'} is no id")
    return int(text)


def remove(call: Call, pair: Pair, key: int, end: int) -> None:
    call.portal.links.write(pair, key, end, ())


def list_labels(call: Call) -> Answer:
    return succeed({"results": describe_types(read_pair(call))})


def list_ends(call: Call) -> Answer:
    """Of one record; v3 shows them as lists of records do."""
    pair, key, limit, after = read_pair(call), call.key(), call.limit(PAGE, PAGE), call.after()
    if call.portal.tables[pair[0]].get(key) is None:
        raise missing(call.args["id"])
    shown, following = page_ends(call, pair, key, after, limit)
    if call.version == "v3":
        name = f"{KINDS[pair[0]].singular}_to_{KINDS[pair[1]].singular}"
        shown = [{"id": str(each["toObjectId"]), "type": name} for each in shown]
    more = {} if following is None else {"paging": call.link(following)}
    return succeed({"results": shown, **more})


def read_ends(call: Call) -> tuple[Pair, int, int]:
    pair = read_pair(call)
    return pair, read_end(call, {"id": call.args["id"]}, pair[0]), read_end(call, {"id": call.args["toId"]}, pair[1])


def label_one(call: Call) -> Answer:
    pair, key, end = read_ends(call)
    types = read_known(pair, call.body())
    call.portal.links.add(pair, key, end, types)
    return succeed(describe_made(call, pair, key, end, types), 201)


def associate_one(call: Call) -> Answer:
    pair, key, end = read_ends(call)
    call.portal.links.add(pair, key, end, ())
    now = datetime.now(UTC)
    return answer_batch(now, describe_default(pair, key, end), [])


def archive_one(call: Call) -> Answer:
    pair = read_pair(call)
    remove(call, pair, call.key(), call.key("toId"))
    return Answer(status=204)
