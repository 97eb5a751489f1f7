"""The tables of the chassis, and facts, organisations, ratings, cycles, grades."""

from alembic import op

from common.store.schema import CHASSIS_1, DOCUMENT_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
    for table in ("organisations", "ratings", "cycles"):
        execute_all(op, DOCUMENT_1.format(table=table))
    execute_all(op, """
        CREATE TABLE kpi_facts (
            key bytea NOT NULL,
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
            replay_of text NOT NULL,
            dimensions json NOT NULL,
            PRIMARY KEY (key, revision)
        );
        CREATE INDEX kpi_facts_time ON kpi_facts USING brin (time);
        CREATE TABLE fact_lots (
            digest bytea PRIMARY KEY,
            keys bytea[] NOT NULL,
            revisions int[] NOT NULL
        );
        CREATE INDEX ratings_cycle ON ratings ((state ->> 'cycle'), (state ->> 'scheme'), id);
        CREATE TABLE grade_inputs (
            digest text PRIMARY KEY,
            content jsonb NOT NULL
        );
        CREATE TABLE close_inputs (
            cycle_key text NOT NULL,
            requested_by text NOT NULL,
            part int NOT NULL,
            field text NOT NULL,
            content text NOT NULL,
            PRIMARY KEY (cycle_key, requested_by, part)
        );
        CREATE TABLE grades (
            grade_key text NOT NULL,
            version int NOT NULL,
            cycle_key text NOT NULL,
            subject text NOT NULL,
            score text NOT NULL,
            grade text NOT NULL,
            digest text NOT NULL,
            requested_by text NOT NULL,
            document jsonb NOT NULL,
            inputs jsonb NOT NULL,
            outcomes jsonb NOT NULL,
            recorded_at timestamptz NOT NULL,
            PRIMARY KEY (grade_key, version)
        );
        CREATE INDEX grades_cycle ON grades (cycle_key);
    """)
