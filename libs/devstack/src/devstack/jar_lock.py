"""Renews kafka-jars.lock after a change of pom.xml: `python -m devstack.jar_lock`. What it changes is for a reader to judge."""

import shutil
import tempfile
from pathlib import Path

from devstack.jars import fetch, sha256
from devstack.java import java

_HEAD = "# The jars of pom.xml as Maven resolves them: group:artifact:version sha256\n"


def renew(lock_file: Path) -> None:
    """Writes a line for each jar that Maven resolves now."""
    with tempfile.TemporaryDirectory() as part:
        fetch(shutil.which("mvn") or "mvn", java(None), Path(part), "-Dmdep.useRepositoryLayout=true")
        lines = []
        for jar in sorted(Path(part).rglob("*.jar")):
            *group, artifact, release, _ = jar.relative_to(part).parts
            lines.append(f"{'.'.join(group)}:{artifact}:{release} {sha256(jar)}\n")
    lock_file.write_text(_HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    renew(Path(__file__).with_name("kafka-jars.lock"))
