"""The consent page: who asks for what, and where the person is sent with the answer."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from sandbox.consent import Consent, render_consent, render_problem
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.scopes import CONSENTED

CRM = "Pipedrive"

Form = Mapping[str, str]


def show_problem(problem: str) -> Response:
    return HTMLResponse(render_problem(CRM, problem), 400)


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


def ask_consent(companies: Sequence[Company], asked: Form, action: str) -> Response:
    if problem := find_problem(asked):
        return show_problem(problem)
    hidden = {name: asked.get(name, "") for name in ("client_id", "redirect_uri", "state")}
    names = [company.profile.name for company in companies]
    page = Consent(CRM, asked["client_id"], action, CONSENTED.values(), names, hidden)
    return HTMLResponse(render_consent(page))


def decide_consent(companies: Sequence[Company], form: Form) -> Response:
    if problem := find_problem(form):
        return show_problem(problem)
    accounts = {str(number): company for number, company in enumerate(companies, 1)}
    company, decision = accounts.get(form.get("account", "1")), form.get("decision")
    if decision == "refuse":
        return send_back(form, error="user_denied")
    if company is None or decision != "allow":
        return show_problem("The form did not say whether to allow the app, or for an account that does not exist.")
    return send_back(form, code=company.grants.consent(form["client_id"], form["redirect_uri"]))


def send_back(form: Form, **outcome: str) -> Response:
    """To the app, whose address may have a query of its own."""
    target = urlsplit(form["redirect_uri"])
    state = {"state": form["state"]} if form.get("state") else {}
    query = "&".join(part for part in (target.query, urlencode(outcome | state)) if part)
    return RedirectResponse(target._replace(query=query).geturl(), 302)
