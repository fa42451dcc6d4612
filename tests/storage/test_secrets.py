"""Sealed values open for their own workspace and integration, with keys that come from anywhere and show nowhere."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest

from storage import keyfile
from storage.errors import BadKeys, BrokenSeal, UnknownKey
from storage.secrets import Keyring

WORKSPACE, INTEGRATION, OTHER = (UUID(int=number) for number in (1, 2, 3))
ONE, TWO = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
PLAIN = b'{"token": "\xc3\xa9"}'


def seal(ring: Keyring, plain: bytes = PLAIN) -> bytes:
    return ring.seal(plain, workspace=WORKSPACE, integration=INTEGRATION)


def unseal(ring: Keyring, sealed: bytes) -> bytes:
    return ring.open(sealed, workspace=WORKSPACE, integration=INTEGRATION)


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring.load(f"a:{ONE}, b:{TWO}", tmp_path)


# ---------------------------------------------------------------- sealing


@pytest.mark.parametrize("plain", [PLAIN, b"", os.urandom(5000)])
def test_what_is_sealed_opens(ring: Keyring, plain: bytes) -> None:
    assert unseal(ring, seal(ring, plain)) == plain


def test_the_key_s_id_stands_in_front_and_the_text_nowhere(ring: Keyring) -> None:
    sealed = seal(ring)

    assert sealed[:2] == b"\x01a"
    assert b"token" not in sealed
    assert len(sealed) == 2 + 12 + len(PLAIN) + 16
    assert seal(ring) != sealed


def test_it_opens_for_its_workspace_and_integration_only(ring: Keyring) -> None:
    sealed = seal(ring)

    with pytest.raises(BrokenSeal, match="is another integration's"):
        ring.open(sealed, workspace=OTHER, integration=INTEGRATION)
    with pytest.raises(BrokenSeal, match="is another integration's"):
        ring.open(sealed, workspace=WORKSPACE, integration=OTHER)


def test_a_changed_byte_is_noticed_wherever_it_is(ring: Keyring) -> None:
    sealed = seal(ring)

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((BrokenSeal, UnknownKey)):
            unseal(ring, bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 2, 20])
def test_a_cut_value_is_noticed(ring: Keyring, length: int) -> None:
    with pytest.raises(BrokenSeal, match="was cut"):
        unseal(ring, seal(ring, b"")[:length])


# ---------------------------------------------------------------- turning keys over


def test_the_first_key_seals_and_all_open(tmp_path: Path, ring: Keyring) -> None:
    turned = Keyring.load(f"b:{TWO},a:{ONE}", tmp_path)

    assert seal(turned)[:2] == b"\x01b"
    assert unseal(turned, seal(ring)) == PLAIN
    assert unseal(ring, seal(turned)) == PLAIN


def test_a_key_that_is_gone_is_named(tmp_path: Path, ring: Keyring) -> None:
    with pytest.raises(UnknownKey, match="key 'a', which is not in CROSSWALK_KEYS: put it back, or connect again"):
        unseal(Keyring.load(f"b:{TWO}", tmp_path), seal(ring))


def test_a_new_key_in_the_file_is_found_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")
    before = Keyring.load(f"file:{path}", tmp_path)
    path.write_text(f"b:{TWO}  # since Monday\na:{ONE}\n")
    sealed = seal(Keyring.load(f"file:{path}", tmp_path))

    assert unseal(before, sealed) == PLAIN
    assert seal(before)[:2] == b"\x01b"


def test_a_key_that_is_in_the_file_neither_is_named_with_the_file(tmp_path: Path, ring: Keyring) -> None:
    path = tmp_path / "ring"
    path.write_text(f"b:{TWO}")

    with pytest.raises(UnknownKey, match=f"key 'a', which is not in {path}"):
        unseal(Keyring.load(f"file:{path}", tmp_path), seal(ring))


def test_a_new_first_key_seals_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")
    ring = Keyring.load(f"file:{path}", tmp_path)
    assert seal(ring)[:2] == b"\x01a"

    path.write_text(f"b:{TWO}\na:{ONE}\n")

    assert seal(ring)[:2] == b"\x01b"
    assert (ring.first, ring.names) == ("b", ("b", "a"))


def test_a_key_that_is_taken_out_opens_what_was_read_before(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")
    ring = Keyring.load(f"file:{path}", tmp_path)
    sealed = seal(ring)

    path.write_text(f"b:{TWO}\n")

    assert seal(ring)[:2] == b"\x01b"
    assert unseal(ring, sealed) == PLAIN
    assert ring.names == ("b",)


@pytest.mark.parametrize("half", ["", f"b:{TWO[:10]}", None])
def test_a_file_that_is_being_written_stops_nobody(
    tmp_path: Path, half: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")
    ring = Keyring.load(f"file:{path}", tmp_path)

    if half is None:
        path.unlink()
    else:
        path.write_text(half)

    assert [seal(ring)[:2] for _ in range(3)] == [b"\x01a"] * 3
    [told] = caplog.messages
    assert told.startswith("the keys are used as they were before: ")
    assert TWO[:10] not in told
    path.write_text(f"b:{TWO}\na:{ONE}\n")
    assert seal(ring)[:2] == b"\x01b"


# ---------------------------------------------------------------- changing the file


def test_a_new_key_is_put_in_front_and_the_rest_stays_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    before = f"# ours\na:{ONE}, b:{TWO}  # of May\n\n# the end"
    path.write_text(before)
    owner = (12345, 12346) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    path.chmod(0o640)

    name = keyfile.put_in_front(path, ())

    assert list(keyfile.read(path)) == [name, "a", "b"]
    first, _, rest = path.read_text().partition("\n")
    assert (first.partition(":")[0], rest) == (name, before)
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, *owner)
    assert [each.name for each in tmp_path.iterdir()] == ["ring"]


def test_a_new_key_has_an_id_that_nothing_has(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")

    names = {keyfile.put_in_front(path, ()) for _ in range(5)}

    keys = keyfile.read(path)
    assert set(keys) == names | {"a"}
    assert len(set(keys.values())) == 6
    assert keyfile.put_in_front(path, names) not in names


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"b:{TWO}\na:{ONE}\n", f"b:{TWO}\n"),
        (f"b:{TWO},a:{ONE}", f"b:{TWO}\n"),
        (f"# one\na:{ONE}  # of May\n\nb:{TWO}  # of June\n", f"# one\n\nb:{TWO}  # of June\n"),
        (f"a:{ONE}, b:{TWO},  # both\n", f"b:{TWO}  # both\n"),
        (f"b:{TWO}\n# a:{ONE}\n", f"b:{TWO}\n# a:{ONE}\n"),
    ],
)
def test_a_key_is_taken_out(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "ring"
    path.write_text(before)

    keyfile.take_out(path, ["a"])

    assert path.read_text() == after


def test_whoever_reads_meanwhile_reads_the_one_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_text(f"a:{ONE}\n")
    ended = Event()

    def read() -> int:
        seen = 0
        while not ended.is_set():
            seen += "a" in keyfile.read(path)
        return seen

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for _ in range(50):
            keyfile.take_out(path, [keyfile.put_in_front(path, ())])
        ended.set()
    assert reading.result() > 0


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, path = tmp_path / "mounted" / "ring", tmp_path / "ring"
    target.parent.mkdir()
    target.write_text(f"a:{ONE}\n")
    path.symlink_to(target)

    name = keyfile.put_in_front(path, ())

    assert path.is_symlink()
    assert list(keyfile.read(target)) == [name, "a"]


def test_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ("k" * 250)  # there is no longer name for another one beside it
    path.write_text(f"a:{ONE}\n")

    with pytest.raises(
        BadKeys, match=r"^cannot replace .* \(File name too long\): run this as its owner, or change it by hand"
    ):
        keyfile.put_in_front(path, ())

    assert path.read_text() == f"a:{ONE}\n"


# ---------------------------------------------------------------- where keys come from


def test_a_key_is_made_where_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sealed = seal(Keyring.load(None, folder))

    assert unseal(Keyring.load(None, folder), sealed) == PLAIN
    assert [path.name for path in folder.iterdir()] == ["keys"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "keys")] == [0o700, 0o600]


def test_several_that_come_first_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: Keyring.load(None, tmp_path), range(8)))

    assert {unseal(ring, seal(rings[0])) for ring in rings} == {PLAIN}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "no key in CROSSWALK_KEYS: write id:base64"),
        (" , ", "no key in CROSSWALK_KEYS: write id:base64"),
        (ONE, "entry 1 of CROSSWALK_KEYS has no id before a colon: write id:base64"),
        (f"a:{ONE},ä:{TWO}", "entry 2 of CROSSWALK_KEYS has no id before a colon: write id:base64"),
        ("a:no!base64", "key 'a' of CROSSWALK_KEYS is no base64: write a:$(openssl rand -base64 32)"),
        ("a:c2hvcnQ=", "key 'a' of CROSSWALK_KEYS has 5 bytes: make one of 32 by openssl rand -base64 32"),
        (f"a:{ONE},a:{TWO}", "key 'a' stands twice in CROSSWALK_KEYS: give each its own id"),
        (
            "file:/nowhere/keys",
            "cannot read the keys in /nowhere/keys (No such file or directory): correct CROSSWALK_KEYS",
        ),
    ],
)
def test_keys_that_are_none_are_refused_by_place(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(BadKeys) as caught:
        Keyring.load(keys, tmp_path)

    assert str(caught.value) == message


def test_url_safe_base64_is_taken(tmp_path: Path) -> None:
    key = base64.urlsafe_b64encode(b"\xff\xfe" * 16).decode()
    assert "_" in key

    assert unseal(Keyring.load(f"a:{key}", tmp_path), seal(Keyring.load(f"a:{key}", tmp_path))) == PLAIN


def test_keys_show_nowhere(tmp_path: Path, ring: Keyring) -> None:
    assert repr(ring) == "Keyring(a, b)"
    assert ONE not in f"{vars(ring)}"
    with pytest.raises(BadKeys) as caught:
        Keyring.load(f"a:{ONE}x,b:{TWO}", tmp_path)
    assert ONE not in str(caught.value)
