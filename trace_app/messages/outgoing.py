"""Requests to addresses that users name. They reach public hosts alone, and follow nothing."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
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


def post(url: str, body: bytes, headers: dict[str, str], *, private_hosts: frozenset[str] = frozenset()) -> None:
    """POST to a public https address; a 2xx answer is a success.

    The name is looked up once and the connection made to the address that was checked, so that it can't lead
    elsewhere the next time it is asked. Redirects are not followed.

    :param private_hosts: hosts that may be reached over plain http and on private addresses.
    :raises NotAllowed, NoAnswer, WillNotTake:
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    trusted = host in private_hosts
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise NotAllowed(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, trusted)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = HTTPSConnection(
            address,
            port,
            timeout=DEADLINE_S,
            server_hostname=host,
            assert_hostname=host,
            ssl_context=ssl.create_default_context(),
        )
    else:
        connection = HTTPConnection(address, port, timeout=DEADLINE_S)
    over = threading.Timer(DEADLINE_S, _break_off, [connection])
    over.daemon = True
    over.start()
    try:
        connection.request("POST", path, body=body, headers={**headers, "Host": parts.netloc}, preload_content=False)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        status = answer.status
    except (HTTPError, HTTPException, OSError) as error:
        raise NoAnswer(str(error)[:200] or type(error).__name__) from error
    finally:
        over.cancel()
        connection.close()
    if 400 <= status < 500 and status not in _PASSING:
        raise WillNotTake(f"HTTP {status}")
    if not 200 <= status < 300:
        raise NoAnswer(f"HTTP {status}")


def _break_off(connection: HTTPConnection) -> None:
    """End an exchange that takes too long, wherever it is: what waits for the socket comes back with an error."""
    if (held := connection.sock) is not None:
        with suppress(OSError):
            socket.socket.shutdown(held, socket.SHUT_RDWR)


def leads_to_public(host: str) -> bool | None:
    """Whether all addresses behind a name are public; None where it has none now."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return all(is_public(str(entry[4][0])) for entry in found)


def _address(host: str, port: int, trusted: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"{host}: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not trusted and not all(is_public(address) for address in addresses):
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
