"""What an account has beside records: itself, its owners, its pipelines."""

from sandbox.hubspot.answers import Answer, invalid, missing, succeed
from sandbox.hubspot.call import Call
from sandbox.hubspot.profiles import describe_account
from sandbox.table import Json

OWNERS, MOST_OWNERS = 100, 500


def show_details(call: Call) -> Answer:
    return succeed(describe_account(call.portal.profile))


def list_owners(call: Call) -> Answer:
    """`after` is the id of the first owner of the next page."""
    limit, after, archived = call.limit(OWNERS, MOST_OWNERS), call.after(), call.flag("archived")
    email = call.query.get("email", "").lower()
    found = [
        owner
        for owner in call.portal.owners
        if owner["archived"] == archived
        and int(owner["id"]) >= after
        and (not email or (owner["email"] or "").lower() == email)
    ]
    more = {"paging": call.link(int(found[limit]["id"]))} if len(found) > limit else {}
    return succeed({"results": found[:limit], **more})


def show_owner(call: Call) -> Answer:
    """By `idProperty=id` or `userId`."""
    name, archived = call.query.get("idProperty") or "id", call.flag("archived")
    if name not in {"id", "userId"}:
        raise invalid(f"Unknown idProperty: {name}")
    for owner in call.portal.owners:
        if str(owner.get(name)) == call.args["id"] and owner["archived"] == archived:
            return succeed(owner)
    raise missing(call.args["id"])


def pipelines_of(call: Call) -> list[Json]:
    """Of the types here, deals have pipelines."""
    return call.portal.pipelines if call.kind().plural == "deals" else []


def list_pipelines(call: Call) -> Answer:
    return succeed({"results": pipelines_of(call)})


def find_pipeline(call: Call) -> Json:
    for pipeline in pipelines_of(call):
        if pipeline["id"] == call.args["id"]:
            return pipeline
    raise missing(call.args["id"])


def show_pipeline(call: Call) -> Answer:
    return succeed(find_pipeline(call))


def list_stages(call: Call) -> Answer:
    return succeed({"results": find_pipeline(call)["stages"]})


def show_stage(call: Call) -> Answer:
    for stage in find_pipeline(call)["stages"]:
        if stage["id"] == call.args["stage"]:
            return succeed(stage)
    raise missing(call.args["stage"])
