"""The tables that only complaints writes."""

from common.store.aggregates import Document


class ComplaintRow(Document, table=True):
    """Complaints."""

    __tablename__ = "complaints"
