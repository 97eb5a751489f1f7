"""The tables that only appraisal writes. `kpi_facts` is written by `fact_store` alone, set-based; the others by aggregate."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


def _instant() -> Any:
    return Column(DateTime(timezone=True), nullable=False)


class OrgSnapshotRow(SQLModel, table=True):
    """One picture of the organisation."""

    __tablename__ = "org_snapshots"

    id: str = Field(primary_key=True)
    sequence: int = 0
    org_id: str
    effective_at: datetime = Field(sa_column=_instant())
    members: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))


class RatingRow(SQLModel, table=True):
    """One rating; its score never leaves this table but as a part of a group's mean."""

    __tablename__ = "ratings"

    id: str = Field(primary_key=True)
    sequence: int = 0
    rating_id: str
    cycle: str
    scheme: str
    appraisee: str
    appraiser: str
    score: str


class CycleRow(SQLModel, table=True):
    """One cycle of one scheme and where its close stands."""

    __tablename__ = "cycles"

    id: str = Field(primary_key=True)
    sequence: int = 0
    cycle: str
    scheme: str
    state: str
    as_of: datetime = Field(sa_column=_instant())
    for_real: bool
    requested_by: str
    replay_of: str
    cut: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class GradeRow(SQLModel, table=True):
    """One version of one grade, with its inputs; append-only."""

    __tablename__ = "grades"

    grade_key: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    cycle_key: str
    subject: str
    score: str
    grade: str
    digest: str
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    inputs: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    outcomes: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    recorded_at: datetime = Field(sa_column=_instant())
