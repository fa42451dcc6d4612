"""${message}."""

import sqlalchemy as sa
import sqlmodel
from alembic import op
${imports if imports else ""}
from storage.migrations.security import enable_rls

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Forward only: a database goes back by its backup."""
    ${upgrades if upgrades else "pass"}
