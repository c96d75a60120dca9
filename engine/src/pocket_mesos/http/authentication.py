"""HTTP basic authentication by realm, as libprocess does it.

An endpoint belongs to a realm, or to none; a realm that has an authenticator lets nobody in who
does not say who it is. The rules are Mesos': the scheme is spelt ``Basic``, a colon in a principal
or a secret never matches.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from enum import Enum

from pocket_mesos.http import messages
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.protocol.errors import PocketError


class Realm(Enum):
    """Kinds of endpoints that are authenticated together."""

    READONLY = "readonly"
    READWRITE = "readwrite"
    SCHEDULER = "scheduler"
    AGENT = "agent"
    """Pocket's own link between master and agent."""


class NoCredentialsError(PocketError):
    """A realm is to be authenticated and there is nothing to do it with."""


class BasicAuthenticator:
    """Lets in who shows one of some credentials."""

    def __init__(
        self, realm: str, credentials: Mapping[str, str], *, required: bool = True
    ) -> None:
        """Guard a realm.

        Args:
            realm: its name, as the challenge tells it.
            credentials: secrets by principal.
            required: whether nobody gets in without; otherwise only what is shown is checked, and
                who shows nothing is unknown.
        """
        self._secrets = {
            principal.encode(): secret.encode() for principal, secret in credentials.items()
        }
        self._realm = realm
        self._required = required

    def authenticate(self, request: Request) -> str | Response | None:
        """Return the principal behind a request, or the refusal of it.

        None: nobody has said who it is, and nobody must.
        """
        header = request.headers.get("Authorization")
        if header is None and not self._required:
            return None
        principal = None if header is None else self._check(header)
        return messages.unauthorized(self._realm) if principal is None else principal

    def _check(self, header: str) -> str | None:
        scheme, _, encoded = header.partition(" ")
        if scheme != "Basic":
            return None
        try:
            principal, separator, secret = base64.b64decode(encoded, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return None
        # An unknown principal takes as long as a wrong secret, and a right guess of the first
        # bytes no longer than a wrong one.
        known = self._secrets.get(principal)
        right = hmac.compare_digest(secret, secret if known is None else known)
        well_formed = separator and b":" not in secret
        return principal.decode() if well_formed and known is not None and right else None


def basic(realm: str, credentials: Mapping[str, str] | None) -> BasicAuthenticator:
    """Make the authenticator of a realm.

    Raises:
        NoCredentialsError: there are no credentials.
    """
    if credentials is None:
        raise NoCredentialsError(
            "Failed to create HTTP authenticator module 'basic': No credentials provided for the "
            f"default 'basic' HTTP authenticator for realm '{realm}'"
        )
    return BasicAuthenticator(realm, credentials)


def authorization(principal: str, secret: str) -> str:
    """Return the header value that shows a credential."""
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()
