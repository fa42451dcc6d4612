"""Acme, a CRM that there is not: all that Crosswalk has to be told of one that has people alone."""

from collections.abc import Sequence
from typing import Any

from connectors.custom import name_fields
from connectors.declaration import Connector, ExternalType, Limit, Remedy
from connectors.errors import Missing, Reauthorize, Rejected, Retryable, Unsupported
from connectors.facts import Catalog, Field, Identity, Payload, User
from connectors.reading import Listing, Lookup, Paging, Source
from connectors.values import read_entries, read_phones
from storage.shapes import BudgetWindow, CredentialKind, RecordType


def read_emails(payload: Payload, _: Catalog) -> list[dict[str, Any]]:
    """The only address."""
    return read_entries(payload.get("mail"))


def read_numbers(payload: Payload, catalog: Catalog) -> list[dict[str, Any]]:
    """The only number."""
    return read_phones(payload.get("phone"), catalog.region)


def read_custom(payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """The custom fields by name."""
    named = name_fields(catalog.fields["People"])
    return {named[key]: value for key, value in payload.items() if key in named and value is not None}


def read_identity(rows: Sequence[Payload]) -> Identity:
    """`/me`: the account."""
    [account] = rows
    return Identity(account_id=str(account["number"]), account_name=account["name"], account_url="https://acme.example")


def read_users(rows: Sequence[Payload]) -> tuple[User, ...]:
    """`/users`."""
    return tuple(User(external_id=row["id"], name=row["name"], email=row["mail"]) for row in rows)


def read_fields(rows: Sequence[Payload]) -> tuple[Field, ...]:
    """`/people/fields`."""
    return tuple(
        Field(
            external_type="People",
            name=row["key"],
            label=row["label"],
            type=row["type"],
            is_custom=row["custom"],
        )
        for row in rows
    )


PEOPLE = ExternalType(
    name="People",
    record_type=RecordType.CONTACT,
    label="Person",
    is_writable=False,
    identifier="key",
    listings=(Listing(path="/people", paging="pages", cost=1),),
    changes=(Listing(path="/people", paging="pages", cost=1, since="changed_since"),),
    lookups=(Lookup(path="/people/{id}", paging="one", cost=1),),
    proof=Lookup(path="/people/{id}", paging="one", cost=1),
    mapping={
        "name": "name",
        "job_title": "work.title",
        "emails": read_emails,
        "phones": read_numbers,
        "owner_external_id": "owner",
        "custom_fields": read_custom,
    },
    references={},
    created="born",
    updated="changed",
    deleted="gone",
    page="{account}/people/{id}",
)

CONNECTOR = Connector(
    name="ACME",
    label="Acme",
    credential_kinds=(CredentialKind.API_TOKEN,),
    auth={CredentialKind.API_TOKEN: ("x-acme-key", "{token}")},
    scopes=(),
    settings=(),
    setup_url="https://acme.example/keys",
    docs="docs/acme.md",
    default_api_url="https://api.acme.example",
    request_id="x-acme-request",
    codes=("code",),
    paging={
        "pages": Paging(items="rows", next=("next",), param="page"),
        "one": Paging(items=""),
    },
    limits=(Limit(window=BudgetWindow.BURST, seconds=1, limit=100, rolling=True),),
    rates=(),
    errors=(
        Remedy(status=(401, 401), error=Reauthorize, message="{crm} refuses the token"),
        Remedy(status=(403, 403), error=Unsupported, message="{crm} does not allow that"),
        Remedy(status=(404, 404), error=Missing, message="{crm} has no such record"),
        Remedy(status=(400, 499), error=Rejected, message="{crm} refuses the request"),
        Remedy(status=(500, 599), error=Retryable, message="{crm} has a failure"),
    ),
    identity=Source(listings=(Listing(path="/me", paging="one", cost=1),), read=read_identity),
    users=Source(listings=(Listing(path="/users", paging="pages", cost=1),), read=read_users),
    pipelines=Source(listings=(), read=tuple),
    fields={"People": Source(listings=(Listing(path="/people/fields", paging="pages", cost=1),), read=read_fields)},
    words={},
    types=(PEOPLE,),
)
