"""What an operator may write, what comes of it, and the one line that answers what they may not."""

import math
import re
from pathlib import Path

import pytest

from rostra.settings import Address, Settings, SettingsError, gather, load, parse

LOOPBACK = (Address("127.0.0.1", 8080), Address("::1", 8080))


def test_nothing_set_is_a_server_for_this_machine() -> None:
    settings = load({"PATH": "/bin"})
    assert settings.http == Address("127.0.0.1", 8080)
    assert settings.media_udp == LOOPBACK
    assert settings.media_tcp == (Address("127.0.0.1", 8081), Address("::1", 8081))
    assert settings.media_advertise == ()
    assert settings.data == Path.cwd() / "data"
    assert (settings.database_url, settings.bus_url, settings.storage_url) == ("", "", f"file://{settings.data}")
    assert (settings.guests, settings.limits, settings.log) == (True, 1.0, "info")
    assert (settings.public_url, settings.trusted_proxies, settings.metrics_token, settings.media_control) == (None, (), None, None)


GOOD = [
    ("HTTP", "0.0.0.0:80", "http", Address("0.0.0.0", 80)),
    ("HTTP", "[::]:8080", "http", Address("::", 8080)),
    ("HTTP", "localhost:0", "http", Address("127.0.0.1", 0)),
    ("HTTP", "[0:0::1]:8080", "http", Address("::1", 8080)),
    ("MEDIA_UDP", "[::]:8080", "media_udp", (Address("::", 8080),)),
    ("MEDIA_UDP", "127.0.0.1:9000", "media_udp", (Address("127.0.0.1", 9000),)),
    ("MEDIA_UDP", "", "media_udp", LOOPBACK),
    ("MEDIA_TCP", "10.0.0.1:1", "media_tcp", (Address("10.0.0.1", 1),)),
    ("MEDIA_ADVERTISE", "203.0.113.7, 2001:DB8::7", "media_advertise", ("203.0.113.7", "2001:db8::7")),
    ("MEDIA_CONTROL", "/run/rostra/media.sock", "media_control", Path("/run/rostra/media.sock")),
    ("MEDIA_SESSIONS", "100", "media_sessions", 100),
    ("DATA", "/srv/rostra", "data", Path("/srv/rostra")),
    ("DATABASE_URL", "sqlite:////srv/space.sqlite", "database_url", "sqlite:////srv/space.sqlite"),
    ("DATABASE_URL", "postgresql+psycopg://u:p@db/rostra", "database_url", "postgresql+psycopg://u:p@db/rostra"),
    ("DATABASE_URL", "postgresql+psycopg://u@/rostra?host=/tmp", "database_url", "postgresql+psycopg://u@/rostra?host=/tmp"),
    ("STORAGE_URL", "file:///srv/recordings", "storage_url", "file:///srv/recordings"),
    ("GUESTS", "off", "guests", False),
    ("PUBLIC_URL", "https://Spaces.Example.org/", "public_url", "https://spaces.example.org"),
    ("PUBLIC_URL", "http://127.0.0.1:8080", "public_url", "http://127.0.0.1:8080"),
    ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,fd00::/8", "trusted_proxies", ("127.0.0.1", "10.0.0.0/8", "fd00::/8")),
    ("LIMITS", "off", "limits", math.inf),
    ("LIMITS", "2.5", "limits", 2.5),
    ("METRICS_TOKEN", "x" * 16, "metrics_token", "x" * 16),
    ("LOG", "debug", "log", "debug"),
]


@pytest.mark.parametrize(("name", "text", "field", "value"), GOOD)
def test_a_good_value(name: str, text: str, field: str, value: object) -> None:
    assert getattr(load({f"ROSTRA_{name}": text}), field) == value


BAD = [
    ("HTTP", "8080"),
    ("HTTP", ":8080"),
    ("HTTP", "::1:8080"),
    ("HTTP", "[127.0.0.1]:8080"),
    ("HTTP", "127.0.0.1:65536"),
    ("HTTP", "127.0.0.1:-1"),
    ("HTTP", "127.0.0.1:²"),
    ("HTTP", "example.org:8080"),
    ("HTTP", "[fe80::1%eth0]:8080"),
    ("MEDIA_UDP", "udp"),
    ("MEDIA_TCP", "[::]"),
    ("MEDIA_ADVERTISE", "203.0.113.7,spaces.example.org"),
    ("MEDIA_CONTROL", "/" + "x" * 120),
    ("MEDIA_SESSIONS", "1"),
    ("MEDIA_SESSIONS", "many"),
    ("DATA", "/dev/null"),
    ("DATABASE_URL", "mysql://u@db/rostra"),
    ("DATABASE_URL", "postgresql+asyncpg://u@db/rostra"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///x?mode=ro"),
    ("DATABASE_URL", "postgresql+psycopg://u@db:x/rostra"),
    ("BUS_URL", "nats://127.0.0.1:4222"),
    ("STORAGE_URL", "s3://bucket"),
    ("GUESTS", "yes"),
    ("PUBLIC_URL", "spaces.example.org"),
    ("PUBLIC_URL", "https://example.org/spaces"),
    ("PUBLIC_URL", "https://a@example.org"),
    ("PUBLIC_URL", "https://example.org:x"),
    ("TRUSTED_PROXIES", "*"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("LIMITS", "0"),
    ("LIMITS", "-1"),
    ("LIMITS", "nan"),
    ("LIMITS", "inf"),
    ("LIMITS", "on"),
    ("METRICS_TOKEN", "short"),
    ("METRICS_TOKEN", "sixteen letters and spaces"),
    ("LOG", "verbose"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_is_one_line_that_names_the_setting(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"ROSTRA_{name}": text})
    line = str(caught.value)
    assert line.startswith(f"ROSTRA_{name}") and "\n" not in line
    assert "not valid: " in line


@pytest.mark.parametrize("name", ["DATABASE_URL", "METRICS_TOKEN"])
def test_what_may_hold_a_password_is_not_repeated(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^ROSTRA_{name} is not valid: ") as caught:
        load({f"ROSTRA_{name}": "pa55://word"})
    assert "pa55" not in str(caught.value)


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(SettingsError, match=r"^ROSTRA_HTPP is not a setting.*ROSTRA_HTTP"):
        load({"ROSTRA_HTPP": "127.0.0.1:1"})


def test_what_the_build_calls_by_our_prefix_is_not_a_setting() -> None:
    load({"ROSTRA_CACHE": "/var/cache/rostra"})


def test_loopback_http_keeps_media_on_this_machine_unless_told_otherwise() -> None:
    assert load({"ROSTRA_HTTP": "[::1]:80"}).media_udp == LOOPBACK
    assert load({"ROSTRA_HTTP": "0.0.0.0:80"}).media_udp == (Address("::", 8080),)
    assert load({"ROSTRA_HTTP": "127.0.0.1:80", "ROSTRA_MEDIA_UDP": "[::]:80"}).media_udp == (Address("::", 80),)


def test_a_file_says_the_same_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "rostra.toml"
    file.write_text('ROSTRA_HTTP = "[::]:80"\nROSTRA_GUESTS = false\nROSTRA_LIMITS = 3\nROSTRA_MEDIA_ADVERTISE = ["::1", "127.0.0.1"]\n')
    settings = load({"ROSTRA_CONFIG": str(file), "ROSTRA_LIMITS": "off"})
    assert settings.http == Address("::", 80)
    assert (settings.guests, settings.limits, settings.media_advertise) == (False, math.inf, ("::1", "127.0.0.1"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ROSTRA_HTTP = ", "is not TOML"),
        ("http = '127.0.0.1:1'", "^http is not a setting"),
        ("ROSTRA_CONFIG = 'other.toml'", "may not name another file"),
        ("[ROSTRA_HTTP]\nport = 1", "^ROSTRA_HTTP in the file is not valid"),
        ("ROSTRA_LIMITS = true", "^ROSTRA_LIMITS='on' is not valid"),
    ],
)
def test_a_bad_file(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "rostra.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as caught:
        load({"ROSTRA_CONFIG": str(file)})
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=re.escape("ROSTRA_CONFIG='/nowhere.toml' cannot be read")):
        load({"ROSTRA_CONFIG": "/nowhere.toml"})


def test_what_was_gathered_gives_a_child_the_same_settings(tmp_path: Path) -> None:
    file = tmp_path / "rostra.toml"
    file.write_text("ROSTRA_LIMITS = 4\n")
    values = gather({"ROSTRA_CONFIG": str(file), "ROSTRA_HTTP": "127.0.0.1:1", "HOME": "/"})
    file.unlink()
    assert load(values) == parse(values)
    assert (parse(values).limits, parse(values).http.port) == (4.0, 1)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load({}).guests = False  # type: ignore[misc]


def test_the_web_client_is_found_beside_the_package() -> None:
    assert isinstance(load({}), Settings)
    assert load({}).web.parts[-2:] in (("web", "dist"), ("rostra", "web"))
