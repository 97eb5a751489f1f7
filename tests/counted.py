"""How many generated cases a property is tried on: a bounded number in `make test`, the full count in `make proof`."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

PROOF = os.environ.get("PROOF") == "1"  # noqa: TID251 - a switch of the test run, not of the product

settings.register_profile(
    "ours",
    derandomize=not PROOF,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("ours")  # how fast a machine draws and tries decides nothing, here and where a property names no number of cases

F = TypeVar("F", bound=Callable[..., object])


def counting(cases: int, *, proof: int, steps: int = 50, proof_steps: int = 50) -> settings:
    """The same cases in every `make test`, new ones in every `make proof`."""
    return settings(
        max_examples=proof if PROOF else cases,
        stateful_step_count=proof_steps if PROOF else steps,
    )


def counted(cases: int, *, proof: int) -> Callable[[F], F]:
    """Marks a property for `make proof` too, and says how many cases it owes in either."""

    def mark(test: F) -> F:
        pytest.mark.proof(counting(cases, proof=proof)(test))
        return test

    return mark
