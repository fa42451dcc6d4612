"""A thousand contacts become warm while the CRM is down for an hour."""

from tests.sync.conftest import database, office
from tests.sync.test_outbox import Mail, jobs, mail, sit_out

__all__ = ["database", "jobs", "mail", "office"]


async def test_a_thousand_wait_out_an_hour_and_arrive_once(mail: Mail) -> None:
    await sit_out(mail, 1_000)
