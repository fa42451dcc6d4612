"""What is known here reaches the CRM once: warm leads with organization, owner and label, activities, edits."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.flows.conftest import ALL, Stage
from tests.flows.outward import OUT, Desk, read_books
from tests.flows.users import Hubspot
from tests.stage import HASTE

RAE = "rae@nordlicht-sandbox.example"
"""Whose token the first account's is."""
KINDS: Mapping[str, Mapping[str, str]] = {
    "pipedrive": {
        "CALL": "call", "EMAIL": "email", "MEETING": "meeting", "LINKEDIN": "task", "REFERRAL": "task",
        "CONFERENCE": "meeting", "TASK": "task", "NOTE": "note",
    },
    "hubspot": {
        "CALL": "calls", "EMAIL": "emails", "MEETING": "meetings", "LINKEDIN": "tasks", "REFERRAL": "tasks",
        "CONFERENCE": "meetings", "TASK": "tasks", "NOTE": "notes",
    },
}  # fmt: skip
NOBODYS: Mapping[str, str | None] = {"pipedrive": RAE, "hubspot": None}
"""Who owns what is made by a token, where nobody is named: HubSpot's tokens are nobody's."""


# ---------------------------------------------------------------- warm leads and activities


@ALL
def test_a_contact_that_becomes_warm_is_there_once_with_all_that_belongs_to_it(stage: Stage, crm: str) -> None:
    desk, books = Desk.open(stage, **OUT), read_books(stage)
    before, labels = stage.crm.ids(), books.labels()
    acme = desk.add_organization("Zenith Tools", domain="zenith.example")
    wanda = desk.add_contact("Wanda Warm", emails=[{"value": "wanda@zenith.example"}], organizationId=acme)
    kinds = list(KINDS[crm])
    for kind in kinds[:5]:
        desk.log(wanda, kind, f"No {kind}", body=f"No {kind}", dueOn="2026-11-20")
    assert desk.pushes() == [], "nothing of her is there, and nobody has asked"

    desk.warm(wanda)
    desk.settle(6)
    for kind in kinds[5:]:
        desk.log(wanda, kind, f"No {kind}", body=f"No {kind}", dueOn="2026-11-20")
    done = desk.settle(9)

    assert {(one["status"], one["attempts"], one["lastError"]) for one in done} == {("COMMITTED", 1, None)}
    (person,), (company,) = books.people(), books.companies()
    assert company == {"id": company["id"], "name": "Zenith Tools", "owner": NOBODYS[crm]}
    labelled = {"organization": company["id"], "owner": NOBODYS[crm], "labels": ["Warm Lead"]}
    assert person == {"id": person["id"], "name": "Wanda Warm", **labelled}
    assert books.done() == sorted((word, f"No {kind}", person["id"]) for kind, word in KINDS[crm].items())
    assert books.labels() == [*labels, "Warm Lead"]
    assert len(stage.crm.ids() - before) == 10
    refused = desk.gateway.do("logActivity", "activity { id }", contactIds=[wanda], kind="OTHER", subject="What")
    assert [error["code"] for error in refused["userErrors"]] == ["BAD_INPUT"]

    changes = desk.gateway.ask("{ changes(first: 250) { nodes { kind at } } }")
    run = desk.gateway.sync(desk.integration, kind="DELTA")
    assert (run["status"], run["recordsCreated"], run["recordsUpdated"], run["recordsFailed"]) == ("SUCCEEDED", 0, 0, 0)
    assert desk.gateway.ask("{ changes(first: 250) { nodes { kind at } } }") == changes, "scenario 30"
    assert len(desk.pushes()) == 9

    stan = desk.add_contact("Stan Second", emails=[{"value": "stan@zenith.example"}], organizationId=acme)
    assert desk.push(stan)["outcome"] == "SKIPPED"
    desk.warm(stan)
    assert desk.settle(2, stan)[-1]["status"] == "COMMITTED"
    again = {one["name"]: {**one, "id": ""} for one in books.people()}
    assert again == {name: {"id": "", "name": name, **labelled} for name in ("Wanda Warm", "Stan Second")}
    assert (books.labels(), len(books.companies())) == ([*labels, "Warm Lead"], 1)


@ALL
def test_what_is_there_already_is_used_and_a_new_organization_is_made_once(stage: Stage, crm: str) -> None:
    """A person who is found by e-mail, a company that is found by name; two who come at once."""
    desk, books = Desk.open(stage), read_books(stage)
    erik = stage.user.add_person("Erik Existing", "erik@private.example")
    works = books.add_company("Old Works")
    old = desk.add_organization("Old Works")
    email = [{"value": "erik@private.example"}]
    found = desk.add_contact("E. Existing", emails=email, warmness=4)
    employed = desk.add_contact("Nora New", warmness=4, organizationId=old)
    missing = f"{LABELS[crm]} has no label “Warm Lead”, so the contact is there without it: add it there, or let this"
    for contact in (found, employed):
        told = desk.push(contact, idempotencyKey=contact)
        assert (told["outcome"], told["push"]["lastError"]) == (
            "COMMITTED",
            f"{missing} integration add picklist values.",
        )
        assert desk.push(contact, idempotencyKey=contact)["push"]["id"] == told["push"]["id"]

    desk.set(allowNewPicklistValues=True)
    fresh = desk.add_organization("New Works")
    twins = [desk.add_contact(f"{name} Twin", warmness=4, organizationId=fresh) for name in ("Ina", "Ida")]
    other, owner = [each for each in books.users() if each != RAE][:2]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda contact: desk.push(contact, ownerEmail=other), twins))
    for each in answers:
        assert (each["outcome"], each["owner"], each["push"]["lastError"]) == ("COMMITTED", {"email": other}, None)

    companies = {one["name"]: one for one in books.companies()}
    assert sorted(one["name"] for one in books.companies()) == ["New Works", "Old Works"]
    assert (companies["Old Works"]["id"], companies["New Works"]["owner"]) == (works, other)
    people = {one["name"]: one for one in books.people()}
    assert sorted(people) == ["Erik Existing", "Ida Twin", "Ina Twin", "Nora New"]
    assert (people["Erik Existing"]["id"], people["Nora New"]["organization"]) == (erik, works)
    twin = {"organization": companies["New Works"]["id"], "owner": other, "labels": ["Warm Lead"]}
    for name in ("Ida Twin", "Ina Twin"):
        assert people[name] == {"id": people[name]["id"], "name": name, **twin}

    member = desk.do("inviteMember", "member { id }", email="mia@private.example", name="Mia")["member"]["id"]
    tie = {"integrationId": desk.integration, "externalId": books.users()[owner], "memberId": member}
    assert desk.do("linkCrmUser", "user { email }", **tie)["user"] == {"email": owner}
    mine = desk.add_contact("Mia's Own", warmness=4)
    assert desk.push(mine, ownerEmail="mia@private.example")["owner"] == {"email": owner}


LABELS = {"pipedrive": "Pipedrive", "hubspot": "HubSpot"}


# ---------------------------------------------------------------- who is who


@ALL
def test_who_shares_a_number_is_somebody_else_and_who_shares_the_name_too_is_not(stage: Stage) -> None:
    """Scenario 32, one after the other; and what is the same, both at once, before any search knows of it."""
    dora = add_person(stage, "Dora Door", email="dora@private.example", phone="+420602123456")
    desk, books = Desk.open(stage, is_read=True, allowNewPicklistValues=True), read_books(stage)
    stage.crm.disturb(limits={"BURST": 1000, "SEARCH": 1000}, searchLagSeconds=600)
    office = {"phones": [{"value": "+420602123456"}], "warmness": 5}
    names = ("Anna Able", "Bert Bold", "Cora Cole")
    several = []
    for name in names:
        firm = desk.add_organization(f"{name} Ltd")
        email = f"{name[:4].lower()}@private.example"
        several.append(desk.add_contact(name, emails=[{"value": email}], organizationId=firm, **office))
        assert desk.push(several[-1])["outcome"] == "COMMITTED"

    firms = [desk.add_organization(name) for name in ("Twin Works", "TWIN Works")]
    employed = dict(zip(("A Twin", "B Twin"), firms, strict=True))
    twins = [desk.add_contact(name, warmness=5, organizationId=firm) for name, firm in employed.items()]
    number = [{"value": "+420602999888"}]
    twins += [desk.add_contact("Tel Twin", phones=number, warmness=5) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        assert [one["outcome"] for one in pool.map(desk.push, twins)] == ["COMMITTED"] * 4

    companies = {one["id"]: one["name"] for one in books.companies()}
    made = sorted(name.casefold() for name in companies.values())
    assert made == [*(f"{name} Ltd".casefold() for name in names), "twin works"]
    people = {one["name"]: companies.get(one["organization"]) for one in books.people()}
    assert sorted(one["name"] for one in books.people()) == sorted(
        [*names, "A Twin", "B Twin", "Dora Door", "Tel Twin"]
    )
    assert {name: people[name] for name in names} == {name: f"{name} Ltd" for name in names}
    assert people["A Twin"] == people["B Twin"]
    stage.crm.disturb(**HASTE)
    assert desk.gateway.sync(desk.integration)["status"] == "SUCCEEDED"
    known = [desk.find(stage.user.person, dora), *several]
    shown = [desk.show(contact, "name emails { value } sources { id }") for contact in known]
    told = [(one["name"], len(one["emails"]), len(one["sources"])) for one in shown]
    assert told == [(name, 1, 1) for name in ("Dora Door", *names)]


@ALL
def test_a_person_who_was_there_gets_what_is_missing_and_keeps_the_rest(stage: Stage, crm: str) -> None:
    """Label, organization, owner; found by e-mail, and by a number that was read in another format. Then it is deleted."""
    books = read_books(stage)
    elsewhere = books.add_company("Elsewhere")
    taken = add_person(stage, "Otto Other", phone="+49 (431) 295747-1", company=elsewhere, is_labelled=True)
    desk = Desk.open(stage, is_read=True, allowNewPicklistValues=True)
    bare = add_person(stage, "Thea There", email="thea@private.example")
    other = next(each for each in books.users() if each != RAE)
    firm = desk.add_organization("New Works")
    email = [{"value": "thea@private.example"}]
    thea = desk.add_contact("Thea T.", emails=email, warmness=5, organizationId=firm)
    otto = desk.add_contact("Otto Other", phones=[{"value": "+494312957471"}], warmness=5, organizationId=firm)
    told = [desk.push(contact, ownerEmail=other) for contact in (thea, otto)]

    label = LABELS[crm]
    owned = f"Somebody else owns it in {label}, which stays so."
    placed = f"It belongs to another organization in {label}, which stays so."
    labelled = "It is labelled “New” already, which stays: the label “Warm Lead” was left out."
    notes = {"pipedrive": [owned, f"{placed} {owned}"], "hubspot": [None, f"{placed} {labelled}"]}[crm]
    assert [(one["outcome"], one["push"]["externalId"]) for one in told] == [("COMMITTED", bare), ("COMMITTED", taken)]
    assert [one["push"]["lastError"] for one in told] == notes
    owner = {"pipedrive": RAE, "hubspot": other}[crm]
    assert [one["owner"] for one in told] == [{"email": owner}] * 2
    works = {one["name"]: one["id"] for one in books.companies()}
    people = {one["id"]: (one["organization"], one["owner"], one["labels"]) for one in books.people()}
    kept = {"pipedrive": ["Warm Lead"], "hubspot": ["New"]}[crm]
    assert people == {bare: (works["New Works"], owner, ["Warm Lead"]), taken: (elsewhere, owner, kept)}
    assert desk.push(thea)["push"]["lastError"] is None

    stage.user.delete(stage.user.person, bare)
    gone = desk.push(thea)
    assert (gone["outcome"], gone["push"]["status"]) == ("NOT_COMMITTED", "FAILED")
    assert gone["push"]["lastError"] == f"{label} no longer has {PERSONS[crm]} {bare}."


def add_person(
    stage: Stage, name: str, *, email: str = "", phone: str = "", company: str = "", is_labelled: bool = False
) -> str:
    """The id of a new person in the CRM."""
    user = stage.user
    if isinstance(user, Hubspot):
        status = {"hs_lead_status": "NEW"} if is_labelled else {}
        first, last = name.split()
        found = user.add("contacts", firstname=first, lastname=last, email=email, phone=phone, **status)
        if company:
            user.label("contacts", found, "companies", company, 1)
        return found
    found = stage.user.add_person(name, email)
    body = {"phones": [{"value": phone}] if phone else [], "org_id": int(company) if company else None}
    stage.crm.call("PATCH", f"/api/v2/persons/{found}", body)
    return found


PERSONS = {"pipedrive": "Person", "hubspot": "Contact"}


# ---------------------------------------------------------------- edits on both sides


@ALL
def test_scenarios_28_and_29_changed_on_both_sides(stage: Stage) -> None:
    """The same field by each policy; different fields are both kept."""
    user = stage.user
    policies = {"NEWEST_WINS": "Local", "CRM_WINS": "Remote", "LOCAL_WINS": "Local", "MANUAL": "Remote"}
    keys = {each: user.add_person(f"Base{place}", f"{place}@private.example") for place, each in enumerate(policies)}
    both = user.add_person("Baseboth", "both@private.example")
    desk = Desk.open(stage, is_read=True, direction="BIDIRECTIONAL")
    for policy, person in keys.items():
        contact = desk.find(user.person, person)
        desk.set(conflictPolicy=policy)
        user.rename(user.person, person, f"Remote{policy.lower()}")
        desk.do("updateContact", "", contactId=contact, name=f"Local{policy.lower()}")
        desk.settle(1, contact)
    (conflict,) = desk.gateway.ask(CONFLICTS)["conflicts"]["nodes"]
    key = conflict.pop("id")
    assert conflict == {"field": "firstName", "base": "Base3", "local": "Localmanual", "remote": "Remotemanual"}
    assert name_all(stage) == [*(f"{policies[policy]}{policy.lower()}" for policy in policies), "Baseboth"]
    desk.do("resolveConflicts", "", conflictIds=[key], resolution="LOCAL")
    assert desk.settle(2, contact)[-1]["status"] == "COMMITTED"

    contact = desk.find(user.person, both)
    user.rename(user.person, both, "Remoteboth")
    desk.do("updateContact", "", contactId=contact, phones=[{"value": "+420602123456"}])
    assert [one["status"] for one in desk.settle(1, contact)] == ["COMMITTED"]
    assert name_all(stage)[-2:] == ["Localmanual", "Remoteboth"]
    shown = desk.show(contact, "name phones { value } sources { payload }")
    assert (shown["name"], shown["phones"]) == ("Remoteboth", [{"value": "+420602123456"}])
    assert "+420602123456" in str(shown["sources"]), "as the CRM has it"
    count = len(desk.pushes())
    run = desk.gateway.sync(desk.integration, kind="DELTA")
    assert (run["recordsUpdated"], len(desk.pushes())) == (0, count), "scenario 30"


CONFLICTS = "{ conflicts(first: 9, status: [OPEN]) { nodes { id field base local remote } } }"


def name_all(stage: Stage) -> list[str]:
    """As the CRM has them, in the order in which they were made."""
    return [one["name"] for one in sorted(read_books(stage).people(), key=lambda one: int(one["id"]))]


@ALL
def test_what_is_archived_here_stays_in_the_crm_and_is_not_brought_back(stage: Stage) -> None:
    user = stage.user
    key = user.add_person("Anna Archived", "anna@private.example")
    desk = Desk.open(stage, is_read=True, direction="BIDIRECTIONAL", **OUT)
    contact = desk.find(user.person, key)
    there = stage.crm.ids()
    desk.do("archiveRecord", "", id=contact)
    user.rename(user.person, key, "Anna Again")
    assert desk.gateway.sync(desk.integration)["status"] == "SUCCEEDED"
    assert desk.gateway.sync(desk.integration, kind="DELTA")["status"] == "SUCCEEDED"
    assert desk.show(contact, "name archivedAt")["archivedAt"] is not None
    assert (stage.crm.ids(), desk.pushes()) == (there, [])
