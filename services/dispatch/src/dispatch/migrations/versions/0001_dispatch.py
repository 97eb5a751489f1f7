"""The tables of the chassis, and work orders."""

from alembic import op

from common.store.schema import CHASSIS_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    op.execute("""
        CREATE TABLE work_orders (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            request_id text NOT NULL,
            priority text NOT NULL,
            region text NOT NULL,
            product text NOT NULL,
            created_at timestamptz NOT NULL,
            status text NOT NULL,
            technician text NOT NULL,
            team text NOT NULL,
            steps jsonb NOT NULL
        )
    """)
