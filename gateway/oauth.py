"""Where CRMs send people after a consent: it is carried out, and the person is told or sent on."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.pages import Mood, show_page
from resolvers.consent import ConsentStatus, Outcome, is_invalid, take_answer, take_state
from resolvers.context import CALLBACK, Services
from resolvers.errors import ConsentCode
from resolvers.returns import add_outcome
from storage.listing import GlobalId

log = logging.getLogger(__name__)

OURS: Final = "Something went wrong here; the log has it under id {}."


@dataclass(frozen=True)
class Words:
    """How an outcome is told: status of HTTP, heading, and what the person can do. `{crm}` is the CRM's name."""

    http: int
    heading: str
    advice: str


AGAIN: Final = "Go back to where you started and connect again."
FAILED: Final = "{crm} was not connected"

WORDS: Final[Mapping[ConsentStatus | ConsentCode | None, Words]] = {
    ConsentStatus.CONNECTED: Words(200, "{crm} is connected", "You can close this page and go on where you started."),
    ConsentStatus.REFUSED: Words(200, FAILED, f"You may still allow it. {AGAIN}"),
    ConsentCode.STATE_INVALID: Words(400, "This consent cannot be used", AGAIN),
    ConsentCode.ACCOUNT_MISMATCH: Words(
        409, "That is another account", f"Sign in to {{crm}} with the account that is expected. {AGAIN}"
    ),
    ConsentCode.CREDENTIAL_REFUSED: Words(400, FAILED, f"{AGAIN} If it fails again, tell whoever runs this gateway."),
    ConsentCode.CRM_UNAVAILABLE: Words(502, FAILED, f"Wait for a few minutes. {AGAIN}"),
    ConsentCode.CRM_QUOTA: Words(503, FAILED, f"Wait until the account may be called again. {AGAIN}"),
    ConsentCode.PLAN_INSUFFICIENT: Words(403, FAILED, "Ask whoever runs this gateway for another plan."),
    ConsentCode.INTERNAL: Words(500, FAILED, f"{AGAIN} If it fails again, tell whoever runs this gateway."),
}
"""By the code of a failure, else by the status."""


async def receive_answer(request: Request) -> Response:
    """The answer of a CRM, in the query: `state`, and `code` or `error`."""
    given = request.query_params
    outcome = Outcome(status=ConsentStatus.FAILED, code=ConsentCode.INTERNAL, message="", crm="The account")
    if not (given.get("code") or given.get("error")):
        return show(is_invalid())
    try:
        services: Services = request.app.state.process.services
        state = await take_state(services, given.get("state", ""))
        if state is None:
            return show(is_invalid())
        outcome = replace(outcome, integration=state.integration_id, return_to=state.return_to)
        outcome = await take_answer(services, state, code=given.get("code"), error=given.get("error"))
    except Exception:  # the edge: the person is told, and the log has the rest
        name = secrets.token_hex(8)
        log.exception("error %s after a consent", name)
        outcome = replace(outcome, message=OURS.format(name))
    return send_on(outcome.return_to, outcome) if outcome.return_to else show(outcome)


def send_on(return_to: str, outcome: Outcome) -> Response:
    """To where the person came from, which is told what has come of it."""
    told = {"integration": str(GlobalId("Integration", outcome.integration))} if outcome.integration else {}
    told |= {"status": outcome.status.value} | ({"code": outcome.code.value} if outcome.code else {})
    return RedirectResponse(add_outcome(return_to, told), 303, {"cache-control": "no-store"})


def show(outcome: Outcome) -> Response:
    """A page for the person."""
    words = WORDS[outcome.code or outcome.status]
    return show_page(
        words.heading.format(crm=outcome.crm),
        outcome.message,
        words.advice.format(crm=outcome.crm),
        status=words.http,
        mood=Mood(outcome.status.value),
        code=outcome.code.value if outcome.code else None,
    )


ROUTE: Final = Route(CALLBACK, receive_answer, methods=["GET"])
ROUTE.methods = {"GET"}  # without HEAD: whoever only looks must not use up the answer
