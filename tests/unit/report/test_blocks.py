"""The parts of a section: nothing to say, nothing there."""

from __future__ import annotations

from headroom.report import blocks


def test_parts_without_content_are_left_out() -> None:
    assert blocks.table("Gaps", [("Server", "")], []) == []
    assert blocks.fold("Gaps", blocks.table("Gaps", [("Server", "")], [])) == []
    assert blocks.listing([]) == blocks.warning("Beware", []) == []
    assert blocks.facts([("Mode", None), ("Run", ""), ("Code", "3f9c")], "run")["facts"] == [["Code", "3f9c"]]
    assert blocks.paragraph("One. ", "", "Two.")["paragraph"] == ["One. ", "Two."]


def test_the_first_servers_are_named_and_the_rest_counted() -> None:
    assert blocks.servers(["a", "b", "c"], 1200, most=2) == [{"server": "a"}, ", ", {"server": "b"}, " and 1,198 more"]
    assert blocks.servers(["a"], 1) == [{"server": "a"}]


def test_a_fold_s_first_key_names_its_kind_for_the_page() -> None:
    row = blocks.table("Gaps", [("Server", "")], [["web-1"]])
    kinds = [blocks.fold("Gaps", row)[0], row[0], blocks.drawn("heat"), blocks.figures([("1", "row")])]
    assert [next(iter(kind)) for kind in kinds] == ["fold", "table", "drawn", "figures"]
