"""The tables that only dispatch writes."""

from common.store.aggregates import Document


class WorkOrderRow(Document, table=True):
    """Work orders."""

    __tablename__ = "work_orders"
