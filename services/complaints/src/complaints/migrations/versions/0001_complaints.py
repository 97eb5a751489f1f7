"""The tables of the chassis, and complaints."""

from alembic import op

from common.store.schema import CHASSIS_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    op.execute("""
        CREATE TABLE complaints (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            customer_id text NOT NULL,
            request_id text,
            category text NOT NULL,
            region text NOT NULL,
            handled_by text,
            received_at timestamptz NOT NULL,
            triggers jsonb NOT NULL,
            taken jsonb NOT NULL
        )
    """)
