"""`rotate-keys`: everything is sealed with another key, whatever else happens; and what is said where a key is lost."""

import asyncio
import base64
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.process import open_process
from gateway.rotation import forget, rotate
from gateway.settings import Settings
from gateway.trouble import StartError
from storage import consents, rotation, workspaces
from storage.database import Database
from storage.errors import BadKeys, UnknownKey
from storage.identifiers import uuid7
from storage.secrets import Keyring
from storage.shapes import CredentialKind, IntegrationStatus
from storage.tables import Integration, Workspace
from tests.house.sources import ROOT
from tests.nursery import NURSERY, Process

OLD, NEW, OTHER = (f"{name}:{base64.b64encode(name.encode() * 32).decode()}" for name in "ano")
SECRET = b'{"token": "open sesame"}'
UNUSED = "Nothing needs key a any more, except backups made before now"
ACTIVE = (IntegrationStatus.ACTIVE.value, None)


@dataclass
class Place:
    """A database with credentials in it, and a file of keys."""

    database: Database
    url: str
    path: Path
    integrations: list[tuple[UUID, UUID]] = field(default_factory=list)
    """(workspace, id)"""

    @property
    def settings(self) -> Settings:
        return self.use(f"file:{self.path}")

    def use(self, keys: str | None) -> Settings:
        return Settings.load(database_url=self.url, crosswalk_data=self.path.parent, crosswalk_keys=keys)

    def write(self, *keys: str) -> Keyring:
        """These keys are in the file, for a process that starts now."""
        self.path.write_text("\n".join(keys))
        return Keyring.load(f"file:{self.path}", self.path.parent)

    @property
    def names(self) -> list[str]:
        """Ids of the keys in the file."""
        return re.findall(r"^(\S+?):", self.path.read_text(), re.MULTILINE)

    async def add(self, ring: Keyring, count: int = 1) -> None:
        """A workspace with so many integrations."""
        workspace = uuid7()
        async with self.database.session(workspace) as session:
            await workspaces.add(session, Workspace(id=workspace, name="Acme"), workspace.bytes)
        for _ in range(count):
            await self.connect(ring, workspace)

    async def connect(
        self, ring: Keyring, workspace: UUID, halt: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """As resolvers do it; the transaction may halt at its end."""
        integration = uuid7()
        async with self.database.session(workspace) as session:
            await rotation.hold_keys(self.database, session)
            sealed = ring.seal(SECRET, workspace=workspace, integration=integration)
            made = Integration(
                id=integration,
                workspace_id=workspace,
                crm="PIPEDRIVE",
                display_name="Acme",
                status=IntegrationStatus.ACTIVE.value,
                credential_kind=CredentialKind.API_TOKEN.value,
                credentials=sealed,
            )
            session.add(made)
            await session.flush()
            self.integrations.append((workspace, integration))
            if halt:
                await halt()

    async def read(self) -> list[Integration]:
        """All rows, in their order."""
        found = []
        for workspace, integration in self.integrations:
            async with self.database.session(workspace) as session:
                row = await session.get(Integration, integration)
                assert row
                found.append(row)
        return found

    async def sealed_with(self) -> list[str]:
        """Ids of the keys, by what stands in front of each value."""
        return [row.credentials[1 : 1 + row.credentials[0]].decode() for row in await self.read() if row.credentials]

    async def opened(self) -> set[bytes]:
        """What is sealed, as a process opens it that starts now."""
        ring = Keyring.load(f"file:{self.path}", self.path.parent)
        return {ring.open(r.credentials or b"", workspace=r.workspace_id, integration=r.id) for r in await self.read()}

    async def break_one(self) -> UUID:
        """A byte of one value is another one from now on."""
        workspace, integration = self.integrations[0]
        change = "UPDATE integration SET credentials = set_byte(credentials, 20, 255 - get_byte(credentials, 20))"
        async with self.database.session(workspace) as session:
            await self.database.run(session, f"{change} WHERE id = %(id)s", {"id": integration})
        return integration

    def command(self, *arguments: str) -> Process:
        """`crosswalk …`, in a process of its own; what it says is in `out` and `errors`."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": self.url}
        env["CROSSWALK_KEYS"] = f"file:{self.path}"
        here = self.path.parent
        with (here / "out").open("wb") as out, (here / "errors").open("wb") as errors:
            return NURSERY.start([sys.executable, "-m", "gateway", *arguments], env, out, errors, here)

    async def waits(self) -> None:
        """Until somebody has to wait for what somebody else does."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as admin:
            query = (
                "select 1 from pg_locks join pg_database d on d.oid = database"
                " where not granted and locktype = 'advisory' and datname = current_database()"
            )
            async with asyncio.timeout(20):
                while not await (await admin.execute(query)).fetchone():  # noqa: ASYNC110 # it is another process that waits
                    await asyncio.sleep(0.01)


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    database = Database(database_url)
    async with open_process(Settings.load(database_url=database_url, crosswalk_data=tmp_path), works=False):
        pass  # as a start leaves it
    await database.open()
    yield Place(database, database_url, tmp_path / "ring")
    await database.close()


Say = Callable[[], str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """What the command has said since the last time."""
    return lambda: capsys.readouterr().out


# ---------------------------------------------------------------- what it does


async def test_where_there_is_one_key_it_makes_another_and_seals_all_with_it(place: Place, say: Say) -> None:
    ring = place.write(OLD)
    for _ in range(3):
        await place.add(ring, 2)
    before = await place.read()

    await rotate(place.settings)

    new, old = place.names
    assert (old, len(new)) == ("a", len("20261121-090000"))
    assert await place.sealed_with() == [new] * 6
    assert await place.opened() == {SECRET}
    assert [row.updated_at for row in await place.read()] == [row.updated_at for row in before]
    assert say().splitlines() == [
        f"Made key {new}, now the first one in {place.path}.",
        f"Sealed anew with key {new}: the credentials of 6 integrations.",
        f"{UNUSED}: `crosswalk rotate-keys --drop` takes it out of {place.path}.",
    ]


async def test_where_there_are_several_it_takes_the_first_one(place: Place, say: Say) -> None:
    await place.add(place.write(OLD), 2)
    place.write("# by hand", NEW, OLD)

    await rotate(place.settings)

    assert await place.sealed_with() == ["n", "n"]
    assert place.path.read_text() == f"# by hand\n{NEW}\n{OLD}"
    assert say().startswith("Sealed anew with key n: the credentials of 2 integrations.\nNothing needs key a any more")

    await rotate(place.settings)

    assert say().startswith("Sealed anew with key n: the credentials of 0 integrations.\nNothing needs key a any more")


async def test_keys_that_nothing_needs_are_dropped(place: Place, say: Say) -> None:
    await place.add(place.write(OLD))
    place.write(NEW, OLD, f"{OTHER}  # of last year")

    await rotate(place.settings, drop=True)

    assert place.path.read_text() == f"{NEW}\n"
    assert await place.opened() == {SECRET}
    assert f"Nothing needs keys a, o any more, except backups made before now: taken out of {place.path}.\n" in say()


async def test_a_new_key_where_there_are_several(place: Place) -> None:
    await place.add(place.write(OLD, OTHER))

    await rotate(place.settings, new=True)

    assert place.names[1:] == ["a", "o"]
    assert await place.sealed_with() == [place.names[0]]


async def test_keys_in_the_variable_itself(place: Place, say: Say) -> None:
    await place.add(place.write(OLD), 2)

    with pytest.raises(StartError, match=r"put a new one in front of them wherever it is set .* then run this again$"):
        await rotate(place.use(OLD))
    await rotate(place.use(f"{NEW},{OLD}"), drop=True)

    assert await place.sealed_with() == ["n", "n"]
    assert say().endswith(
        "Nothing needs key a any more, except backups made before now: take it out of CROSSWALK_KEYS.\n"
    )


async def test_the_key_that_was_generated(place: Place) -> None:
    generated = place.path.with_name("keys")
    [first] = Keyring.load(None, place.path.parent).names
    await place.add(Keyring.load(None, place.path.parent))

    await rotate(place.use(None), drop=True)

    [second] = Keyring.load(None, place.path.parent).names
    assert second != first
    assert generated.stat().st_mode & 0o777 == 0o600
    assert await place.sealed_with() == [second]


# ---------------------------------------------------------------- what happens meanwhile


async def test_who_seals_with_the_old_key_just_now_is_waited_for(place: Place) -> None:
    ring = place.write(OLD)
    await place.add(ring)
    sealed, rotates = asyncio.Event(), asyncio.Event()

    async def halt() -> None:
        sealed.set()
        await rotates.wait()

    connecting = asyncio.create_task(place.connect(ring, place.integrations[0][0], halt))
    await sealed.wait()
    rotating = asyncio.create_task(rotate(place.settings, drop=True))
    await place.waits()
    rotates.set()
    await asyncio.gather(connecting, rotating)

    assert await place.sealed_with() == place.names * 2
    assert "a" not in place.names


async def test_a_token_that_is_renewed_just_now_is_kept(place: Place) -> None:
    ring = place.write(OLD)
    await place.add(ring)
    [row] = await place.read()
    async with place.database.session(row.workspace_id) as session:
        await consents.lock_credential(place.database, session, row.id)
        rotating = asyncio.create_task(rotate(place.settings, drop=True))
        await place.waits()
        await rotation.hold_keys(place.database, session)
        renewed = ring.seal(b"renewed", workspace=row.workspace_id, integration=row.id)
        assert await consents.store(place.database, session, row, renewed, None)
    await rotating

    assert await place.opened() == {b"renewed"}
    assert await place.sealed_with() == place.names


async def test_two_at_once_make_one_key(place: Place) -> None:
    await place.add(place.write(OLD), 3)

    await asyncio.gather(rotate(place.settings), rotate(place.settings))

    assert len(place.names) == 2
    assert await place.sealed_with() == place.names[:1] * 3


async def test_killed_in_the_middle_it_goes_on(place: Place) -> None:
    await place.add(place.write(OLD), 2)
    workspace, second = sorted(place.integrations)[1]
    async with place.database.session(workspace) as session:
        await consents.lock_credential(place.database, session, second)
        killed = place.command("rotate-keys", "--drop")
        await place.waits()
        killed.kill()
        await asyncio.to_thread(killed.wait, 60)
    new, old = place.names
    assert sorted(await place.sealed_with()) == sorted([new, old])

    again = place.command("rotate-keys", "--drop")
    code = await asyncio.to_thread(again.wait, 60)

    out, errors = ((place.path.parent / name).read_text() for name in ("out", "errors"))
    assert (code, errors) == (0, "")
    assert out.startswith(f"Sealed anew with key {new}: the credentials of 1 integration.\n")
    assert place.names == [new]
    assert await place.sealed_with() == [new, new]
    assert await place.opened() == {SECRET}


# ---------------------------------------------------------------- a key that is lost


async def start(settings: Settings) -> None:
    async with open_process(settings, works=False):
        pass


async def test_a_start_without_a_key_that_is_needed_is_refused(place: Place, say: Say) -> None:
    await place.add(place.write(OLD), 2)
    await place.add(place.write(OLD))
    await place.add(place.write(OTHER))
    place.write(NEW)

    with pytest.raises(UnknownKey) as caught:
        await start(place.settings)

    assert str(caught.value) == (
        f"{place.path} lacks keys that stored credentials are sealed with (a: 3 integrations, o: 1 integration): "
        "put back those that were there, or run `crosswalk rotate-keys --forget a --forget o` and connect the accounts anew"
    )
    with pytest.raises(UnknownKey, match="lacks keys"):
        await rotate(place.settings)
    assert place.path.read_text() == NEW
    place.write(NEW, OLD, OTHER)
    await start(place.settings)


async def test_another_key_under_the_id_of_the_old_one(place: Place) -> None:
    await place.add(place.write(OLD), 2)
    place.write("a:" + NEW.partition(":")[2])

    with pytest.raises(UnknownKey, match=r"lacks keys that .* \(a: 2 integrations\)"):
        await start(place.settings)


async def test_a_generated_key_that_is_lost(place: Place) -> None:
    await place.add(Keyring.load(None, place.path.parent))
    place.path.with_name("keys").unlink()

    with pytest.raises(UnknownKey, match=r"/keys lacks keys that .* \(\d{8}-\d{6}(\.2)?: 1 integration\)"):
        await start(place.use(None))


async def test_going_on_without_a_lost_key(place: Place, say: Say) -> None:
    await place.add(place.write(OLD), 2)
    await place.add(place.write(NEW))

    await forget(place.settings, ["a"])

    await start(place.settings)
    assert say() == "Without credentials now: 2 integrations. Connect the accounts again.\n"
    lost = ("ERROR", "The key that its credentials were sealed with is lost: connect it again.")
    assert [(row.status, row.last_error) for row in await place.read()] == [lost, lost, ACTIVE]
    assert [row.credentials is None for row in await place.read()] == [True, True, False]
    told = "Acme has to be connected again: The key that its credentials were sealed with is lost."
    workspace = place.integrations[0][0]
    sql = "SELECT code, message FROM notification WHERE workspace_id = %(workspace)s"
    rows = await place.database.fetch(workspace, sql, {"workspace": workspace})
    assert rows == [{"code": "CONSENT_NEEDED", "message": told}] * 2


async def test_nothing_is_forgotten_that_can_be_opened(place: Place) -> None:
    await place.add(place.write(OLD))

    with pytest.raises(StartError, match="no credentials are lost with key a: all that it has sealed can be opened"):
        await forget(place.settings, ["a"])

    assert await place.opened() == {SECRET}


async def test_one_value_that_was_damaged_stops_neither_a_start_nor_the_others(place: Place) -> None:
    await place.add(place.write(OLD), 3)
    damaged = await place.break_one()
    place.write(NEW, OLD)

    await start(place.settings)
    with pytest.raises(StartError, match=f"they do not open: {damaged}: connect these accounts again"):
        await rotate(place.settings, drop=True)

    assert await place.sealed_with() == ["a", "n", "n"]
    assert place.names == ["n", "a"]


async def test_what_is_no_sealed_value_needs_no_key(place: Place) -> None:
    await place.add(place.write(OLD), 3)
    for (workspace, integration), bad in zip(place.integrations, (b"", b"\x01", b"\xffgarbage"), strict=True):
        async with place.database.session(workspace) as session:
            values = {"id": integration, "bad": bad}
            await place.database.run(session, "UPDATE integration SET credentials = %(bad)s WHERE id = %(id)s", values)

    await start(place.settings)

    assert await rotation.count_uses(place.database) == {}


# ---------------------------------------------------------------- who asks the database


async def test_keys_are_counted_over_all_workspaces_and_nothing_else_is_seen(place: Place) -> None:
    ring = place.write(OLD)
    await place.add(ring, 2)
    await place.add(ring)

    async with place.database.session(place.integrations[0][0]) as session:
        counted = await place.database.run(
            session, "SELECT sum(integrations) AS found FROM crosswalk_keys_in_use()", {}
        )
        seen = await place.database.run(session, "SELECT count(*) AS found FROM integration", {})
    async with place.database.system() as session:
        await place.database.run(session, "SELECT FROM crosswalk_keys_in_use()", {})
        unseen = await place.database.run(session, "SELECT count(*) AS found FROM integration", {})

    assert [one["found"] for one in (*counted, *seen, *unseen)] == [3, 2, 0]


async def test_an_owner_under_row_level_security_counts_them_too(place: Place) -> None:
    await place.add(place.write(OLD), 2)
    name = psycopg.conninfo.conninfo_to_dict(place.url)["dbname"]
    owner = f"owner_{name}"
    tables = "integration, workspace_key"
    with psycopg.connect(place.url, autocommit=True) as admin:
        admin.execute(f"create role {owner} login nosuperuser".encode())
        try:
            for table in tables.split(", "):
                admin.execute(f"alter table {table} owner to {owner}".encode())
            with psycopg.connect(place.url.replace("postgres@", f"{owner}@")) as connection:
                counted = connection.execute("select key_id, integrations from crosswalk_keys_in_use()").fetchall()
                seen = connection.execute("select count(*) from integration").fetchall()
        finally:
            admin.execute(f"reassign owned by {owner} to postgres".encode())
            admin.execute(f"drop owned by {owner}".encode())
            admin.execute(f"drop role {owner}".encode())

    assert (counted, seen) == ([("a", 2)], [(0,)])


def test_its_help_shows_an_example() -> None:
    shown = CliRunner().invoke(app, ["rotate-keys", "--help"])

    assert shown.exit_code == 0
    assert "Example: crosswalk rotate-keys --drop" in shown.stdout


async def test_keys_that_cannot_be_read(place: Place) -> None:
    place.path.mkdir()
    for work in (rotate(place.settings), forget(place.settings, ["a"]), start(place.settings)):
        with pytest.raises(
            BadKeys, match=r"^cannot read the keys in \S+/ring \(Is a directory\): correct CROSSWALK_KEYS$"
        ):
            await work
