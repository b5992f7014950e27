"""What an operator may set: `ROSTRA_…` from the environment and one TOML file, checked once, frozen."""

import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_PREFIX = "ROSTRA_"
_NOT_OURS = {"ROSTRA_CACHE"}
"""Names with our prefix that belong to the build, not to the server."""
_PRIVATE = {"ROSTRA_DATABASE_URL", "ROSTRA_METRICS_TOKEN"}
"""Values that may hold a password and are never repeated in an error."""


class SettingsError(Exception):
    """A setting is unknown or not valid. Its text is one line for the operator."""


class Address(NamedTuple):
    """Where to listen: an IP address as canonical text and a port; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, parsed. Paths are absolute."""

    http: Address
    """The web client, the API, WHIP and WHEP."""
    media_udp: tuple[Address, ...]
    """All media; two addresses (127.0.0.1 and ::1, one port) when the whole server is loopback only (safety rule 16)."""
    media_tcp: tuple[Address, ...]
    """ICE-TCP. Not bound yet."""
    media_advertise: tuple[str, ...]
    """IP addresses for SDP answers; empty means every local address that ``media_udp`` reaches."""
    media_control: Path | None
    """The media core's Unix socket. None: a private one, which the supervisor makes and names to its children."""
    media_sessions: int
    """Media sessions that fit at once, speakers and listeners together."""
    data: Path
    """The folder of the SQLite file, recordings and secrets."""
    database_url: str
    """An SQLAlchemy URL, ``sqlite`` or ``postgresql+psycopg``; empty: a SQLite file in ``data``."""
    bus_url: str
    """Empty: one machine."""
    storage_url: str
    """``file://`` and an absolute folder."""
    guests: bool
    """Whether anyone may take a guest name."""
    public_url: str | None
    """The origin that people see, without a trailing slash; None: whatever address they came by."""
    trusted_proxies: tuple[str, ...]
    """Addresses and networks whose ``X-Forwarded-*`` is believed."""
    limits: float
    """A factor on every rate limit; infinite when limits are off."""
    metrics_token: str | None
    """The bearer token that opens ``/metrics`` to other machines; None: loopback only."""
    log: str
    """The least severe level that is logged: debug, info, warning or error."""

    @property
    def web(self) -> Path:
        """The folder of the built web client: a checkout's ``web/dist``, else the one inside the package."""
        package = Path(__file__).resolve().parent
        checkout = package.parent.parent / "web"
        return checkout / "dist" if checkout.is_dir() else package / "web"


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of this environment and of the file it names. Raises ``SettingsError``."""
    return parse(gather(environ))


def gather(environ: Mapping[str, str]) -> dict[str, str]:
    """Every ``ROSTRA_…`` value by name, the file's first, the environment's over it. Raises ``SettingsError`` for an unreadable file."""
    ours = {name: value for name, value in environ.items() if name.startswith(_PREFIX) and name not in _NOT_OURS}
    file = ours.pop("ROSTRA_CONFIG", "")
    return (_read(file) | ours) if file else ours


def parse(values: Mapping[str, str]) -> Settings:
    """Checks every value. An empty one is as good as none. Raises ``SettingsError``, naming the setting."""
    for name in values:
        if name not in _DEFAULTS:
            raise SettingsError(f"{name} is not a setting; there are {', '.join(sorted(_DEFAULTS))} and ROSTRA_CONFIG")
    told = {name: value.strip() for name, value in values.items() if value.strip()}
    texts = _DEFAULTS | told

    def take(name: str, check: Callable[[str], T]) -> T:
        try:
            return check(texts[name])
        except ValueError as error:
            shown = name if name in _PRIVATE else f"{name}={texts[name]!r}"
            raise SettingsError(f"{shown} is not valid: {error}") from None

    http, data = take("ROSTRA_HTTP", _address), take("ROSTRA_DATA", _folder)
    texts["ROSTRA_STORAGE_URL"] = texts["ROSTRA_STORAGE_URL"] or f"file://{data}"
    return Settings(
        http=http,
        media_udp=_media(take("ROSTRA_MEDIA_UDP", _address), http, told="ROSTRA_MEDIA_UDP" in told),
        media_tcp=_media(take("ROSTRA_MEDIA_TCP", _address), http, told="ROSTRA_MEDIA_TCP" in told),
        media_advertise=take("ROSTRA_MEDIA_ADVERTISE", _list_of(_ip)),
        media_control=take("ROSTRA_MEDIA_CONTROL", _socket),
        media_sessions=take("ROSTRA_MEDIA_SESSIONS", _sessions),
        data=data,
        database_url=take("ROSTRA_DATABASE_URL", _database),
        bus_url=take("ROSTRA_BUS_URL", _bus),
        storage_url=take("ROSTRA_STORAGE_URL", _storage),
        guests=take("ROSTRA_GUESTS", _switch),
        public_url=take("ROSTRA_PUBLIC_URL", _origin),
        trusted_proxies=take("ROSTRA_TRUSTED_PROXIES", _list_of(_network)),
        limits=take("ROSTRA_LIMITS", _factor),
        metrics_token=take("ROSTRA_METRICS_TOKEN", _token),
        log=take("ROSTRA_LOG", _level),
    )


_DEFAULTS = {
    "ROSTRA_HTTP": "127.0.0.1:8080",
    "ROSTRA_MEDIA_UDP": "[::]:8080",
    "ROSTRA_MEDIA_TCP": "[::]:8081",
    "ROSTRA_MEDIA_ADVERTISE": "",
    "ROSTRA_MEDIA_CONTROL": "",
    "ROSTRA_MEDIA_SESSIONS": "32768",
    "ROSTRA_DATA": "./data",
    "ROSTRA_DATABASE_URL": "",
    "ROSTRA_BUS_URL": "",
    "ROSTRA_STORAGE_URL": "",
    "ROSTRA_GUESTS": "on",
    "ROSTRA_PUBLIC_URL": "",
    "ROSTRA_TRUSTED_PROXIES": "",
    "ROSTRA_LIMITS": "1",
    "ROSTRA_METRICS_TOKEN": "",
    "ROSTRA_LOG": "info",
}


def _read(file: str) -> dict[str, str]:
    import tomllib  # Most starts have no file.

    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"ROSTRA_CONFIG={file!r} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"ROSTRA_CONFIG={file!r} is not TOML: {error}") from None
    if "ROSTRA_CONFIG" in table:
        raise SettingsError(f"ROSTRA_CONFIG={file!r} may not name another file")
    return {name: _text(name, value) for name, value in table.items()}


def _text(name: str, value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case str() | int() | float():
            return str(value)
        case list() if all(isinstance(item, str) for item in value):
            return ",".join(value)
    raise SettingsError(f"{name} in the file is not valid: it must be text, a number, true, false or a list of texts")


def _media(asked: Address, http: Address, *, told: bool) -> tuple[Address, ...]:
    if http.is_loopback and not told:
        return Address("127.0.0.1", asked.port), Address("::1", asked.port)
    return (asked,)


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in bare) != host.startswith("["):
        raise ValueError("it must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:8080")
    return Address(_ip("127.0.0.1" if bare == "localhost" else bare), int(port))


def _ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if "%" in text:
        raise ValueError("an address may not name an interface")
    return str(address)


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; it must be a comma-separated list such as 127.0.0.1, 10.0.0.0/8") from None
    return str(network) if "/" in text else text


def _list_of(check: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    return lambda text: tuple(check(item.strip()) for item in text.split(",") if item.strip())


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("it must be a folder")
    return path


def _socket(text: str) -> Path | None:
    path = Path(text).absolute() if text else None
    if path and len(str(path).encode()) > 107:
        raise ValueError("the path of a Unix socket is at most 107 bytes long")
    return path


def _sessions(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 16 <= int(text) <= 1_000_000:
        raise ValueError("it must be a number from 16 to 1000000")
    return int(text)


def _database(text: str) -> str:
    file = text.removeprefix("sqlite:///")
    is_file = file not in ("", ":memory:", text) and "?" not in file
    try:
        is_server = text.startswith("postgresql+psycopg://") and urlsplit(text).port != 0
    except ValueError:
        is_server = False
    if text and not is_file and not is_server:
        raise ValueError("it must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return text


def _bus(text: str) -> str:
    if text:
        raise ValueError("more than one machine is not supported yet; leave it empty")
    return text


def _storage(text: str) -> str:
    if not text.startswith("file:///"):
        raise ValueError("it must be file:// and an absolute folder; other storage is not supported yet")
    return text


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("it must be on or off")
    return text == "on"


def _origin(text: str) -> str | None:
    if not text:
        return None
    url = urlsplit(text)
    wrong = url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.path not in ("", "/")
    if wrong or url.query or url.fragment:
        raise ValueError("it must be an origin such as https://spaces.example.org")
    _ = url.port  # Raises ValueError if it is not one.
    return f"{url.scheme}://{url.netloc.lower()}"


def _factor(text: str) -> float:
    if text == "off":
        return math.inf
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise ValueError("it must be a number above 0, or off")
    return factor


def _token(text: str) -> str | None:
    if text and (len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError("it must be at least 16 printable characters without spaces")
    return text or None


def _level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("it must be debug, info, warning or error")
    return text
