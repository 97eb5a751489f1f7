"""The tables that only appraisal writes. `kpi_facts` is written by `fact_store` alone, set-based; the others by aggregate."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from common.store.aggregates import Document


class OrganisationRow(Document, table=True):
    """Organisations that HR describes."""

    __tablename__ = "organisations"


class RatingRow(Document, table=True):
    """Ratings; a score never leaves this table but as a part of a group's mean."""

    __tablename__ = "ratings"


class CycleRow(Document, table=True):
    """Cycles, each of one scheme, and where its close stands."""

    __tablename__ = "cycles"


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
    requested_by: str
    """The event that asked for the close in which it was graded."""
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    inputs: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    outcomes: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
