"""Who calls the HTTP API, and which datasets they may see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from problems import Problem

# Claims of a token that name the datasets, separated by blanks or commas; "*" is all. Cognito's own begin with custom:.
CLAIMS = ("headroom_datasets", "custom:headroom_datasets")


@dataclass(frozen=True)
class Caller:
    """Whoever is signed in."""

    name: str
    datasets: frozenset[str] | None
    """Those that they may see; None for all that their IAM policy lets them ask for."""

    def may_see(self, dataset: str) -> bool:
        """Whether a dataset is one of theirs."""
        return self.datasets is None or dataset in self.datasets


def caller_of(event: dict[str, Any]) -> Caller:
    """The caller as API Gateway's authorizer has found them.

    Raises:
        Problem: nobody is signed in; API Gateway lets no such request through.
    """
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    if claims := (authorizer.get("jwt") or {}).get("claims"):
        # An array arrives as text: "[web db]".
        named = re.findall(r"[^\s,\[\]\"]+", " ".join(str(claims.get(claim, "")) for claim in CLAIMS))
        # An address that the provider has not verified is whatever somebody has typed there.
        unverified = str(claims.get("email_verified", "")).lower() == "false"
        name = str((not unverified and claims.get("email")) or claims.get("sub") or "")
        return Caller(name, None if "*" in named else frozenset(named))
    if arn := (authorizer.get("iam") or {}).get("userArn"):
        return Caller(arn.rpartition("/")[2] or arn, None)
    raise Problem(HTTPStatus.UNAUTHORIZED, "nobody is signed in")
