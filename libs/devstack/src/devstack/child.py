"""Child processes that never outlive this one, whatever ends it."""

import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Reads until our end of the pipe closes. A line means that all is well; an end of file means that we died, by kill -9 too.
_KILL_GROUP = 'read -r _ || kill -KILL "-$0"'
_RUN = 'read -r _ || exec "$0" "$@"'


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group that a child runs as; ours when nothing is given."""

    user: int | None = None
    group: int | None = None
    extra_groups: tuple[int, ...] | None = None


class Keeper:
    """A shell that waits beside us and acts only if this process ends without a word, which `atexit` would miss after kill -9."""

    def __init__(self, script: str, *args: str) -> None:
        self._shell = subprocess.Popen(
            ["sh", "-c", script, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @classmethod
    def of_group(cls, group: int) -> "Keeper":
        """A keeper that kills the process group."""
        return cls(_KILL_GROUP, str(group))

    @classmethod
    def running(cls, argv: Sequence[str]) -> "Keeper":
        """A keeper that runs the command."""
        return cls(_RUN, *argv)

    def dismiss(self) -> None:
        """Nothing is left to keep; harmless twice."""
        if self._shell.returncode is None:
            self._shell.communicate(b"\n")


class Child:
    """A running server in its own session, its output in a file."""

    def __init__(self, argv: Sequence[str], log: Path, identity: Identity) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                user=identity.user,
                group=identity.group,
                extra_groups=identity.extra_groups,
            )
        self._keeper = Keeper.of_group(self._process.pid)

    @property
    def ended(self) -> bool:
        """Whether the process has ended, by itself or by us."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Ends the process and its group as kill -9 does; harmless when it has ended."""
        if not self.ended:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._keeper.dismiss()

    def freeze(self) -> None:
        """Holds the process and its children where they are, as a machine that stands still does."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets the frozen processes go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, how: signal.Signals) -> None:
        # PostgreSQL's workers leave the group of their parent
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        workers = children.read_text(encoding="ascii").split() if children.exists() else []
        for process in (self._process.pid, *map(int, workers)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, how)

    def stop(self, how: signal.Signals, limit: float) -> None:
        """Asks the process to end with the signal `how` and kills it after `limit` seconds."""
        if not self.ended:
            self._process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(limit)
        self.kill()


def run(argv: Sequence[str], identity: Identity, limit: float = 120) -> subprocess.CompletedProcess[str]:
    """A finished short command with its output as text; its exit code is the caller's to judge."""
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=limit,
        check=False,
        user=identity.user,
        group=identity.group,
        extra_groups=identity.extra_groups,
    )


def unprivileged() -> Identity:
    """The identity for a program that refuses to run as root: `nobody` when we are root, else our own."""
    if os.geteuid() != 0:
        return Identity()
    nobody = pwd.getpwnam("nobody")
    return Identity(nobody.pw_uid, nobody.pw_gid, ())


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log file, for an error message."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
