"""Wiring only: settings and handlers of intake on the chassis."""

from common.runtime.service import Application, run, service
from intake.documents import KINDS
from intake.handlers import HANDLERS
from intake.repository import UnitOfWork
from intake.settings import Settings


def build(settings: Settings) -> Application:
    """The intake service, not yet running."""
    return service("intake", settings, handlers=HANDLERS, unit_of_work=UnitOfWork, documents=KINDS)


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
