"""The supervisor, as an operator meets it: real processes, started, killed and stopped."""

import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from serving import PATIENCE_SECONDS, Serving, titled

Start = Callable[..., Serving]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers, each in a folder of its own, and clears them away."""
    started: list[Serving] = []

    def another(*arguments: str, **settings: str) -> Serving:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Serving(folder, *arguments, **settings))
        return started[-1]

    yield another
    for serving in started:
        serving.clear()


def test_it_says_where_once_and_shows_every_role(start: Start) -> None:
    serving = start()
    url = serving.ready()
    assert httpx.get(f"{url}healthz").status_code == 200
    for role in ("api", "media", "media standby", "worker"):
        serving.only(role)
    assert Path(f"/proc/{serving.process.pid}/cmdline").read_bytes().rstrip(b"\0 ") == b"rostra: serve"
    assert serving.stop() < 10
    assert serving.out == f"Rostra is ready: {url}\n"


def test_every_killed_role_comes_back_and_no_connection_is_refused(start: Start) -> None:
    serving = start()
    url = serving.ready()
    for role in ("worker", "media standby", "media", "api"):
        before = serving.only(role)
        os.kill(before, signal.SIGKILL)
        if role == "api":  # Asked while nobody listens: the socket is the supervisor's, and the successor answers.
            assert httpx.get(f"{url}healthz", timeout=PATIENCE_SECONDS).status_code == 200
        serving.only(role, but=before)
    serving.only("media standby")
    ready = serving.until(lambda: (answer := httpx.get(f"{url}readyz")).status_code == 200 and answer.json())
    assert ready
    assert serving.stop() < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_of_the_whole_group_is_one_stop(start: Start, number: signal.Signals) -> None:
    serving = start()
    serving.ready()
    for role in ("media", "media standby", "worker"):
        serving.only(role)
    assert serving.stop(lambda: os.killpg(serving.process.pid, number)) < 10
    assert "starting another" not in serving.err and "Traceback" not in serving.err


def test_event_streams_end_when_it_stops(start: Start) -> None:
    serving = start()
    url = serving.ready()
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as http:
        token = http.post("api/v1/guests", json={"name": "Amara"}).json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        space = http.post("api/v1/spaces", json={"title": "Who keeps the lights on?", "open": True}).json()["id"]
        with http.stream("GET", f"api/v1/spaces/{space}/events") as events:
            lines = events.iter_lines()
            assert next(lines)
            assert serving.stop() < 5
            for _ in lines:  # It ends as streams end, not as connections break.
                pass


def test_whatever_hangs_cannot_stop_the_stop(start: Start) -> None:
    serving = start()
    serving.ready()
    os.kill(serving.only("api"), signal.SIGSTOP)
    assert serving.stop() < 10


def test_children_die_with_a_killed_supervisor(start: Start) -> None:
    serving = start()
    serving.ready()
    for role in ("api", "media", "media standby", "worker"):
        serving.only(role)
    children = [pid for pids in titled(serving.process.pid).values() for pid in pids]
    assert len(children) == 4
    serving.process.kill()
    serving.process.wait()
    serving.until(lambda: not any(_runs(pid) for pid in children))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def test_a_standby_takes_over_at_once_and_gets_a_standby(start: Start) -> None:
    serving = start("--roles", "media")
    assert serving.ready() == "media"
    for _ in range(5):
        before, standby = serving.only("media"), serving.only("media standby")
        os.kill(before, signal.SIGKILL)
        assert serving.only("media", but=before) == standby
    assert serving.stop() < 3


def test_a_media_process_that_hangs_is_killed_and_one_that_idles_is_not(start: Start) -> None:
    serving = start("--roles", "media")
    serving.ready()
    media, standby = serving.only("media"), serving.only("media standby")
    time.sleep(3.5)  # Longer than a stall may last: nothing happening is no sign of death.
    assert "killing" not in serving.err
    os.kill(media, signal.SIGSTOP)
    assert serving.only("media", but=media) == standby
    assert "shows no sign of life" in serving.err
    assert serving.stop() < 3


def test_a_pause_of_the_whole_group_kills_nobody(start: Start) -> None:
    serving = start("--roles", "media")
    serving.ready()
    media = serving.only("media")
    os.killpg(serving.process.pid, signal.SIGSTOP)
    time.sleep(3.0)  # As when a laptop sleeps.
    os.killpg(serving.process.pid, signal.SIGCONT)
    time.sleep(0.6)
    assert serving.only("media") == media
    assert serving.stop() < 3
    assert "killing" not in serving.err


def test_three_crashes_end_with_an_empty_region_but_kills_do_not(start: Start) -> None:
    serving = start("--roles", "media")
    serving.ready()
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGSEGV, signal.SIGSEGV):
        assert "empty region" not in serving.err
        media = serving.only("media")
        serving.only("media standby")
        os.kill(media, number)
        serving.only("media", but=media)
    serving.logged("empty region")
    assert serving.only("media standby")
    assert serving.stop() < 3


def test_a_second_server_on_the_same_port_says_so(start: Start) -> None:
    first = start("--roles", "api")
    port = int(first.ready().rstrip("/").rsplit(":", 1)[1])
    second = start(ROSTRA_HTTP=f"127.0.0.1:{port}")
    assert second.process.wait(PATIENCE_SECONDS) == 2
    assert second.err == f"rostra: ROSTRA_HTTP: cannot listen on 127.0.0.1:{port}: it is already in use\n"
    assert second.out == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ROSTRA_HTPP": "127.0.0.1:8080"}, "ROSTRA_HTPP is not a setting"),
        ({"ROSTRA_GUESTS": "perhaps"}, "ROSTRA_GUESTS='perhaps' is not valid"),
        ({"ROSTRA_DATA": "/proc/nowhere"}, "ROSTRA_DATA: the folder /proc/nowhere cannot be made"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(start: Start, settings: dict[str, str], says: str) -> None:
    serving = start(**settings)
    assert serving.process.wait(PATIENCE_SECONDS) == 2
    assert serving.err.startswith(f"rostra: {says}") and serving.err.count("\n") == 1
    assert serving.out == ""


def test_an_unknown_role_stops_the_start_with_one_line(start: Start) -> None:
    serving = start("--roles", "api,video")
    assert serving.process.wait(PATIENCE_SECONDS) == 2
    assert serving.err.startswith("rostra: --roles 'api,video' is not valid") and serving.err.count("\n") == 1


def test_api_and_media_may_be_supervised_apart(start: Start, tmp_path: Path) -> None:
    control = tmp_path / "media.sock"
    media = start("--roles", "media", ROSTRA_MEDIA_CONTROL=str(control))
    media.ready()
    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    api = start("--roles", "api,worker", ROSTRA_MEDIA_CONTROL=str(control))
    url = api.ready()
    assert api.until(lambda: httpx.get(f"{url}readyz").status_code == 200)
    assert set(titled(api.process.pid)) == {"api", "worker"}
    assert api.stop() < 10
    assert media.stop() < 3
    assert not control.exists()


def test_the_private_socket_is_gone_afterwards(start: Start, tmp_path: Path) -> None:
    serving = start("--roles", "media")
    serving.ready()
    (folder,) = (tmp_path / "0").glob("rostra-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(folder / "media.sock"))
    serving.stop()
    assert not folder.exists()


def test_what_children_print_stays_off_the_one_line(start: Start) -> None:
    serving = start(ROSTRA_LOG="debug")
    url = serving.ready()
    httpx.get(f"{url}nowhere")
    serving.stop()
    assert serving.out == f"Rostra is ready: {url}\n"
