"""Finding a record by a property whose values are unique."""

from bisect import bisect_left

from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import invalid
from sandbox.hubspot.kinds import Kind
from sandbox.table import Row


def find_unique(portal: Portal, kind: Kind, name: str, value: str) -> Row | None:
    """An address is found among the additional ones too. Raises VendorError for a property that is not unique."""
    declared = portal.properties[kind.plural].get(name)
    if declared is None or not declared["hasUniqueValue"]:
        raise invalid(f"Property {name} is not a unique property of {kind.plural}")
    table = portal.tables[kind.plural]
    if name == "email":
        return find_email(portal, value.lower())
    order = table.order(name)
    place = bisect_left(order, (value,))
    found = order[place] if place < len(order) else None
    return table.get(found[1]) if found and value and found[0] == value else None


def find_email(portal: Portal, email: str) -> Row | None:
    """The contact whose address this is, in lower case."""
    table = portal.tables["contacts"]
    for spelling in (email, email.upper()):  # as people of old typed it in
        order = table.order("email")
        place = bisect_left(order, (spelling,))
        if email and place < len(order) and order[place][0] == spelling:
            return table.get(order[place][1])
    others = table.order("hs_additional_emails")
    for text, key in others[bisect_left(others, (" ",)) :]:
        if email in text.lower().split(";"):
            return table.get(key)
    return None
