"""What each plan includes: which CRMs, and how many integrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from connectors.registry import CONNECTORS
from resolvers.errors import Refused, UserErrorCode
from storage.shapes import Plan


@dataclass(frozen=True)
class Offer:
    """None stands for all of them, and for any number."""

    crms: Sequence[str] | None = ()
    integrations: int | None = 0

    def includes(self, crm: str) -> bool:
        """Whether accounts of that CRM may be connected at all."""
        return self.crms is None or crm in self.crms

    def has_room(self, integrations: int) -> bool:
        """Whether so many may be connected."""
        return self.integrations is None or integrations <= self.integrations


Plans = Mapping[Plan, Offer]

SHIPPED: Final[Plans] = {
    Plan.FREE: Offer(),
    Plan.STARTER: Offer(),
    Plan.BUSINESS: Offer(None, 10),
    Plan.TEAMS: Offer(None, 50),
    Plan.ENTERPRISE: Offer(None, None),
}


def read_plans(text: str) -> Plans:
    """The table that settings put in the place of the shipped one; what it leaves out includes nothing.

    Raises ValueError.
    """
    given = orjson.loads(text)
    if not isinstance(given, dict):
        raise ValueError(text)
    plans = {Plan(name): _read_offer(offer) for name, offer in given.items()}
    return {plan: plans.get(plan, Offer()) for plan in Plan}


def _read_offer(given: object) -> Offer:
    if not isinstance(given, dict) or not given.keys() <= {"crms", "integrations"}:
        raise ValueError(given)
    offer = Offer(**given)
    if offer.crms is not None and not (
        isinstance(offer.crms, list) and all(crm in [*CONNECTORS] for crm in offer.crms)
    ):
        raise ValueError(given)
    number = offer.integrations
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
        raise ValueError(given)
    return offer


def find_plan(plans: Plans, crm: str, integrations: int = 1) -> Plan | None:
    """The smallest plan that includes the CRM, and so many integrations."""
    return next((plan for plan in Plan if plans[plan].includes(crm) and plans[plan].has_room(integrations)), None)


def check_plan(plans: Plans, plan: Plan, crm: str, integrations: int, field: Sequence[str] = ("crm",)) -> None:
    """Raises Refused where so many integrations, one of that CRM among them, are beyond the plan."""
    offer = plans[plan]
    if offer.includes(crm) and offer.has_room(integrations):
        return
    required = find_plan(plans, crm, integrations)
    label = CONNECTORS[crm].label
    what = f"{offer.integrations} integrations at most" if offer.includes(crm) else f"no integration with {label}"
    remedy = f"{required.value} is the first that includes it" if required else "no plan includes it"
    message = f"The plan {plan.value} includes {what}: {remedy}."
    details = {"requiredPlan": required.value if required else None}
    raise Refused(UserErrorCode.PLAN_INSUFFICIENT, message, field, details)
