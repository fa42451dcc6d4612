"""What the documents say of the settings, made from the code: `python -m tests.house.settings` writes it."""

from gateway.settings import list_variables
from tests.house.sources import ROOT

EXAMPLE = ROOT / ".env.example"
TABLE = ROOT / "docs" / "settings.md"

HEAD = """\
# Copy to .env, in the folder that Crosswalk is started from, and take away the # before what you set. A variable of the
# environment wins over this file. What is set empty counts as not set.
"""

INTRODUCTION = """\
# Settings

From the environment, or from a file `.env` in the folder that Crosswalk is started from; the environment wins, and empty
counts as not set. A wrong one ends the start with a line that names it. Made from the code, as is `.env.example`:
`python -m tests.house.settings` writes both.

| variable | default | takes |
|---|---|---|
"""


def render_example() -> str:
    blocks = [f"# {takes}\n#{name}={default or ''}\n" for name, takes, default in list_variables()]
    return "\n".join([HEAD, *blocks])


def render_table() -> str:
    rows = (
        f"| `{name}` | {f'`{default}`' if default else ''} | {takes} |\n" for name, takes, default in list_variables()
    )
    return INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    EXAMPLE.write_text(render_example())
    TABLE.write_text(render_table())
