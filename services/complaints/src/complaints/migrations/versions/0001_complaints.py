"""The tables of the chassis, and complaints."""

from alembic import op

from common.store.schema import CHASSIS_1, DOCUMENT_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    execute_all(op, DOCUMENT_1.format(table="complaints"))
