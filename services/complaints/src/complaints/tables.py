"""The tables that only complaints writes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class ComplaintRow(SQLModel, table=True):
    """One complaint; `taken` maps each step to when it was taken."""

    __tablename__ = "complaints"

    id: str = Field(primary_key=True)
    sequence: int = 0
    customer_id: str
    request_id: str | None
    category: str
    region: str
    handled_by: str | None
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    triggers: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    taken: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
