"""Every endpoint there is: method, path, cost in tokens, scopes, handler."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from sandbox.pipedrive import catalog, leads, merges, notes, recents, records, scopes, search, settings
from sandbox.pipedrive.call import Handler
from sandbox.pipedrive.checks import WRITABLE
from sandbox.pipedrive.lists import (
    ACTIVITIES,
    ARCHIVED_DEALS,
    DEALS,
    ORGANIZATIONS,
    PERSONS,
    PIPELINES,
    STAGES,
    list_records,
    show_record,
)


@dataclass(frozen=True)
class Endpoint:
    """Costs are `x-token-cost` of the vendor's OpenAPI; without a handler the path exists, the method does not."""

    method: str
    template: str
    cost: int
    areas: scopes.Areas
    handler: Handler | None
    search: bool = False
    creates: bool = False

    def needs(self) -> set[str]:
        """Those of which a token needs one."""
        return scopes.sufficient(self.areas, self.method)


V1, V2 = "/api/v1", "/api/v2"

LISTS = (
    Endpoint("GET", f"{V2}/persons", 10, scopes.CONTACTS, list_records(PERSONS)),
    Endpoint("GET", f"{V2}/organizations", 10, scopes.CONTACTS, list_records(ORGANIZATIONS)),
    Endpoint("GET", f"{V2}/deals", 10, scopes.DEALS, list_records(DEALS)),
    Endpoint("GET", f"{V2}/deals/archived", 20, scopes.DEALS, list_records(ARCHIVED_DEALS)),
    Endpoint("GET", f"{V2}/activities", 10, scopes.ACTIVITIES, list_records(ACTIVITIES)),
    Endpoint("GET", f"{V2}/pipelines", 5, scopes.PIPELINES, list_records(PIPELINES)),
    Endpoint("GET", f"{V2}/stages", 5, scopes.PIPELINES, list_records(STAGES)),
    Endpoint("GET", f"{V2}/products", 10, scopes.PRODUCTS, settings.list_nothing),
    Endpoint("GET", f"{V2}/projects", 10, scopes.PROJECTS, settings.list_nothing),
)
SEARCHES = (
    Endpoint("GET", f"{V2}/persons/search", 20, scopes.SEARCH, search.search_records("Person"), search=True),
    Endpoint(
        "GET", f"{V2}/organizations/search", 20, scopes.SEARCH, search.search_records("Organization"), search=True
    ),
    Endpoint("GET", f"{V2}/deals/search", 20, scopes.SEARCH, search.search_records("Deal"), search=True),
    Endpoint("GET", f"{V2}/leads/search", 20, scopes.SEARCH, search.search_records("Lead"), search=True),
    Endpoint("GET", f"{V2}/itemSearch", 20, scopes.SEARCH, search.search_items, search=True),
    Endpoint("GET", f"{V2}/itemSearch/field", 20, scopes.SEARCH, search.search_field, search=True),
)
SINGLES = {
    "persons": ("Person", scopes.CONTACTS),
    "organizations": ("Organization", scopes.CONTACTS),
    "deals": ("Deal", scopes.DEALS),
    "activities": ("Activity", scopes.ACTIVITIES),
    "pipelines": ("Pipeline", scopes.PIPELINES),
    "stages": ("Stage", scopes.PIPELINES),
}
V1_ONLY = (
    Endpoint("GET", f"{V1}/users", 20, scopes.USERS, settings.list_users),
    Endpoint("GET", f"{V1}/users/me", 2, scopes.BASE, settings.show_me),
    Endpoint("GET", f"{V1}/users/find", 40, scopes.USERS, settings.find_users),
    Endpoint("GET", f"{V1}/users/{{id}}", 2, scopes.USERS, settings.show_user),
    Endpoint("GET", f"{V1}/activityTypes", 20, scopes.ACTIVITY_TYPES, settings.list_activity_types),
    Endpoint("GET", f"{V1}/currencies", 20, scopes.BASE, settings.list_currencies),
    Endpoint("GET", f"{V1}/leadSources", 2, scopes.LEADS, settings.list_lead_sources),
    Endpoint("GET", f"{V1}/webhooks", 10, scopes.WEBHOOKS, settings.list_nothing),
    Endpoint("GET", f"{V1}/filters", 20, scopes.CONTACTS, settings.list_nothing),
    Endpoint("GET", f"{V1}/recents", 20, scopes.RECENTS, recents.list_recents),
    Endpoint("GET", f"{V1}/notes", 20, scopes.CONTACTS, notes.list_notes),
    Endpoint("POST", f"{V1}/notes", 10, scopes.CONTACTS, notes.create_note, creates=True),
    Endpoint("GET", f"{V1}/notes/{{id}}", 2, scopes.CONTACTS, notes.show_note),
    Endpoint("PUT", f"{V1}/notes/{{id}}", 10, scopes.CONTACTS, notes.update_note),
    Endpoint("DELETE", f"{V1}/notes/{{id}}", 6, scopes.CONTACTS, notes.delete_note),
    Endpoint("GET", f"{V1}/leads", 20, scopes.LEADS, leads.list_leads(archived=False)),
    Endpoint("GET", f"{V1}/leads/archived", 40, scopes.LEADS, leads.list_leads(archived=True)),
    Endpoint("POST", f"{V1}/leads", 10, scopes.LEADS, leads.create_lead, creates=True),
    Endpoint("GET", f"{V1}/leads/{{id}}", 2, scopes.LEADS, leads.show_lead),
    Endpoint("PATCH", f"{V1}/leads/{{id}}", 10, scopes.LEADS, leads.update_lead),
    Endpoint("DELETE", f"{V1}/leads/{{id}}", 6, scopes.LEADS, leads.delete_lead),
    Endpoint("GET", f"{V1}/leadLabels", 10, scopes.LEADS, leads.list_labels),
    Endpoint("POST", f"{V1}/leadLabels", 10, scopes.LEADS, leads.create_label, creates=True),
    Endpoint("DELETE", f"{V1}/leadLabels/{{id}}", 6, scopes.LEADS, leads.delete_label),
)
GONE = {name: areas for name, (_, areas) in SINGLES.items()} | {"products": scopes.PRODUCTS}


def field_endpoints() -> Iterator[Endpoint]:
    for name, kind in catalog.FIELD_KINDS.items():
        one, areas = f"{V2}/{name}/{{code}}", scopes.FIELDS[kind]
        yield Endpoint("GET", f"{V2}/{name}", 10, areas.read, catalog.list_fields(kind))
        yield Endpoint("GET", one, 1, areas.read, catalog.show_one(kind))
        yield Endpoint("GET", f"{V1}/{name}", 20, areas.read_v1, catalog.list_v1(kind))
        if kind != "Activity":
            yield Endpoint("POST", f"{V2}/{name}", 5, areas.change, catalog.create_field(kind), creates=True)
            yield Endpoint("PATCH", one, 5, areas.change, catalog.rename_field(kind))
            yield Endpoint("DELETE", one, 3, areas.change, catalog.delete_field(kind))
            yield Endpoint("POST", f"{one}/options", 5, areas.extend, catalog.add_options(kind), creates=True)
            yield Endpoint("PUT", f"{V1}/{name}/{{id}}", 10, areas.change, catalog.replace_options(kind))


def record_endpoints() -> Iterator[Endpoint]:
    for name, (kind, areas) in SINGLES.items():
        one = f"{V2}/{name}/{{id}}"
        yield Endpoint("GET", one, 1, areas, show_record(kind))
        if kind in WRITABLE:
            yield Endpoint("POST", f"{V2}/{name}", 5, areas, records.create_record(kind), creates=True)
            yield Endpoint("PATCH", one, 5, areas, records.update_record(kind))
            yield Endpoint("DELETE", one, 3, areas, records.delete_record(kind))
        if kind in merges.REFERRED:
            yield Endpoint("PUT", f"{V1}/{name}/{{id}}/merge", 40, areas, merges.merge_records(kind))


def gone_endpoints() -> Iterator[Endpoint]:
    for name, areas in GONE.items():
        yield Endpoint("GET", f"{V1}/{name}", 20, areas, settings.refuse_gone(name))
        yield Endpoint("GET", f"{V1}/{name}/{{id}}", 2, areas, settings.refuse_gone(name))


ENDPOINTS = (*LISTS, *SEARCHES, *V1_ONLY, *field_endpoints(), *record_endpoints(), *gone_endpoints())


@cache
def patterns() -> tuple[tuple[re.Pattern[str], dict[str, Endpoint]], ...]:
    """By path, those without a variable first, so that `users/me` is no user's id."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in sorted(ENDPOINTS, key=lambda each: each.template.count("{")):
        paths.setdefault(endpoint.template, {})[endpoint.method] = endpoint
    return tuple((re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), found) for path, found in paths.items())


def canonical(path: str) -> str:
    """API v1 answers below `/v1` too."""
    return f"/api{path}" if path.startswith("/v1/") else path


def find_endpoint(method: str, path: str) -> tuple[Endpoint | None, dict[str, str]]:
    """Where only the method is wrong, an endpoint without a handler."""
    for pattern, methods in patterns():
        if match := pattern.fullmatch(path):
            other = next(iter(methods.values()))
            return methods.get(method) or replace(other, method=method, handler=None, cost=0), match.groupdict()
    return None, {}
