"""The tables that only intake writes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class ServiceRequestRow(SQLModel, table=True):
    """One service request; `taken` maps each step to when it was taken, `remarks` are the hotline's and leave by no other way."""

    __tablename__ = "service_requests"

    id: str = Field(primary_key=True)
    sequence: int = 0
    customer_id: str
    channel: str
    nature: str
    severity: str
    priority: str
    region: str
    product: str
    handled_by: str | None
    asset_id: str | None
    remarks: str
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    closed_by: str | None
    satisfaction: int | None
    taken: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
