"""What holds for every source file: ceilings, who reads the environment, who knows a CRM by its name."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.registry import CONNECTORS
from tests.house.sources import PRODUCT, ROOT, Function, list_functions, list_sources, name, parse

FILE_LINES = 400
FUNCTION_LINES = 50

ENVIRONMENT_READERS = {
    "gateway/settings.py",
    "storage/tools.py",  # os.defpath and os.environ's absence: the server gets an environment of its own
}
SHAPES = {"storage.shapes", "storage.records", "storage.declare"}


def test_imports_point_one_way() -> None:
    """In a process of its own: it would switch off all loggers of this one."""
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.returncode == 0, ended.stdout


def test_files_have_at_most_400_lines() -> None:
    sizes = {name(path): len(path.read_text().splitlines()) for path in list_sources()}
    assert {path: size for path, size in sizes.items() if size > FILE_LINES} == {}


def test_functions_have_at_most_50_lines() -> None:
    sizes = {
        f"{name(path)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in list_sources()
        for function in list_functions(path)
    }
    assert {where: size for where, size in sizes.items() if size > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", list_sources(), ids=name)
def test_a_module_says_what_belongs_in_it(path: Path) -> None:
    assert ast.get_docstring(parse(path))


def test_nothing_is_imported_inside_a_function() -> None:
    found = [
        f"{name(path)}:{inner.lineno}"
        for path in list_sources()
        for function in list_functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_only_settings_reads_the_environment() -> None:
    found = {name(path) for path in list_sources(*PRODUCT) for _ in find_environment(parse(path))}
    assert found <= ENVIRONMENT_READERS


def find_environment(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (alias for alias in node.names if alias.name in ("environ", "environb", "getenv"))


def test_no_crm_is_known_by_name_outside_its_folder() -> None:
    """Behaviour hangs on capabilities. The registry may import the folders; nothing may say, or compare, a name."""
    names = {crm.lower() for crm in CONNECTORS}
    folders = {ROOT / "connectors" / crm for crm in names}
    found = [
        f"{name(path)}:{line} {word}"
        for path in list_sources(*PRODUCT)
        if not folders & set(path.parents)
        for line, word in find_names(parse(path), names)
    ]
    assert found == []


def find_names(tree: ast.Module, names: set[str]) -> Iterator[tuple[int, str]]:
    """Strings that are a CRM's name, and attributes as in Crm.PIPEDRIVE."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in names:
            yield node.lineno, repr(node.value)
        if isinstance(node, ast.Attribute) and node.attr.lower() in names and isinstance(node.ctx, ast.Load):
            yield node.lineno, node.attr


def test_connectors_import_storages_shapes_only() -> None:
    found = {
        (name(path), node.module)
        for path in list_sources("connectors")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "storage"
    }
    assert {(path, module) for path, module in found if module not in SHAPES} == set()


def test_the_ceilings_would_be_noticed() -> None:
    """The rules themselves work: what they look for is found where it is."""
    tree = ast.parse("import os\nos.environ['A']\ncrm == 'PIPEDRIVE'\ndef f():\n    import x\n")
    assert [type(node) for node in find_environment(tree)] == [ast.Attribute]
    assert list(find_names(tree, {"pipedrive"})) == [(3, "'PIPEDRIVE'")]
    assert any(isinstance(node, Function) for node in ast.walk(tree))
