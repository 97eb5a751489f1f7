"""The tables that only intake writes."""

from common.store.aggregates import Document


class ServiceRequestRow(Document, table=True):
    """Service requests."""

    __tablename__ = "service_requests"
