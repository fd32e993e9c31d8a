"""A device with passkeys as W3C Web Authentication describes it: ES256 keys, no attestation."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, WITH_KEY = 1, 64


@dataclass
class Device:
    """Makes keys and answers with them, in whatever page's name it is told."""

    origin: str
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    count: int = 0

    def make(self, question: str, *, origin: str = "") -> str:
        """What ``navigator.credentials.create`` gives a page, as JSON.

        :raises KeyError: where the device has one of the keys that are not to be made again.
        """
        asked = json.loads(question)
        if any(known["id"] in self.keys for known in asked["excludeCredentials"]):
            raise KeyError("InvalidStateError")
        name = secrets.token_bytes(32)
        key = self.keys[bytes_to_base64url(name)] = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        told = self._told(asked["rp"]["id"], PRESENT | WITH_KEY)
        told += bytes(16) + len(name).to_bytes(2, "big") + name + cbor2.dumps(public)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told})
        client = self._client("webauthn.create", asked, origin)
        return _credential(name, clientDataJSON=client, attestationObject=attestation)

    def show(self, question: str, *, origin: str = "", name: str = "") -> str:
        """What ``navigator.credentials.get`` gives a page, as JSON: with a key that is asked for, or a named one."""
        asked = json.loads(question)
        name = name or next(known["id"] for known in asked["allowCredentials"] if known["id"] in self.keys)
        self.count += 1
        told = self._told(asked["rpId"], PRESENT)
        client = self._client("webauthn.get", asked, origin)
        signature = self.keys[name].sign(told + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return _credential(base64url_to_bytes(name), clientDataJSON=client, authenticatorData=told, signature=signature)

    def _told(self, platform: str, flags: int) -> bytes:
        return hashlib.sha256(platform.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, asked: dict[str, Any], origin: str) -> bytes:
        said = {"type": kind, "challenge": asked["challenge"], "origin": origin or self.origin, "crossOrigin": False}
        return json.dumps(said).encode()


def _credential(name: bytes, **response: bytes) -> str:
    parts = {part: bytes_to_base64url(value) for part, value in response.items()}
    text = bytes_to_base64url(name)
    return json.dumps({"id": text, "rawId": text, "type": "public-key", "response": parts})
