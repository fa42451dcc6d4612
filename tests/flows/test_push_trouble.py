"""Pushes in trouble: answers that never come, a CRM that is down, a consent that is over, records that are not taken."""

import pytest

from tests.flows.conftest import ALL, Stage
from tests.flows.outward import OUT, SETTLED, Desk, read_books
from tests.flows.person import consent, look
from tests.stage import HASTE, wait_until

LAG = 3
"""Seconds until a search knows of what was written."""


def add_lead(desk: Desk, name: str = "Wanda Warm") -> tuple[str, str]:
    """The ids of a contact of an organization that nobody has, and of an activity of hers."""
    organization = desk.add_organization(f"{name} Ltd")
    email = f"{name.lower().replace(' ', '.')}@private.example"
    contact = desk.add_contact(name, emails=[{"value": email}], organizationId=organization)
    return contact, desk.log(contact, "CALL", f"Called {name}")


def check_once(stage: Stage, *names: str) -> None:
    """Each is there once, in an organization that is there once, with an activity that is there once."""
    books = read_books(stage)
    companies = {one["name"]: one["id"] for one in books.companies()}
    assert sorted(one["name"] for one in books.companies()) == sorted(f"{name} Ltd" for name in names)
    people = books.people()
    found = sorted((one["name"], one["organization"]) for one in people)
    assert found == sorted((name, companies[f"{name} Ltd"]) for name in names)
    called = sorted((title, whose) for _, title, whose in books.done())
    assert called == sorted((f"Called {one['name']}", one["id"]) for one in people)


# ---------------------------------------------------------------- 26


@ALL
def test_scenario_26_creates_that_are_not_answered(stage: Stage) -> None:
    """Of organization, person and activity: each is looked for and found."""
    desk = Desk.open(stage, **OUT)
    stage.crm.disturb(**HASTE, timeoutAfterCommit=3)
    contact, _ = add_lead(desk)
    desk.warm(contact)
    done = desk.settle(2)
    assert [(one["status"], one["attempts"]) for one in done] == [("COMMITTED", 1)] * 2
    check_once(stage, "Wanda Warm")


@pytest.mark.parametrize("crm", ["hubspot"])
def test_scenario_26_a_search_that_lags_proves_nothing(stage: Stage) -> None:
    """However often it is tried again meanwhile, nothing is made twice."""
    desk = Desk.open(stage, **OUT)
    stage.crm.disturb(**HASTE, timeoutAfterCommit=3, searchLagSeconds=LAG)
    contact, activity = add_lead(desk)
    desk.warm(contact)
    for record in (contact, activity):
        tries = retry_until_there(desk, record)
        assert tries > 3
    check_once(stage, "Wanda Warm")


@pytest.mark.parametrize("crm", ["hubspot"])
def test_scenario_26_the_next_sync_settles_it_too(stage: Stage) -> None:
    """Where a search does not show yet what was made, the list does."""
    desk = Desk.open(stage, is_read=True, **OUT)
    stage.crm.disturb(**HASTE, timeoutAfterCommit=1, searchLagSeconds=600)
    contact = desk.add_contact("Pia Phone", phones=[{"value": "+420602999888"}])
    desk.warm(contact)
    assert [one["status"] for one in desk.settle(1)] == ["UNKNOWN"]
    stage.gateway.sync(desk.integration, ["CONTACT"])
    wait_until(lambda: desk.pushes(contact)[0]["status"] == "COMMITTED", 20, 0.2)
    assert [one["name"] for one in read_books(stage).people()] == ["Pia Phone"]


@pytest.mark.parametrize("crm", ["hubspot"])
def test_scenario_26_colleagues_wait_until_it_is_known_whether_their_organization_was_made(stage: Stage) -> None:
    desk = Desk.open(stage, pushWarmLeads=True)
    stage.crm.disturb(**HASTE, timeoutAfterCommit=1, searchLagSeconds=LAG)
    shared, same = desk.add_organization("Shared Ltd"), desk.add_organization("SHARED ltd")
    names = ("Ada Warm", "Bea Warm", "Cora Warm")
    employers = zip(names, (shared, shared, same), strict=True)
    contacts = [desk.add_contact(name, organizationId=employer) for name, employer in employers]
    for contact in contacts:
        desk.warm(contact)
        assert [one["status"] for one in desk.settle(1, contact)] == ["UNKNOWN"]
    for contact in contacts:
        retry_until_there(desk, contact)
    (company,) = read_books(stage).companies()
    found = sorted((one["name"], one["organization"]) for one in read_books(stage).people())
    assert (company["name"], found) == ("Shared Ltd", [(name, company["id"]) for name in names])


@pytest.mark.parametrize("crm", ["hubspot"])
def test_scenario_26_whoever_may_be_the_same_waits_even_where_a_sync_brings_what_was_made(stage: Stage) -> None:
    """Two of one name and number, of whom the sync can say neither: it makes a third of what it reads."""
    desk = Desk.open(stage, is_read=True, pushWarmLeads=True)
    stage.crm.disturb(**HASTE, timeoutAfterCommit=1, searchLagSeconds=LAG)
    contacts = [desk.add_contact("Pia Phone", phones=[{"value": "+420602999888"}]) for _ in range(2)]
    for count, contact in enumerate(contacts):
        desk.warm(contact)
        assert [one["status"] for one in desk.settle(count + 1)] == ["UNKNOWN"] * (count + 1)
    stage.gateway.sync(desk.integration, ["CONTACT"])
    for contact in contacts:
        retry_until_there(desk, contact)
    assert [one["name"] for one in read_books(stage).people()] == ["Pia Phone"]
    assert desk.gateway.ask("{ contacts(first: 5) { totalCount } }")["contacts"]["totalCount"] == 1


def retry_until_there(desk: Desk, record: str) -> int:
    """How often somebody had to ask."""
    asked = 0

    def look() -> bool:
        nonlocal asked
        found = [one for one in desk.pushes(record) if one["status"] in SETTLED]
        if not found:
            return False
        if found[0]["status"] == "COMMITTED":
            return True
        assert found[0]["status"] == "UNKNOWN"
        desk.do("retryPushes", "", pushIds=[found[0]["id"]])
        asked += 1
        return False

    wait_until(look, 30, 0.2)
    return asked


@ALL
def test_scenario_26_nobody_can_be_asked_whether_it_was_made(stage: Stage) -> None:
    """The CRM breaks off, and then answers nothing for a while: the next try looks first."""
    desk = Desk.open(stage, **OUT)
    stage.crm.disturb(**HASTE, cutEvery=3)
    names = [f"{name} Warm" for name in ("Ada", "Bea", "Cora")]
    contacts = [add_lead(desk, name)[0] for name in names]
    for contact in contacts:
        desk.warm(contact)
    wait_until(lambda: len(read_books(stage).crm.ids()) > 2, 30, 0.1)
    stage.crm.disturb(**HASTE)
    finish(desk, 6)
    check_once(stage, *names)


def finish(desk: Desk, count: int, seconds: float = 40) -> None:
    """Has everything tried again until it is there."""

    def look() -> bool:
        found = desk.pushes()
        assert all(one["status"] in ("PENDING", "SENDING", *SETTLED) for one in found)
        if len(found) == count and all(one["status"] == "COMMITTED" for one in found):
            return True
        desk.do("retryPushes", "", integrationId=desk.integration)
        return False

    try:
        wait_until(look, seconds, 0.5)
    except TimeoutError:
        raise AssertionError(desk.pushes()) from None


# ---------------------------------------------------------------- 27


@ALL
def test_scenario_27_the_crm_is_down_while_contacts_become_warm(stage: Stage) -> None:
    desk = Desk.open(stage, **OUT)
    stage.crm.disturb(**HASTE, status=503)
    names = [f"Number {place}" for place in ("One", "Two", "Three", "Four", "Five")]
    contacts = [add_lead(desk, name)[0] for name in names]
    for contact in contacts:
        desk.warm(contact)
    wait_until(lambda: sum(one["attempts"] for one in desk.pushes()) >= 1, 30, 0.1)
    assert desk.show(contacts[0], "isWarmLead sources { id }") == {"isWarmLead": True, "sources": []}
    assert {one["status"] for one in desk.pushes()} <= {"PENDING", "SENDING"}
    stage.crm.disturb(**HASTE)
    desk.do("retryPushes", "", integrationId=desk.integration)
    done = desk.settle(10)
    assert {one["status"] for one in done} == {"COMMITTED"}
    check_once(stage, *names)


# ---------------------------------------------------------------- 19


@ALL
def test_scenario_19_what_waits_for_a_consent_is_told_once_and_sent_after_it(stage: Stage) -> None:
    name = stage.crm.name.upper()
    desk = Desk(stage.gateway, consent(stage.gateway, crm=name))
    desk.set(**OUT)
    stage.crm.disturb(**HASTE, refuseRefresh=True, expireTokensAfter=0)
    first, _ = add_lead(desk, "First Warm")
    second, _ = add_lead(desk, "Second Warm")
    desk.warm(first)
    wait_until(lambda: look(stage.gateway, desk.integration)["status"] == "ERROR")
    desk.warm(second)
    assert desk.push(second)["outcome"] == "QUEUED"
    waits = [(one["status"], one["attempts"]) for one in desk.pushes()]
    assert (waits, len(desk.notices("CONSENT_NEEDED"))) == ([("PENDING", 0)] * 2, 1)
    stage.crm.disturb(**HASTE)
    assert consent(stage.gateway, crm=name, integrationId=desk.integration) == desk.integration
    assert {(one["status"], one["lastError"]) for one in desk.settle(4)} == {("COMMITTED", None)}
    assert len(desk.notices("CONSENT_NEEDED")) == 1
    check_once(stage, "First Warm", "Second Warm")
    owners = {one["owner"] for one in (*read_books(stage).people(), *read_books(stage).companies())}
    assert owners == {"rae@nordlicht-sandbox.example"}, "who has given the consent"


# ---------------------------------------------------------------- what is not taken


@ALL
def test_what_the_crm_does_not_take_is_told_and_in_nobodys_way(stage: Stage, crm: str) -> None:
    """A person that is gone, one that is another one now, a field that is gone, one that nobody can write."""
    names = ("Gone", "Merged", "Primary", "Stays")
    keys = [stage.user.add_person(name, f"{name.lower()}@private.example") for name in names]
    field = stage.user.add_field("Shoesize")
    stage.user.write(keys[3], field, 43)
    desk = Desk.open(stage, is_read=True, direction="BIDIRECTIONAL")
    gone, merged, _, stays = [desk.find(stage.user.person, key) for key in keys]
    mapping = {
        "externalType": stage.user.person,
        "crmField": READ_ONLY[crm],
        "localField": "jobTitle",
        "direction": "OUTBOUND",
    }
    (refused,) = desk.gateway.ask(MAP, i=desk.integration, m=[mapping])["updateFieldMappings"]["userErrors"]
    assert refused["message"] == f"{LABELS[crm]} lets nobody write {READ_ONLY[crm]}: give the direction INBOUND."

    stage.user.delete(stage.user.person, keys[0])
    stage.user.merge_people(keys[2], keys[1])
    stage.user.drop_field(field)
    desk.do("updateContact", "", contactId=stays, customFields={"Shoesize": 44})
    desk.settle(1)
    for contact in (gone, merged, stays):
        desk.do("updateContact", "", contactId=contact, name="Another Name")

    missing, renamed = desk.settle(2, stays)
    assert (missing["status"], missing["attempts"], missing["lastError"]) == ("FAILED", 1, WORDS[crm])
    assert (renamed["status"], renamed["lastError"]) == ("COMMITTED", None)
    told = [f"{LABELS[crm]} no longer has {PERSONS[crm]} {key}." for key in keys[:2]]
    wait_until(lambda: all(one["status"] in SETTLED for one in desk.pushes()))
    lost = desk.pushes()[1:3]
    assert [(one["status"], one["lastError"]) for one in lost] == [
        ("FAILED", told[0]),
        {"pipedrive": ("FAILED", told[1]), "hubspot": ("COMMITTED", None)}[crm],
    ]
    named = [one["id"] for one in read_books(stage).people() if one["name"] == "Another Name"]
    survivor = {"pipedrive": set(), "hubspot": {lost[1]["externalId"]}}[crm]
    assert (set(named), len(named)) == ({keys[3], *survivor}, 1 + len(survivor))


MAP = """
mutation($i: ID!, $m: [FieldMappingInput!]!) {
  updateFieldMappings(input: {integrationId: $i, mappings: $m}) { userErrors { code message } }
}
"""
GONE = "gerda@nordlicht-sandbox.example"
"""Who has left."""
READ_ONLY = {"pipedrive": "picture_id", "hubspot": "hs_email_domain"}
"""A field of persons that the CRM writes itself."""
WORDS = {
    "pipedrive": "Pipedrive refuses the request (HTTP 400, ERR_SCHEMA_VALIDATION_FAILED): Shoesize: is no custom field.",
    "hubspot": 'HubSpot refuses the request (HTTP 400, VALIDATION_ERROR): Shoesize: Property "Shoesize" does not exist.',
}
PERSONS = {"pipedrive": "Person", "hubspot": "Contact"}
LABELS = {"pipedrive": "Pipedrive", "hubspot": "HubSpot"}


@ALL
def test_a_warm_lead_that_nobody_can_name_or_own(stage: Stage, crm: str) -> None:
    """What it lacks is told; a number is enough."""
    desk = Desk.open(stage, allowNewPicklistValues=True)
    nameless = desk.gateway.do("createContact", "contact { id }", warmness=5)["userErrors"]
    assert [error["message"] for error in nameless] == ["A contact needs a name, an e-mail address or a phone number."]
    number = {"phones": [{"value": "+420602123456"}]}
    lead = str(desk.do("createContact", "contact { id }", warmness=5, **number)["contact"]["id"])
    told = desk.push(lead, ownerEmail="nobody@private.example")
    unknown = (
        f"{LABELS[crm]} has no user with the e-mail address nobody@private.example: linkCrmUser ties a member to one."
    )
    assert (told["outcome"], told["push"]["status"], told["push"]["lastError"]) == ("NOT_COMMITTED", "FAILED", unknown)
    assert desk.push(lead)["outcome"] == "COMMITTED"
    assert [one["labels"] for one in read_books(stage).people()] == [["Warm Lead"]]
    asked = {"contactId": lead, "integrationId": desk.integration, "ownerEmail": "nobody@private.example"}
    desk.gateway.sync(desk.integration)
    told = desk.gateway.do("pushWarmLead", "outcome", **asked)
    assert [error["code"] for error in told["userErrors"]] == ["NOT_FOUND"], "now its users are known"
    told = desk.gateway.do("pushWarmLead", "outcome", **{**asked, "ownerEmail": GONE})
    assert [error["code"] for error in told["userErrors"]] == ["BAD_INPUT"], "who is deactivated there"


@ALL
def test_what_of_a_warm_lead_is_not_taken_is_told_and_the_rest_is_there(stage: Stage, crm: str) -> None:
    """A field that is gone since the last sync, values without a place. Then an edit of a part of the name alone."""
    field = stage.user.add_field("Shoesize")
    desk = Desk.open(stage, is_read=True, direction="BIDIRECTIONAL")
    rule = {"localField": "customFields.Shoesize", "direction": "BIDIRECTIONAL"}
    mapping = {"externalType": stage.user.person, "crmField": field, **rule}
    assert desk.gateway.ask(MAP, i=desk.integration, m=[mapping])["updateFieldMappings"]["userErrors"] == []
    stage.user.drop_field(field)
    bakery = desk.add_organization("Bakery", industry="Quantum Baking")
    lead = desk.add_contact(
        "Wanda Wide",
        warmness=5,
        organizationId=bakery,
        emails=[{"value": f"{one}@private.example"} for one in "ab"],
        phones=[{"value": f"+42060212345{one}"} for one in range(3)],
        customFields={"Shoesize": 44},
    )
    told = desk.push(lead)

    label = f"{LABELS[crm]} has no label “Warm Lead”, so the contact is there without it: add it there, or let this"
    common = f"{label} integration add picklist values. Industry has no option Quantum Baking."
    lost = {
        "pipedrive": [],
        "hubspot": [
            "Only the primary address was written: HubSpot lets nobody write additional e-mail addresses here.",
            "2 of 3 numbers were written: HubSpot has no place for more.",
        ],
    }[crm]
    assert told["push"]["lastError"] == " ".join([common, *lost, f"Left out: {WORDS[crm]}"])
    (company,) = read_books(stage).companies()
    (person,) = read_books(stage).people()
    assert (told["outcome"], company["name"], person["name"]) == ("COMMITTED", "Bakery", "Wanda Wide")
    assert (person["organization"], person["labels"]) == (company["id"], [])

    desk.do("updateContact", "", contactId=lead, firstName="Zoe")
    assert [(one["status"], one["lastError"]) for one in desk.settle(2, lead)[1:]] == [("COMMITTED", None)]
    assert [one["name"] for one in read_books(stage).people()] == ["Zoe Wide"]
