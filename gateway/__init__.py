"""The edge: HTTP, settings, command line, health. Nothing to the right of it knows that it is there."""

import sys
from importlib.util import find_spec
from pathlib import Path

VERSION = "0.1.0"
"""As pyproject.toml has it."""

NEIGHBOURS = ("schema", "resolvers", "sync", "connectors", "storage")


def strangers() -> list[str]:
    """The neighbours that are not the folders beside this one: `schema` and `storage` are packages on PyPI too."""
    root = Path(__file__).resolve().parents[1]
    found = {name: find_spec(name) for name in NEIGHBOURS}
    return [
        f"{name} (from {spec.origin if spec else 'nowhere'})"
        for name, spec in found.items()
        if spec is None or spec.origin is None or Path(spec.origin).resolve() != root / name / "__init__.py"
    ]


if wrong := strangers():
    sys.exit(
        f"crosswalk: these packages are not Crosswalk's own: {', '.join(wrong)}. "
        f"Run it from its own folder with PYTHONPATH={Path(__file__).resolve().parents[1]}, or uninstall the other package."
    )
