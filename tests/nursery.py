"""Processes of ours that are forked from one which has loaded everything: most of a start is loading, and no test's matter.

What is forked has its own environment, folder, arguments and signals, and ends as it would have ended if it had been
started. How programs start is for tests that start them: `tests/gateway/test_start.py`.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parent.parent
PROGRAMS = {"gateway": "gateway.cli", "sandbox": "sandbox.__main__"}
"""What can be forked: by its name, the module that has its `main`."""
NUMBER = struct.Struct("=i")
ROOM = 1 << 16
"""Bytes that an order may have."""


class Forked:
    """Of a process that was forked, what `subprocess.Popen` has of one that was started; `line` says its number, then how
    it has ended."""

    def __init__(self, args: Sequence[str], line: socket.socket) -> None:
        self.args, self.line = args, line
        self.returncode: int | None = None
        self.pid = self._read()

    def _read(self) -> int:
        said = self.line.recv(NUMBER.size)
        if not said:
            raise RuntimeError("the nursery is gone")
        return int(NUMBER.unpack(said)[0])

    def wait(self, timeout: float | None = None) -> int:
        """How it has ended: its exit code, or the negative number of a signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self.line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._read()
            self.line.close()
        return self.returncode

    def poll(self) -> int | None:
        """The same, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """By force."""
        self.send_signal(signal.SIGKILL)


Process = Forked | subprocess.Popen[bytes]


class Nursery:
    """The one that this process has, from its first child on."""

    def __init__(self) -> None:
        self.is_open = False
        """Else processes are started, as whoever measures them wants it."""
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        out: IO[bytes],
        errors: IO[bytes] | None = None,
        cwd: Path = ROOT,
    ) -> Process:
        """A process of `python -m PROGRAM …`; what it says goes to these files. Other commands are started."""
        errors = errors or out
        program = command[2] if list(command[:2]) == [sys.executable, "-m"] else ""
        if not self.is_open or program not in PROGRAMS or env.get("PYTHONPATH") != str(ROOT):
            nothing = subprocess.DEVNULL
            return subprocess.Popen(command, cwd=cwd, env=env, stdin=nothing, stdout=out, stderr=errors)  # noqa: S603 # ours
        order = json.dumps(
            {"program": program, "arguments": [*command[3:]], "env": dict(env), "cwd": str(cwd)}
        ).encode()
        here, there = socket.socketpair()
        with there:
            socket.send_fds(self._open(), [order], [out.fileno(), errors.fileno(), there.fileno()])
        return Forked(command, here)

    def run(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path = ROOT, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` does it: until its end, with what it says as text."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            process = self.start(command, env, out, errors, cwd)
            try:
                code = process.wait(seconds)
            finally:
                process.kill()
            texts = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode() for file in (out, errors)]
        return subprocess.CompletedProcess(command, code, *texts)

    def _open(self) -> socket.socket:
        with self._lock:
            if self._line is None:
                self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = subprocess.Popen(  # noqa: S603 # ours
                        [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                        cwd=ROOT,
                        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,
                    )
            return self._line


NURSERY = Nursery()


# ---------------------------------------------------------------- in the nursery's own process


def main() -> None:
    """Ends, with all of its children, when whoever gives the orders is gone."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    programs = {name: importlib.import_module(module).main for name, module in PROGRAMS.items()}
    gc.collect()
    gc.freeze()
    program = tend(orders)
    programs[program]()


def tend(orders: socket.socket) -> str:
    """Forks, and says what becomes of each child. Returns in the children only, with the name of their program."""
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringer)
    lines: dict[int, socket.socket] = {}
    sources: list[socket.socket | int] = [orders, bell]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if bell in ready:
            os.read(bell, ROOM)
            report(lines)
        if orders in ready:
            text, places, _, _ = socket.recv_fds(orders, ROOM, 3)
            if not text:
                leave(lines)
            *files, line = places
            child = os.fork()
            if not child:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number in (orders.detach(), bell, ringer, line, *(each.detach() for each in lines.values())):
                    os.close(number)
                return begin(json.loads(text), *files)
            for number in files:
                os.close(number)
            lines[child] = socket.socket(fileno=line)
            say(lines[child], child)


def begin(order: dict[str, Any], *files: int) -> str:
    """The child becomes what was ordered."""
    given = (os.open(os.devnull, os.O_RDONLY), *files)
    for stream, number in enumerate(given):
        os.dup2(number, stream)
    for number in given:
        os.close(number)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = [order["program"], *order["arguments"]]
    return str(order["program"])


def report(lines: dict[int, socket.socket]) -> None:
    """Says of every child that has ended how."""
    while lines:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with lines.pop(child) as line:
            say(line, os.waitstatus_to_exitcode(status))


def say(line: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody asks any more
        line.send(NUMBER.pack(number))


def leave(lines: dict[int, socket.socket]) -> NoReturn:
    for child in lines:
        os.kill(child, signal.SIGKILL)
    sys.exit()


if __name__ == "__main__":
    main()
