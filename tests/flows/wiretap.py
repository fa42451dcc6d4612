"""Between gateway and CRM: passes calls on, hears every secret in them, and may answer with what it has heard."""

import re
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from tests.stage import HTTP, Sandbox

OWN = ("content-length", "transfer-encoding", "connection", "host", "accept-encoding", "content-encoding")
"""Headers of one connection, or of a body that is packed."""
SECRET = ("access_token", "refresh_token", "token", "code", "state", "client_secret")


@dataclass
class Wiretap:
    """What it has heard, and what it does besides listening."""

    crm: Sandbox
    address: str = ""
    heard: set[str] = field(default_factory=set)
    """Tokens, codes, states, client secrets."""
    given: dict[str, str] = field(default_factory=dict)
    """API token -> the sandbox's own one, which it stands for."""
    echo: tuple[int, str] | None = None
    """(status, pattern of a path): such calls are answered so, with the caller's secret in every field of the body."""
    echoed: int = 0

    def hear(self, found: Mapping[str, Any]) -> None:
        """Keeps the secrets of a query, a form or an answer."""
        self.heard.update(str(found[name]) for name in SECRET if found.get(name))

    def hear_header(self, name: str, value: str) -> None:
        if name == "x-api-token":
            self.heard.add(value)
        elif name == "authorization":
            kind, _, secret = value.partition(" ")
            self.heard.add(secret)
            if kind.lower() == "basic":
                self.heard.add(unquote(b64decode(secret).decode().partition(":")[2]))

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """The CRM's answer."""
        for name, value in headers.items():
            self.hear_header(name, value)
        self.hear(dict(parse_qsl(urlsplit(path).query)))
        form = dict(parse_qsl(body.decode()))
        self.hear(form)
        sent = {name: value for name, value in headers.items() if name not in OWN}
        if "x-api-token" in sent:
            sent["x-api-token"] = self.given.get(sent["x-api-token"], "unknown")
        answer = HTTP.request(method, self.crm.address + path, content=body, headers=sent)
        self.hear(dict(parse_qsl(urlsplit(answer.headers.get("location", "")).query)))
        if answer.headers.get("content-type", "").startswith("application/json") and "/oauth/" in path:
            self.hear(answer.json())
        if self.echo and re.match(self.echo[1], path):
            self.echoed += 1
            own = headers.get("x-api-token") or form.get("refresh_token") or headers.get("authorization", "")
            said = re.sub("^Bearer ", "", own)
            names = ("error", "error_info", "error_description", "message", "code", "errorCode", "data")
            return httpx.Response(self.echo[0], json={"success": False, **dict.fromkeys(names, said)})
        return answer


@contextmanager
def wiretap(crm: Sandbox) -> Iterator[Wiretap]:
    """One on a free port, in threads of this process."""
    tap = Wiretap(crm)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            found = tap.pass_on(self.command, self.path, headers, body)
            self.send_response(found.status_code)
            for name, value in found.headers.items():
                if name not in OWN:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST = answer  # noqa: N815 # the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Nothing: the calls are in the sandbox's own log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        tap.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()
