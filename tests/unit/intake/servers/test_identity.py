"""Which names are one server."""

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.core.settings import Identity
from headroom.intake.servers.identity import canonical
from headroom.intake.sql import one_row, quoted


def called(name, **identity):
    with duckdb.connect() as db:
        return one_row(db, f"SELECT {canonical(quoted(name), Identity(**identity))}")[0]


@settings(max_examples=50, deadline=None)
@given(st.text("aB.-é'", min_size=1, max_size=8))
def test_without_settings_a_name_is_a_name(name):
    assert called(name) == name


def test_the_longest_domain_is_cut_off_once_whatever_its_case():
    domains = ("example", "corp.example")
    assert called("web-1.CORP.example", domains=domains) == "web-1"
    assert called("web-1.lab.example", domains=domains) == "web-1.lab"
    assert called("webcorp.example", domains=("corp.example",)) == "webcorp.example", "a domain begins behind a dot"


def test_an_alias_holds_with_and_without_domain_and_case():
    said = {"domains": ("corp.example",), "aliases": {"WEB-01-old": "web-1", "db.corp.example": "db-9"}}
    assert called("WEB-01-old", **said) == called("WEB-01-old.corp.example", **said) == "web-1"
    assert called("web-01-OLD", **said) == "web-01-OLD"
    assert called("web-01-OLD", **said, ignore_case=True) == "web-1"
    assert called("db.corp.example", **said) == "db-9", "the whole name comes first"
