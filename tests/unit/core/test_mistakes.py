"""Mistakes in files that people write are told without a library's terms."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from headroom.core.mistakes import in_plain_words


class Part(BaseModel):
    kind: Literal["a"] = "a"
    often: int = 1
    names: list[str] = []
    called: Annotated[str, Field(min_length=2)] = "ab"


class Other(BaseModel):
    kind: Literal["b"]
    needed: str


PARTS = TypeAdapter(Annotated[Part | Other, Field(discriminator="kind")])


@pytest.mark.parametrize(
    "given, told",
    [
        ({"kind": "a", "often": "x"}, "must be a valid integer"),
        ({"kind": "a", "names": 5}, "must be a valid list"),
        ({"kind": "a", "called": "x"}, "must have at least 2 characters"),
        ({"kind": "b"}, "is required"),
        ({"kind": "c"}, "'kind' must be one of 'a', 'b' (given: 'c')"),
        ({}, "the key 'kind' is required"),
        (5, "must be keys and values"),
    ],
)
def test_what_is_wrong_is_told_in_plain_words(given, told):
    with pytest.raises(ValidationError) as wrong:
        PARTS.validate_python(given)
    assert [in_plain_words(one) for one in wrong.value.errors()] == [told]
