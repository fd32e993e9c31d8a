"""What a client says it is, and where it comes from, as far as the scan log keeps it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from functools import lru_cache

from trace_app.scanning.models import ScanClient

_NOT_PEOPLE = re.compile(
    r"bot|crawl|spider|slurp|preview|externalhit|facebookcatalog|curl|wget|python|werkzeug|monitor|probe|headless"
    r"|lighthouse|whatsapp|telegram|skypeuri|java/|go-http|okhttp|axios|node-fetch|libwww|httpclient",
    re.IGNORECASE,
)
_PHONE = re.compile(r"mobile|android|iphone|ipad|harmony", re.IGNORECASE)


@lru_cache(maxsize=4096)
def client_of(user_agent: str) -> str | None:
    """What opened a page, a value of `ScanClient`, or None for robots and link previews, as far as they say so."""
    if not user_agent or _NOT_PEOPLE.search(user_agent):
        return None
    if "MicroMessenger" in user_agent:
        return ScanClient.WECHAT.value
    if "AlipayClient" in user_agent:
        return ScanClient.ALIPAY.value
    return (ScanClient.PHONE if _PHONE.search(user_agent) else ScanClient.COMPUTER).value


def source_of(address: str, day_key: bytes) -> int:
    """Where a scan came from, as 63 bits: a keyed digest of the address without its last part.

    A /24 of IPv4 or a /48 of IPv6; 0 where it is no address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return 0
    kept = parsed.packed[:3] if parsed.version == 4 else parsed.packed[:6]
    digest = hashlib.blake2b(kept, key=day_key, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def key_of_day(secret: str, day: str) -> bytes:
    """The key of `source_of` for a day: what is the same source today is another one tomorrow."""
    return hashlib.blake2b(day.encode(), key=hashlib.sha256(secret.encode()).digest(), digest_size=32).digest()
