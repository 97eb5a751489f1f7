"""Wiring only: settings and handlers of complaints on the chassis."""

from common.runtime.service import Application, run, service
from complaints.documents import KINDS
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork
from complaints.settings import Settings


def build(settings: Settings) -> Application:
    """The complaints service, not yet running."""
    return service("complaints", settings, handlers=HANDLERS, unit_of_work=UnitOfWork, documents=KINDS)


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
