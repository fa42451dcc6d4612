"""From our shape to a CRM's: the reverse of a type's mapping, with what people have put in its place."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from connectors.custom import name_fields
from connectors.declaration import ExternalType
from connectors.defaults import list_defaults
from connectors.errors import Unwritable
from connectors.facts import Catalog, Field
from connectors.overrides import NONE, Overrides, Rule
from connectors.targets import CUSTOM, FOLLOWED, Target, find_target, list_targets
from connectors.transforms import BadTransform, Failed, compile_transform
from connectors.writing import Draft, Making, Writes, Written
from storage.declare import camel
from storage.shapes import Direction

INBOUND = Direction.INBOUND
OWNER = "owner_external_id"
CUSTOM_FIELDS = "custom_fields"

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """Where the values of one local field go."""

    column: str
    crm_field: str | None
    """As the CRM's list of fields calls it; None where it is no single one."""
    fill: Callable[[Any, Making], Mapping[str, Any]]
    rule: Rule | None = None
    """Of somebody's own."""
    target: Target | None = None


def unmap_draft(
    external: ExternalType,
    draft: Draft,
    catalog: Catalog,
    overrides: Overrides = NONE,
    *,
    now: datetime,
    is_new: bool = False,
) -> Written:
    """The draft in the CRM's words; of a new record empty values are left out, and what it cannot be without is filled in.

    Raises Unwritable for the first value that the CRM has no place for, and for a new record that lacks what it must have.
    """
    writes = require_writes(external)
    making = Making(values=draft.values, catalog=catalog, fields=list_fields(external, catalog), now=now)
    fields: dict[str, Any] = {}
    for column in _order(writes, draft.values):
        if not (is_new and is_begun(external, column, overrides)):
            fields |= fill_column(external, column, making, overrides, is_new=is_new)
    if draft.owner is not None:
        fields |= checked(external, writes.encode(writes.owner, draft.owner, making), making, OWNER)
    refs = {}
    for relation, ends in draft.refs.items():
        if relation not in writes.relations:
            raise Unwritable(relation, f"{external.label} has no relation `{relation}`.", column=relation)
        make = writes.relations[relation]
        if make is None:
            refs[relation] = tuple(ends)
        else:
            fields |= make(ends)
    if is_new:
        fields = {name: value for name, value in fields.items() if value not in EMPTY}
        begun = writes.starts(making)
        fields = {name: one for name, one in begun.items() if _is_known(writes, name, making)} | fields
        if writes.required and not writes.required & fields.keys():
            wanted = " or ".join(sorted(writes.required))
            raise Unwritable(sorted(writes.required)[0], f"A new {external.label} needs {wanted}.")
    return Written(fields=fields, refs=refs)


def fit_draft(
    external: ExternalType,
    draft: Draft,
    catalog: Catalog,
    overrides: Overrides = NONE,
    *,
    now: datetime,
    is_new: bool = False,
) -> tuple[Draft, list[Unwritable]]:
    """The draft without what this CRM has no place for, and why each of that was left out; a value of which a part has no
    place stays as it is."""
    writes = require_writes(external)
    making = Making(values=draft.values, catalog=catalog, fields=list_fields(external, catalog), now=now)
    kept: dict[str, Any] = {}
    refused: list[Unwritable] = []
    for column, value in draft.values.items():
        if is_new and is_begun(external, column, overrides):
            kept[column] = value
            continue
        try:
            if column == CUSTOM_FIELDS:
                kept[column], wrong = _fit_custom(external, making, overrides)
                refused += wrong
            else:
                fill_column(external, column, making, overrides, is_new=is_new)
                kept[column] = value
        except Unwritable as error:
            refused.append(error)
    refs = {relation: ends for relation, ends in draft.refs.items() if relation in writes.relations}
    return replace(draft, values=kept, refs=refs), [*refused, *making.left]


def leave_out(
    external: ExternalType,
    draft: Draft,
    fields: Collection[str],
    catalog: Catalog,
    overrides: Overrides = NONE,
    *,
    now: datetime,
) -> Draft:
    """The draft, which fits, without the columns, custom fields and relations that make one of these fields of the CRM."""
    writes, wanted = require_writes(external), set(fields)
    making = Making(values=draft.values, catalog=catalog, fields=list_fields(external, catalog), now=now)

    def is_kept(made: Mapping[str, Any]) -> bool:
        return wanted.isdisjoint(made)

    custom = {
        name: value
        for name, value in (draft.values.get(CUSTOM_FIELDS) or {}).items()
        if is_kept(fill_custom(external, name, value, making, overrides))
    }
    values = {
        column: value
        for column, value in draft.values.items()
        if column != CUSTOM_FIELDS and is_kept(fill_column(external, column, making, overrides, is_new=False))
    }
    ways = {relation: writes.relations[relation] for relation in draft.refs}
    refs = {name: ends for name, ends in draft.refs.items() if (make := ways[name]) is None or is_kept(make(ends))}
    return replace(draft, values={**values, **({CUSTOM_FIELDS: custom} if custom else {})}, refs=refs)


def writable(
    external: ExternalType, column: str, overrides: Overrides, catalog: Catalog, *, is_new: bool = False
) -> bool:
    """Whether what is in a column, in `custom_fields.x` or in a relation may go out to this CRM."""
    writes = external.writes
    if writes is None:
        return False
    if column in writes.relations or (is_new and is_begun(external, column, overrides)):
        return True
    making = Making(values={}, catalog=catalog, fields=list_fields(external, catalog), now=LONG_AGO)
    name = column.removeprefix(f"{CUSTOM_FIELDS}.")
    try:
        if name != column:
            outlet = find_custom(external, name, making, overrides)
        elif column == CUSTOM_FIELDS:
            return True
        else:
            outlet = find_outlet(external, column, making, overrides, is_new=is_new)
    except Unwritable:
        return False
    return outlet.crm_field is None or _explain(external, outlet.crm_field, making, overrides) is None


def is_begun(external: ExternalType, column: str, overrides: Overrides) -> bool:
    """Whether only a new record has something of the column, unless somebody has said where it goes."""
    is_told = column in compile_outward(external, overrides.out_of(external.name))
    return column in require_writes(external).at_first and not is_told


def require_writes(external: ExternalType) -> Writes:
    """How records of the type are written. Raises Unwritable for a type of which none are."""
    if external.writes is None:
        raise Unwritable(external.name, f"Nothing of {external.label} is written.")
    return external.writes


def list_fields(external: ExternalType, catalog: Catalog) -> Mapping[str, Field]:
    """The fields of a type by name; none where the account does not tell them."""
    return {one.name: one for one in catalog.fields.get(external.name, ())}


def _order(writes: Writes, values: Mapping[str, Any]) -> list[str]:
    """The columns in the order of the declaration, so that what is more exact overwrites what is less."""
    places = {column: place for place, column in enumerate(writes.fills)}
    return sorted(values, key=lambda column: places.get(column, len(places)))


# ---------------------------------------------------------------- one column


def fill_column(
    external: ExternalType, column: str, making: Making, overrides: Overrides, *, is_new: bool
) -> Mapping[str, Any]:
    """The fields that a column of the draft makes. Raises Unwritable."""
    value = making.values[column]
    if column == CUSTOM_FIELDS:
        found: dict[str, Any] = {}
        for name, one in (value or {}).items():
            found |= fill_custom(external, name, one, making, overrides)
        return found
    outlet = find_outlet(external, column, making, overrides, is_new=is_new)
    if outlet.crm_field and (wrong := _explain(external, outlet.crm_field, making, overrides)):
        raise Unwritable(outlet.crm_field, wrong, column=column)
    if outlet.target and outlet.target.columns and outlet.target.columns[0] not in making.values:
        return {}  # a currency says nothing without its amount
    made = run(outlet, read_local(outlet, making) if outlet.rule else value, making)
    return checked(external, made, making, column)


def fill_custom(
    external: ExternalType, name: str, value: Any, making: Making, overrides: Overrides
) -> Mapping[str, Any]:
    """The field that a custom field of the draft makes. Raises Unwritable."""
    outlet = find_custom(external, name, making, overrides)
    if outlet.crm_field and (wrong := _explain(external, outlet.crm_field, making, overrides)):
        raise Unwritable(outlet.crm_field, wrong, column=outlet.column)
    return checked(external, run(outlet, value, making), making, outlet.column)


def run(outlet: Outlet, value: Any, making: Making) -> Mapping[str, Any]:
    """What the outlet makes of a value, by its transform where it has one. Raises Unwritable."""
    name = outlet.crm_field or outlet.column
    try:
        if outlet.rule and outlet.rule.transform is not None:
            value = compile_transform(outlet.rule.transform)(value, making.catalog.region)
        return outlet.fill(value, making)
    except Unwritable as error:
        error.column = outlet.column
        raise
    except (Failed, BadTransform) as failed:
        message = f"{outlet.column}, to {name}: the transform {failed}."
    except (TypeError, ValueError, KeyError, AttributeError):
        message = f"{outlet.column}, to {name}: the value is not of its kind."
    raise Unwritable(name, message, column=outlet.column)


def checked(external: ExternalType, made: Mapping[str, Any], making: Making, column: str) -> Mapping[str, Any]:
    """What was made, where the account has fields for all of it. One that is only emptied need not be there."""
    writes = require_writes(external)
    found = {name: value for name, value in made.items() if _is_known(writes, name, making)}
    for name, value in made.items():
        if name not in found and value not in EMPTY:
            raise Unwritable(name, f"{external.label} has no field {name} that can be written.", column=column)
    return found


def _is_known(writes: Writes, name: str, making: Making) -> bool:
    """Whether the account has the field, and lets us write it; where it does not tell its fields, it may."""
    found = [making.fields[one] for one in writes.told.get(name, (name,)) if one in making.fields]
    return found[0].is_writable if found else not making.fields


def _explain(external: ExternalType, crm_field: str, making: Making, overrides: Overrides) -> str | None:
    """Why nothing can be written into a field; None where it can."""
    if crm_field in overrides.excluded:
        return f"{crm_field} is excluded from this integration."
    if not making.fields:
        return None
    known = making.fields.get(crm_field)
    if known is None:
        return f"{external.label} has no field {crm_field} in this account."
    return None if known.is_writable else f"{external.label} lets nobody write {crm_field}."


# ---------------------------------------------------------------- where it goes


def find_outlet(external: ExternalType, column: str, making: Making, overrides: Overrides, *, is_new: bool) -> Outlet:
    """Where a column goes. Raises Unwritable where it goes nowhere."""
    writes = require_writes(external)
    if is_new and (lead := FOLLOWED.get((external.record_type, column))) and lead not in making.values:
        outlet = find_outlet(external, lead, making, overrides, is_new=True)
        fill = outlet.fill
        return replace(
            outlet, fill=lambda value, made: fill([{"value": value, "primary": True}] if value else [], made)
        )
    rules = compile_outward(external, overrides.out_of(external.name))
    if column in rules:
        return rules[column]
    crm_field = find_default(external).get(column)
    if crm_field is not None and is_closed(external, column, crm_field, overrides):
        raise Unwritable(crm_field, f"The mapping of {crm_field} is INBOUND: nothing is written to it.", column=column)
    taken = {outlet.crm_field for outlet in rules.values()}
    entry = writes.fills.get(column)
    if entry is None or (crm_field is not None and crm_field in taken):
        raise Unwritable(column, f"{column} of {external.label} cannot be written.", column=column)
    if isinstance(entry, str):
        return Outlet(column=column, crm_field=entry, fill=partial(writes.encode, entry))
    return Outlet(column=column, crm_field=crm_field, fill=entry)


def find_custom(external: ExternalType, name: str, making: Making, overrides: Overrides) -> Outlet:
    """Where a custom field goes, by its name. Raises Unwritable where it goes nowhere."""
    writes = require_writes(external)
    column = f"{CUSTOM_FIELDS}.{name}"
    rules = compile_outward(external, overrides.out_of(external.name))
    if column in rules:
        return rules[column]
    key = next((key for key, told in name_fields(making.fields.values()).items() if told == name), None)
    if key is None or key in {outlet.crm_field for outlet in rules.values()}:
        raise Unwritable(name, f"{external.label} has no custom field {name}.", column=column)
    return Outlet(column=column, crm_field=key, fill=partial(writes.encode, key))


@lru_cache(maxsize=1_000)
def compile_outward(external: ExternalType, rules: tuple[Rule, ...]) -> Mapping[str, Outlet]:
    """The outlets of somebody's own by column, or by `custom_fields.x`. One that says what the connector does anyway is left
    to the connector."""
    writes = require_writes(external)
    usual = {one.local_field: one.crm_field for one in list_defaults(external)}
    found: dict[str, Outlet] = {}
    for rule in rules:
        target = find_target(external.record_type, rule.local_field)
        if target is None or (rule.transform is None and usual.get(rule.local_field) == rule.crm_field):
            continue
        columns = target.columns or (f"{CUSTOM_FIELDS}.{rule.local_field.removeprefix(CUSTOM)}",)
        for column in columns:
            fill = partial(writes.encode, rule.crm_field)
            found[column] = Outlet(column=column, crm_field=rule.crm_field, fill=fill, rule=rule, target=target)
    return found


def is_closed(external: ExternalType, column: str, crm_field: str, overrides: Overrides) -> bool:
    """Whether somebody has said of the connector's own mapping, which goes both ways, that it only fills."""
    usual = {(one.local_field, one.crm_field) for one in list_defaults(external) if one.direction is not INBOUND}
    targets = list_targets(external.record_type)
    return any(
        rule.transform is None
        and (rule.local_field, crm_field) in usual
        and rule.crm_field == crm_field
        and column in targets[rule.local_field].columns
        and rule not in overrides.out_of(external.name)
        for rule in overrides.of(external.name)
    )


@lru_cache(maxsize=1_000)
def find_default(external: ExternalType) -> Mapping[str, str]:
    """column -> the CRM's field that the connector reads it from first."""
    targets = list_targets(external.record_type)
    return {column: one.crm_field for one in list_defaults(external) for column in targets[one.local_field].columns[:1]}


def read_local(outlet: Outlet, making: Making) -> Any:
    """The value of the local field as GraphQL has it: both parts of an amount, an address with the names of its parts."""
    values, target = making.values, outlet.target
    if target is not None and len(target.columns) == 2:
        amount, currency = (values.get(column) for column in target.columns)
        return None if amount is None else {"amount": float(amount), "currency": currency}
    value = values.get(outlet.column)
    if outlet.column == "address" and isinstance(value, dict):
        return {camel(name): part for name, part in value.items()}
    return value


def _fit_custom(
    external: ExternalType, making: Making, overrides: Overrides
) -> tuple[dict[str, Any], list[Unwritable]]:
    kept: dict[str, Any] = {}
    refused: list[Unwritable] = []
    for name, value in (making.values[CUSTOM_FIELDS] or {}).items():
        try:
            fill_custom(external, name, value, making, overrides)
            kept[name] = value
        except Unwritable as error:
            refused.append(error)
    return kept, refused
