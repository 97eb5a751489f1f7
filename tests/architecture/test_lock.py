"""What is installed is what is written down: exact, hashed, and without a word about where it is downloaded."""

import re
import subprocess
from pathlib import Path

from tools.lock import LOCK, ROOT, fingerprint, is_current

# Written in two parts, so that this file does not name them either.
DOWNLOAD_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("repo1.maven", "org"),
        ("repo.maven.apache", "org"),
        ("sonatype", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("mcr.microsoft", "com"),
        ("proxy.golang", "org"),
        ("crates", "io"),
        ("deb.debian", "org"),
        ("archive.ubuntu", "com"),
        ("astral", "sh"),
        ("conda", "io"),
    ]
]
DOWNLOAD = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, DOWNLOAD_HOSTS)) + r")(?![\w-])", re.IGNORECASE)


def committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_the_lock_was_made_from_the_pyproject_files_as_they_are() -> None:
    assert is_current(LOCK.read_text(encoding="utf-8")), "run `make lock` and commit requirements.lock"


def test_a_new_dependency_makes_the_lock_old(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["a"]\n', encoding="utf-8")
    before = fingerprint(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["a", "b"]\n[tool.ruff]\nline-length = 9\n', encoding="utf-8"
    )
    assert fingerprint(tmp_path) != before


def test_every_package_of_the_lock_has_one_version_and_a_hash() -> None:
    stanzas = re.split(r"\n(?=[^\s#])", LOCK.read_text(encoding="utf-8").split("\n", 1)[1])
    bad = [
        stanza.split("\n", 1)[0]
        for stanza in stanzas
        if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; .+?)? \\\n    --hash=sha256:", stanza)
    ]
    assert bad == []


def test_no_committed_file_names_a_download_host() -> None:
    named = [
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in committed_files()
        if file != Path(__file__)
        for found in DOWNLOAD.finditer(file.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert named == []
