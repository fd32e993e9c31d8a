"""Addresses of cameras: checked, and kept so that who reads the database or a backup reads none."""

from __future__ import annotations

import base64
import ipaddress
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trace_app.cameras.models import CameraSource
from trace_app.messages.outgoing import NoAnswer, NotAllowed, checked_address, is_public
from trace_app.settings import settings

_PURPOSE = b"addresses of cameras"
SCHEMES = {
    CameraSource.SNAPSHOT: ("http", "https"),
    CameraSource.HLS: ("http", "https"),
    CameraSource.RTSP: ("rtsp",),
}
MOST_CHARACTERS = 500


EXAMPLES = {
    CameraSource.SNAPSHOT: "https://user:password@camera.example.com/snapshot.jpg",
    CameraSource.HLS: "https://live.example.com/yard/index.m3u8",
    CameraSource.RTSP: "rtsp://user:password@203.0.113.8:554/stream1",
}


def is_well_formed(source: CameraSource, address: str) -> bool:
    """Whether an address can be asked for a picture of this kind; it says nothing of who answers there."""
    if len(address) > MOST_CHARACTERS or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in SCHEMES[source] and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def seal(address: str) -> str:
    return _cipher().encrypt(address.encode()).decode("ascii")


def unseal(sealed: str) -> str | None:
    """The address; None where it was sealed with another key."""
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def may_reach(address: str) -> bool:
    """Whether a camera may be behind an IP address: a public one, or one of the networks that the settings name."""
    ip = ipaddress.ip_address(address.split("%")[0])
    return is_public(address) or any(ip in network for network in settings().camera_networks)


def leads_to_cameras(address: str) -> bool:
    """Whether cameras may be behind the host of an address; a host that has no address now may have one later."""
    host = urlsplit(address).hostname or ""
    try:
        checked_address(host, 0, may_reach)
    except NotAllowed:
        return False
    except NoAnswer:
        pass
    return True


def _cipher() -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(settings().factor_secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
