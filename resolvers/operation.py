"""What is known of one operation while it is carried out: its log line, its metrics and its trace are made of it."""

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,63}")
UNREAD, UNNAMED, OTHER = "none", "anonymous", "other"


@dataclass
class Operation:
    """Filled in as it goes: by who reads it, then by who has its answer."""

    kind: str = UNREAD
    """query, mutation or subscription; none as long as nothing was read that can be carried out."""
    name: str | None = None
    """As its client has called it."""
    outcome: str = "ok"
    """Or the code of the error that weighs most."""
    cost: int | None = None
    """What it was charged with, where the answer says so."""

    @property
    def label(self) -> str:
        """The name, where it can be told: clients choose it."""
        if self.kind == UNREAD:
            return UNREAD
        if self.name is None:
            return UNNAMED
        return self.name if NAME.fullmatch(self.name) else OTHER
