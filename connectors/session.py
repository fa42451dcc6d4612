"""Authlib's OAuth client, with the manners of our own: loaded where there is a consent to deal with."""

# mypy: disable-error-code="import-untyped,misc"
# Authlib has no types

import warnings
from collections.abc import Callable
from typing import Any

from connectors.http import Http, Response, borrow

with warnings.catch_warnings(record=True):  # it would rather have httpx2, and says so in each of its modules
    from authlib.integrations.httpx_client import AsyncOAuth2Client


class Session(AsyncOAuth2Client):
    """For one call, over the connections of the client that it is given; what it raises of an answer is ours."""

    def __init__(
        self, client_id: str, client_secret: str, auth: str, http: Http, read: Callable[[Response], dict[str, Any]]
    ) -> None:
        methods = {f"{what}_endpoint_auth_method": auth for what in ("token", "revocation")}
        super().__init__(client_id, client_secret, **methods, **borrow(http))
        self.read_token = read

    def parse_response_token(self, resp: Response) -> Any:
        self.token = self.read_token(resp)
        return self.token
