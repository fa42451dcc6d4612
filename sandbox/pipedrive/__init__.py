"""Pipedrive, simulated: API v2 and v1 of two companies, below one prefix."""

from sandbox.account import Crm
from sandbox.pipedrive import edge, oauth
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.company import LARGE, SMALL

SMALL_SIZE = 60
BROKEN = 2  # records of the large account, as it starts, that cannot be mapped; the small one has none


def create_crm(size: int, seed: int) -> Crm:
    accounts = (Company(LARGE, size, seed, BROKEN), Company(SMALL, min(size, SMALL_SIZE), seed, 0))
    return Crm("pipedrive", accounts, [*edge.make_routes(accounts), *oauth.make_routes(accounts)], oauth.AUTHORIZE)
