"""The simulated CRMs as a child process, which ends with us however we end."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

import structlog

from gateway.trouble import StartError

HOST = "127.0.0.1"
GREETING = b"CRMs, simulated"
READY = 60.0
"""Seconds that it may take to make up its people."""

log = structlog.get_logger("gateway.sandbox")


@contextmanager
def running_sandbox(port: int) -> Iterator[None]:
    """Simulated CRMs on the port: those that answer there already, else a child's for the time of the block."""
    if answers(port):
        log.info("the sandbox on this port is used", port=port)
        yield
        return
    command = [sys.executable, "-m", "gateway.leash", "sandbox", "--port", str(port)]
    # in a session of its own: Ctrl-C in the terminal reaches us only, and we stop it last
    child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 # this program
    try:
        wait_until_ready(child, port)
        yield
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin:
            child.stdin.close()


def wait_until_ready(child: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY
    while time.monotonic() < until:
        if answers(port):
            return
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.05)
            message = f"SANDBOX_PORT: the sandbox cannot run on port {port} (see above); set SANDBOX_PORT to a free one"
            raise StartError(message)
    message = f"SANDBOX_PORT: no sandbox answers on port {port} after {READY:.0f} s"
    raise StartError(message)


def answers(port: int) -> bool:
    """True if what listens there is a sandbox."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read(200).startswith(GREETING)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
