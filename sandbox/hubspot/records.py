"""Creating, changing and archiving records."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import Answer, invalid, missing, succeed
from sandbox.hubspot.call import Call, is_digits
from sandbox.hubspot.checks import check_stage, check_unique, keep_forward, read_values, require
from sandbox.hubspot.follow import follow
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.links import BUILT_IN, TYPES, Pair, Type
from sandbox.hubspot.lists import find_by, find_row
from sandbox.hubspot.moments import write_moment
from sandbox.hubspot.render import View
from sandbox.table import Json, Row

Planned = list[tuple[Pair, int, tuple[Type, ...]]]


def now() -> str:
    return write_moment(datetime.now(UTC))


class Draft(NamedTuple):
    """A record that may be made: its values, and what it will be linked with."""

    values: Json
    links: Planned


def create_record(call: Call) -> Answer:
    kind, given = call.kind(), call.fields()
    row = create(call.portal, kind, plan_record(call.portal, kind, given))
    return succeed(View(call, kind, given["properties"]).show(row.record), 201)


def plan_record(portal: Portal, kind: Kind, given: Json) -> Draft:
    """The record that an input asks for; VendorError where the vendor would refuse it."""
    values = read_values(portal, kind, given.get("properties"))
    if kind.plural == "deals":
        values = {"pipeline": "default", **values}
        if values.get("dealstage"):
            check_stage(portal, values)
    require(kind, values)
    check_unique(portal, kind, None, values)
    return Draft(values, plan_links(portal, kind, given.get("associations") or []))


def create(portal: Portal, kind: Kind, draft: Draft) -> Row:
    table, moment = portal.tables[kind.plural], now()
    key = table.next_id()
    record: Json = {kind.created: moment, "hs_object_source_label": "INTEGRATION"} | draft.values
    record |= {"id": key, "hs_object_id": str(key), kind.changed: moment}
    row = table.put(settle(portal, kind, record, draft.values))
    for pair, end, types in draft.links:
        portal.links.add(pair, key, end, types)
    return row


def settle(portal: Portal, kind: Kind, record: Json, given: Json) -> Json:
    """With what follows from the values given, and without those that are empty."""
    whole = record | follow(portal.profile, kind.plural, record, given)
    return {name: value for name, value in whole.items() if value is not None}


def plan_links(portal: Portal, kind: Kind, given: Any) -> Planned:
    """The associations of a create, each to a record that exists, by types that there are."""
    if not isinstance(given, list):
        raise invalid("Invalid input JSON: associations must be a list")
    found: Planned = []
    for one in given:
        types = read_types(one.get("types") if isinstance(one, dict) else None)
        pair = next((pair for pair, known in TYPES.items() if pair[0] == kind.plural and types[0] in known), None)
        if pair is None:
            raise invalid(f"One or more associations are not valid: {types[0][1]} is no type of {kind.plural}")
        end = str((one.get("to") or {}).get("id", ""))
        if not is_digits(end) or portal.tables[pair[1]].get(int(end)) is None:
            raise invalid(f"One or more associations are not valid: {pair[1]} {end} does not exist")
        found.append((pair, int(end), types))
    return found


def read_types(given: Any) -> tuple[Type, ...]:
    """Category and id of association types as bodies have them."""
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise invalid("Invalid input JSON: types must be a list of associationCategory and associationTypeId")
    try:
        return tuple((str(one.get("associationCategory", BUILT_IN)), int(one["associationTypeId"])) for one in given)
    except (KeyError, ValueError, TypeError) as error:
        raise invalid("Invalid input JSON: associationTypeId must be a number") from error


def update_record(call: Call) -> Answer:
    kind, given = call.kind(), call.fields()
    row = find_row(call, kind)
    row = update(call.portal, kind, row, plan_change(call.portal, kind, row, given.get("properties")))
    return succeed(View(call, kind, given["properties"]).show(row.record))


def plan_change(portal: Portal, kind: Kind, row: Row, given: Any) -> Json:
    """The values that an input changes; VendorError where the vendor would refuse it."""
    values = keep_forward(portal, kind, row.record, read_values(portal, kind, given))
    check_unique(portal, kind, row.record["id"], values)
    if kind.plural == "deals" and not {"dealstage", "pipeline"}.isdisjoint(values):
        check_stage(portal, row.record | values)
    return values


def update(portal: Portal, kind: Kind, row: Row, values: Json) -> Row:
    changed = row.record | values | {kind.changed: now()}
    return portal.tables[kind.plural].put(settle(portal, kind, changed, values))


def archive_record(call: Call) -> Answer:
    kind = call.kind()
    if call.portal.archives[kind.plural].get(call.key()) is None:
        row = call.portal.tables[kind.plural].get(call.key())
        if row is None:
            raise missing(call.args["id"])
        archive(call.portal, kind, row)
    return Answer(status=204)


def archive(portal: Portal, kind: Kind, row: Row) -> None:
    """Into the recycle bin, which does not count as a change of the record."""
    portal.tables[kind.plural].drop(row.record["id"])
    if not portal.faults.get("purgeDeleted", False):
        portal.archives[kind.plural].put(row.record | {"archivedAt": now()})


def delete_for_good(call: Call) -> Answer:
    """As the law asks: gone from lists, from the recycle bin, and by id."""
    given, kind = call.fields(), call.kind()
    text = str(given.get("objectId", ""))
    row = find_by(call.portal, kind, str(given.get("idProperty") or "hs_object_id"), text)
    archive_of_kind = call.portal.archives[kind.plural]
    if row is not None:
        call.portal.tables[kind.plural].drop(row.record["id"])
    elif is_digits(text) and archive_of_kind.get(int(text)):
        archive_of_kind.drop(int(text))
    else:
        raise missing(text)
    return Answer(status=204)
