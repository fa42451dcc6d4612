"""What a document and its variables may be at most; counted before anything is made of them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from resolvers.errors import ErrorCode
from schema.errors import refuse

CHARACTERS: Final = 100_000
TOKENS: Final = 5_000
ALIASES: Final = 50
DIRECTIVES: Final = 50
DIRECTIVES_HERE: Final = 5
"""Behind one another, at one field, fragment, variable or operation."""

NESTING: Final = 60
"""Of brackets in brackets, in a document or in a variable: what reads them calls itself for each."""

OPERATIONS: Final = 20
FRAGMENTS: Final = 100
SELECTIONS: Final = 200
"""Fields and fragments between one pair of braces."""

REPEATS: Final = 10
"""Of one field there: each is compared with each other."""

TEXTS = re.compile(r'"""(?:[^"\\]|\\(?:""")?|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n\r]|\\.)*+"?|#[^\n\r]*+')
"""Strings and comments; one that is never closed ends with the text, or with its line."""

WORDS = re.compile(r'""|\w++|\.\.\.|[^\s,]')
BRACKETS = re.compile(r"[{}()\[\]]")
ARGUMENTS = re.compile(r"\([^()]*+\)")
CROWD = re.compile(rf"(?:@[\s,]*+\w++[\s,]*+(?:\([^()]*+\)[\s,]*+)?){{{DIRECTIVES_HERE + 1}}}")

INTROSPECTION: Final = frozenset({"__schema", "__type"})


def too_complex(message: str) -> GraphQLError:
    """A request that asks for too much."""
    return refuse(ErrorCode.TOO_COMPLEX, message)


# ---------------------------------------------------------------- text


def scan(text: str) -> None:
    """Refuses a text that would take long to parse, or what was parsed of it long to validate."""
    if len(text) > CHARACTERS:
        raise too_complex(f"A document has {CHARACTERS:,} characters at most: send long texts as variables.")
    code = TEXTS.sub(blank, text)
    if len(code) > TOKENS and len(WORDS.findall(code)) > TOKENS:
        raise too_complex(f"A document has {TOKENS:,} tokens at most.")
    if sum(map(code.count, "{[(")) > NESTING and nests(code):
        raise too_complex(f"A document has brackets within brackets {NESTING} deep at most.")
    if code.count("@") > DIRECTIVES:
        raise too_complex(f"A document has {DIRECTIVES} directives at most.")
    if CROWD.search(code):
        raise too_complex(f"At one place there are {DIRECTIVES_HERE} directives at most.")
    if code.count(":") > ALIASES and count_aliases(code) > ALIASES:
        raise too_complex(f"A document has {ALIASES} aliases at most.")


def blank(found: re.Match[str]) -> str:
    """What stands for a string or a comment: the same number of tokens."""
    return " " if found[0].startswith("#") else '""'


def nests(code: str) -> bool:
    """Whether there are more brackets within brackets than may be."""
    depth = 0
    for bracket in BRACKETS.findall(code):
        depth += 1 if bracket in "{[(" else -1
        if depth > NESTING:
            return True
    return False


def count_aliases(code: str) -> int:
    """Colons outside of arguments; those of directives stand within those of variables."""
    return ARGUMENTS.sub("", ARGUMENTS.sub("", code)).count(":")


# ---------------------------------------------------------------- document


def measure(document: DocumentNode, levels: int) -> None:
    """Refuses what would take long to validate, or has more levels of fields than these."""
    definitions = document.definitions
    if sum(isinstance(each, OperationDefinitionNode) for each in definitions) > OPERATIONS:
        raise too_complex(f"A document has {OPERATIONS} operations at most.")
    if sum(isinstance(each, FragmentDefinitionNode) for each in definitions) > FRAGMENTS:
        raise too_complex(f"A document has {FRAGMENTS} fragments at most.")
    for each in list_sets(document):
        if len(each.selections) > SELECTIONS:
            raise too_complex(f"Between one pair of braces there are {SELECTIONS} fields at most.")
        if len(each.selections) > REPEATS and max(count_fields(each).values(), default=0) > REPEATS:
            raise too_complex(f"Between one pair of braces the same field stands {REPEATS} times at most.")
    check_levels(document, levels)


def list_sets(document: DocumentNode) -> Iterator[SelectionSetNode]:
    """What stands between each pair of braces."""
    waiting = [each.selection_set for each in document.definitions if isinstance(each, ExecutableDefinitionNode)]
    while waiting:
        found = waiting.pop()
        yield found
        inner = (each for each in found.selections if isinstance(each, FieldNode | InlineFragmentNode))
        waiting += [each.selection_set for each in inner if each.selection_set]


def count_fields(selection_set: SelectionSetNode) -> Counter[str]:
    """How often each field stands there, by the name that it has in the answer."""
    fields = (node for node in selection_set.selections if isinstance(node, FieldNode))
    return Counter((node.alias or node.name).value for node in fields)


def check_levels(document: DocumentNode, levels: int) -> None:
    """Refuses fields within fields that are too deep, those of fragments counted where they are used."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    level = [each.selection_set for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    depth = 0
    while level:
        depth += 1
        fields = list(expand(level, fragments))
        if depth > levels and fields:
            raise too_complex(f"A query has fields within fields {levels} levels deep at most.")
        level = [field.selection_set for field in fields if field.selection_set]


def expand(level: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """The fields of a level, each once, those of fragments included; introspection has limits of its own."""
    waiting, seen = list(level), set[str]()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                if not node.name.value.startswith("__"):
                    yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments and node.name.value not in seen:
                seen.add(node.name.value)
                waiting.append(fragments[node.name.value].selection_set)


def refuse_introspection(document: DocumentNode) -> None:
    """Wherever it stands; `__typename` is none."""
    for each in list_sets(document):
        for node in each.selections:
            if isinstance(node, FieldNode) and node.name.value in INTROSPECTION:
                message = f"{node.name.value} is not answered: introspection is switched off here."
                raise refuse(ErrorCode.BAD_INPUT, message)


# ---------------------------------------------------------------- variables


def check_variables(variables: Mapping[str, Any] | None) -> None:
    """Refuses variables that are nested too deeply to be read."""
    level: list[Any] = [variables]
    for _ in range(NESTING + 1):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _inside(each)]
        if not level:
            return
    raise too_complex(f"A variable has lists and objects within one another {NESTING} deep at most.")


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
