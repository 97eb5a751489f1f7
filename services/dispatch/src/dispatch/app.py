"""Wiring only: settings and handlers of dispatch on the chassis."""

from common.runtime.service import Application, run, service
from dispatch.handlers import HANDLERS
from dispatch.repository import UnitOfWork
from dispatch.settings import Settings


def build(settings: Settings) -> Application:
    """The dispatch service, not yet running."""
    return service("dispatch", settings, handlers=HANDLERS, unit_of_work=UnitOfWork)


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
