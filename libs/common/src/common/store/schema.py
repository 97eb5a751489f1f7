"""The tables of the chassis, the same in every service's database. A version that was released is never edited; a change is a new one."""

from typing import Any

CHASSIS_1 = """
CREATE TABLE inbox (
    source text NOT NULL,
    id text NOT NULL,
    digest bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL,
    event_id text NOT NULL,
    payload bytea NOT NULL,
    headers json NOT NULL,
    aggregate text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    refused text
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX outbox_refused ON outbox (aggregatetype, aggregateid, id) WHERE refused IS NOT NULL;
CREATE VIEW unsent AS
SELECT id, aggregatetype, aggregateid, payload, headers, aggregate, created_at FROM outbox AS o
WHERE published_at IS NULL AND refused IS NULL
      AND NOT EXISTS (SELECT FROM outbox AS r WHERE r.refused IS NOT NULL AND r.id < o.id
                      AND r.aggregatetype = o.aggregatetype AND r.aggregateid = o.aggregateid);
CREATE TABLE relay_lease (
    the_only_one boolean PRIMARY KEY CHECK (the_only_one),
    owner text NOT NULL,
    epoch bigint NOT NULL,
    until timestamptz NOT NULL
);
INSERT INTO relay_lease VALUES (true, '', 0, '-infinity');
CREATE TABLE consumer_progress (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    events_in bigint NOT NULL DEFAULT 0,
    applied bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    caught_up_at timestamptz,
    behind_since timestamptz,
    replayed_at timestamptz,
    halted boolean NOT NULL DEFAULT false,
    topic_id text,
    last_appended bigint,
    seek boolean NOT NULL DEFAULT false,
    PRIMARY KEY (topic, partition)
);
CREATE TABLE log_holes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    kind text NOT NULL,
    position_before bigint NOT NULL,
    position_after bigint NOT NULL,
    last_appended bigint,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    ended_by text,
    reason text
);
CREATE UNIQUE INDEX log_holes_open ON log_holes (topic, partition, kind) WHERE ended_at IS NULL;
CREATE TABLE waiting (
    number bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    id text NOT NULL,
    aggregate text NOT NULL,
    event_time timestamptz NOT NULL,
    missing text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    record json NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX waiting_aggregate ON waiting (aggregate, event_time, number);
CREATE TABLE parked_keys (
    aggregate text PRIMARY KEY,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    redrive boolean NOT NULL DEFAULT false
);
CREATE TABLE parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    record json NOT NULL,
    UNIQUE (source, event_id)
);
CREATE INDEX parked_aggregate ON parked (aggregate, id);
CREATE TABLE dead_letters (
    id text PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    rule text NOT NULL,
    field text NOT NULL,
    reason text NOT NULL,
    size int NOT NULL,
    sha256 text NOT NULL,
    raw bytea NOT NULL,
    headers jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
CREATE INDEX dead_letters_open ON dead_letters (source, event_id) WHERE closed_at IS NULL;
CREATE TABLE timers (
    id text PRIMARY KEY,
    kind text NOT NULL,
    aggregate text NOT NULL,
    reason text NOT NULL,
    due_at timestamptz NOT NULL,
    state text NOT NULL,
    version int NOT NULL,
    replay_of text NOT NULL
);
CREATE INDEX timers_due ON timers (due_at) WHERE state = 'armed';
CREATE INDEX timers_wake_ups ON timers (aggregate) WHERE kind = 'wake';
CREATE TABLE clocks (
    id text PRIMARY KEY,
    aggregate text NOT NULL,
    stage text NOT NULL,
    round int NOT NULL,
    state text NOT NULL,
    outcome text NOT NULL,
    deadline timestamptz,
    closed_at timestamptz,
    ended_at timestamptz,
    owner text NOT NULL,
    charged text NOT NULL,
    traits jsonb NOT NULL,
    policy text NOT NULL,
    revision int NOT NULL,
    provisional boolean NOT NULL,
    used_share numeric,
    unexcused text NOT NULL,
    kept jsonb NOT NULL
);
CREATE INDEX clocks_aggregate ON clocks (aggregate);
CREATE INDEX clocks_closed ON clocks (stage, closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX clocks_open ON clocks (stage) WHERE outcome = 'open';
CREATE INDEX clocks_revision ON clocks (revision) WHERE outcome IN ('open', 'none') AND state NOT IN ('stopped', 'void');
CREATE INDEX clocks_revision_ended ON clocks (revision, ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE clock_rounds (
    clock_id text NOT NULL,
    round int NOT NULL,
    stage text NOT NULL,
    outcome text NOT NULL,
    closed_at timestamptz,
    charged text NOT NULL,
    traits jsonb NOT NULL,
    policy text NOT NULL,
    used_share numeric,
    unexcused text NOT NULL,
    PRIMARY KEY (clock_id, round)
);
CREATE INDEX clock_rounds_closed ON clock_rounds (stage, closed_at) WHERE closed_at IS NOT NULL;
CREATE VIEW clock_outcomes AS
    SELECT id AS clock_id, round, stage, state, outcome, deadline, closed_at, charged, traits, policy, used_share, unexcused,
           kept ->> 'as_of' AS as_of
    FROM clocks
    UNION ALL
    SELECT clock_id, r.round, r.stage, 'stopped', r.outcome, NULL, r.closed_at, r.charged, r.traits, r.policy, r.used_share, r.unexcused,
           c.kept ->> 'as_of'
    FROM clock_rounds r JOIN clocks c ON c.id = clock_id;
CREATE TABLE clock_events (
    clock_id text NOT NULL,
    sequence int NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    event_id text NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (clock_id, sequence)
);
CREATE TABLE clock_days_changed (
    stage text NOT NULL,
    day date NOT NULL
);
CREATE TABLE sla_months (
    stage text NOT NULL,
    month text NOT NULL,
    stale boolean NOT NULL,
    rules int NOT NULL DEFAULT 0,
    revision int NOT NULL DEFAULT 0,
    event_id text NOT NULL DEFAULT '',
    published jsonb,
    PRIMARY KEY (stage, month)
);
CREATE TABLE documents (
    kind text NOT NULL,
    name text NOT NULL,
    version int NOT NULL,
    standing text NOT NULL,
    number int NOT NULL UNIQUE,
    rule_number int UNIQUE,
    effective_at timestamptz NOT NULL,
    counts_from timestamptz NOT NULL,
    applies_to_open boolean NOT NULL,
    body json NOT NULL,
    control jsonb NOT NULL,
    event_id text NOT NULL,
    PRIMARY KEY (kind, name, version, standing)
);
CREATE TABLE organisation_changes (
    number bigint GENERATED ALWAYS AS IDENTITY,
    change text NOT NULL,
    part int NOT NULL,
    parts int NOT NULL,
    org_id text NOT NULL,
    kind text NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    members jsonb NOT NULL,
    leaver text NOT NULL,
    PRIMARY KEY (change, part)
);
"""

DOCUMENT_1 = """
CREATE TABLE {table} (
    id text PRIMARY KEY,
    sequence int NOT NULL,
    version int NOT NULL,
    state jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT 'epoch'
);
"""
"""A kind of aggregate, as `common.store.aggregates.Document` has it."""


def execute_all(op: Any, statements: str) -> None:
    """Runs statements that are separated by semicolons, one at a time, as the driver wants them."""
    for statement in statements.split(";"):
        if statement.strip():
            op.execute(statement)
