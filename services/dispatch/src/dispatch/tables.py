"""The tables that only dispatch writes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class WorkOrderRow(SQLModel, table=True):
    """One work order; `steps` are what happened to it, and status, technician and team what they add up to, for whoever looks."""

    __tablename__ = "work_orders"

    id: str = Field(primary_key=True)
    sequence: int = 0
    request_id: str
    priority: str
    region: str
    product: str
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    status: str
    technician: str
    team: str
    steps: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
