"""Pipedrive's ways of writing that are its own."""

from dataclasses import dataclass, replace

from connectors.errors import Rejected, Unsupported
from connectors.writing import Create, WriteApi, Written


@dataclass(frozen=True, kw_only=True)
class CreateNote(Create):
    """Makes one note; by a token that may not say whose it is, as a note of the token's user.

    Only an administrator can name the author: https://developers.pipedrive.com/docs/api/v1/Notes
    """

    author: str
    """The field that names them."""

    async def create(self, api: WriteApi, written: Written) -> str:
        """The id of the new note. An error does not tell which field it is about: it is tried once without the author."""
        try:
            return await super().create(api, written)
        except (Rejected, Unsupported):
            fields = {name: value for name, value in written.fields.items() if name != self.author}
            if len(fields) == len(written.fields):
                raise
        return await super().create(api, replace(written, fields=fields))
