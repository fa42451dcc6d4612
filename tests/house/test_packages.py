"""What is installed: our own packages under names that PyPI has too, and one HTTP client."""

import importlib
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from tests.house.sources import PACKAGES, ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_are_ours(package: str) -> None:
    assert importlib.import_module(package).__file__ == str(ROOT / package / "__init__.py")


def test_a_foreign_package_of_the_same_name_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "__init__.py").write_text("")
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import gateway"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)  # noqa: S603
    assert ended.returncode == 1
    assert ended.stderr.startswith("crosswalk: these packages are not Crosswalk's own: schema (from ")
    assert ended.stderr.count("\n") == 1


def test_authlib_speaks_through_httpx() -> None:
    """With httpx2 installed Authlib would switch to it silently, and respx would no longer intercept."""
    assert find_spec("httpx2") is None
    with warnings.catch_warnings(record=True):  # it would rather have httpx2, and says so loudly
        httpx_client = importlib.import_module("authlib.integrations.httpx_client")
    assert issubclass(httpx_client.AsyncOAuth2Client, httpx.AsyncClient)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    packages = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_the_locks_agree() -> None:
    runtime, development = (dict(PINNED.findall((ROOT / lock).read_text())) for lock in LOCKS)
    assert runtime.items() <= development.items()


def test_npm_locks_record_no_addresses() -> None:
    for lock in (ROOT / "audit").glob("package-lock.json"):
        assert "://" not in re.sub(r'"(funding|url)": [^\n]*', "", lock.read_text())
