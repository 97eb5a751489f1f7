"""`aftersales demo`, small: the story runs to its end, and its report is what outsiders were promised, whatever the number of replicas."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.counted import PROOF

AFTERSALES = Path(sys.executable).parent / "aftersales"
SCHEMA = json.loads(resources.files("ops").joinpath("interfaces", "demo-report.json").read_text("utf-8"))


@pytest.mark.real
@pytest.mark.proof
def test_a_small_demo_keeps_its_invariants_its_schema_and_its_grades(tmp_path: Path) -> None:
    numbers = (1, 2, 2) if PROOF else (2,)
    reports = [_demo(tmp_path, replicas) for replicas in numbers]
    for found in reports:
        jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(found)
        stages = {(row["service"], row["stage"]) for row in found["sla"]}
        assert ("dispatch", "arrival") in stages
        assert ("complaints", "escalated") in stages
        assert found["grades"]
        assert found["replays"] == {}  # there was no log
        assert (found["grades_digest"], found["grades"]) == (reports[0]["grades_digest"], reports[0]["grades"])


def _demo(folder: Path, replicas: int) -> dict[str, Any]:
    report = folder / "report.json"
    environment = {**os.environ, "DEMO_REPORT": str(report)}  # noqa: TID251 - a process of its own, with what this one was given
    command = [str(AFTERSALES), "demo", "--cases", "40", "--data", str(folder), "--replicas", str(replicas)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert ("dispatch-1 :" in told.stdout.replace("\n", " ")) == (replicas > 1)
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    assert found["grades_digest"] in told.stdout.replace("\n", "")
    return found
