"""The list of keys as it is written: `id:base64` in a variable or in a file, which is read, made and changed in one step."""

import base64
import binascii
import os
import re
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from storage.errors import BadKeys

FILE: Final = "keys"
"""In the data folder, where nothing else names the keys."""

KEY: Final = 32
"""Bytes of a key."""

ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")

Stamp: TypeAlias = tuple[int, int, int] | None
"""Differs after every change of a file; None where there is none."""


def parse(text: str, where: Path | str) -> dict[str, bytes]:
    """The keys by id, in their order. Raises BadKeys, which never says a key: what is wrong is told by its place."""
    keys: dict[str, bytes] = {}
    entries = [entry.strip() for line in text.splitlines() for entry in line.partition("#")[0].split(",")]
    for number, entry in enumerate(filter(None, entries), 1):
        name, _, encoded = entry.partition(":")
        if not ID.fullmatch(name):
            raise BadKeys(f"entry {number} of {where} has no id before a colon: write id:base64")
        try:
            key = base64.b64decode(
                encoded.strip(), altchars=b"-_" if re.search("[-_]", encoded) else None, validate=True
            )
        except binascii.Error as error:
            raise BadKeys(
                f"key {name!r} of {where} is no base64: write {name}:$(openssl rand -base64 {KEY})"
            ) from error
        if len(key) != KEY:
            raise BadKeys(
                f"key {name!r} of {where} has {len(key)} bytes: make one of {KEY} by openssl rand -base64 {KEY}"
            )
        if name in keys:
            raise BadKeys(f"key {name!r} stands twice in {where}: give each its own id")
        keys[name] = key
    if not keys:
        raise BadKeys(f"no key in {where}: write id:base64")
    return keys


def read(path: Path) -> dict[str, bytes]:
    """The same of a file, in which keys may stand one a line, with `#` before remarks."""
    return parse(_read_text(path), path)


def stamp(path: Path) -> Stamp:
    """What to compare later, to see whether the file is still the one that was read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


# ---------------------------------------------------------------- made and changed


def generate(path: Path) -> None:
    """A file with one key, for whoever comes first; nothing where there is one. No process sees half of it.

    Raises BadKeys where it cannot be made.
    """
    try:
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _written(path, f"{_make_entry(())}\n") as new, suppress(FileExistsError):
            os.link(new, path)
    except OSError as error:
        raise BadKeys(f"cannot make {path} ({error.strerror}): open its folder, or set CROSSWALK_KEYS") from error


def put_in_front(path: Path, taken: Collection[str]) -> str:
    """A new key before those that are there, so that it is the one that seals. Gives its id, which is none of those taken.

    Raises BadKeys where the file cannot be replaced.
    """
    text = _read_text(path)
    entry = _make_entry({*taken, *parse(text, path)})
    _replace(path, f"{entry}\n{text}")
    return entry.partition(":")[0]


def take_out(path: Path, names: Collection[str]) -> None:
    """Those keys are gone, with the remark behind the last one of a line; everything else stays as it was written.

    Raises BadKeys where the file cannot be replaced.
    """
    _replace(path, "".join(_leave(_read_text(path).splitlines(keepends=True), names)))


def _make_entry(taken: Collection[str]) -> str:
    """A key whose id says when it was made: one that is made in place of a lost one never has the lost one's id."""
    name = made = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    number = 1
    while name in taken:
        number += 1
        name = f"{made}.{number}"
    return f"{name}:{base64.b64encode(os.urandom(KEY)).decode()}"


def _leave(lines: Iterable[str], names: Collection[str]) -> Iterator[str]:
    for line in lines:
        written, mark, remark = line.partition("#")
        entries = [entry.strip() for entry in written.split(",")]
        kept = [entry for entry in entries if entry.partition(":")[0] not in names]
        if len(kept) == len(entries):
            yield line
        elif any(kept):
            yield f"{', '.join(filter(None, kept))}  {mark}{remark}".rstrip() + "\n"


def _replace(path: Path, text: str) -> None:
    """All at once, with the owner and the mode that the file has; where the path is a link, what it leads to."""
    try:
        target = path.resolve(strict=True)
        found = target.stat()
        with _written(target, text) as new:
            if os.geteuid() != found.st_uid:
                os.chown(new, found.st_uid, found.st_gid)
            new.chmod(stat.S_IMODE(found.st_mode))
            new.replace(target)
            _sync(target.parent)
    except OSError as error:
        message = f"cannot replace {path} ({error.strerror})"
        raise BadKeys(f"{message}: run this as its owner, or change it by hand and run this again") from error


@contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    """A file beside that path, with mode 600, complete on the disk; gone at the end of the block unless it was moved."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.new.", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            yield new
        finally:
            new.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """The new name is on the disk too: what is sealed from now on needs what it stands for."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        _refuse(path, "no text")
    except OSError as error:
        _refuse(path, error.strerror)


def _refuse(path: Path, why: str | None) -> NoReturn:
    raise BadKeys(f"cannot read the keys in {path} ({why}): correct CROSSWALK_KEYS") from None
