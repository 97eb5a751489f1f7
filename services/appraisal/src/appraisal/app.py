"""Wiring only: settings, handlers, jobs and the bulk reader of appraisal on the chassis."""

from appraisal import ingest, jobs, metrics
from appraisal.documents import KINDS
from appraisal.handlers import HANDLERS
from appraisal.repository import UnitOfWork
from appraisal.settings import Settings
from common.runtime.service import Application, Bulk, run, service


def build(settings: Settings) -> Application:
    """The appraisal service, not yet running."""
    return service(
        "appraisal",
        settings,
        handlers=HANDLERS,
        unit_of_work=UnitOfWork,
        jobs=jobs,
        bulk=Bulk(ingest.BATCH, ingest.ingest),
        own_metrics=metrics.declare,
        documents=KINDS,
    )


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
