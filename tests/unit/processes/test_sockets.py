"""The sockets that outlive every child, on this machine's own addresses."""

import ipaddress
import socket
import stat
from pathlib import Path

import pytest

from rostra.processes import sockets
from rostra.settings import Address, SettingsError, load

LOOPBACK = (Address("127.0.0.1", 0), Address("::1", 0))


def test_loopback_media_is_two_sockets_on_one_port() -> None:
    bound = sockets.media(LOOPBACK)
    assert [sock.getsockname()[0] for sock in bound] in (["127.0.0.1", "::1"], ["127.0.0.1"])
    assert len({sock.getsockname()[1] for sock in bound}) == 1
    port = bound[0].getsockname()[1]
    expected = [f"127.0.0.1:{port}", f"[::1]:{port}"][: len(bound)]
    assert sockets.candidates(load({}), bound) == expected
    for sock in bound:
        sock.close()


def test_wide_media_reaches_both_families_and_advertises_every_local_address() -> None:
    (bound,) = sockets.media([Address("::", 0)])
    port = bound.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", ("127.0.0.1", port))
        assert bound.recv(16) == b"hello"
    found = sockets.candidates(load({"ROSTRA_MEDIA_UDP": "[::]:0"}), [bound])
    hosts = [ipaddress.ip_address(text.rpartition(":")[0].strip("[]")) for text in found]
    assert f"127.0.0.1:{port}" in found
    assert hosts and not any(host.is_link_local or host.is_unspecified for host in hosts)
    for host in hosts:  # Every one of them is ours: it can be bound.
        with socket.socket(socket.AF_INET6 if host.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((str(host), 0))
    bound.close()


def test_what_is_advertised_by_wish_is_advertised_alone() -> None:
    (bound,) = sockets.media([Address("127.0.0.1", 0)])
    port = bound.getsockname()[1]
    settings = load({"ROSTRA_MEDIA_ADVERTISE": "203.0.113.7,2001:db8::7"})
    assert sockets.candidates(settings, [bound]) == [f"203.0.113.7:{port}", f"[2001:db8::7]:{port}"]
    bound.close()


def test_a_port_in_use_is_one_clear_line() -> None:
    with sockets.http(Address("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^ROSTRA_HTTP: cannot listen on 127\.0\.0\.1:{port}: it is already in use$"):
            sockets.http(Address("127.0.0.1", port))


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(SettingsError, match=r"^ROSTRA_MEDIA_UDP: cannot listen on 203\.0\.113\.7:0: "):
        sockets.media([Address("203.0.113.7", 0)])


def test_the_control_socket_is_for_this_user_and_for_one_server(tmp_path: Path) -> None:
    path = tmp_path / "media.sock"
    control = sockets.control(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="already in use"):
        sockets.control(path)
    control.close()  # As after a crash: the file stays, nobody listens.
    sockets.control(path).close()


def test_the_private_folder_is_private_and_goes_with_its_socket() -> None:
    folder = sockets.private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path = folder / "media.sock"
    sockets.control(path).close()
    sockets.remove([path, folder])
    assert not folder.exists()


def test_draining_leaves_nothing_behind() -> None:
    (bound,) = sockets.media([Address("127.0.0.1", 0)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"deadly", bound.getsockname())
    sockets.drain([bound])
    with pytest.raises(BlockingIOError):
        bound.recv(16, socket.MSG_DONTWAIT)
    bound.close()
