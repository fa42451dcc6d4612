"""Scopes of OAuth tokens: what there is, what it means in words, what a consent grants, what an endpoint needs."""

from typing import NamedTuple

Areas = tuple[str, ...]

# The areas that cover an endpoint: each with `:read` or `:full`, or by itself.
BASE: Areas = ("base",)
ADMIN: Areas = ("admin",)
CONTACTS: Areas = ("contacts",)
DEALS: Areas = ("deals",)
ACTIVITIES: Areas = ("activities",)
LEADS: Areas = ("leads",)
PRODUCTS: Areas = ("products",)
PROJECTS: Areas = ("projects",)
SEARCH: Areas = ("search",)
RECENTS: Areas = ("recents",)
USERS: Areas = ("users", *ADMIN)
WEBHOOKS: Areas = ("webhooks", *ADMIN)
PIPELINES: Areas = (*DEALS, *ADMIN)
ACTIVITY_TYPES: Areas = (*ACTIVITIES, *ADMIN)


class FieldAreas(NamedTuple):
    """Who may read the fields of a type in v2 and in v1, change them, and add options to them."""

    read: Areas
    read_v1: Areas
    change: Areas
    extend: Areas


OF_CONTACTS = FieldAreas(
    ("contacts", "admin"), ("contacts", "admin"), ("contact-fields", "admin"), ("contacts", "contact-fields", "admin")
)
FIELDS = {
    "Person": OF_CONTACTS,
    "Organization": OF_CONTACTS,
    "Deal": FieldAreas(("deals", "admin"), ("deals", "admin"), ("deal-fields", "admin"), ("deal-fields", "admin")),
    "Activity": FieldAreas(ADMIN, ("activities", "admin"), ADMIN, ADMIN),
}

# What a consent grants, in words.
CONSENTED = {
    "base": "see who you are and which company you work in",
    "contacts:full": "read and change people, organizations and notes",
    "deals:full": "read and change deals, and read pipelines and stages",
    "activities:full": "read and change activities",
    "leads:full": "read and change leads and their labels",
    "users:read": "see the users of the company",
    "search:read": "search all records",
    "recents:read": "see what has changed recently",
    "webhooks:full": "be told of changes as they happen",
    "contact-fields:full": "create and change the fields of people and organizations",
}


def sufficient(areas: Areas, method: str) -> set[str]:
    """The scopes of which one is enough: reading is part of `:full`."""
    rights = ("read", "full") if method == "GET" else ("full",)
    return {area if area in BASE + ADMIN else f"{area}:{right}" for area in areas for right in rights}
