"""Credentials at rest: AES-256-GCM under a list of keys, bound to the workspace and integration that they belong to."""

import base64
import binascii
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import BadKeys, BrokenSeal, UnknownKey

FILE = "keys"
"""In the data folder, where nothing else names the keys."""

KEY, NONCE, TAG = 32, 12, 16


class Keyring:
    """The keys by id; the first one seals, all of them open. Made by `load`.

    A sealed value is: length of the key's id (one byte), the id, the nonce, the ciphertext with its tag.
    """

    def __init__(self, keys: Mapping[str, bytes], path: Path | None = None) -> None:
        self._path = path
        self._use(keys)

    @classmethod
    def load(cls, keys: str | None, folder: Path) -> Self:
        """From `id:base64,id:base64`, `file:PATH`, or (None) the file in the data folder, made when there is none.

        A file holds the same list, also one key a line, with `#` before remarks. Raises BadKeys.
        """
        if keys is not None and not keys.startswith("file:"):
            return cls(_parse(keys, "CROSSWALK_KEYS"))
        path = folder / FILE if keys is None else Path(keys.removeprefix("file:"))
        if keys is None:
            _generate(path)
        return cls(_read(path), path)

    def seal(self, plain: bytes, *, workspace: UUID, integration: UUID) -> bytes:
        """Encrypt under the first key; it opens for the same workspace and integration only."""
        head = bytes([len(self.first)]) + self.first.encode()
        nonce = os.urandom(NONCE)
        return head + nonce + self._ciphers[self.first].encrypt(nonce, plain, _bound(head, workspace, integration))

    def open(self, sealed: bytes, *, workspace: UUID, integration: UUID) -> bytes:
        """Decrypt. Raises UnknownKey or BrokenSeal.

        A key that is not known yet may have been added to the file by whoever sealed: it is read again, once.
        """
        name, head, body = _split(sealed)
        if name not in self._ciphers and self._path is not None:
            self._use(_read(self._path))
        if name not in self._ciphers:
            where = self._path or "CROSSWALK_KEYS"
            raise UnknownKey(f"sealed with key {name!r}, which is not in {where}: put it back, or connect again")
        try:
            return self._ciphers[name].decrypt(body[:NONCE], body[NONCE:], _bound(head, workspace, integration))
        except InvalidTag as error:
            message = f"key {name!r} does not open it: it was changed, or is another integration's; connect again"
            raise BrokenSeal(message) from error

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._ciphers)})"

    def _use(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self.first = next(iter(keys))


def _bound(head: bytes, workspace: UUID, integration: UUID) -> bytes:
    """What the seal is bound to besides its text; the id of the key too."""
    return head + workspace.bytes + integration.bytes


def _split(sealed: bytes) -> tuple[str, bytes, bytes]:
    end = 1 + sealed[0] if sealed else 0
    head, body = sealed[:end], sealed[end:]
    if len(head) < 2 or len(body) < NONCE + TAG or not head.isascii():
        raise BrokenSeal("no sealed value, or one that was cut: connect again")
    return head[1:].decode(), head, body


def _parse(text: str, where: Path | str) -> dict[str, bytes]:
    """Never says the keys themselves: what is wrong is told by place."""
    keys: dict[str, bytes] = {}
    entries = [entry.strip() for line in text.splitlines() for entry in line.partition("#")[0].split(",")]
    for number, entry in enumerate(filter(None, entries), 1):
        name, _, encoded = entry.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", name):
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


def _read(path: Path) -> dict[str, bytes]:
    try:
        return _parse(path.read_text(), path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise BadKeys(f"cannot read the keys in {path} ({why}): correct CROSSWALK_KEYS") from error


def _generate(path: Path) -> None:
    """One key for whoever comes first. Complete under another name, then linked: no process sees half of it."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{FILE}.new.") as file:  # mode 600
        file.write(f"1:{base64.b64encode(os.urandom(KEY)).decode()}\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
