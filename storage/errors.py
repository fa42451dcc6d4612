"""What can go wrong in storage, named by what helps: each message says in one line what to do."""

# ruff: noqa: N818 - the names say the remedy; "Error" behind each would say nothing


class StorageError(Exception):
    """The root of them all."""


class DatabaseUnavailable(StorageError):
    """No server answers, or it cannot be started here: nothing is lost, and it can be put right."""


class DatabaseInUse(StorageError):
    """Other processes hold the embedded database, so it is not stopped under them."""


class WrongVersion(StorageError):
    """A data folder, a server or a schema of a version that this program does not serve."""


class UnsafeRole(StorageError):
    """The role that would run the statements is above row-level security, or may not do what it must."""


class NoWorkspace(StorageError):
    """A statement that belongs to a workspace was about to run without one."""


class WrongWorkspace(StorageError):
    """A statement, or a row, names another workspace than the one that its session is in."""


class BadKeys(StorageError):
    """The list of keys cannot be read as `id:base64,…`."""


class UnknownKey(StorageError):
    """A value was sealed with a key that is not in the list (any more)."""


class BrokenSeal(StorageError):
    """A sealed value was changed, cut, or belongs to another workspace or integration."""
