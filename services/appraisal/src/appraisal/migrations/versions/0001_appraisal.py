"""The tables of the chassis, and facts, org snapshots, ratings, cycles, grades."""

from alembic import op

from common.store.schema import CHASSIS_1, DOCUMENT_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    for table in ("org_snapshots", "ratings", "cycles"):
        execute_all(op, DOCUMENT_1.format(table=table))
    execute_all(op, """
        CREATE TABLE kpi_facts (
            key bytea PRIMARY KEY,
            indicator text NOT NULL,
            case_id text NOT NULL,
            subject text NOT NULL,
            occurrence int NOT NULL,
            revision int NOT NULL,
            numerator text NOT NULL,
            denominator text NOT NULL,
            time bigint NOT NULL,
            recorded_at bigint NOT NULL,
            event_id text NOT NULL,
            source_event_ids text NOT NULL,
            replay_of text NOT NULL
        );
        CREATE INDEX kpi_facts_time ON kpi_facts USING brin (time);
        CREATE INDEX ratings_cycle ON ratings ((state ->> 'cycle'), (state ->> 'scheme'));
        CREATE TABLE grades (
            grade_key text NOT NULL,
            version int NOT NULL,
            cycle_key text NOT NULL,
            subject text NOT NULL,
            score text NOT NULL,
            grade text NOT NULL,
            digest text NOT NULL,
            document jsonb NOT NULL,
            inputs jsonb NOT NULL,
            outcomes jsonb NOT NULL,
            recorded_at timestamptz NOT NULL,
            PRIMARY KEY (grade_key, version)
        );
        CREATE INDEX grades_cycle ON grades (cycle_key);
    """)
