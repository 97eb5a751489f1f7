"""The tables of the chassis, and service requests."""

from alembic import op

from common.store.schema import CHASSIS_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    op.execute("""
        CREATE TABLE service_requests (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            customer_id text NOT NULL,
            channel text NOT NULL,
            nature text NOT NULL,
            severity text NOT NULL,
            priority text NOT NULL,
            region text NOT NULL,
            product text NOT NULL,
            handled_by text,
            asset_id text,
            remarks text NOT NULL,
            received_at timestamptz NOT NULL,
            closed_by text,
            satisfaction int,
            taken jsonb NOT NULL
        )
    """)
