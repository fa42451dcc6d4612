"""Where a person is sent after a consent: which addresses are allowed, and how the outcome is told there."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlencode, urlsplit

from resolvers.errors import Refused, UserErrorCode

LONGEST = 2_000
PORTS = {"http": 80, "https": 443}
UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
"""Browsers drop some of these and read others as a slash: they would go elsewhere than we have looked."""


def find_origin(url: str) -> str | None:
    """`https://app.example:8443` of an absolute http(s) address, in one spelling; None for what is none, or has a user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if UNSAFE.search(url) or parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port in (None, PORTS[parts.scheme]) else f':{port}'}"


def check_return(url: str | None, origins: Collection[str]) -> str | None:
    """An address that the outcome may be told to, or None. Raises Refused."""
    if url is None:
        return None
    if len(url) > LONGEST or find_origin(url) not in origins:
        named = ", ".join(sorted(origins)) or "none yet"
        message = f"`returnTo` leads to an origin that the setting RETURN_ORIGINS names, which are: {named}."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("returnTo",))
    return url


def add_outcome(url: str, outcome: Mapping[str, str]) -> str:
    """The address with the outcome behind its own query."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(outcome))))
    return parts._replace(query=query).geturl()
