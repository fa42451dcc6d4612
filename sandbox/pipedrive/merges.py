"""Merging two records: API v1 only. The one named by `merge_with_id` survives, and its data wins."""

from datetime import UTC, datetime

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, fail, missing, succeed
from sandbox.pipedrive.call import Call, Handler
from sandbox.pipedrive.legacy import SHOWN
from sandbox.pipedrive.moments import write_v2
from sandbox.table import Json

# Where other records refer to one of a type.
REFERRED = {
    "Person": (("Deal", "person_id"), ("Lead", "person_id"), ("Activity", "person_id"), ("Note", "person_id")),
    "Organization": (
        ("Person", "org_id"), ("Deal", "org_id"), ("Lead", "organization_id"), ("Activity", "org_id"),
        ("Note", "org_id"),
    ),
    "Deal": (("Activity", "deal_id"), ("Note", "deal_id")),
}  # fmt: skip
LISTS = ("emails", "phones")


def merge_records(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        company, table = call.company, call.company.tables[kind]
        loser, survivor = table.get(call.number()), table.get(call.fields().get("merge_with_id") or 0)
        if loser is None or survivor is None or loser.record["is_deleted"] or survivor.record["is_deleted"]:
            raise missing(kind)
        if loser is survivor:
            raise fail(400, "A record cannot be merged with itself")
        now = datetime.now(UTC)
        table.put(loser.record | {"is_deleted": True, "update_time": write_v2(now)})
        table.put(combine(survivor.record, loser.record) | {"update_time": write_v2(now)})
        move_references(company, kind, loser.record["id"], survivor.record["id"], now)
        shown = SHOWN[kind](company, survivor.record) | {"merge_what_id": loser.record["id"]}
        return succeed({"id": survivor.record["id"]} if kind == "Organization" else shown)

    return handle


def combine(winner: Json, loser: Json) -> Json:
    """The winner's values, the loser's where the winner has none, and the e-mails and phones of both."""
    kept = {name: loser.get(name) if value in (None, "") else value for name, value in winner.items()}
    for name in LISTS:
        if name in winner:
            known = {str(one["value"]).lower() for one in winner[name]}
            new = [one for one in loser[name] if str(one["value"]).lower() not in known]
            kept[name] = [*winner[name], *({**one, "primary": not winner[name] and one["primary"]} for one in new)]
    custom = {code: value for code, value in loser["custom_fields"].items() if value is not None}
    return kept | {"custom_fields": custom | {c: v for c, v in winner["custom_fields"].items() if v is not None}}


def move_references(company: Company, kind: str, old: int, new: int, now: datetime) -> None:
    for other, field in REFERRED[kind]:
        table = company.tables[other]
        for row in [row for row in table.rows.values() if row.record[field] == old]:
            moved = row.record | {field: new, "update_time": table.stamp(now)}
            if other == "Activity" and kind == "Person":
                moved["participants"] = [
                    {**one, "person_id": new if one["person_id"] == old else one["person_id"]}
                    for one in row.record["participants"]
                ]
            table.put(moved)
