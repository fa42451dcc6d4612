"""Those who may come in: members, API keys."""

from datetime import datetime

import strawberry

from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import shown
from schema.paging import Row
from storage.shapes import Role


@strawberry.type(description="A person who works in the workspace.")
class Member(Row):
    email: str = shown("The e-mail address, by which the person signs in.")
    name: str | None = shown("The person's name.")
    role: Role = shown("What the person may do.")
    invited_at: datetime | None = shown("When the person was invited.")
    joined_at: datetime | None = shown("When the person came in for the first time.")


@strawberry.type(description="A key that a program calls with. Its secret was shown once, when it was made.")
class ApiKey(Row):
    name: str = shown("What people call it.")
    role: Role = shown("What it may do.")
    prefix: str = shown("How its secret begins.")
    created_at: datetime = shown("When it was made.")
    expires_at: datetime | None = shown("When it ends; null for never.")
    last_used_at: datetime | None = shown("When it was last used, to a minute.")
    revoked_at: datetime | None = shown("When it was revoked.")
