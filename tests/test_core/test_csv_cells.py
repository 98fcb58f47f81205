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
