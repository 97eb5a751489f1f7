"""A real Kafka and a real PostgreSQL for demo, tests and benchmarks."""

from devstack.errors import DevstackError, NotOursError
from devstack.stack import Stack, open_stack, stack

__all__ = ["DevstackError", "NotOursError", "Stack", "open_stack", "stack"]
