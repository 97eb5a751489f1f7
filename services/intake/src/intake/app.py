"""Wiring only: settings, handlers and policy of intake on the chassis."""

from common.runtime.service import Application, run, service
from common.sla.policy import load_policy
from intake import handlers
from intake.repository import UnitOfWork
from intake.settings import Settings


def build(settings: Settings) -> Application:
    """The intake service, not yet running."""
    return service("intake", settings, handlers=handlers, unit_of_work=UnitOfWork, policy=load_policy("intake"))


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
