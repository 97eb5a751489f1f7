"""Wiring only: settings, handlers and policy of dispatch on the chassis."""

from common.runtime.service import Application, run, service
from common.sla.policy import load_policy
from dispatch import handlers
from dispatch.repository import UnitOfWork
from dispatch.settings import Settings


def build(settings: Settings) -> Application:
    """The dispatch service, not yet running."""
    return service("dispatch", settings, handlers=handlers, unit_of_work=UnitOfWork, policy=load_policy("dispatch"))


def main() -> None:
    """Runs the service in this process until it is told to stop."""
    run(build(Settings()))
