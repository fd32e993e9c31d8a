"""Addresses of videos, taken out of what apps give when a video is shared, and the platforms that they lead to.

Nothing is asked of a platform: what is known of it stands in ``video_sites.toml``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

_WORD = re.compile(r"https?://\S+", re.IGNORECASE)
_PLAIN = re.compile(r"[!#-&*-;=?-_a-z~|]+", re.IGNORECASE)
"""What an address of a known platform is made of: it ends at brackets, quotes and all that is not ASCII."""
_AFTER = ".,;:!?*。，；：！？、…”’》】」』）)"
"""Signs that belong to the sentence where an address ends with them."""


@dataclass(frozen=True, slots=True)
class VideoSite:
    """A video platform.

    :ivar hosts: its addresses are on these, and on all that end in one of them.
    :ivar wechat: whether WeChat opens its pages.
    """

    name: str
    name_en: str
    hosts: tuple[str, ...]
    wechat: bool

    def has(self, host: str) -> bool:
        return any(host == own or host.endswith(f".{own}") for own in self.hosts)


@cache
def video_sites() -> tuple[VideoSite, ...]:
    listed = tomllib.loads(Path(__file__).with_name("video_sites.toml").read_text("utf-8"))["site"]
    return tuple(VideoSite(**{**site, "hosts": tuple(site["hosts"])}) for site in listed)


def site_of(url: str) -> VideoSite | None:
    """The platform that an address leads to, where it is a known one."""
    try:
        host = (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return None
    return next((site for site in video_sites() if site.has(host)), None)


def addresses_in(text: str) -> list[str]:
    """The addresses that a text names; where some lead to known platforms, those alone.

    Those of known platforms are https, which all of them answer to.
    """
    found, known = [], []
    for word in _WORD.findall(text):
        plain = _PLAIN.match(word)
        address = plain[0].rstrip(_AFTER) if plain else ""
        if site_of(address) is not None:
            known.append(re.sub(r"^http:", "https:", address, flags=re.IGNORECASE))
        else:
            found.append(word.rstrip(_AFTER))
    return list(dict.fromkeys(known or found))
