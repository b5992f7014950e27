"""A PostgreSQL server of one's own for tests: Debian's binaries, a unix socket, a data folder that goes with it, syncing as in earnest."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


class PrivatePostgres:
    """A server on a socket in its own folder. It dies with the process that started it."""

    def __init__(self) -> None:
        if not BINARIES:
            raise RuntimeError("the store's contract needs PostgreSQL's server: apt-get install postgresql (nothing needs to be running)")
        self._bin = BINARIES[-1]
        # Not pytest's folder: the server may run as another user, who cannot enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="rostra-pg-"))
        self._user = _unprivileged()
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._server: subprocess.Popen[str] | None = None
        self._run(
            "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
            "--no-sync",
        )

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        command = [str(self._bin / "postgres"), "-D", self._data, "-k", str(self.folder), "-c", "listen_addresses="]
        command += ["-c", "recovery_init_sync_method=syncfs"]  # a crash is recovered from in one sync rather than one a file
        self._server = subprocess.Popen(
            self._as_user(command), cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
        )
        ready, lines = threading.Event(), list[str]()
        threading.Thread(target=_watch, args=(self._server, ready, lines), daemon=True).start()
        if not ready.wait(60) or self._server.poll() is not None:
            raise RuntimeError("PostgreSQL did not start:\n" + "".join(lines))

    def create_database(self, name: str) -> str:
        """A new, empty database; its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return self.url(name)

    def stop_immediately(self) -> None:
        """What ``pg_ctl stop -m immediate`` does: every process quits without writing anything more, as in a crash."""
        self._stop(signal.SIGQUIT)

    def close(self) -> None:
        """Stop the server and delete its folder."""
        if self._server is not None and self._server.poll() is None:
            self.stop_immediately()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self, how: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(30)

    def _run(self, program: str, *arguments: str) -> None:
        command = self._as_user([str(self._bin / program), *arguments])
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _as_user(self, command: list[str]) -> list[str]:
        user = self._user
        become = [] if user is None else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return ["setpriv", *become, "--pdeathsig=QUIT", *command]


def _unprivileged() -> pwd.struct_passwd | None:
    """Who the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _watch(server: subprocess.Popen[str], ready: threading.Event, lines: list[str]) -> None:
    """Read what the server says until it ends, for a full pipe would stop it."""
    assert server.stderr is not None
    for line in server.stderr:
        del lines[:-50]
        lines.append(line)
        if "ready to accept connections" in line:
            ready.set()
    ready.set()
