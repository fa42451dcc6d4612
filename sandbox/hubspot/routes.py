"""Every endpoint there is: method, path, scopes, handler."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from sandbox.hubspot import associations, batch, lists, merges, properties, records, search, settings
from sandbox.hubspot.call import Handler
from sandbox.hubspot.kinds import ENGAGEMENTS, NAMES

DATED = ("2026-09", "2026-03")
V3, V4 = (*DATED, "v3"), (*DATED, "v4")

Args = Mapping[str, str]


def of_objects(right: str, name: str = "type") -> Callable[[Args], set[str]]:
    """To read or write records of the type in the path; activities go with contacts too."""

    def needs(args: Args) -> set[str]:
        kind = NAMES.get(args[name])
        if kind is None:
            return set()
        own = {f"crm.objects.{kind.plural}.{right}"}
        return own | {f"crm.objects.contacts.{right}"} if kind.plural in ENGAGEMENTS else own

    return needs


def of_schemas(right: str) -> Callable[[Args], set[str]]:
    """To read or write what is said of the records' type; who may read the records may read that."""

    def needs(args: Args) -> set[str]:
        kind = NAMES.get(args["type"])
        if kind is None:
            return set()
        area = "contacts" if kind.plural in ENGAGEMENTS else kind.plural
        schemas = {f"crm.schemas.{area}.{right}"}
        return schemas | of_objects("read")(args) if right == "read" else schemas

    return needs


def of_owners(_: Args) -> set[str]:
    return {"crm.objects.owners.read"}


def of_anyone(_: Args) -> set[str]:
    return set()


@dataclass(frozen=True)
class Endpoint:
    """Of `needs` a token needs one scope; without a handler the path exists, the method does not."""

    method: str
    template: str
    versions: tuple[str, ...]
    needs: Callable[[Args], set[str]]
    handler: Handler | None
    search: bool = False
    creates: bool = False


OBJECTS = "/crm/objects/{V}/{type}"
LINKED = "/crm/objects/{V}/{from}/{id}/associations"
PAIRS = "/crm/associations/{V}/{from}/{to}"
PROPERTIES = "/crm/properties/{V}/{type}"
PIPELINES = "/crm/pipelines/{V}/{type}"
READ, WRITE = of_objects("read"), of_objects("write")
READ_FROM, WRITE_FROM = of_objects("read", "from"), of_objects("write", "from")
READ_SCHEMAS, WRITE_SCHEMAS = of_schemas("read"), of_schemas("write")

ENDPOINTS = (
    Endpoint("GET", "/account-info/{V}/details", V3, of_anyone, settings.show_details),
    Endpoint("GET", OBJECTS, V3, READ, lists.list_records),
    Endpoint("POST", OBJECTS, V3, WRITE, records.create_record, creates=True),
    Endpoint("POST", f"{OBJECTS}/search", V3, READ, search.search_records, search=True),
    Endpoint("POST", f"{OBJECTS}/merge", V3, WRITE, merges.merge_records),
    Endpoint("POST", f"{OBJECTS}/gdpr-delete", V3, WRITE, records.delete_for_good),
    Endpoint("POST", f"{OBJECTS}/batch/read", V3, READ, batch.read_batch),
    Endpoint("POST", f"{OBJECTS}/batch/create", V3, WRITE, batch.create_batch, creates=True),
    Endpoint("POST", f"{OBJECTS}/batch/update", V3, WRITE, batch.update_batch),
    Endpoint("POST", f"{OBJECTS}/batch/upsert", V3, WRITE, batch.upsert_batch, creates=True),
    Endpoint("POST", f"{OBJECTS}/batch/archive", V3, WRITE, batch.archive_batch),
    Endpoint("GET", f"{OBJECTS}/{{id}}", V3, READ, lists.show_record),
    Endpoint("PATCH", f"{OBJECTS}/{{id}}", V3, WRITE, records.update_record),
    Endpoint("DELETE", f"{OBJECTS}/{{id}}", V3, WRITE, records.archive_record),
    Endpoint("GET", f"{LINKED}/{{to}}", (*V3, "v4"), READ_FROM, associations.list_ends),
    Endpoint("PUT", f"{LINKED}/default/{{to}}/{{toId}}", V4, WRITE_FROM, associations.associate_one),
    Endpoint("PUT", f"{LINKED}/{{to}}/{{toId}}", V4, WRITE_FROM, associations.label_one),
    Endpoint("DELETE", f"{LINKED}/{{to}}/{{toId}}", V4, WRITE_FROM, associations.archive_one),
    Endpoint("POST", f"{PAIRS}/batch/read", V4, READ_FROM, associations.read_batch),
    Endpoint("POST", f"{PAIRS}/batch/create", V4, WRITE_FROM, associations.create_batch, creates=True),
    Endpoint("POST", f"{PAIRS}/batch/archive", V4, WRITE_FROM, associations.archive_batch),
    Endpoint("POST", f"{PAIRS}/batch/labels/archive", V4, WRITE_FROM, associations.archive_labels),
    Endpoint("POST", f"{PAIRS}/batch/associate/default", V4, WRITE_FROM, associations.associate_batch),
    Endpoint("GET", f"{PAIRS}/labels", V4, READ_FROM, associations.list_labels),
    Endpoint("GET", "/crm/owners/{V}", V3, of_owners, settings.list_owners),
    Endpoint("GET", "/crm/owners/{V}/{id}", V3, of_owners, settings.show_owner),
    Endpoint("GET", PROPERTIES, V3, READ_SCHEMAS, properties.list_properties),
    Endpoint("POST", PROPERTIES, V3, WRITE_SCHEMAS, properties.create_property, creates=True),
    Endpoint("POST", f"{PROPERTIES}/batch/create", V3, WRITE_SCHEMAS, properties.create_batch, creates=True),
    Endpoint("GET", f"{PROPERTIES}/{{name}}", V3, READ_SCHEMAS, properties.show_property),
    Endpoint("PATCH", f"{PROPERTIES}/{{name}}", V3, WRITE_SCHEMAS, properties.change_property),
    Endpoint("DELETE", f"{PROPERTIES}/{{name}}", V3, WRITE_SCHEMAS, properties.archive_property),
    Endpoint("GET", PIPELINES, V3, READ_SCHEMAS, settings.list_pipelines),
    Endpoint("GET", f"{PIPELINES}/{{id}}", V3, READ_SCHEMAS, settings.show_pipeline),
    Endpoint("GET", f"{PIPELINES}/{{id}}/stages", V3, READ_SCHEMAS, settings.list_stages),
    Endpoint("GET", f"{PIPELINES}/{{id}}/stages/{{stage}}", V3, READ_SCHEMAS, settings.show_stage),
)

NUMBERED = re.compile(r"/crm/(v\d+)/(\w+)")
KEPT = ("V", "type", "from", "to")  # variables of a path that the log shows as they are


@cache
def patterns() -> tuple[tuple[re.Pattern[str], tuple[Endpoint, ...]], ...]:
    """By path, those with the fewest variables first, so that `search` is no record's id."""
    paths: dict[str, list[Endpoint]] = {}
    for endpoint in sorted(ENDPOINTS, key=lambda each: each.template.count("{")):
        paths.setdefault(endpoint.template, []).append(endpoint)
    return tuple((compile_template(path), tuple(found)) for path, found in paths.items())


def compile_template(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1_>[^/]+)", template))


def canonical(path: str) -> str:
    """The numbered paths as the dated ones: `/crm/v3/objects/contacts` is `/crm/objects/v3/contacts`, which is none.

    A slash at the end changes nothing: the vendor's own client asks for `/crm/v3/owners/`.
    """
    path = path.rstrip("/")
    swapped = NUMBERED.sub(r"/crm/\2/\1", path, count=1)
    return "" if swapped == path and re.match(r"/crm/\w+/v\d", path) else swapped


def find_endpoint(method: str, path: str) -> tuple[Endpoint | None, dict[str, str]]:
    """Where only the method is wrong, an endpoint without a handler."""
    for pattern, endpoints in patterns():
        match = pattern.fullmatch(canonical(path))
        if match is None:
            continue
        args = {name.removesuffix("_"): value for name, value in match.groupdict().items()}
        known = [each for each in endpoints if args["V"] in each.versions]
        found = next((each for each in known if each.method == method), None)
        if known:
            return found or replace(known[0], method=method, handler=None), args
    return None, {}


def write_template(endpoint: Endpoint, args: Args) -> str:
    """The path as it was called, its ids left out."""
    path = endpoint.template
    for name in KEPT:
        path = path.replace(f"{{{name}}}", args.get(name, ""))
    return re.sub(r"/crm/(\w+)/(v\d+)", r"/crm/\2/\1", path)
