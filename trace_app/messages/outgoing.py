"""Requests to addresses that users name. They reach public hosts alone, and follow nothing."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

DEADLINE_S = 10.0
"""Seconds that a whole exchange may take, from the connection to the last byte that is read."""
ANSWER_BYTES = 2_000
"""What is read of an answer."""
_PASSING = {408, 425, 429}
"""Answers of 4xx after which another try may work (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4)."""
_WRAPPING_V4 = {
    "64:ff9b::/96": -4,
    "64:ff9b:1::/48": -4,
    "2002::/16": 2,
    "::ffff:0:0/96": -4,
    "::/96": -4,
}
"""IPv6 networks of which the addresses stand for those of IPv4, and where the four bytes begin (RFC 6052, 8215, 3056,
4291).
"""


class NotAllowed(ValueError):
    """The address is not one that may be reached: not https, no public host, or a private address behind its name."""


class NoAnswer(RuntimeError):
    """The host did not answer, or said that it can't now: another try may help."""


class WillNotTake(RuntimeError):
    """The host answered that it does not take this: another try would not help."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whatever its status is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(url: str, body: bytes, headers: dict[str, str], *, private_hosts: frozenset[str] = frozenset()) -> None:
    """POST to a public https address; a 2xx answer is a success.

    :param private_hosts: hosts that may be reached over plain http and on private addresses.
    :raises NotAllowed, NoAnswer, WillNotTake:
    """
    parts = urlsplit(url)
    trusted = parts.hostname in private_hosts
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise NotAllowed(url)
    reached = (lambda _address: True) if trusted else is_public
    answer = _exchange("POST", url, reached, headers=headers, body=body, most_bytes=ANSWER_BYTES)
    if 400 <= answer.status < 500 and answer.status not in _PASSING:
        raise WillNotTake(f"HTTP {answer.status}")
    if not 200 <= answer.status < 300:
        raise NoAnswer(f"HTTP {answer.status}")


def fetch(
    url: str,
    *,
    may_reach: Callable[[str], bool],
    most_bytes: int,
    headers: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Fetched:
    """GET an http or https address.

    :param may_reach: whether an IP address may be asked; `is_public`, or wider.
    :param seconds: that all of it may take, where that is less than `DEADLINE_S`.
    :raises NotAllowed: too where the address is none of http or https.
    :raises NoAnswer: too for an answer that is longer than ``most_bytes``.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise NotAllowed(url)
    answer = _exchange(
        "GET", url, may_reach, headers=headers or {}, body=None, most_bytes=most_bytes + 1, seconds=seconds
    )
    if len(answer.body) > most_bytes:
        raise NoAnswer("the answer is too long")
    return answer


def _exchange(
    method: str,
    url: str,
    may_reach: Callable[[str], bool],
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    most_bytes: int,
    seconds: float | None = None,
) -> Fetched:
    """Ask, and read so much of the answer.

    The name is looked up once and the connection made to the address that was checked, so that it can't lead
    elsewhere the next time it is asked. Redirects are not followed.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = checked_address(host, port, may_reach)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    patience = min(DEADLINE_S, seconds or DEADLINE_S)
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = HTTPSConnection(
            address,
            port,
            timeout=patience,
            server_hostname=host,
            assert_hostname=host,
            ssl_context=ssl.create_default_context(),
        )
    else:
        connection = HTTPConnection(address, port, timeout=patience)
    end = _End(patience)
    try:
        connection.connect()
        end.holds(connection.sock)
        named = {**headers, "Host": parts.netloc.rpartition("@")[2]}
        connection.request(method, path, body=body, headers=named, preload_content=False)
        answer = connection.getresponse()
        return Fetched(answer.status, answer.headers, answer.read(most_bytes))
    except (HTTPError, HTTPException, OSError) as error:
        raise NoAnswer(str(error)[:200] or type(error).__name__) from error
    finally:
        end.cancel()
        connection.close()


class _End:
    """The moment at which an exchange is broken off, wherever it is: who waits for the socket comes back with an error.

    It keeps the socket itself: a connection lets go of its own as soon as an answer says that it is the last.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._over = False
        self._timer = threading.Timer(seconds, self._break_off)
        self._timer.daemon = True
        self._timer.start()

    def holds(self, sock: socket.socket | None) -> None:
        """:raises OSError: where it is over already."""
        with self._lock:
            self._sock = sock
            if self._over:
                raise OSError("it took too long to connect")

    def cancel(self) -> None:
        self._timer.cancel()

    def _break_off(self) -> None:
        with self._lock:
            self._over = True
            if self._sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def leads_to_public(host: str) -> bool | None:
    """Whether all addresses behind a name are public; None where it has none now."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return all(is_public(str(entry[4][0])) for entry in found)


def checked_address(host: str, port: int, may_reach: Callable[[str], bool]) -> str:
    """One of the IP addresses behind a name.

    :raises NotAllowed: where one of them may not be reached.
    :raises NoAnswer: where the name has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"{host}: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(may_reach(address) for address in addresses):
        raise NotAllowed(host)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet (IANA special-purpose registries)."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        for network, begins in _WRAPPING_V4.items():
            if ip in ipaddress.ip_network(network):
                wrapped = ip.packed[begins : begins + 4 or None]
                return is_public(str(ipaddress.IPv4Address(wrapped)))
    return ip.is_global and not ip.is_multicast
