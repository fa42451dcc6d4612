"""`python -m gateway.leash MODULE …`: runs a module for as long as the parent lives, however that one ends."""

import os
import runpy
import signal
import sys
import threading


def watch() -> None:
    """The kernel closes the other end of our input when the parent is gone, even after kill -9."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    threading.Thread(target=watch, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
