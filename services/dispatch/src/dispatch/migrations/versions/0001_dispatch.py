"""The tables of the chassis, requests and work orders."""

from alembic import op

from common.store.schema import CHASSIS_1, DOCUMENT_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    for table in ("known_requests", "work_orders"):
        execute_all(op, DOCUMENT_1.format(table=table))
