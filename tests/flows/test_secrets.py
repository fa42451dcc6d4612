"""Nothing secret is anywhere that it can be read; and keys are turned over while everything runs."""

import asyncio
import base64
import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg

from gateway.rotation import rotate
from gateway.settings import Settings
from storage import keyfile
from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.flows.conftest import Stage
from tests.flows.person import ask, consent, decide, look
from tests.flows.test_renewal import touch
from tests.flows.wiretap import Wiretap, wiretap
from tests.stage import HASTE, HTTP, ROOT, TOKENS, Gateway, environment, gateway, wait_until, worker

KEY = base64.b64encode(b"0123456789abcdef" * 2).decode()
KINDS = {"file", "dump", "log", "answers", "commands", "processes"}
WATCH = "subscription($i: ID!) { integration(id: $i) { status } }"
API, TOKEN = "/pipedrive/(?!oauth/)", "/pipedrive/oauth/token"


def command(settings: Mapping[str, str], *arguments: str) -> str:
    """What `crosswalk …` says, which must end well."""
    ended = subprocess.run(  # noqa: S603 # ours
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


# ---------------------------------------------------------------- no secret anywhere


@contextmanager
def guarded_database(folder: Path) -> Iterator[tuple[Embedded, str, str]]:
    """A server of its own that wants a password; with its address and the password."""
    password = f"p:\\ {secrets.token_hex(12)}"
    with Embedded(folder) as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            hashed = admin.pgconn.encrypt_password(password.encode(), b"postgres", b"scram-sha-256").decode()
            admin.execute(f"alter role postgres password '{hashed}'".encode())
            (server.folder / "pg_hba.conf").write_text("local all all scram-sha-256\n")
            admin.execute("select pg_reload_conf()")
        wait_until(lambda: not is_open(server.url()))
        yield server, server.url().replace("postgres@", f"postgres:{quote(password, safe='')}@"), password


def is_open(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


class Listener(Gateway):
    """Keeps the text of all answers, but of those that are meant to show a secret."""

    def __init__(self, opened: Gateway) -> None:
        super().__init__(opened.address, opened.pid)
        self.answers: list[str] = []

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        found = super().answer(query, **variables)
        if not any(name in query for name in ("authorizationUrl", "acceptUrl", "secret")):
            self.answers.append(json.dumps(found, ensure_ascii=False))
        return found

    def visit(self, address: str) -> int:
        """The status of a page, whose text is kept."""
        shown = HTTP.get(address)
        self.answers.append(f"{shown.headers}{shown.text}")
        return shown.status_code


@dataclass
class Onlooker:
    """Another user of the machine, who reads the list of processes again and again."""

    seen: set[bytes] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.05):
                for each in Path("/proc").glob("[0-9]*/cmdline"):
                    with suppress(OSError):
                        self.seen.add(each.read_bytes())

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def spellings(secret: str) -> set[bytes]:
    """How a text may be written down, or the end of it where it is cut."""
    plain = secret.encode()
    ways = {plain, quote(secret, safe="").encode(), plain.hex().encode(), base64.b64encode(plain).rstrip(b"=")}
    return ways | {secret[-16:].encode()}


def find(places: Mapping[str, bytes], *texts: bytes) -> set[tuple[str, bytes]]:
    """Which place has which text."""
    return {(name, text) for name, content in places.items() for text in texts if text in content}


def read_database(server: Embedded, url: str, password: str) -> dict[str, bytes]:
    """All bytes of all files, and a dump."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("checkpoint")
    dumped = subprocess.run(  # noqa: S603 # ours
        [server.binary("pg_dump"), f"--dbname={server.url()}"],
        env={"PGPASSWORD": password},
        capture_output=True,
        check=True,
    )
    files = {f"file {path}": path.read_bytes() for path in server.folder.rglob("*") if path.is_file()}
    return {**files, "dump": dumped.stdout}


def meet_errors(tap: Wiretap, opened: Listener, by_token: str, by_consent: str) -> None:
    """Answers that repeat the secret which they were asked with, in the place of everything."""
    health = "integration { status lastError health { ok message } }"
    for status in (500, 403, 401):
        tap.echo = (status, API)
        for integration in (by_token, by_consent):
            shown = opened.do("testIntegration", health, integrationId=integration)["integration"]
            assert f"HTTP {status}" in shown["health"]["message"]
    assert look(opened, by_token)["status"] == "ERROR"
    tap.echo = None
    shown = opened.do("testIntegration", health, integrationId=by_token)["integration"]
    assert shown["status"] == "ACTIVE"
    tap.echo = (403, API)
    assert opened.sync(by_token)["status"] == "FAILED"
    tap.echo = (400, TOKEN)
    tap.crm.disturb(**HASTE, expireTokensAfter=0)
    shown = opened.do("testIntegration", health, integrationId=by_consent)["integration"]
    assert shown["status"] == "ERROR"
    tap.echo = None


def come_in(opened: Listener, integration: str) -> set[str]:
    """Keys, invitations and wrong credentials. Gives the secrets that were shown once, or sent."""
    made = opened.do("createApiKey", "secret apiKey { id prefix }", name="backend", role="VIEWER")
    invited = opened.do("inviteMember", "acceptUrl member { id }", email="ann@acme.example", role="OPERATOR")
    opened.ask("{ viewer { workspace { apiKeys { name prefix lastUsedAt } members { nodes { email role } } } } }")
    assert opened.visit(invited["acceptUrl"]) == 200
    watching = opened.by(made["secret"]).by_socket(WATCH, i=integration)
    assert next(watching) == {"integration": {"status": "ACTIVE"}}
    wrong = [secrets.token_hex(20) for _ in range(3)]
    body, headers = {"query": "{ __typename }"}, {"authorization": f"Bearer cw_{wrong[0]}"}
    answer = HTTP.post(f"{opened.address}/graphql", json=body, headers=headers)
    assert answer.status_code == 401
    opened.answers.append(answer.text)
    refused = opened.do("connect", "integration { id }", crm="PIPEDRIVE", apiToken=wrong[1])
    assert [error["code"] for error in refused["userErrors"]] == ["CREDENTIAL_REFUSED"]
    assert opened.visit(f"{opened.address}/oauth/callback?state={wrong[2]}&code={wrong[2]}") == 400
    return {made["secret"], urlsplit(invited["acceptUrl"]).path.rpartition("/")[2], *wrong}


def test_no_secret_is_in_tables_logs_answers_or_process_lists(stage: Stage, tmp_path: Path) -> None:
    for account in (1, 2):
        stage.crm.fill(20, account=account)
        stage.crm.disturb(account, **HASTE, expireTokensAfter=6, rotateRefreshToken=True)
    ring, api_token, onlooker = tmp_path / "ring", secrets.token_hex(20), Onlooker()
    ring.write_text(f"1:{KEY}\n")
    keys = keyfile.read(ring)
    with guarded_database(tmp_path / "data") as (server, url, password), wiretap(stage.crm) as tap, onlooker.watching():
        tap.given[api_token] = TOKENS[2]
        settings = {
            "PIPEDRIVE_API_URL": f"{tap.address}/pipedrive",
            "PIPEDRIVE_OAUTH_URL": f"{tap.address}/pipedrive",
            "PIPEDRIVE_CLIENT_SECRET": secrets.token_hex(20),
            "CROSSWALK_KEYS": f"file:{ring}",
            "LOG_LEVEL": "debug",
        }
        everything = {**environment(tmp_path, url, stage.crm), **settings}
        with gateway(tmp_path, url, stage.crm, **settings) as started, ThreadPoolExecutor(2) as pool:
            opened = Listener(started)
            by_token = opened.connect(api_token)
            by_consent, page = ask(opened)
            assert opened.visit(decide(page)) == 200
            assert [opened.sync(one)["status"] for one in (by_token, by_consent)] == ["SUCCEEDED", "SUCCEEDED"]
            assert stage.crm.requests()["oauth"]["refreshes"] > 1
            shown = come_in(opened, by_token)
            meet_errors(tap, opened, by_token, by_consent)
            commands = [
                ("rotate-keys", "--drop"),
                ("db", "psql", "--", "-c", "select pg_sleep(0.2)"),
                ("db", "backup", str(tmp_path / "backup")),
            ]
            said = list(pool.map(lambda arguments: command(everything, *arguments), commands))
            keys |= keyfile.read(ring)
            assert opened.sync(by_token)["status"] == "SUCCEEDED"
            [contact] = opened.ask("{ contacts(first: 1) { nodes { name } } }")["contacts"]["nodes"]
        places = {
            **read_database(server, url, password),
            **{f"log {path}": path.read_bytes() for path in tmp_path.glob("*.log")},
            "answers": "\n".join(opened.answers).encode(),
            "commands": "\n".join(said).encode(),
            "processes": b"\n".join(onlooker.seen),
        }

    known = [contact["name"].encode(), b'"event"', b"rotate-keys", b"pg_dump", b"--dbname=user=postgres"]
    assert {name.partition(" ")[0] for name, _ in find(places, *known)} == KINDS  # what is there is found
    assert {api_token, settings["PIPEDRIVE_CLIENT_SECRET"]} < tap.heard
    assert min(map(len, tap.heard)) >= 20
    texts = {text for secret in tap.heard | shown | {password} for text in spellings(secret)}
    for key in keys.values():
        texts |= {key, key.hex().encode(), base64.b64encode(key).rstrip(b"=")}
    assert find(places, *texts) == set()


# ---------------------------------------------------------------- keys are turned over


@dataclass
class Traffic:
    """Syncs and calls of the CRM by way of a gateway, one after the other, until the block ends; each must end well."""

    opened: Gateway
    integrations: list[str]
    runs: list[str] = field(default_factory=list)
    """How they have ended."""
    errors: list[Any] = field(default_factory=list)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        ended = threading.Event()

        def sync(integration: str) -> None:
            while not ended.wait(0.1):
                self.runs.append(self.opened.sync(integration, ["ORGANIZATION"])["status"])

        def call() -> None:
            while not ended.wait(0.1):
                self.errors += [
                    error for one in self.integrations for error in touch(self.opened, one).get("errors", [])
                ]

        with ThreadPoolExecutor() as pool:
            tasks = [pool.submit(call), *(pool.submit(sync, one) for one in self.integrations)]
            try:
                yield
            finally:
                ended.set()
        for task in tasks:
            task.result()

    def wait_for_more(self) -> None:
        """Until some syncs have ended that began now."""
        more = len(self.runs) + 3
        wait_until(lambda: len(self.runs) >= more, 60)


def find_names(database: str) -> set[str]:
    """Ids of the keys that the stored credentials are sealed with."""
    with psycopg.connect(database, autocommit=True) as admin:
        return {name for (name,) in admin.execute("select key_id from crosswalk_keys_in_use()")}


def test_keys_are_turned_over_while_a_gateway_and_a_worker_run(
    stage: Stage, server: Embedded, template: str, tmp_path: Path
) -> None:
    ring = tmp_path / "ring"
    ring.write_text(f"first:{KEY}\n")
    for account in (1, 2):
        stage.crm.fill(10, account=account)
        stage.crm.disturb(account, **HASTE, expireTokensAfter=5)
    keys = {"CROSSWALK_KEYS": f"file:{ring}"}
    with copy_database(server, template) as url:
        settings = Settings.load(database_url=url, crosswalk_data=tmp_path, crosswalk_keys=keys["CROSSWALK_KEYS"])
        with (
            gateway(tmp_path, url, stage.crm, "--no-worker", **keys) as opened,
            worker(tmp_path, url, stage.crm, **keys),
        ):
            traffic, seen = Traffic(opened, [consent(opened, account=account) for account in (1, 2)]), ["first"]
            with traffic.flowing():
                for _ in range(2):
                    traffic.wait_for_more()
                    asyncio.run(rotate(settings, drop=True))
                    seen += keyfile.read(ring)
                    assert find_names(url) == {seen[-1]}
                traffic.wait_for_more()
                by_hand = "by-hand:" + base64.b64encode(secrets.token_bytes(32)).decode()
                ring.write_text(f"{by_hand}\n{ring.read_text()}")
                traffic.wait_for_more()
                asyncio.run(rotate(settings, drop=True))
                assert ring.read_text() == f"{by_hand}\n"
                assert find_names(url) == {"by-hand"}
                traffic.wait_for_more()
        with gateway(tmp_path, url, stage.crm, **keys) as restarted:
            again = [restarted.sync(one)["status"] for one in traffic.integrations]
    assert len(set(seen)) == 3
    assert (set(traffic.runs), traffic.errors, set(again)) == ({"SUCCEEDED"}, [], {"SUCCEEDED"})
    for account in (1, 2):
        assert stage.crm.requests(account)["oauth"]["refreshes"] > 3
        assert stage.crm.requests(account)["oauth"]["refused"] == 0
    logs = [path.read_text() for path in tmp_path.glob("*.log")]
    assert [line for log in logs for line in log.splitlines() if '"level": "error"' in line] == []
