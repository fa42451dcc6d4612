"""`make audit`: a gateway with the sandbox on free ports and an empty folder, held against all audits."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY = 60.0


def main() -> int:
    node = shutil.which("node")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if node is None or browser is None:
        sys.stderr.write("make audit needs a node and a chromium on the PATH.\n")
        return 1
    port, sandbox = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        ports = {"PORT": str(port), "SANDBOX_PORT": str(sandbox)}
        usual = {"CROSSWALK_SANDBOX": "1", "CROSSWALK_DATA": folder, "LOG_LEVEL": "warning"}
        environment = os.environ | ports | usual | {"COST_BUDGET": "1000000000"}  # they ask for a great deal
        gateway = subprocess.Popen([sys.executable, "-m", "gateway", "serve"], env=environment)  # ours
        try:
            wait(gateway, f"{address}/readyz")
            url = f"{address}/graphql"
            audits = (
                [node, HERE / "server.mjs", url],
                [node, HERE / "browser.mjs", url, browser, *sys.argv[1:]],
                [sys.executable, HERE / "fuzz.py", url],
            )
            codes = [subprocess.run(audit, check=False).returncode for audit in audits]  # noqa: S603 # ours
        finally:
            gateway.terminate()
            gateway.wait()
    return max(codes)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait(gateway: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + READY
    while gateway.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2)  # noqa: S310 # our own address
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the gateway did not start")


if __name__ == "__main__":
    sys.exit(main())
