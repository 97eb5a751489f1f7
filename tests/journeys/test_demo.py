"""`aftersales demo`, small: the story runs to its end, and its report is what outsiders were promised."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

AFTERSALES = Path(sys.executable).parent / "aftersales"


@pytest.mark.real
def test_a_small_demo_keeps_its_invariants_and_the_schema_of_its_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = {**os.environ, "DEMO_REPORT": str(report)}  # noqa: TID251 - a process of its own, with what this one was given
    told = subprocess.run(
        [AFTERSALES, "demo", "--cases", "40", "--data", str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    found = json.loads(report.read_text("utf-8"))
    schema = json.loads(resources.files("ops").joinpath("interfaces", "demo-report.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(found)
    stages = {(row["service"], row["stage"]) for row in found["sla"]}
    assert ("dispatch", "arrival") in stages
    assert ("complaints", "escalated") in stages
    assert found["grades"]
    assert found["replays"] == {}  # there was no log
    assert found["grades_digest"] in told.stdout.replace("\n", "")
