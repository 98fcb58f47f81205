"""What is shown of texts of strangers."""

import os
import subprocess
import sys

import pytest

from beampose.core import texts
from beampose.pipelines.outcomes import label_outcomes
from beampose.preprocess.labels import ERROR, Problem


@pytest.mark.parametrize(
    "text,shown",
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("line\u2028end\x85", r"line\u2028end\x85"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("byte \udcff", r"byte \udcff"),
        ("Öhrchen 鼻 می‌شود \xa0 🐁 a\\n", "Öhrchen 鼻 می‌شود \xa0 🐁 a\\n"),
    ],
)
def test_a_name_is_shown_in_one_line_that_moves_nothing(text, shown):
    assert texts.printable(text) == shown
    assert texts.printable(shown) == shown


def test_names_with_ends_of_lines_do_not_break_the_columns_of_problems():
    problems = [
        Problem(ERROR, "a.csv", 4, "labeled-data/v/im\ng.png", "image missing: no file im\ng.png"),
        Problem(ERROR, "a.csv", 15, "labeled-data/v/img.png", "is broken"),
    ]
    lines = list(label_outcomes.problem_lines(problems))
    assert lines == [
        r"error  a.csv:4   im\ng.png  image missing: no file im\ng.png",
        "error  a.csv:15  img.png    is broken",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.skipif(os.name == "nt", reason="names are of letters there")
def test_names_that_are_no_letters_of_the_terminal_are_shown(tmp_path, encoding):
    name = os.fsdecode("öl-".encode() + b"\xff.yaml")
    ran = subprocess.run(
        [sys.executable, "-m", "beampose.pipelines.cli", "check", str(tmp_path / name)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
    )
    assert ran.returncode == 2
    letter = "ö" if encoding == "utf-8" else r"\xf6"
    assert f"error: No config file {tmp_path}/{letter}l-\\udcff.yaml." in ran.stderr.decode()
