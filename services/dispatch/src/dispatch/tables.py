"""The tables that only dispatch writes."""

from common.store.aggregates import Document


class RequestRow(Document, table=True):
    """Service requests, as far as dispatch knows them."""

    __tablename__ = "known_requests"


class WorkOrderRow(Document, table=True):
    """Work orders."""

    __tablename__ = "work_orders"
