"""Wiring only: settings and handlers of intake on the chassis."""

from common.runtime.service import Application, run, service
from intake import handlers
from intake.repository import UnitOfWork
from intake.settings import Settings


def build(settings: Settings) -> Application:
    """The intake service, not yet running."""
    return service("intake", settings, handlers=handlers, unit_of_work=UnitOfWork)


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
