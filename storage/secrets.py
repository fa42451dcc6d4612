"""Credentials at rest: AES-256-GCM under a list of keys, bound to the workspace and integration that they belong to."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage import keyfile
from storage.errors import BadKeys, BrokenSeal, UnknownKey

NONCE, TAG = 12, 16

log = logging.getLogger(__name__)


class Keyring:
    """The keys by id; the first one seals, all of them open. Made by `load`.

    Keys in a file are read again when it changes: while everything runs, a new first key is used from then on. Those that
    are taken out of it still open, in this process, what was read a moment before.

    A sealed value is: length of the key's id (one byte), the id, the nonce, the ciphertext with its tag.
    """

    def __init__(self, keys: Mapping[str, bytes], path: Path | None = None, stamp: keyfile.Stamp = None) -> None:
        self.path = path
        """None for keys that are in no file."""
        self._stamp = stamp
        self._ciphers: dict[str, AESGCM] = {}
        self._use(keys)

    @classmethod
    def load(cls, keys: str | None, folder: Path) -> Self:
        """From `id:base64,id:base64`, `file:PATH`, or (None) the file in the data folder, made when there is none.

        A file holds the same list, also one key a line, with `#` before remarks. Raises BadKeys.
        """
        if keys is not None and not keys.startswith("file:"):
            return cls(keyfile.parse(keys, "CROSSWALK_KEYS"))
        path = folder / keyfile.FILE if keys is None else Path(keys.removeprefix("file:"))
        if keys is None:
            keyfile.generate(path)
        stamp = keyfile.stamp(path)  # before it is read: a change in between is one that is still to be noticed
        return cls(keyfile.read(path), path, stamp)

    @property
    def where(self) -> str:
        """Where the keys are, for people."""
        return str(self.path or "CROSSWALK_KEYS")

    @property
    def first(self) -> str:
        """The id of the key that seals."""
        return self.names[0]

    def reload(self) -> None:
        """Reads the file again, if there is one. Raises BadKeys, and goes on with the keys that are known."""
        if self.path is not None:
            self._stamp = keyfile.stamp(self.path)
            self._use(keyfile.read(self.path))

    def seal(self, plain: bytes, *, workspace: UUID, integration: UUID) -> bytes:
        """Encrypt under the first key; it opens for the same workspace and integration only.

        The transaction that stores it has called `rotation.hold_keys` before.
        """
        self._look()
        head = make_head(self.first)
        nonce = os.urandom(NONCE)
        return head + nonce + self._ciphers[self.first].encrypt(nonce, plain, _bound(head, workspace, integration))

    def open(self, sealed: bytes, *, workspace: UUID, integration: UUID) -> bytes:
        """Decrypt. Raises UnknownKey or BrokenSeal.

        A key that is not known yet may have been added to the file by whoever sealed: it is read again, once.
        """
        name, head, body = _split(sealed)
        if name not in self._ciphers:
            self.reload()
        if name not in self._ciphers:
            raise UnknownKey(f"sealed with key {name!r}, which is not in {self.where}: put it back, or connect again")
        try:
            return self._ciphers[name].decrypt(body[:NONCE], body[NONCE:], _bound(head, workspace, integration))
        except InvalidTag as error:
            message = f"key {name!r} does not open it: it was changed, or is another integration's; connect again"
            raise BrokenSeal(message) from error

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.names)})"

    def _look(self) -> None:
        """Takes over what has changed in the file; while that cannot be read, nobody has to wait for whoever writes it."""
        if self.path is None or keyfile.stamp(self.path) == self._stamp:
            return
        try:
            self.reload()
        except BadKeys as error:
            log.warning("the keys are used as they were before: %s", error)

    def _use(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers |= {name: AESGCM(key) for name, key in keys.items()}
        self.names = tuple(keys)
        """Ids of the keys in the list, in its order."""


def make_head(name: str) -> bytes:
    """How everything begins that is sealed with the key of that id."""
    return bytes([len(name)]) + name.encode()


def _bound(head: bytes, workspace: UUID, integration: UUID) -> bytes:
    """What the seal is bound to besides its text; the id of the key too."""
    return head + workspace.bytes + integration.bytes


def _split(sealed: bytes) -> tuple[str, bytes, bytes]:
    end = 1 + sealed[0] if sealed else 0
    head, body = sealed[:end], sealed[end:]
    if len(head) < 2 or len(body) < NONCE + TAG or not head.isascii():
        raise BrokenSeal("no sealed value, or one that was cut: connect again")
    return head[1:].decode(), head, body
