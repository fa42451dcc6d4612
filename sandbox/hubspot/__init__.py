"""HubSpot, simulated: the dated API, and v3 and v4, of two accounts, below one prefix."""

from sandbox.account import Crm
from sandbox.hubspot import edge, oauth
from sandbox.hubspot.account import Portal
from sandbox.hubspot.profiles import LARGE, SMALL

SMALL_SIZE = 60
BROKEN = 2  # records of the large account, as it starts, that cannot be mapped; the small one has none


def create_crm(size: int, seed: int) -> Crm:
    accounts = (Portal(LARGE, size, seed, BROKEN), Portal(SMALL, min(size, SMALL_SIZE), seed, 0))
    return Crm("hubspot", accounts, [*edge.make_routes(accounts), *oauth.make_routes(accounts)], oauth.AUTHORIZE)
