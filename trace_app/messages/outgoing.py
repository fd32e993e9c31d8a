"""Requests to addresses that users name. They reach public hosts alone, and follow nothing."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import urllib3

TIMEOUT_S = 10.0
ANSWER_BYTES = 2_000
"""What is read of an answer."""


class NotAllowed(ValueError):
    """The address is not one that may be reached: not https, no public host, or a private address behind its name."""


class NoAnswer(RuntimeError):
    """The host did not answer as it should; its words are in the message."""


def post(url: str, body: bytes, headers: dict[str, str], *, private_hosts: frozenset[str] = frozenset()) -> None:
    """POST to a public https address; a 2xx answer is a success.

    The name is looked up once and the connection made to the address that was checked, so that it can't lead
    elsewhere the next time it is asked. Redirects are not followed.

    :param private_hosts: hosts that may be reached over plain http and on private addresses.
    :raises NotAllowed, NoAnswer:
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    trusted = host in private_hosts
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise NotAllowed(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, trusted)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    timeout, once = urllib3.Timeout(TIMEOUT_S), urllib3.Retry(0, redirect=False)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, retries=once, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=once)
    with pool:
        try:
            answer = pool.request(
                "POST",
                path,
                body=body,
                headers={**headers, "Host": parts.netloc},
                redirect=False,
                preload_content=False,
            )
            answer.read(ANSWER_BYTES)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(str(error)[:200]) from error
    if not 200 <= answer.status < 300:
        raise NoAnswer(f"HTTP {answer.status}")


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
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast
