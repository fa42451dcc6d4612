"""The embedded Postgres: binaries out of a wheel, supervised by us; one server per folder, shared by all processes."""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from storage.errors import DatabaseInUse, DatabaseUnavailable, WrongVersion
from storage.tools import (
    VERSION,
    binary,
    closed_parent,
    command,
    exists,
    first_number,
    holders,
    read_lines,
    run,
    stand_in,
    unshare,
    user_name,
)

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "posix",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}

INITDB = (
    "--username=postgres",
    "--auth=trust",  # the socket is open to the folder's owner only
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    "--set=dynamic_shared_memory_type=mmap",  # in its folder, so that one that is killed leaves nothing elsewhere
)

RECOVERY = 600
"""Seconds that a server may take to come up: after a crash it replays its log first, and cutting that short helps nobody."""

LOG_SIZE = 5_000_000


@dataclass(frozen=True)
class Status:
    """What `crosswalk db status` shows."""

    folder: Path
    running: bool
    version: str | None
    holders: tuple[int, ...]
    """Processes that use the server, as far as the system tells (Linux)."""


class Embedded:
    """A Postgres in `home/pg`, started by the first process that needs it and stopped by the last one that leaves.

    Who needs it holds a shared lock on `users.lock`, which the kernel drops even after kill -9; whoever starts, stops or
    counts holds `start.lock`. `settings` are lines of postgresql.conf; they count for the process that starts the server.
    Everything blocks: in an event loop, call it in a thread.
    """

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        self.home = home.resolve()
        self.folder = self.home / "pg"
        self.settings = dict(settings or {})
        self._users: int | None = None
        self._process = 0

    # ------------------------------------------------------------ life

    def start(self) -> Self:
        """Make the cluster if there is none, start the server if it is down, and hold it until `close`.

        Raises DatabaseUnavailable or WrongVersion, with the remedy.
        """
        if self._users is not None:
            return self
        binary("postgres")
        if re.search(r'["$`\\\n]', str(self.home)):  # pg_ctl gives its command to a shell, in double quotes
            raise DatabaseUnavailable(
                f"{str(self.home)!r} has a character that Postgres' tools take for theirs: name another"
            )
        self._make_home()
        with self._starting():
            self._users, self._process = self._open_lock("users.lock"), os.getpid()
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._ensure_cluster()
                self._boot()
            except BaseException:
                self._leave()
                raise
        return self

    def close(self) -> None:
        """Leave; the last one stops the server. After a fork only the process that started it counts as a user."""
        if self._users is None:
            return
        if self._process != os.getpid():
            os.close(self._users)
            self._users = None
            return
        with self._starting():
            self._leave()

    def stop(self, mode: str = "fast", force: bool = False) -> None:
        """Stop the server (`mode` is pg_ctl's); while other processes use it, only by `force`."""
        if not self.home.is_dir():
            return
        with self._starting():
            if not force and not self._try_alone():
                users = ", ".join(map(str, self.status().holders)) or "unknown"
                message = f"the database in {self.home} is in use by process {users}: stop that first, or use --force"
                raise DatabaseInUse(message)
            self._halt(mode)

    def alone(self) -> bool:
        """True if this process is the only user: what others left unfinished is then nobody's."""
        with self._starting():
            return self._users is not None and self._try_alone()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ questions

    def running(self) -> bool:
        """True if the server takes connections now."""
        return self._answer() == 0

    def url(self, database: str = "postgres") -> str:
        """The address for psycopg and SQLAlchemy. The port is said so that PGPORT does not count."""
        folder = quote(str(self.socket_folder()), safe="/")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={folder}&port={SETTINGS['port']}"

    def status(self) -> Status:
        """Changes nothing, and never raises for a server that is down."""
        version = self.folder / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else None
        return Status(self.home, self.running(), found, holders(self.home / "users.lock"))

    def binary(self, name: str) -> Path:
        """The path of a tool of the bundled Postgres: psql, pg_dump, pg_upgrade, …"""
        return binary(name)

    def socket_folder(self) -> Path:
        """Where the server listens: its data folder, or a short private one where that name is no good for a socket.

        107 bytes is the kernel's limit, and a comma would be read as a list of hosts. The folder of a server that was
        started with another TMPDIR is written in its postmaster.pid.
        """
        if re.fullmatch(r"[\w./ +=-]{1,85}", str(self.folder), re.ASCII):
            return self.folder
        lines = read_lines(self.folder / "postmaster.pid")
        if len(lines) > 4 and Path(lines[4]).is_dir():
            return Path(lines[4])
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir(), f"crosswalk-{self._base().stat().st_uid}-{name}")

    # ------------------------------------------------------------ locks

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """One at a time; the next one waits, for an initdb too."""
        lock = self._open_lock("start.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open_lock(self, name: str) -> int:
        """Not inherited by the server, and the folder owner's also when root makes it (whoever owns it may come next)."""
        try:
            lock = os.open(self.home / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = (
                f"cannot open {self.home / name} ({error.strerror}): run as the owner of that folder, or name another"
            )
            raise DatabaseUnavailable(f"{message} in CROSSWALK_DATA") from error
        owner = self.home.stat()
        if os.geteuid() == 0 and os.fstat(lock).st_uid != owner.st_uid:
            os.fchown(lock, owner.st_uid, owner.st_gid)
        return lock

    def _try_alone(self) -> bool:
        """Under start.lock only: turning a shared lock into an exclusive one lets go of it in between."""
        users = self._open_lock("users.lock") if self._users is None else self._users
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            if self._users is None:
                os.close(users)
            else:
                fcntl.flock(users, fcntl.LOCK_SH)

    def _leave(self) -> None:
        """Under start.lock."""
        if self._users is None:
            return
        try:
            if self._try_alone():
                self._halt("fast")
        finally:
            os.close(self._users)
            self._users = None

    # ------------------------------------------------------------ identity: Postgres refuses to be root

    def _base(self) -> Path:
        return self.folder if self.folder.exists() else self.home

    def _failure(self, folder: Path, text: str) -> DatabaseUnavailable:
        """What to say: the folder that is in the way, if one is; else what the tool said.

        A folder that is closed stays so: its mode is its owner's business.
        """
        owner, root = folder.stat(), os.geteuid() == 0
        if root and owner.st_uid == 0 and not unshare():
            why = "Postgres does not run as root, and user namespaces are refused here"
            remedy = f"run `chown -R {user_name(stand_in()[0])} '{folder}'`, or set DATABASE_URL"
            return DatabaseUnavailable(f"{folder} belongs to root; {why}: {remedy}")
        for wanted in (folder, binary("postgres")) if root else ():
            if closed := closed_parent(wanted, owner):
                why = f"{closed} is closed to {user_name(owner.st_uid)}, as whom Postgres runs {wanted}"
                return DatabaseUnavailable(f"{why}: open it (chmod o+x), name another, or set DATABASE_URL")
        return DatabaseUnavailable(f"the database in {self.home} does not start, see what it says: {text}")

    # ------------------------------------------------------------ the cluster

    def _make_home(self) -> None:
        """Ours alone; where the server must be another user than root, that user may pass through it to `pg`."""
        mode = 0o711 if os.geteuid() == 0 and not unshare() else 0o700
        try:
            self.home.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot make {self.home} ({error.strerror}): name another folder in CROSSWALK_DATA"
            raise DatabaseUnavailable(message) from error

    def _ensure_cluster(self) -> None:
        version = self.folder / "PG_VERSION"
        if not version.exists():
            self._init()
        elif (found := version.read_text().strip()) != str(VERSION):
            message = f"{self.folder} is of Postgres {found}, this program carries {VERSION}"
            raise WrongVersion(f"{message}: run `crosswalk db upgrade`")

    def _init(self) -> None:
        """Into a folder of another name first: an initdb that is killed never leaves half a cluster."""
        for leftover in self.home.glob("pg.new.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="pg.new.", dir=self.home))
        try:
            self._give_away(new)
            status, text = run(new, "initdb", "-D", str(new), *INITDB)
            if status:
                raise self._failure(new, text)
            with (new / "postgresql.conf").open("a") as file:
                file.write("include_if_exists = 'crosswalk.conf'\n")
            new.rename(self.folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _give_away(self, path: Path) -> None:
        """Root makes it for whoever owns the home; its own only where Postgres can run on root's files."""
        if os.geteuid() == 0:
            owner = self._base().stat()
            user, group = owner.st_uid, owner.st_gid
            if user == 0 and not unshare():
                user, group = stand_in()
            os.chown(path, user, group, follow_symlinks=False)

    def _boot(self) -> None:
        if self._wait():
            return
        self._clear()
        self._make_socket_folder()
        self._configure()
        log = self.folder / "server.log"
        if log.exists() and log.stat().st_size > LOG_SIZE:
            log.replace(log.with_suffix(".log.1"))
        start = ("-D", str(self.folder), "-l", str(log), "-w", "-t", str(RECOVERY), "start")
        status, text = run(self.folder, "pg_ctl", *start, seconds=RECOVERY + 60)
        if status and not self._wait():
            raise self._failure(self.folder, "\n".join([text, *read_lines(log)[-20:]]))

    def _halt(self, mode: str) -> None:
        """Not by a pid alone: pg_ctl would send its signal to whoever has it now."""
        if not self._alive():
            return
        sockets = self.socket_folder()
        status, text = run(self.folder, "pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "-t", "60", "stop")
        if status and self._alive():
            raise DatabaseUnavailable(f"the database in {self.home} does not stop: {text}")
        if sockets != self.folder:
            with suppress(OSError):
                sockets.rmdir()

    def _answer(self) -> int:
        """What pg_isready says: 0 it takes connections, 1 it starts or stops, 2 nobody is there."""
        if not self.folder.exists():
            return 2
        where = ("-h", str(self.socket_folder()), "-p", SETTINGS["port"])
        return run(self.folder, "pg_isready", "-q", "-t", "3", *where)[0]

    def _wait(self) -> bool:
        """True once the server takes connections, False when there is none."""
        end = time.monotonic() + RECOVERY
        while time.monotonic() < end:
            if (answer := self._answer()) == 0:
                return True
            if answer != 1 and not self._alive():
                return False
            time.sleep(0.1)
        return False

    def _alive(self) -> bool:
        return self._serves(first_number(self.folder / "postmaster.pid"))

    def _serves(self, pid: int) -> bool:
        """True if the process is a server of this folder; on doubt it is."""
        program, _, folder = command(pid).partition(" -D ")
        if not program.endswith("postgres"):
            return False
        try:
            return Path(folder).samefile(self.folder)
        except OSError:
            return True

    def _clear(self) -> None:
        """Lock files of a dead server whose pid another program, or a zombie, has now: Postgres would refuse to start."""
        for lock in (self.folder / "postmaster.pid", self.socket_folder() / f".s.PGSQL.{SETTINGS['port']}.lock"):
            pid = first_number(lock)
            if exists(pid) and not self._serves(pid):
                lock.unlink()

    def _make_socket_folder(self) -> None:
        """In the temporary directory anyone may have made it first."""
        folder = self.socket_folder()
        if folder == self.folder:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        found, owner = folder.lstat(), self.folder.stat().st_uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), owner} or found.st_mode & 0o077:
            raise DatabaseUnavailable(f"{folder} is not ours alone: remove it, or name a shorter CROSSWALK_DATA")
        self._give_away(folder)

    def _configure(self) -> None:
        """A file and not options of the command line: no shell reads it."""
        settings = {"unix_socket_directories": f'"{self.socket_folder()}"', **SETTINGS, **self.settings}
        quoted = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in settings.items()}
        new = self.folder / "crosswalk.conf.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in quoted.items())
        self._give_away(new)
        new.replace(self.folder / "crosswalk.conf")
