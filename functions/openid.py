"""Where the OpenID provider signs people in, by its own description (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import http.client
import json
import urllib.request
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 5
_LARGEST = 2**20


class ProviderError(Exception):
    """The provider does not say where it signs people in; the message says what is wrong."""


@dataclass(frozen=True)
class Provider:
    """The two addresses that a sign-in needs (authorization code with PKCE)."""

    authorize: str
    token: str


@cache
def provider(issuer: str) -> Provider:
    """The provider's addresses. Asked for once for each start of the function; an answer that failed is not kept.

    Raises:
        ProviderError: it cannot be reached, or its answer is not that of this issuer.
    """
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - the stack's own parameter
            found = json.loads(answer.read(_LARGEST))
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        raise ProviderError(f"the OpenID provider does not answer at {address}: is OpenIdIssuer right?") from error
    if not isinstance(found, dict) or str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise ProviderError(f"{address} describes another issuer than OpenIdIssuer")
    return Provider(_address(found, "authorization_endpoint", issuer), _address(found, "token_endpoint", issuer))


def _address(found: dict[str, Any], name: str, issuer: str) -> str:
    """One of its addresses, which goes by TLS as the issuer's own does, and may stand in a policy."""
    address = str(found.get(name, ""))
    parts = urlsplit(address)
    plain = address.isascii() and not any(sign in address for sign in " ;,'\"\\")
    if parts.scheme != urlsplit(issuer).scheme or not parts.netloc or not plain:
        raise ProviderError(f"the OpenID provider's {name} is not a usable address: {address[:200]!r}")
    return address
