"""The laptop cloud's API Gateway lets no token in that AWS's refuses."""

from __future__ import annotations

import pytest

from local.emulator import authorizers
from tests.unit.console.provider import provided, token


@pytest.mark.parametrize(
    ("algorithm", "ends", "good"),
    [("RS256", 4_000_000_000, True), ("none", 4_000_000_000, False), ("HS256", 4_000_000_000, False),
     ("RS256", None, False), ("RS256", "tomorrow", False), ("RS256", True, False)],
)  # fmt: skip
def test_a_token_names_how_it_is_signed_and_when_it_ends(algorithm, ends, good) -> None:
    claims = {"exp": ends}
    assert authorizers.acceptable(token(claims, algorithm=algorithm), claims) is good


def test_an_issuer_without_tls_or_a_description_is_refused_as_at_aws() -> None:
    with provided() as provider, pytest.raises(ValueError, match="valid discovery endpoint"):
        authorizers.require_description(provider.issuer)
    with pytest.raises(ValueError, match="valid discovery endpoint"):
        authorizers.require_description("https://127.0.0.1:9/nobody")
