"""The program: what it imports, and what it says when it cannot start."""

import ast
import socket
import subprocess
import sys

from tests.conftest import ROOT

OURS = {"gateway", "schema", "resolvers", "sync", "connectors", "storage"}


def test_the_sandbox_imports_nothing_of_ours() -> None:
    for path in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            else:
                continue
            assert {name.split(".")[0] for name in names}.isdisjoint(OURS), path


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "sandbox", "--port", str(port), "--size", "1"],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=30,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"
