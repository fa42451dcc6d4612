"""Some fields of a type's mapping alone: what a changed mapping needs, of a payload or of the parts that it looks at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from connectors.declaration import Convert, ExternalType
from connectors.excluding import strip_payload
from connectors.facts import Catalog, Payload
from connectors.mapping import Program, Values, compile_type, map_values, validate
from connectors.overrides import Overrides
from connectors.shapes import shape_of
from connectors.targets import FOLLOWED, find_target


@dataclass(frozen=True, kw_only=True)
class Partial:
    """The part of a mapping that fills some columns and some custom fields."""

    external: ExternalType
    catalog: Catalog
    excluded: frozenset[str]
    program: Program
    """With what concerns those columns and fields alone."""
    columns: frozenset[str]
    custom: frozenset[str]
    """Names of custom fields."""

    @classmethod
    def of(cls, external: ExternalType, catalog: Catalog, overrides: Overrides, fields: Sequence[str]) -> Self:
        """Of local fields, as GraphQL writes them. Raises Unmappable for a rule that cannot be used."""
        targets = [target for name in fields if (target := find_target(external.record_type, name))]
        named = {column for target in targets for column in target.columns}
        named |= {name for (type_, name), lead in FOLLOWED.items() if type_ is external.record_type and lead in named}
        columns = frozenset(named)
        custom = frozenset(target.custom for target in targets if target.custom is not None)
        whole = compile_type(external, overrides.of(external.name))
        fillings = tuple(
            one for one in whole.fillings if one.target.custom in custom or not columns.isdisjoint(one.target.columns)
        )
        usual = custom - {one.target.custom for one in fillings}
        program = replace(
            whole,
            shape=shape_of(external.record_type, columns),
            paths=tuple(each for each in whole.paths if each[0] in columns),
            functions=tuple(each for each in whole.functions if each[0] in columns),
            fillings=fillings,
            custom=partial(_pick_custom, whole.custom, usual) if whole.custom and usual else None,
        )
        known: dict[str, Any] = {"external": external, "catalog": catalog, "excluded": overrides.excluded}
        return cls(program=program, columns=columns, custom=custom, **known)

    @property
    def written(self) -> list[str]:
        """The columns that it fills, in a fixed order."""
        return sorted(self.columns | ({"custom_fields"} if self.custom else set()))

    @property
    def places(self) -> list[str] | None:
        """The paths of the parts of payloads that it looks at; None where only the whole payload will do."""
        named = [one.rule.crm_field for one in self.program.fillings]
        looked = [self.external.places(name) for name in named]
        if self.program.custom or self.program.functions or not all(looked) or any("." in name for name in named):
            return None
        paths = [path for name, _ in self.program.paths if isinstance(path := self.external.mapping[name], str)]
        return list(dict.fromkeys([*paths, *(path for each in looked for path in each)]))

    def map(self, payload: Payload) -> Values:
        """By column; of custom fields those that are asked for and have a value. Raises Unmappable."""
        payload = strip_payload(self.external, payload, self.excluded)
        values, custom = map_values(self.program, self.external, payload, self.catalog)
        made = validate(self.program, values) if self.columns else {}
        return {**made, "custom_fields": custom} if self.custom else made


def _pick_custom(convert: Convert, names: Collection[str], payload: Payload, catalog: Catalog) -> dict[str, Any]:
    return {name: value for name, value in convert(payload, catalog).items() if name in names}


def rebuild(places: Sequence[str], parts: Sequence[Any]) -> dict[str, Any]:
    """The payload as far as its parts at these places tell."""
    payload: dict[str, Any] = {}
    for place, part in zip(places, parts, strict=True):
        if part is None:
            continue
        *holders, name = place.split(".")
        held = payload
        for holder in holders:
            held = held.setdefault(holder, {})
        held[name] = part
    return payload
