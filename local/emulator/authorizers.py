"""Where MiniStack's JWT authorizer is kinder than API Gateway's.

API Gateway (developer guide, "Control access to HTTP APIs with JWT authorizers") takes keys from nowhere but the
``jwks_uri`` that the issuer's discovery document names, verifies RSA signatures by the algorithm that the token names,
and lets no token in that does not end. An authorizer whose issuer has no such document is not even created. Signature,
issuer, audience, moments and scopes are MiniStack's own checks, which are as strict.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

SECONDS = 5
Checked = tuple[dict[str, Any] | None, list[str] | None, tuple[int, dict[str, str], bytes] | None]


def install() -> None:
    """Put the additions in place."""
    validate = apigateway._validate_jwt_authorizer

    async def strictly(route: dict, authorizer: dict, headers: dict, query_params: dict) -> Checked:
        claims, scopes, refused = await validate(route, authorizer, headers, query_params)
        if refused is None:
            token = apigateway._extract_token_from_identity_source(authorizer["identitySource"], headers, query_params)
            issuer = authorizer["jwtConfiguration"]["issuer"]
            if not (acceptable(token or "", claims or {}) and await apigateway._fetch_oidc_jwks_uri(issuer)):
                refused = apigateway._jwt_unauthorized()
        if refused is not None:
            status, given, body = refused
            return None, None, (status, given | {"www-authenticate": "Bearer"}, body)
        return claims, scopes, None

    apigateway._validate_jwt_authorizer = strictly
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Authorizer"]
    handlers["create"] = described(handlers["create"], 1)
    handlers["update"] = described(handlers["update"], 2)


def acceptable(token: str, claims: dict[str, Any]) -> bool:
    """Whether a token, whose signature is right, names the algorithm by which it was verified, and ends."""
    head = token.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    ends = claims.get("exp")
    return header.get("alg") == "RS256" and isinstance(ends, int | float) and not isinstance(ends, bool)


def described(provision: Callable[..., Any], properties: int) -> Callable[..., Any]:
    """MiniStack's way to make or change an authorizer, for issuers only that describe themselves."""

    def provisioned(*given: Any, **more: Any) -> Any:
        if issuer := (given[properties].get("JwtConfiguration") or {}).get("Issuer"):
            require_description(issuer)
        return provision(*given, **more)

    return provisioned


def require_description(issuer: str) -> None:
    """Raise ``ValueError`` unless the issuer's discovery document is there, by TLS, and its own."""
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        if urlsplit(issuer).scheme != "https":
            raise ValueError("it is not an https address")
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310
            found = json.loads(answer.read())
        if found["issuer"] != issuer or not found["jwks_uri"]:
            raise ValueError(f"it describes {found['issuer']}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"Invalid issuer: {issuer}. Issuer must have a valid discovery endpoint ended with "
            f"'/.well-known/openid-configuration' ({error})"
        ) from error
