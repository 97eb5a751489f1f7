"""Renews the safety net: asks all questions and plays the demo and the Volvo log anew, keeps the answers, and tells what changed.

    .venv/bin/python -m tests.net [clock] [grade] [demo] [volvo]

Without a word it renews everything that it can: the Volvo log lies in ../shared/data, or where AFTERSALES_DATA says.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.net.outputs import HERE, VOLVO, differences, kept, play_demo, play_volvo, said
from tests.net.questions import COMMANDS, asked, drawn, file_of

from devstack import Stack, open_stack
from devstack.settings import read

_INPUTS: dict[str, Callable[[Stack, int, Path], object]] = {"demo": play_demo, "volvo": play_volvo}


def _renew_answers(calculator: str) -> list[str]:
    questions, file = drawn(calculator), file_of(calculator)
    before = file.read_bytes() if file.exists() else b""
    pairs = zip(questions, asked(calculator, questions), strict=True)
    file.write_bytes(b"".join(b"%b\n%b\n" % pair for pair in pairs))
    return [] if before == file.read_bytes() else ["read the difference with git diff"]


def _renew_digests(name: str) -> list[str]:
    stack = open_stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None))
    try:
        with TemporaryDirectory() as folder:
            _INPUTS[name](stack, 1, Path(folder))
            now = said(stack)
    finally:
        stack.stop()
    file = HERE / f"{name}.json"
    was = kept(name) if file.exists() else {}
    file.write_text(json.dumps(now, indent=1) + "\n", "utf-8")
    return differences(was, now)


for _wanted in sys.argv[1:] or [*COMMANDS, "demo", *(["volvo"] if VOLVO.exists() else [])]:
    _changed = _renew_answers(_wanted) if _wanted in COMMANDS else _renew_digests(_wanted)
    print(_wanted, *(_changed or ["nothing changed"]), sep="\n  ")  # noqa: T201 - whoever renews them reads what changed
