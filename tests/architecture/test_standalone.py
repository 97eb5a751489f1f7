"""Each service is a product of its own: installed alone from the lock, with common and nothing of its siblings."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools.lock import LOCK, ROOT

SERVICES = sorted(folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists())
UV = Path(sys.executable).with_name("uv")
OURS = "aftersales-"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def needs(distribution: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """The distributions that one asks for on this machine, each with the extras asked of it."""
    for text in requires(distribution) or []:
        wanted = Requirement(text)
        if not wanted.marker or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(wanted.name), frozenset(wanted.extras)


def closure(distribution: str) -> set[str]:
    """All that one distribution brings with it, by name."""
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ends = [(distribution, frozenset[str]())]
    while open_ends:
        end = open_ends.pop()
        if end not in seen:
            seen.add(end)
            open_ends.extend(needs(*end))
    return {name for name, _ in seen}


def locked(names: set[str]) -> str:
    """The lines of the lock for these packages; an error when one is not in it."""
    stanzas: dict[str, str] = {
        canonicalize_name(re.split(r"[\[=]", stanza, maxsplit=1)[0]): stanza
        for stanza in re.split(r"\n(?=[^\s#])", LOCK.read_text(encoding="utf-8").split("\n", 1)[1])
    }
    return "\n".join(stanzas[name] for name in sorted(names)) + "\n"


@pytest.fixture(scope="session")
def common_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of("libs/common", tmp_path_factory.mktemp("common"))


def wheel_of(member: str, target: Path) -> Path:
    run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", target, ROOT / member)
    return next(target.glob("*.whl"))


def committed(folder: Path) -> set[str]:
    return {name for name in run("git", "ls-files", folder.relative_to(ROOT).as_posix()).splitlines() if (ROOT / name).exists()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_and_imports_alone_from_the_lock(service: str, common_wheel: Path, tmp_path: Path) -> None:
    wanted = closure(OURS + service)
    assert {name for name in wanted if name.startswith(OURS)} == {f"{OURS}{service}", f"{OURS}common"}
    pinned = tmp_path / "requirements.txt"
    pinned.write_text(locked({name for name in wanted if not name.startswith(OURS)}), encoding="utf-8")

    venv = tmp_path / "venv"
    run(UV, "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    install: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        venv,
        "--no-deps",
        "--require-hashes",
        "--requirement",
        pinned,
    ]
    if subprocess.run([*install, "--offline"], cwd=ROOT, check=False, capture_output=True).returncode:
        run(*install)  # the cache of `make install` has been emptied since
    wheel = wheel_of(f"services/{service}", tmp_path / "dist")
    run(UV, "pip", "install", "--quiet", "--python", venv, "--no-deps", "--no-index", wheel, common_wheel)

    python = venv / "bin" / "python"
    run(UV, "pip", "check", "--quiet", "--python", venv)
    run(python, "-I", "-c", f"import {service}, common.kernel, common.contracts")
    if (ROOT / f"services/{service}/src/{service}/app.py").exists():
        run(python, "-I", "-c", f"import {service}.app")
    others = [name for name in (*SERVICES, "devstack", "ops") if name != service]
    run(python, "-I", "-c", f"import importlib.util as u; assert not [name for name in {others} if u.find_spec(name)]")


@pytest.mark.parametrize("member", ["libs/common", *(f"services/{service}" for service in SERVICES)])
def test_a_wheel_contains_every_file_of_its_package(member: str, tmp_path: Path) -> None:
    package = committed(ROOT / member / "src")
    with zipfile.ZipFile(wheel_of(member, tmp_path)) as wheel:
        packed = set(wheel.namelist())
    assert {name.removeprefix(f"{member}/src/") for name in package} - packed == set()
