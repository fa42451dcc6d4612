"""What HubSpot tells of a token: whose it is, in which account, what for and for how long."""

import time
from typing import Any

from sandbox.grants import Access, Grant
from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import Answer, fail, succeed
from sandbox.oauth import Asked

APP_ID = 1160452


def introspect_token(asked: Asked[Portal], client: str) -> Answer:
    """Nobody is told of another app's tokens."""
    portal, token = asked.account, asked.form["token"]
    access, grant = find_access(portal, token), find_grant(portal, token)
    if portal and access and access.grant.client == client:
        return succeed({"active": True, "client_id": client, **describe_access(portal, access), **sign(portal, access)})
    if portal and grant and grant.client == client:
        return succeed(
            {"active": True, "app_id": APP_ID, **describe_refresh(portal, grant), "token_use": "refresh_token"}
        )
    return succeed({"active": False})


def show_access(asked: Asked[Portal], _: str) -> Answer:
    portal, access = asked.account, find_access(asked.account, asked.form["token"])
    if portal is None or access is None:
        raise fail(404, "OBJECT_NOT_FOUND", "access token info not found")
    return succeed(describe_access(portal, access))


def show_refresh(asked: Asked[Portal], _: str) -> Answer:
    portal, grant = asked.account, find_grant(asked.account, asked.form["token"])
    if portal is None or grant is None:
        raise fail(404, "OBJECT_NOT_FOUND", "refresh token info not found")
    return succeed(describe_refresh(portal, grant))


def find_access(portal: Portal | None, token: str) -> Access | None:
    """The access token, while it is good."""
    access = portal.grants.accesses.get(token) if portal else None
    return access if portal and access and portal.grants.is_alive(access) else None


def find_grant(portal: Portal | None, token: str) -> Grant | None:
    return portal.grants.find(token) if portal else None


def describe_token(portal: Portal, token: str) -> dict[str, Any]:
    return {
        "token_type": "bearer",
        "token": token,
        "hub_id": portal.profile.portal_id,
        "hub_domain": portal.profile.hub_domain,
        "user_id": portal.profile.user_id,
        "user": portal.profile.user_email,
    }


def describe_access(portal: Portal, access: Access) -> dict[str, Any]:
    described = describe_token(portal, access.token)
    return {**described, "scopes": list(access.scopes), "app_id": APP_ID, "expires_in": seconds_left(portal, access)}


def describe_refresh(portal: Portal, grant: Grant) -> dict[str, Any]:
    return {**describe_token(portal, grant.refresh), "scopes": list(grant.scopes), "client_id": grant.client}


def seconds_left(portal: Portal, access: Access) -> int:
    return int(access.expires - portal.grants.clock())


def sign(portal: Portal, access: Access) -> dict[str, Any]:
    """What only introspection adds; the signature itself is not simulated."""
    signed = {
        "hublet": "na1",
        "hubId": portal.profile.portal_id,
        "userId": portal.profile.user_id,
        "appId": APP_ID,
        "expiresAt": int((time.time() + seconds_left(portal, access)) * 1000),
        "isPrivateDistribution": False,
    }
    return {"token_use": "access_token", "is_private_distribution": False, "signed_access_token": signed}
