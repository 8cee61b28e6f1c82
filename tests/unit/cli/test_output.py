"""Tables as people see them: no word is broken, however narrow the terminal is."""

from __future__ import annotations

import pytest
from rich.console import Console

from cli import output

RUN = "20261121T060000Z-0a1b2c3d"
STATUS = ["dataset", "state", "critical", "high", "medium", "accepted", "data to", "waiting", "set aside", "run"]
WEB = ["web", "idle", 2, 1, 0, 3, "2026-11-20", 0, 0, RUN]


def shown(monkeypatch, capsys, width: int, columns: list[str], rows: list[list[object]]) -> list[str]:
    monkeypatch.setattr(output, "console", lambda stderr=False: Console(width=width, highlight=False))
    output.table(columns, rows)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table_that_fits_has_a_line_per_row(monkeypatch, capsys) -> None:
    headings, *rows = shown(monkeypatch, capsys, 120, STATUS, [WEB, ["shop", *WEB[1:]]])
    assert headings.split("  ")[0] == "dataset" and [row.split()[0] for row in rows] == ["web", "shop"]
    assert all(RUN in row for row in rows)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_row_that_does_not_fit_is_a_block_of_lines(monkeypatch, capsys, width: int) -> None:
    lines = shown(monkeypatch, capsys, width, STATUS, [WEB, ["shop", *WEB[1:]]])
    assert lines[: len(STATUS)] == [f"{name:<9}  {value}" for name, value in zip(STATUS, WEB, strict=True)]
    assert lines[len(STATUS) :: len(STATUS) + 1] == [""] and f"{'dataset':<9}  shop" in lines


@pytest.mark.parametrize("width", [50, 80, 100])
def test_a_sentence_goes_on_in_the_next_line_and_names_stay_whole(monkeypatch, capsys, width: int) -> None:
    why = "CPU is expected to cross 90 % around 4 January 2027 and has been climbing for more than 160 days"
    lines = shown(monkeypatch, capsys, width, ["server", "level", "why"], [["database-0017.eu", "critical", why]])
    assert lines[0].split() == ["server", "level", "why"] and len(lines) > 2
    assert lines[1].startswith("database-0017.eu  critical  CPU is")
    assert " ".join(line[28:] for line in lines[1:]) == why and max(map(len, lines)) <= width
