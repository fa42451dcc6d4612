"""The sources of the program, parsed once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("gateway", "schema", "resolvers", "sync", "connectors", "storage")
PACKAGES = (*PRODUCT, "sandbox")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def list_sources(*packages: str) -> list[Path]:
    """The Python files of the packages, of all of them when none is named."""
    return sorted(path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def list_functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
