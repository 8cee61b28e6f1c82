"""A row's line is the one at which an editor shows it."""

import gzip
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.intake.files.lines import line_numbers, one_each


def source(tmp_path, text, header_line=1, packed=False):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    layout = SimpleNamespace(format="csv", header_line=header_line, delimiter=",", quote='"')
    return SimpleNamespace(readable=path, known_layout=layout)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(0, 3), min_size=1, max_size=12), packed=st.booleans())
def test_rows_of_several_lines_and_blank_lines_between_shift_those_below(tmp_path_factory, rows, packed):
    """Of each row, how many line breaks its quoted field has; 3 stands for a blank line before it."""
    text, lines, line = "time,note\n", [], 2
    for breaks in rows:
        if breaks == 3:
            text, line = text + "\n", line + 1
        inner = "\n" * (breaks % 3)
        text += f'2024,"a{inner}b"\n'
        lines.append(line)
        line += 1 + breaks % 3
    one = source(tmp_path_factory.mktemp("lines"), text, packed=packed)
    assert line_numbers(one, list(range(len(rows))), []) == lines
    assert one_each(one, len(rows)) == (not any(rows))


def test_lines_that_are_no_rows_are_passed_over(tmp_path):
    one = source(tmp_path, "h,h\na,1\nbad\nb,2\nbad\nc,3\n")
    assert line_numbers(one, [0, 1, 2], [3, 5]) == [2, 4, 6]


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_last_line_counts_with_and_without_an_end(tmp_path, end):
    assert one_each(source(tmp_path, f"title\n\nh,h\na,1\nb,2{end}", header_line=3), 2)
