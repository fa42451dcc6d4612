"""Users, types, currencies and the other things a company sets up: API v1, unpaged."""

from sandbox.pipedrive.answers import Answer, VendorError, fail, succeed
from sandbox.pipedrive.call import Call, Handler
from sandbox.pipedrive.company import LEAD_SOURCES, describe_company


def list_users(call: Call) -> Answer:
    return succeed(call.company.users)


def show_me(call: Call) -> Answer:
    return succeed(call.company.me() | describe_company(call.company.profile))


def show_user(call: Call) -> Answer:
    user = call.company.user(call.number())
    if user is None:
        raise VendorError(404, {"success": False, "error": "User not found or not accessible."})
    return succeed(user)


def find_users(call: Call) -> Answer:
    """By name, or by e-mail where `search_by_email=1`."""
    term = call.query.get("term", "").casefold()
    if not term:
        raise fail(400, "term is required")
    field = "email" if call.flag("search_by_email") else "name"
    return succeed([user for user in call.company.users if term in user[field].casefold()])


def list_activity_types(call: Call) -> Answer:
    return succeed(call.company.activity_types)


def list_currencies(call: Call) -> Answer:
    term = call.query.get("term", "").casefold()
    found = [
        each for each in call.company.currencies if term in each["code"].casefold() or term in each["name"].lower()
    ]
    return succeed(found)


def list_lead_sources(_: Call) -> Answer:
    return succeed([{"name": name} for name in LEAD_SOURCES])


def list_nothing(_: Call) -> Answer:
    """A list that exists, in companies that have made no use of it."""
    return succeed([], additional_data={"next_cursor": None})


def refuse_gone(name: str) -> Handler:
    """v1 endpoints out of support since 2026-08-01."""

    def handle(_: Call) -> Answer:
        raise fail(410, f"This endpoint is no longer supported, use /api/v2/{name}")

    return handle
