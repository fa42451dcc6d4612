"""Scopes of OAuth tokens: what there is, what it means in words, and what a consent grants of what an app asks for."""

from collections.abc import Mapping

from sandbox.authorize import Form, ScopeError

ALWAYS = "oauth"  # in every grant, asked for or not
RIGHTS = {"read": "read", "write": "create and change"}
ACTIVITIES = ("calls", "emails", "meetings", "notes", "tasks")
TYPES = ("contacts", "companies", "deals")

# Every scope, in words.
SCOPES = {
    ALWAYS: "see which account it is, and who you are",
    **{
        f"crm.objects.{name}.{right}": f"{words} {name}"
        for name in (*TYPES, *ACTIVITIES)
        for right, words in RIGHTS.items()
    },
    "crm.objects.owners.read": "see the users who own records",
    **{
        f"crm.schemas.{name}.{right}": f"{words} the properties of {name}"
        for name in TYPES
        for right, words in RIGHTS.items()
    },
    "sales-email-read": "read the text of one-to-one emails",
}


def find_rights(asked: Form) -> Mapping[str, str]:
    """What is asked for in `scope`, which must exist, and in `optional_scope`, of which what does not exist is left out."""
    required, optional = (asked.get(name, "").split() for name in ("scope", "optional_scope"))
    if not required:
        raise ScopeError("The app that sent you here did not say which scopes it needs.")
    if unknown := [scope for scope in required if scope not in SCOPES]:
        raise ScopeError(f"The app that sent you here asks for scopes that do not exist: {', '.join(unknown)}.")
    return {scope: SCOPES[scope] for scope in (ALWAYS, *required, *optional) if scope in SCOPES}
