"""A phone with an authenticator app, and a device that holds a passkey, for tests without a browser."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom
from typing import Any

from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpRequest
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from accounts.models import User

ORIGIN = "http://localhost"
HOST = {"HTTP_HOST": "localhost"}
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def code_for(secret: str, later: int = 0, *, lasting: int = 2) -> str:
    """The code of now, or of so many half minutes later: one that still lasts so many seconds, or the next."""
    left = 30 - time.time() % 30
    if left < lasting:
        time.sleep(left)
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later))


def give_app(user: User) -> str:
    """As if the person had set up an app long ago. Its secret."""
    secret = generate_totp_secret()
    with asking(user):
        TOTP.activate(user, secret)
    return secret


@contextmanager
def asking(user: User) -> Iterator[None]:
    """As if the person's own browser asked for what is done within."""
    request = HttpRequest()
    request.user = user
    with request_context(request):
        yield


def options_on(page: str) -> dict[str, Any]:
    """What a page asks of the browser."""
    found = page.split('<script id="passkey-options" type="application/json">')[1].split("</script>")[0]
    options: dict[str, Any] = json.loads(found)["publicKey"]
    return options


@dataclass
class Device:
    """``origin``: where its browser is. It signs whatever that browser says, as a real one does."""

    origin: str = ORIGIN
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: urandom(32))
    user: bytes = b""
    is_verified: bool = True

    def make(self, options: dict[str, Any]) -> str:
        """A new passkey, as ``navigator.credentials.create`` answers."""
        self.user = websafe_decode(options["user"]["id"])
        held = AttestedCredentialData.create(b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key()))
        data = self._data(options["rp"]["id"], _ATTESTED, held)
        said = self._said("webauthn.create", options)
        made = AttestationObject.create("none", data, {})
        return self._answer({"clientDataJSON": said, "attestationObject": bytes(made)})

    def use(self, options: dict[str, Any]) -> str:
        """As ``navigator.credentials.get`` answers."""
        said = self._said("webauthn.get", options)
        data = self._data(options["rpId"])
        signed = self.key.sign(bytes(data) + sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {"clientDataJSON": said, "authenticatorData": bytes(data), "signature": signed, "userHandle": self.user}
        )

    def _data(self, rp_id: str, flags: int = 0, held: Any = b"") -> AuthenticatorData:
        flags |= _PRESENT | (_VERIFIED if self.is_verified else 0)
        return AuthenticatorData.create(sha256(rp_id.encode()).digest(), flags, 0, held)

    def _said(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        return json.dumps(
            {
                "id": websafe_encode(self.id),
                "rawId": websafe_encode(self.id),
                "type": "public-key",
                "clientExtensionResults": {"credProps": {"rk": True}},
                "response": {name: websafe_encode(value) for name, value in response.items()},
            }
        )


def give_passkey(client: Client) -> Device:
    """Add a passkey to whoever is signed in to this browser, and was asked just now who he is."""
    device = Device()
    options = options_on(client.get("/sign-in/factors/passkey/", **HOST).content.decode())
    answer = client.post("/sign-in/factors/passkey/", {"name": "Phone", "credential": device.make(options)}, **HOST)
    assert answer.status_code == 302, answer.content.decode()
    assert Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()
    return device
