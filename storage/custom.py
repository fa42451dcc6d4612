"""Comparisons of custom fields, whose names come from a request and are bound as values like everything else of it."""

from collections.abc import Mapping
from typing import Any, Final

from storage.declare import Criterion
from storage.listing import InvalidQuery, Values, clean

DEEPEST: Final = 3
"""Parts within parts that a path can name; the values that connectors make have one level."""

DAY: Final = r"^\d\d\d\d-\d\d-\d\d$"
MOMENT: Final = r"^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$"
"""As connectors write them. What `timestamptz` takes besides, such as `now`, is a word here."""

HELD: Final[Mapping[str, str]] = {
    "text": "SELECT e #>> '{{}}' FROM jsonb_array_elements("
    "CASE jsonb_typeof(h.held) WHEN 'array' THEN h.held ELSE jsonb_build_array(h.held) END) AS e"
    " WHERE jsonb_typeof(e) = 'string'",
    "number": "SELECT CASE jsonb_typeof(h.held) WHEN 'number' THEN h.held::numeric END",
    "date": "SELECT CASE WHEN pg_input_is_valid(moment, 'timestamptz') THEN moment::timestamptz END"
    f" FROM (SELECT CASE WHEN word ~ '{DAY}' THEN word || 'T00:00:00Z' WHEN word ~ '{MOMENT}' THEN word END"
    " FROM (SELECT h.held #>> '{{}}') AS w(word)) AS m(moment)",
    "bool": "SELECT CASE jsonb_typeof(h.held) WHEN 'boolean' THEN h.held::boolean END",
}
"""What a comparison sees of a value: the texts, the number, true or false, the moment, which of a day is its midnight in
UTC. A value of another type is none."""


def read_comparison(asked: Mapping[str, Any], values: Values) -> tuple[Criterion, Mapping[str, Any]]:
    """What one CustomFieldFilter looks at, and the operators with what they compare it to.

    Raises InvalidQuery where it has no comparison, or several.
    """
    given = [name for name in HELD if name in asked]
    if len(given) != 1:
        names = ", ".join(f"`{name}`" for name in HELD)
        message = f"Each entry of `customFields` has exactly one of {names}; this one has {len(given)}"
        raise InvalidQuery(f"{message}: {clean(asked['path'])[:100]}.")
    [name] = given
    held = f"(SELECT {reach(asked['path'], values)}) AS h(held)"
    sql = f"EXISTS (SELECT FROM {held} CROSS JOIN LATERAL ({HELD[name]}) AS c(value) WHERE {{match}})"
    operators = asked[name] if isinstance(asked[name], Mapping) else {"eq": asked[name]}
    return Criterion(type=dict, sql=sql, value="c.value"), operators


def reach(path: str, values: Values) -> str:
    """The value at a path: the whole path as one name, else what is behind its last dots as parts of an object."""
    tried = dict.fromkeys(tuple(path.rsplit(".", depth)) for depth in range(DEEPEST + 1))
    steps = ("".join(f" -> {values.bind(name)}::text" for name in names) for names in tried)
    return f"coalesce({', '.join(f'{{t}}.custom_fields{step}' for step in steps)})"
