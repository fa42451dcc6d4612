"""Who writes to the CRMs what the outbox hands over."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from connectors.errors import Ambiguous, CrmError
from connectors.once import Once
from storage.database import Database
from storage.outbound import Push
from storage.shapes import PushKind
from storage.tables import Integration
from sync.clients import Clients
from sync.outcomes import Outcome, Retry, Unknown
from sync.sending.activities import push_activity
from sync.sending.desk import SETTLING, Desk, Doubtful, Locks, Taken
from sync.sending.edits import push_edits
from sync.sending.leads import push_lead

FRESH = 60.0
"""Seconds for which the fields of a CRM are known."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """The outbox's handler, of all workspaces."""

    database: Database
    clients: Clients
    settling: float = SETTLING
    """Seconds after which a call that was cut has either been carried out or never will be."""
    locks: Locks = field(default_factory=Locks)
    known: dict[UUID, tuple[float, Once]] = field(default_factory=dict)
    """integration -> since when, and what was read of its CRM's fields."""

    async def send(self, integration: Integration, group: Sequence[Push]) -> Mapping[UUID, Outcome]:
        """What has become of each. Raises a CrmError that says it of all of them; nothing is said of a push that another
        worker has taken."""
        since, known = self._recall(integration.id)
        opening = Desk.open(self.database, self.clients, integration, self.locks, known=known, settling=self.settling)
        desk, first = await opening, group[0]
        await desk.follow(group)
        try:
            if first.kind == PushKind.EDIT.value:
                return await push_edits(desk, group)
            push = push_lead if first.kind == PushKind.WARM_LEAD.value else push_activity
            return {first.id: await push(desk, first)}
        except Taken:
            return {}
        except Doubtful as doubt:
            return {first.id: Unknown(doubt.message, doubt.after)}
        except Ambiguous as error:  # of a call that can be made twice
            return {one.id: Retry(error.message) for one in group}
        except CrmError:
            desk.client.once = Once()  # a list that could not be read is read anew by the next try
            raise
        finally:
            if desk.client.once is not known:  # what was known has changed
                self.known[integration.id] = since, desk.client.once

    def _recall(self, integration: UUID) -> tuple[float, Once]:
        """What is known of an integration's CRM; of others nothing older is kept either."""
        now = time.monotonic()
        for key in [key for key, (since, _) in self.known.items() if now - since > FRESH]:
            del self.known[key]
        return self.known.setdefault(integration, (now, Once()))
