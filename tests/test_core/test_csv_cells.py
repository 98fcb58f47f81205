import csv
import io

import pytest

from beampose.core import csv_cells

FORMULAS = [
    '=HYPERLINK("x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_name_that_is_a_formula_becomes_text_and_is_read_again(text):
    stream = io.StringIO()
    csv_cells.Writer(stream).writerow([text, "nose"])
    (cells,) = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert cells == ["'" + text, "nose"]
    assert csv_cells.plain(cells[0]) == text


@pytest.mark.parametrize(
    "value", ["-3.5", "+1e5", "-inf", "", "nose", "a=b", "'quoted'", "don't", -3]
)
def test_numbers_and_harmless_text_stay(value):
    assert csv_cells.inert(value) == value
    assert csv_cells.plain(str(value)) == str(value)


@pytest.mark.parametrize("text", ["'=1", "''=1", "'", "'-5", "'a"])
def test_apostrophes_of_a_name_are_its_own(text):
    assert csv_cells.plain(csv_cells.inert(text)) == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system_are_rows_and_are_counted(end):
    rows = csv_cells.Rows(end.join(["a,b", '"c\u2028d",1', '"e', 'f",2']))
    assert next(rows) == ["a", "b"] and rows.line == 1
    assert next(rows) == ["c\u2028d", "1"] and rows.line == 2
    assert next(rows) == [f"e{end}f", "2"] and rows.line == 4
    assert not list(rows)


def test_a_cell_without_an_end_is_a_sentence_with_its_line():
    with pytest.raises(ValueError, match="cannot be read in line 2: .*quote not closed"):
        list(csv_cells.Rows('a,b\n"' + "x" * 200_000))
