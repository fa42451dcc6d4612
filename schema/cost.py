"""What an operation costs: compiled once from its document, told from its variables, counted in its answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from schema.limits import INTROSPECTION, too_complex
from storage.listing import MOST, USUAL

OBJECT: Final = 1
MUTATION: Final = 10
SCHEMA: Final = 500
"""`__schema` and `__type`, whatever is asked of them."""

FEW: Final = 5
"""Objects that a list is taken to have which is no page, where its field does not say it."""

FIELDS: Final = 5_000
"""Of an operation, those of fragments counted wherever these are used."""

ANY: Final = ""
"""The key of what is read though nothing of it is in the answer."""


class Given(NamedTuple):
    """A value as it stands in a document: a constant, or a variable with its default."""

    value: Any
    variable: str | None = None

    def read(self, variables: Mapping[str, Any]) -> Any:
        """What it is in this request, not yet checked."""
        return self.value if self.variable is None else variables.get(self.variable, self.value)


Conditions = tuple[tuple[Given, bool], ...]
"""Of `@skip` and `@include`: all have to be so."""

Kinds = frozenset[str] | None
"""The concrete types that something is asked of; None for all that there can be."""

Objects = Sequence[Mapping[str, Any]]
"""Of one place in an answer, however many lists they are in."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many objects a list has, for all that is known before it is read."""

    usual: int
    pages: tuple[Given, ...] = ()
    """`first` and `last`."""
    ids: Given | None = None
    """A list with an id for each object."""

    def read(self, variables: Mapping[str, Any]) -> int:
        """At least as many as there will be, of a page; what a page cannot have is refused when it is read."""
        if self.ids is not None:
            ids = self.ids.read(variables)
            return len(ids) if isinstance(ids, list) else 1
        sizes = [read_size(size) for each in self.pages if (size := each.read(variables)) is not None]
        return max(sizes) if sizes else self.usual


ONE: Final = Size(1)


@dataclass(frozen=True, slots=True)
class Item:
    """A field that costs something."""

    key: str
    """Its name in the answer."""
    cost: int
    """Each time that it is asked for."""
    extras: tuple[tuple[Given, int], ...]
    """What an argument costs besides, where it is given."""
    when: Conditions
    kinds: Kinds
    size: Size = ONE
    each: int = 0
    """Of an object that it leads to."""
    part: "Part | None" = None
    """What is asked of each of those objects; None where there are none."""

    @property
    def is_fixed(self) -> bool:
        """Whether it costs the same with all variables."""
        given = [each for each, _ in (*self.extras, *self.when)]
        given += [*self.size.pages, *filter(None, [self.size.ids])]
        return not any(each.variable for each in given) and (self.part is None or self.part.fixed is not None)

    def is_met(self, variables: Mapping[str, Any]) -> bool:
        """Whether the conditions let it through."""
        return False not in [(given.read(variables) is True) is wanted for given, wanted in self.when]

    def ask(self, variables: Mapping[str, Any]) -> int:
        """The cost of asking, whatever is found."""
        if not self.extras:
            return self.cost
        return self.cost + sum([extra for given, extra in self.extras if given.read(variables) is not None])

    def find(self, variables: Mapping[str, Any]) -> int:
        """What each object that is found may cost."""
        return self.each + (self.part.reckon(variables) if self.part else 0)

    def reckon(self, variables: Mapping[str, Any]) -> int:
        """What it may cost."""
        if self.when and not self.is_met(variables):
            return 0
        found = self.find(variables)
        return self.ask(variables) + (found and self.size.read(variables) * found)

    def count(self, objects: Objects, variables: Mapping[str, Any], failed: bool) -> int:
        """What it has cost, by the objects in the answer that it was asked of."""
        key = self.key
        if key == ANY:
            return len(objects) * self.reckon(variables)
        values = [each[key] for each in objects if key in each]
        if not values or (self.when and not self.is_met(variables)):
            return 0
        cost = len(values) * self.ask(variables)
        if self.part is None:
            return cost
        if failed:  # an error may have taken what was read already
            cost += self.count_missing(values, variables)
        if self.size is not ONE:
            values = list(chain.from_iterable([each for each in values if each is not None]))
        found = [each for each in values if each is not None]
        return cost + len(found) * self.each + (self.part.count(found, variables, failed) if self.part.items else 0)

    def count_missing(self, values: Sequence[Any], variables: Mapping[str, Any]) -> int:
        """What may have been found where there is null."""
        missing = values.count(None)
        if self.size is not ONE:
            missing *= self.size.read(variables)
            missing += sum(each.count(None) for each in values if each is not None)
        return missing and missing * self.find(variables)


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of an object."""

    items: tuple[Item, ...]
    kinds: tuple[str, ...] = ()
    """The concrete types that the items differ for."""
    fixed: int | None = None
    """What it costs, where that hangs on no variable."""

    def reckon(self, variables: Mapping[str, Any]) -> int:
        """What it may cost: of the type that costs most, where there are several."""
        if self.fixed is not None:
            return self.fixed
        if not self.kinds:
            return sum([item.reckon(variables) for item in self.items])
        shared, by_kind = 0, dict.fromkeys(self.kinds, 0)
        for item in self.items:
            cost = item.reckon(variables)
            if item.kinds is None:
                shared += cost
            else:
                for kind in item.kinds:
                    by_kind[kind] += cost
        return shared + max(by_kind.values())

    def count(self, objects: Objects, variables: Mapping[str, Any], failed: bool) -> int:
        """What it has cost, by the objects in the answer."""
        if not self.kinds:
            return sum([item.count(objects, variables, failed) for item in self.items])
        return sum(sum(self._count_kinds([each], variables, failed).values()) for each in objects)

    def _count_kinds(self, objects: Objects, variables: Mapping[str, Any], failed: bool) -> dict[str, int]:
        """By key: which of the types an object is, the answer need not say, but it is one only."""
        found: dict[str, int] = {}
        for item in self.items:
            found[item.key] = max(item.count(objects, variables, failed), found.get(item.key, 0))
        return found


def read_size(value: object) -> int:
    """Of a page, from what was given: a number, or what will be refused."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return min(max(int(value), 0), MOST) if whole else MOST  # type: ignore[call-overload] # it is a number


# ---------------------------------------------------------------- compiling


def compile_cost(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Part:
    """Of an operation that is valid. Raises TOO_COMPLEX where its fragments make too much of it."""
    return Compiler(schema, document, operation).compile()


class Compiler:
    """Of one operation."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.schema = schema
        self.operation = operation
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self.defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value) if each.default_value else None
            for each in operation.variable_definitions or ()
        }
        self.fields = 0

    def compile(self) -> Part:
        """From its root."""
        root = self.schema.get_root_type(self.operation.operation)
        return self.make_part(root, [self.operation.selection_set]) if root else Part(())

    def make_part(
        self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode], page: Size | None = None
    ) -> Part:
        """Of an object of the type; `page` is the size of its lists, where it is a connection."""
        items = [
            item
            for (key, when, kinds), (parent, nodes) in self.collect(type_, sets).items()
            if (item := self.make_item(key, parent, nodes, when, kinds, page))
        ]
        if page and not any(item.size is page for item in items):
            items.append(Item(ANY, 0, (), (), None, size=page, each=OBJECT))  # the page is read all the same
        kinds = {kind for item in items for kind in item.kinds or ()}
        made = Part(tuple(items), tuple(kinds))
        return replace(made, fixed=made.reckon({})) if all(item.is_fixed for item in items) else made

    def collect(
        self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode]
    ) -> dict[tuple[str, Conditions, Kinds], tuple[GraphQLCompositeType, list[FieldNode]]]:
        """The fields that will be one in the answer, under what makes them one; with the type that they are fields of."""
        groups: dict[tuple[str, Conditions, Kinds], tuple[GraphQLCompositeType, list[FieldNode]]] = {}
        seen = set[tuple[str, Conditions, Kinds]]()
        waiting: list[tuple[Any, SelectionSetNode, Conditions, Kinds]] = [(type_, each, (), None) for each in sets]
        while waiting:
            parent, selection_set, outer, kinds = waiting.pop()
            for node in selection_set.selections:
                self.spend()
                when = outer + self.read_conditions(node)
                if isinstance(node, FieldNode):
                    key = (node.alias or node.name).value
                    groups.setdefault((key, when, kinds), (parent, []))[1].append(node)
                    continue
                fragment: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if (node.name.value, when, kinds) in seen:
                        continue
                    seen.add((node.name.value, when, kinds))
                    fragment = self.fragments[node.name.value]
                condition = fragment.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else parent
                waiting.append((inner, fragment.selection_set, when, self.narrow(type_, kinds, inner)))
        return groups

    def spend(self) -> None:
        """One field or fragment more."""
        self.fields += 1
        if self.fields > FIELDS:
            raise too_complex(f"An operation has {FIELDS:,} fields at most, those of fragments counted at each use.")

    def narrow(self, type_: Any, kinds: Kinds, inner: Any) -> Kinds:
        """What is left of the concrete types of an object within a fragment."""
        if not is_abstract_type(type_):
            return None
        possible = frozenset(each.name for each in self.schema.get_possible_types(type_))
        there = (
            {each.name for each in self.schema.get_possible_types(inner)} if is_abstract_type(inner) else {inner.name}
        )
        found = (possible if kinds is None else kinds) & there
        return None if found == possible else found

    def make_item(
        self, key: str, parent: Any, nodes: list[FieldNode], when: Conditions, kinds: Kinds, page: Size | None
    ) -> Item | None:
        """None for what costs nothing."""
        name = nodes[0].name.value
        field = self.schema.get_field(parent, name)
        if field is None or name in INTROSPECTION:
            return Item(key, SCHEMA, (), when, kinds) if field else None
        given = {each.name.value: each.value for each in nodes[0].arguments or ()}
        declared = read_metadata(field)
        cost = declared.get("cost")
        if cost is None:
            cost = MUTATION if parent is self.schema.mutation_type else 0
        extras: tuple[tuple[Given, int], ...] = ()
        if isinstance(cost, Mapping):
            extras = tuple((self.read_value(given[name]), extra) for name, extra in cost.items() if name in given)
            cost = 0
        named = get_named_type(field.type)
        if not is_composite_type(named):
            return Item(key, cost, extras, when, kinds) if cost or extras else None
        inside = None
        if "first" in field.args:
            pages = tuple(self.read_value(given[name]) for name in ("first", "last") if name in given)
            inside = Size(declared.get("size") or USUAL, pages)
        part = self.make_part(named, [node.selection_set for node in nodes if node.selection_set], inside)
        is_frame = named.name == "PageInfo" or (named.name.endswith("Edge") and part.items)
        size = self.read_size(field, given, declared, page)
        each = 0 if is_frame else OBJECT
        return Item(key, cost, extras, when, kinds, size, each, part) if each or part.items else None

    def read_size(
        self, field: GraphQLField, given: Mapping[str, ValueNode], declared: Mapping[str, Any], page: Size | None
    ) -> Size:
        """How many objects a field leads to."""
        if not is_list_type(get_nullable_type(field.type)):
            return ONE
        if "ids" in given:
            return Size(FEW, ids=self.read_value(given["ids"]))
        return page or Size(declared.get("size") or FEW)

    def read_conditions(self, node: SelectionNode) -> Conditions:
        """Of a field or a fragment."""
        return tuple(
            (self.read_value(each.arguments[0].value), each.name.value == "include")
            for each in node.directives or ()
            if each.name.value in ("include", "skip") and each.arguments
        )

    def read_value(self, node: ValueNode) -> Given:
        """Of an argument."""
        if isinstance(node, VariableNode):
            return Given(self.defaults.get(node.name.value), node.name.value)
        return Given(value_from_ast_untyped(node, self.defaults))


def read_metadata(field: GraphQLField) -> Mapping[str, Any]:
    """What is declared beside the field: see `schema.field`."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return getattr(definition, "metadata", None) or {}
