"""The consent page of any CRM: who asks for what, and where the person is sent with the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from sandbox.consent import Consent, render_consent, render_problem
from sandbox.grants import Grants

Form = Mapping[str, str]


class ScopeError(Exception):
    """The app asks for what the CRM does not give; the message tells the person so."""


@dataclass(frozen=True)
class Door:
    """How one CRM asks: for which accounts, and with what error it tells an app that the person has refused.

    `find_rights` gives the scopes that a consent grants, each in words, or raises ScopeError; `keeps` are the fields
    of the request that the form brings back.
    """

    crm: str
    accounts: Mapping[str, Grants]
    find_rights: Callable[[Form], Mapping[str, str]]
    refusal: Mapping[str, str]
    keeps: tuple[str, ...] = ("client_id", "redirect_uri", "state")


def show_problem(door: Door, problem: str) -> Response:
    return HTMLResponse(render_problem(door.crm, problem), 400)


def find_problem(asked: Form) -> str | None:
    """What a person is told of a request that no answer can be sent to."""
    for name in ("client_id", "redirect_uri"):
        if not asked.get(name):
            return f"The app that sent you here did not say its {name}."
    try:
        target = urlsplit(asked["redirect_uri"])
        absolute = target.scheme in {"http", "https"} and bool(target.hostname)
    except ValueError:
        absolute = False
    return None if absolute else "The redirect_uri of the app that sent you here is no full http or https address."


def ask_consent(door: Door, asked: Form, action: str, chosen: int = 1) -> Response:
    """The page, with the account `chosen` of those counted from 1; its form goes to `action`."""
    if problem := find_problem(asked):
        return show_problem(door, problem)
    try:
        rights = door.find_rights(asked)
    except ScopeError as error:
        return show_problem(door, str(error))
    hidden = {name: asked.get(name, "") for name in door.keeps}
    page = Consent(door.crm, asked["client_id"], action, rights.values(), door.accounts, hidden, chosen)
    return HTMLResponse(render_consent(page))


def decide_consent(door: Door, form: Form) -> Response:
    if problem := find_problem(form):
        return show_problem(door, problem)
    accounts = {str(number): grants for number, grants in enumerate(door.accounts.values(), 1)}
    grants, decision = accounts.get(form.get("account", "1")), form.get("decision")
    if decision == "refuse":
        return send_back(form, **door.refusal)
    if grants is None or decision != "allow":
        return show_problem(
            door, "The form did not say whether to allow the app, or for an account that does not exist."
        )
    try:
        scopes = tuple(door.find_rights(form))
    except ScopeError as error:
        return show_problem(door, str(error))
    return send_back(form, code=grants.consent(form["client_id"], form["redirect_uri"], scopes))


def send_back(form: Form, **outcome: str) -> Response:
    """To the app, whose address may have a query of its own."""
    target = urlsplit(form["redirect_uri"])
    state = {"state": form["state"]} if form.get("state") else {}
    query = "&".join(part for part in (target.query, urlencode(outcome | state)) if part)
    return RedirectResponse(target._replace(query=query).geturl(), 302)
