"""The kinds of value a setting may have, each with its parser and its words when it is wrong.

A parser raises `ValueError` and never `TypeError`, which pydantic does not collect. It never
repeats the value it was given: a token pasted into the wrong key must not reach a log (S1).
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, final
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from relay.rules.guard import Budget

_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS: Final = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_NUMBER_AND_UNIT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")
_MAX_PORT: Final = 65_535
CREDENTIAL: Final = "credential:"
UNIX: Final = "unix"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@final
class Secret:
    """A value that cannot be printed by accident: `str` and `repr` are `***` (style rule 10)."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call it only where it leaves for its one destination."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: `host` and `port`, or `path` of a unix socket.

    Attributes:
        host: a name or an IP address without brackets; empty for a unix socket.
        port: 0 asks the system for a free one.
        path: of the unix socket, or None.
    """

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _quantity(value: object, units: dict[str, float] | dict[str, int], example: str) -> float:
    """The number in `value` times its unit.

    Raises:
        ValueError: it is not a number followed by a unit of `units`.
    """
    wanted = f"a number and one of {', '.join(units)}, for example {example!r}"
    if not isinstance(value, str) or not (found := _NUMBER_AND_UNIT.fullmatch(value)):
        raise ValueError(f"not a quantity with its unit; write {wanted}")
    number, unit = found.groups()
    if unit not in units:
        raise ValueError(f"unit missing or unknown; write {wanted}")
    return float(number) * units[unit]


def parse_duration(value: object) -> timedelta:
    """`"2s"`, `"250ms"`, `"1h"` as a span of time; a bare number has no unit and is refused."""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=_quantity(value, _DURATION_UNITS, "2s"))
    except OverflowError:
        raise ValueError("too long to count; write at most some years") from None


def parse_size(value: object) -> int:
    """`"16MB"` as bytes; powers of ten, as TFE counts them; a whole number is bytes already."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(_quantity(value, _SIZE_UNITS, "16MB"))


def parse_budget(value: object) -> Budget:
    """`20` or `"5%"`."""
    if isinstance(value, Budget):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Budget(count=value)
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]+", text):
        return Budget(count=int(text))
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", text)
    if found is None or float(found[1]) > 100:  # noqa: PLR2004 - a percentage
        raise ValueError('neither a number nor a percentage; write 20, or "5%", or 0 for no limit')
    return Budget(share=float(found[1]) / 100)


def parse_address(value: object) -> Address:
    """`"127.0.0.1:8080"`, `"[::1]:8080"` or `"unix:/run/scim-relay/scim.sock"`."""
    if isinstance(value, Address):
        return value
    wanted = 'write "127.0.0.1:8080", "[::1]:8080" or "unix:/run/scim-relay/scim.sock"'
    if not isinstance(value, str):
        raise ValueError(f"not an address; {wanted}")  # noqa: TRY004 - pydantic's protocol
    if value.startswith("unix:"):
        path = Path(value.removeprefix("unix:"))
        if not path.is_absolute():
            raise ValueError(f"a unix socket needs an absolute path; {wanted}")
        return Address(path=path)
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", value)
    if found is None or int(found[3]) > _MAX_PORT:
        raise ValueError(f"not a host and a port; {wanted}")
    return Address(host=found[1] or found[2], port=int(found[3]))


def parse_optional_address(value: object) -> Address | None:
    """An address, or None for the empty string."""
    return None if value in {"", None} else parse_address(value)


def parse_optional_path(value: object) -> Path | None:
    """A path, None for the empty string; `credential:NAME` is a file systemd hands over.

    A credential stands in `$CREDENTIALS_DIRECTORY` (systemd.exec, `LoadCredential=`).

    Raises:
        ValueError: not text, or a credential where systemd gave none.
    """
    if isinstance(value, Path) or value in {"", None}:
        return value or None  # type: ignore[return-value]  # "" and None are both "not given"
    if not isinstance(value, str):
        raise ValueError("not a path; write a file name in quotes")  # noqa: TRY004
    if not value.startswith(CREDENTIAL):
        return Path(value)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ValueError("no credential was handed over; start it by systemd with LoadCredential=")
    return Path(directory) / Path(value.removeprefix(CREDENTIAL)).name


def parse_url(value: object) -> str:
    """An `http(s)` base URL without its trailing slash, user, query and fragment."""
    return _url(value, 'write TFE\'s SCIM base URL, for example "https://tfe.example.com/scim/v2"')


def _url(value: object, wanted: str) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"not a URL; {wanted}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"a user, query or fragment does not belong there; {wanted}")
    if parts.scheme == "http" and not Address(host=parts.hostname).private:
        raise ValueError("the token would travel in clear text; write https://")
    return str(value).rstrip("/")


def parse_optional_url(value: object) -> str:
    """A base URL as `parse_url` takes it, or the empty string."""
    if value == "":
        return ""
    return _url(value, 'write TFE\'s address, for example "https://tfe.example.com"')


def parse_public_url(value: object) -> str:
    """Scheme and host without a path, or the empty string."""
    parts = urlsplit(value) if isinstance(value, str) else None
    if value == "":
        return ""
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError('not scheme and host; write for example "https://scim.example.com"')
    if parts.path.rstrip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("more than scheme and host; the path is listen.base_path")
    return f"{parts.scheme}://{parts.netloc}"


def parse_base_path(value: object) -> str:
    """A path before `/Users`, without a slash at its end; empty for none."""
    path = value.rstrip("/") if isinstance(value, str) else None
    if path is None or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path):
        raise ValueError('not a path of letters, digits and "._~-"; write for example "/scim/v2"')
    return path


def parse_mode(value: object) -> int:
    """`"0660"`: permissions of a file, in octal."""
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError('not permissions in octal; write them in quotes, for example "0660"')
    return int(value, 8)


def parse_networks(value: object) -> tuple[Network, ...]:
    """`["10.0.0.0/8", "::1"]`: networks, or single addresses."""
    if not isinstance(value, list | tuple):
        raise ValueError('not a list; write ["10.0.0.0/8"]')  # noqa: TRY004 - pydantic's protocol
    return tuple(_network(each) for each in value)


def parse_proxies(value: object) -> tuple[Network | str, ...]:
    """As `parse_networks`; the word `unix` stands for whoever opens the unix socket."""
    if not isinstance(value, list | tuple):
        raise ValueError('not a list; write ["10.0.0.1", "unix"]')  # noqa: TRY004
    return tuple(UNIX if each == UNIX else _network(each) for each in value)


def _network(value: object) -> Network:
    try:
        return ipaddress.ip_network(value) if isinstance(value, str) else _as_it_is(value)
    except ValueError:
        wanted = 'write "10.0.0.0/8", "192.0.2.7" or "2001:db8::/32", without bits of a host'
        raise ValueError(f"not a network; {wanted}") from None


def _as_it_is(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    raise ValueError


def parse_secret(value: object) -> Secret | None:
    """A secret, or None for the empty string."""
    if isinstance(value, Secret) or value is None:
        return value
    if not isinstance(value, str):
        raise ValueError("not text; write the token in quotes")  # noqa: TRY004
    return Secret(value.strip()) if value.strip() else None


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
GuardBudget = Annotated[Budget, BeforeValidator(parse_budget)]
ListenAddress = Annotated[Address, BeforeValidator(parse_address)]
OptionalAddress = Annotated[Address | None, BeforeValidator(parse_optional_address)]
OptionalPath = Annotated[Path | None, BeforeValidator(parse_optional_path)]
BaseUrl = Annotated[str, BeforeValidator(parse_url)]
OptionalUrl = Annotated[str, BeforeValidator(parse_optional_url)]
BasePath = Annotated[str, BeforeValidator(parse_base_path)]
PublicUrl = Annotated[str, BeforeValidator(parse_public_url)]
FileMode = Annotated[int, BeforeValidator(parse_mode)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(parse_networks)]
Proxies = Annotated[tuple[Network | str, ...], BeforeValidator(parse_proxies)]
OptionalSecret = Annotated[Secret | None, BeforeValidator(parse_secret)]
