"""requirements.lock: every package with version and hashes, no addresses, and a fingerprint of what it was made from.

`python tools/lock.py` renews it (`make lock`); `python tools/lock.py --check` fails when a pyproject.toml has moved on since.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
_MARK = "# made from: sha256:"


def fingerprint(root: Path = ROOT) -> str:
    """The SHA-256 of what the pyproject.toml files ask for: dependencies, groups, Python versions, build backends."""
    asked = {}
    for file in sorted([root / "pyproject.toml", *root.glob("libs/*/pyproject.toml"), *root.glob("services/*/pyproject.toml")]):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        project = content.get("project", {})
        asked[file.relative_to(root).as_posix()] = [
            project.get("requires-python"),
            sorted(project.get("dependencies", [])),
            project.get("optional-dependencies", {}),
            {group: sorted(map(str, wanted)) for group, wanted in content.get("dependency-groups", {}).items()},
            content.get("build-system", {}).get("requires"),
        ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def is_current(lock: str, root: Path = ROOT) -> bool:
    """Whether a lock of this text was made from the pyproject.toml files as they are."""
    return lock.splitlines()[0] == _MARK + fingerprint(root)


def renew(uv: str = "uv") -> None:
    """Resolves anew and writes the lock; uv.lock, which names addresses, stays out of git."""
    subprocess.run([uv, "lock"], cwd=ROOT, check=True)
    export = [
        uv,
        "export",
        "--quiet",
        "--format",
        "requirements.txt",
        "--all-packages",
        "--no-emit-workspace",
        "--no-header",
        "--no-annotate",
    ]
    pinned = subprocess.run(export, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    LOCK.write_text(f"{_MARK}{fingerprint()}\n{pinned}", encoding="utf-8")


def main() -> None:
    """The command line."""
    if sys.argv[1:] == ["--check"]:
        if not is_current(LOCK.read_text(encoding="utf-8")):
            sys.exit("requirements.lock is older than the pyproject.toml files: run `make lock` and commit it")
    else:
        renew(*sys.argv[1:])


if __name__ == "__main__":
    main()
