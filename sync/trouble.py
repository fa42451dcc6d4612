"""What keeps a run from going on as planned: what it tells of it, and what stops it."""

from collections.abc import Mapping

from connectors.declaration import ExternalType
from connectors.errors import CrmError, Missing, Rejected, Unmappable, Unsupported
from connectors.facts import Payload
from connectors.paths import follow_path
from storage.shapes import SyncStatus

DISCONNECTED = "The integration was disconnected."
PAUSED = "The integration is paused: the run goes on when it is resumed."

PASSED_OVER: Mapping[type[CrmError], str] = {
    Unsupported: "UNSUPPORTED",
    Missing: "UNSUPPORTED",
    Rejected: "UNREADABLE",
}
"""Errors of one type's lists that do not keep the others from being read, and the code of the SyncError."""

Error = dict[str, str | None]


class Superseded(Exception):  # noqa: N818 # it is no error: another worker goes on
    """Another worker has taken the run: nothing of this page may be kept."""


class Stopped(Exception):  # noqa: N818 # it is no error: somebody asked for it
    """A person cancelled the run, or paused or disconnected its integration."""

    def __init__(self, status: SyncStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def tell(external_type: str, external_id: str | None, code: str, message: str, field: str | None = None) -> Error:
    """A SyncError."""
    return {
        "external_type": external_type,
        "external_id": external_id,
        "field": field,
        "code": code,
        "message": message,
    }


def explain(external: ExternalType, payload: Payload, error: Unmappable) -> Error:
    """The SyncError of a record that could not be mapped."""
    name = follow_path(payload, external.identifier)
    return tell(external.name, None if name is None else str(name), "UNMAPPABLE", error.message, error.field)


def tell_missing(external: ExternalType, name: str) -> Error:
    """The SyncError of a record that was asked for."""
    return tell(external.name, name, "MISSING", "The CRM has no such record, or does not show it.")
