"""The embedded server as whoever runs it: an ordinary user, root, root on another's folder, root without namespaces."""

import os
import stat
from pathlib import Path

import pytest

from storage.embedded import Embedded
from storage.errors import DatabaseUnavailable
from storage.tools import NOBODY, binary, closed_parent, first_number, stand_in, unshare, user_name
from tests.storage.conftest import Start, leave, one, pid, runs

ROOT_USER = os.geteuid() == 0


def test_an_ordinary_user(home: Path, start: Start) -> None:
    """Root takes another user's looks for it, and loses its powers by that."""
    before = [*unshare()] if ROOT_USER else []

    program = start(home, before=[word.replace(str(NOBODY), "1000") for word in before])

    server = pid(program)
    assert Embedded(home).running()
    leave(program)
    assert not runs(server)


def test_the_folder_of_another_user(place: Path, start: Start) -> None:
    """For root: the server runs as the folder's owner, and whatever root makes is the owner's. For others: no."""
    home = place / "theirs"
    home.mkdir(mode=0o700)
    if not ROOT_USER:
        home.chmod(0o500)
        with pytest.raises(DatabaseUnavailable, match="run as the owner of that folder"):
            Embedded(home).start()
        return
    os.chown(home, NOBODY, NOBODY)
    if closed := closed_parent(binary("postgres"), home.stat()):
        with pytest.raises(DatabaseUnavailable, match=f"{closed} is closed to"):
            Embedded(home).start()
        return
    with Embedded(home) as server:
        assert one(server.url()) == 1
        made = [*home.iterdir(), *server.folder.iterdir()]
        assert {path.lstat().st_uid for path in made if path.exists()} == {NOBODY}
        assert Path(f"/proc/{first_number(server.folder / 'postmaster.pid')}").stat().st_uid == NOBODY


@pytest.fixture
def refusing(place: Path) -> dict[str, str]:
    """An environment where user namespaces are not allowed, as in most containers."""
    tools = place / "tools"
    tools.mkdir()
    (tools / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tools / "unshare").chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


def test_root_without_user_namespaces_gives_the_server_to_another(
    place: Path, start: Start, refusing: dict[str, str]
) -> None:
    user, group = stand_in() if ROOT_USER else (os.geteuid(), os.getegid())
    program = start(place / "data", **refusing)

    if ROOT_USER and closed_parent(binary("postgres"), os.stat_result((0, 0, 0, 0, user, group, 0, 0, 0, 0))):
        assert "is closed to" in program.communicate(timeout=60)[1]
        return

    server = pid(program)
    assert Path(f"/proc/{server}").stat().st_uid == user
    assert [(place / "data").stat().st_uid, (place / "data" / "pg").stat().st_uid] == [os.geteuid(), user]
    assert stat.S_IMODE((place / "data").stat().st_mode) == (0o711 if ROOT_USER else 0o700)
    leave(program)
    assert not runs(server)

    with Embedded(place / "data") as again:  # namespaces or not: it stays theirs
        assert one(again.url()) == 1


def test_a_closed_parent_is_named_and_not_opened(place: Path, start: Start, refusing: dict[str, str]) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)

    told, errors = start(private / "data", **refusing).communicate("\n", timeout=60)

    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    if ROOT_USER:
        assert f"DatabaseUnavailable: {private} is closed to" in errors
        assert "open it (chmod o+x), name another, or set DATABASE_URL" in errors
        assert not list((private / "data").glob("pg*"))
    else:
        assert (told.strip().isdigit(), errors) == (True, "")


def test_root_s_own_database_where_namespaces_are_refused(home: Path, start: Start, refusing: dict[str, str]) -> None:
    told, errors = start(home, **refusing).communicate("\n", timeout=60)

    if ROOT_USER:
        assert f"{home / 'pg'} belongs to root; Postgres does not run as root" in errors
        assert f"run `chown -R {user_name(stand_in()[0])} '{home / 'pg'}'`, or set DATABASE_URL" in errors
    else:
        assert (told.strip().isdigit(), errors) == (True, "")
