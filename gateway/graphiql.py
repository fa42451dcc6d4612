"""GraphiQL: its page, and `python -m gateway.graphiql`, which fetches its files from npm to be served from here."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

import strawberry

PAGE = Path(__file__).parent / "page"
LOCK = PAGE / "graphiql.json"
STATIC = Path(__file__).parent / "static"
FETCHED = STATIC / "graphiql"
STAMP = FETCHED / ".fetched"
SECONDS = 60


@dataclass(frozen=True)
class Asset:
    """A file of an npm package, as Strawberry's own page names it, with the same integrity hash."""

    package: str
    version: str
    file: str
    integrity: str

    @property
    def spec(self) -> str:
        return f"{self.package}@{self.version}"

    @property
    def local(self) -> str:
        """Its name here: one flat folder."""
        return f"{self.package.rpartition('/')[2]}-{Path(self.file).name}"

    def matches(self, content: bytes) -> bool:
        return self.integrity == "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


@cache
def list_assets() -> tuple[Asset, ...]:
    return tuple(Asset(**entry) for entry in json.loads(LOCK.read_text()))


def read_strawberry() -> str:
    """The page that Strawberry ships: it loads everything from a CDN."""
    return (files(strawberry) / "static" / "graphiql.html").read_text()


@cache
def find_cdn() -> str:
    """The CDN's address: taken from Strawberry's page, so that no address of one stands in this project."""
    found = re.search(r'"(https://[^"]+?)/react@', read_strawberry())
    if found is None:
        message = "Strawberry's GraphiQL page names no CDN any more"
        raise LookupError(message)
    return found[1]


def is_local() -> bool:
    """True where the files of this lock have been fetched."""
    return STAMP.is_file() and STAMP.read_text() == LOCK.read_text()


def render_page(local: bool) -> str:
    """The page; `local` loads its files from here, else they come from the CDN, held by their hashes."""
    styles, scripts = [], []
    for asset in list_assets():
        where = f"/static/graphiql/{asset.local}" if local else f"{find_cdn()}/{asset.spec}/{asset.file}"
        check = f'integrity="{asset.integrity}" crossorigin="anonymous"'
        if asset.file.endswith(".css"):
            styles.append(f'<link rel="stylesheet" href="{where}" {check} />')
        else:
            scripts.append(f'<script src="{where}" {check}></script>')
    tabs = json.dumps(list(read_tabs())).replace("<", "\\u003c")
    page = Template((PAGE / "graphiql.html").read_text())
    return page.substitute(styles="\n    ".join(styles), scripts="\n    ".join(scripts), tabs=tabs)


def security_policy(local: bool) -> str:
    """What the page may load: itself. GraphiQL sets styles in elements, hence 'unsafe-inline' for those."""
    cdn = "" if local else f" {find_cdn()}"
    return (
        f"default-src 'self'; script-src 'self'{cdn}; style-src 'self' 'unsafe-inline'{cdn}; font-src 'self' data:; "
        "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def read_tabs() -> Iterator[dict[str, str]]:
    """The README's queries, with their variables."""
    for query in sorted((PAGE / "tabs").glob("*.graphql")):
        variables = query.with_suffix(".json")
        yield {"query": query.read_text(), "variables": variables.read_text() if variables.exists() else "{}"}


# ------------------------------------------------------------ fetching


def fetch() -> None:
    """Packs the packages with npm, takes the named files out, checks them; raises OSError or a subprocess's error."""
    npm = shutil.which("npm")
    if npm is None:
        message = "there is no npm here"
        raise OSError(message)
    with tempfile.TemporaryDirectory() as folder:
        specs = sorted({asset.spec for asset in list_assets()})
        command = [npm, "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}", *specs]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, cwd=folder)  # noqa: S603 # names of the lock
        FETCHED.mkdir(exist_ok=True)
        for asset in list_assets():
            (FETCHED / asset.local).write_bytes(unpack(Path(folder), asset))
    STAMP.write_text(LOCK.read_text())


def unpack(folder: Path, asset: Asset) -> bytes:
    archive = folder / f"{asset.package.replace('@', '').replace('/', '-')}-{asset.version}.tgz"
    with tarfile.open(archive) as packed:
        member = packed.extractfile(f"package/{asset.file}")
        content = member.read() if member else b""
    if not asset.matches(content):
        message = f"{asset.spec}/{asset.file} is not the file that {LOCK.name} names"
        raise OSError(message)
    return content


def main() -> None:
    """Never fails: without npm, or without an answer, the page falls back to the CDN."""
    try:
        fetch()
    except (OSError, KeyError, tarfile.TarError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"GraphiQL was not fetched ({error}): its page loads from the CDN that Strawberry names.\n")


if __name__ == "__main__":
    main()
