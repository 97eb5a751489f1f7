"""A copy of the working tree, in which defects are planted, and a child process that runs tests in it."""

import compileall
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IN_TIME, TOO_LONG = 0, -1


def files() -> list[str]:
    """What the working tree holds, committed or not yet, as paths from its root."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def copied(to: Path) -> Path:
    """The copy; its environment is the one of the working tree."""
    for name in files():
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    (to / ".venv").symlink_to(ROOT / ".venv")
    compileall.compile_dir(to, quiet=2)
    return to


def sources(tree: Path) -> list[Path]:
    """The folders from which the packages of the tree are imported."""
    return [*sorted(tree.glob("libs/*/src")), *sorted(tree.glob("services/*/src"))]


@contextmanager
def planted(file: Path, source: bytes) -> Iterator[None]:
    """The file has this text for as long as the block lasts."""
    before, written = file.read_bytes(), file.stat()
    file.write_bytes(source)
    try:
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))


def in_child(tree: Path, output: Path, work: Callable[[], int], *, seconds: float) -> int:
    """What `work` returns in a process of its own that imports from the tree; TOO_LONG if it was ended after so many seconds.

    The process is a fork: what is imported here already, packages of others, is not imported again for each defect.
    """
    child = os.fork()
    if not child:
        _become(tree, output, work)
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TOO_LONG


def _become(tree: Path, output: Path, work: Callable[[], int]) -> None:
    """The child: a group of its own, its words in a file, the tree in front of everything; it never returns."""
    code = 70
    try:
        os.setsid()
        said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(said, stream)
        paths = [str(folder) for folder in (*sources(tree), tree)]
        sys.path[:] = paths + [path for path in sys.path if not Path(path or ".").resolve().is_relative_to(ROOT) or ".venv" in path]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # noqa: TID251 - for processes that tests start
        os.chdir(tree)
        code = work()
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
