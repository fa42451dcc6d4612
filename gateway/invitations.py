"""Where an invitation leads: who invites, as what, and a button to accept. Looking at it changes nothing."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.pages import Mood, show_page
from resolvers.context import Services
from resolvers.members import INVITATIONS, accept_invitation, find_invitation
from storage.shapes import Role

MAY: Final = {
    Role.VIEWER: "You may read what is there.",
    Role.OPERATOR: "You may read what is there, and sync it.",
    Role.ADMIN: "You may do everything there.",
}


async def show_invitation(request: Request) -> Response:
    """The page of a token, by GET; the person has accepted, by POST."""
    services: Services = request.app.state.process.services
    accepts = request.method == "POST"
    token = request.path_params["token"]
    found = await (accept_invitation if accepts else find_invitation)(services, token)
    if found is None:
        message = "The link is too old, was used before, or has been replaced by a newer one."
        return show_page("This invitation cannot be used", message, "Ask whoever sent it for a new one.", status=404)
    name, role = found.workspace.name, Role(found.member.role)
    if accepts:
        advice = f"Sign in with {found.member.email} where you use it. {MAY[role]}"
        return show_page(f"You are a member of {name}", "The invitation is accepted.", advice, mood=Mood.GOOD)
    return show_page(
        f"Join {name}",
        f"{found.member.email} is invited to the workspace {name}, as {role.value}. {MAY[role]}",
        "Accept only what you expected.",
        mood=Mood.OPEN,
        button="Accept",
    )


ROUTE: Final = Route(f"{INVITATIONS}{{token}}", show_invitation, methods=["GET", "POST"])
