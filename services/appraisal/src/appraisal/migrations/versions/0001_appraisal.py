"""The tables of the chassis, and facts, org snapshots, ratings, cycles, grades."""

from alembic import op

from common.store.schema import CHASSIS_1, execute_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_all(op, CHASSIS_1)
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
        CREATE TABLE org_snapshots (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            org_id text NOT NULL,
            effective_at timestamptz NOT NULL,
            members jsonb NOT NULL
        );
        CREATE TABLE ratings (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            rating_id text NOT NULL,
            cycle text NOT NULL,
            scheme text NOT NULL,
            appraisee text NOT NULL,
            appraiser text NOT NULL,
            score text NOT NULL
        );
        CREATE INDEX ratings_cycle ON ratings (cycle, scheme);
        CREATE TABLE cycles (
            id text PRIMARY KEY,
            sequence int NOT NULL,
            cycle text NOT NULL,
            scheme text NOT NULL,
            state text NOT NULL,
            as_of timestamptz NOT NULL,
            for_real boolean NOT NULL,
            requested_by text NOT NULL,
            replay_of text NOT NULL,
            cut jsonb NOT NULL
        );
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
