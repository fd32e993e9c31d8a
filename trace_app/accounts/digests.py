"""How what opens doors is kept: as its digest alone, so that who reads the database holds no key."""

from __future__ import annotations

import hashlib


def digest_of(word: str) -> str:
    """SHA-256 of a random word, in hex: of sessions, tokens and slips. Passwords, which can be guessed, are hashed
    slowly by the library.
    """
    return hashlib.sha256(word.encode()).hexdigest()
