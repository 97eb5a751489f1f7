"""The mutation run of `make proof`: of 200 defects planted at random at least 95 % are found, and every named one."""

import os
import subprocess
import sys

import pytest
from tests.mutation.tree import ROOT

SHORT = {"NAMED": "a step at the instant of the receipt", "TESTS": "tests/complaints/test_complaint.py"}


@pytest.mark.proof
def test_planted_defects_are_found(proof: bool) -> None:
    environment = dict(os.environ) | ({} if proof else SHORT)  # noqa: TID251 - for the process that plants
    run = subprocess.run([sys.executable, "-m", "tests.mutation"], cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    print(run.stdout)  # noqa: T201 - what was counted
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    assert "named plants: 0" not in run.stdout
