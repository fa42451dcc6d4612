"""What the documents say of access, made from the code: `python -m tests.house.access` writes it."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from resolvers.plans import SHIPPED, Offer
from schema.build import schema
from schema.field import Needs
from storage.shapes import Role
from tests.house.sources import ROOT
from tests.house.tables import OTHERS, OWNED, TEXTS

PAGE = ROOT / "docs" / "access.md"

# ---------------------------------------------------------------- who may do what


def list_fields(of: strawberry.Schema) -> Iterator[tuple[str, str, StrawberryField]]:
    """(type, field, its declaration) of everything that can be asked for."""
    for type_ in of._schema.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            declared = field.extensions.get("strawberry-definition")
            if isinstance(declared, StrawberryField):
                yield type_.name, name, declared


def find_role(field: StrawberryField) -> Role:
    """What it really needs, by its guard."""
    return next((each.role for each in field.extensions if isinstance(each, Needs)), Role.VIEWER)


def find_unguarded(of: strawberry.Schema) -> list[str]:
    """Mutations that a VIEWER could do."""
    return [name for type_, name, field in list_fields(of) if type_ == "Mutation" and find_role(field) is Role.VIEWER]


# ---------------------------------------------------------------- the page

INTRODUCTION = """\
# Access

Made from the code: `python -m tests.house.access` writes it.

## Who asks

A caller proves itself by `Authorization: Bearer …`, for queries, mutations and server-sent events alike; over a WebSocket
the same goes into the payload of `connection_init`. A credential that is sent decides alone: a wrong one is refused, and
never taken for anybody else's.

* **API keys** are for programs. `createApiKey`, or `crosswalk keys create --workspace NAME --role ROLE`, shows the key once;
  it begins with `cw_`, and only its hash is kept. A key has a role, may have an end, and can be revoked: from then on it is
  refused, and its open sockets are closed. It outlives the member who made it: revoke it when that person leaves.
* **Sign-ins** are for people. Where `OIDC_ISSUER` and `OIDC_AUDIENCE` are set, a signed token (JWT) of that issuer is taken.
  Its claims name the workspace, by its handle or id, the e-mail address and the role; which claims those are is for
  `OIDC_WORKSPACE_CLAIM`, `OIDC_EMAIL_CLAIM` and `OIDC_ROLE_CLAIM` to say. A member of the workspace, found by the e-mail
  address, has the member's role, whatever the token says; whoever was removed is refused. A token without an address, or
  with one that the issuer says nobody has verified (`email_verified`), is taken for whoever last came with one under the
  same `sub`. A token has to be signed (RS, PS or ES with 256, 384 or 512 bits, EdDSA) and to have `exp`, `sub` and the
  audience; a key that the issuer takes back counts for ten minutes more.
* **The open demo**: while the sandbox is on and the gateway listens on loopback only, whoever sends no credential is the
  admin of the demo workspace.

Everything belongs to one workspace, the caller's. Ids of others behave as ids that do not exist.

"""

ROLES: Final[Mapping[Role, str]] = {
    Role.VIEWER: "reads and watches",
    Role.OPERATOR: "also starts and cancels syncs",
    Role.ADMIN: "also connects CRMs, and decides about integrations, members, API keys and the workspace",
}

TABLES = """\
## Tables

### With workspaces' data

Every row says whose it is, every statement names the workspace, and row-level security, which is forced, stands behind both:
even a statement that forgot its workspace would see no row of another one, and none at all without one.

"""

APART = """\
### The others

Outside of row-level security, since they are needed before a workspace is known, or by all workspaces: ids, hashes,
counters and times.

"""


def render() -> str:
    """The whole page."""
    return "".join([INTRODUCTION, *render_roles(), *render_plans(), *render_tables()])


def render_roles() -> Iterator[str]:
    yield "## Roles\n\n"
    yield from table(("role", "may"), ((f"`{role.value}`", ROLES[role]) for role in Role))
    yield "\n### What needs more than VIEWER\n\n"
    guarded = ((type_, name, find_role(field)) for type_, name, field in list_fields(schema))
    rows = sorted(
        (type_ != "Mutation", type_, name, role.value) for type_, name, role in guarded if role != Role.VIEWER
    )
    yield from table(("field", "role"), ((f"`{type_}.{name}`", f"`{role}`") for _, type_, name, role in rows))


def render_plans() -> Iterator[str]:
    yield (
        "\n## Plans\n\nAs shipped; `PLANS` replaces the table. Connecting beyond it is `PLAN_INSUFFICIENT`."
        " An integration that a smaller plan holds\nis paused: nothing is synced, and its CRM is reached only by what"
        " reads it directly, such as `remoteRecords`.\n\n"
    )
    rows = ((f"`{plan.value}`", *describe_offer(offer)) for plan, offer in SHIPPED.items())
    yield from table(("plan", "CRMs", "integrations"), rows)


def describe_offer(offer: Offer) -> tuple[str, str]:
    crms = "all" if offer.crms is None else ", ".join(offer.crms) or "none"
    return crms, "any number" if offer.integrations is None else str(offer.integrations)


def render_tables() -> Iterator[str]:
    yield f"\n{TABLES}"
    rows = ((name, inspect.cleandoc(model.__doc__ or "")) for name, model in sorted(OWNED.items()))
    yield from table(("table", "what it holds"), ((f"`{name}`", " ".join(text.split())) for name, text in rows))
    yield f"\n{APART}"
    yield from table(
        ("table", "what it holds", "texts in it"),
        (
            (
                f"`{name}`",
                " ".join(text.split()),
                "; ".join(f"`{one}`: {what}" for one, what in TEXTS.get(name, {}).items()),
            )
            for name, text in sorted(OTHERS.items())
        ),
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for cells in rows:
        yield f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render())
