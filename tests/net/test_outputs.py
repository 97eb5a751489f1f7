"""What the services say to the demo and to a real log is what they said before, and the demo keeps its promises to outsiders."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from tests.counted import PROOF
from tests.net.outputs import VOLVO, differences, kept, play_demo, play_volvo, said

from devstack import Stack

SCHEMA = json.loads(resources.files("ops").joinpath("interfaces", "demo-report.json").read_text("utf-8"))
GRADES_DIGEST = "sha256:74068fb45dacaee600e12f71aab7db6ff37baab58398037cdf308cdf4f10cdbf"
LOGS = [("volvo", 2)] if VOLVO.exists() else []
RUNS = [("demo", 1), ("demo", 2), ("demo", 2), *LOGS] if PROOF else [("demo", 2)]


@pytest.mark.real
@pytest.mark.proof
@pytest.mark.parametrize(("input", "replicas"), RUNS)
def test_the_services_say_what_they_said_before_on_any_number_of_replicas(
    fresh_stack: Stack, tmp_path: Path, input: str, replicas: int
) -> None:
    if input == "demo":
        _check_demo(*play_demo(fresh_stack, replicas, tmp_path), replicas)
    else:
        play_volvo(fresh_stack, replicas, tmp_path)
    assert differences(kept(input), said(fresh_stack)) == []


def _check_demo(told: str, report: Path, replicas: int) -> None:
    found = json.loads(report.read_text("utf-8"))
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(found)
    stages = {(row["service"], row["stage"]) for row in found["sla"]}
    assert {("dispatch", "arrival"), ("complaints", "escalated")} <= stages
    assert found["replays"]["volvo"]["cases"] == 100
    assert (len(found["grades"]), found["grades_digest"]) == (29, GRADES_DIGEST)
    assert found["grades_digest"] in told.replace("\n", "")
    assert ("dispatch-1 :" in told.replace("\n", " ")) == (replicas > 1)
