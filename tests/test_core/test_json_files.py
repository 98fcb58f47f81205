"""JSON of strangers: read, or refused in a sentence that names the file."""

import re

import pytest

from beampose.core import json_files


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "9" * 5000, "{'a': 1}", b"\xff\x00", '{"a": 1', b"", "[1, 2", "NaN nan"],
)
def test_what_is_no_json_is_a_sentence_with_the_file(text):
    with pytest.raises(ValueError, match=r"^a\.json is not|^is not UTF-8|^a\.json"):
        json_files.parse(text, "a.json")


def test_text_of_programs_that_begin_with_a_mark_is_read():
    assert json_files.parse(b'\xef\xbb\xbf{"a": 1}', "a.json") == {"a": 1}


@pytest.mark.parametrize("text", ["[]", "3", "null", '"records"', "{}", '{"other": 1}'])
def test_another_object_is_refused_by_what_it_lacks(text):
    with pytest.raises(ValueError, match=r"a\.json (must hold an object|.*lacks 'records')"):
        json_files.record(text, "a.json", "records")


def test_a_line_that_is_no_object_is_named_by_its_number():
    text = '{"why": "a"}\n\n{"why": "\u2028"}\n'
    assert [one["why"] for one in json_files.lines(text, "f", "why")] == ["a", "\u2028"]
    with pytest.raises(ValueError, match="f:2 .*lacks 'why'"):
        json_files.lines('{"why": "a"}\n{"what": 1}', "f", "why")


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ('{"a": 1,\n}', r"line \d, column \d", "a comma stands before a closing bracket"),
        ("[1,\n 2 3]", "line 2, column 4, at '3]'", "a comma or a closing bracket is missing"),
        ('{"a" 1}', "line 1, column 6", "a colon is missing"),
        ("{'a': 1}", "line 1, column 2", "must stand in double quotes"),
        ('{"a": nul}', "line 1, column 7, at 'nul}'", "none of JSON's"),
        ("{}\n{}", "line 2, column 1", "something stands behind its end"),
        ('{"a": "C:\\Users"}', "line 1, column 10", "a backslash that JSON does not have"),
        ('{"a": "x\ny"}', "line 1, column 9", "a line break or a tab"),
        ('["x', "line 1, column 2", "no closing quote, as in a file that was cut off"),
        ('{"a": [1, 2', "line 1, column 12", "it ends too early"),
        ("9" * 5000, "", "thousands of digits"),
    ],
)
def test_why_it_is_none_is_said_in_our_words(text, place, why):
    with pytest.raises(ValueError, match="^a.json is not JSON: ") as found:
        json_files.parse(text, "a.json")
    assert re.search(place, str(found.value)) and why in str(found.value)
    for word in ("Expecting", "delimiter", "(char", "Extra data", "Unterminated", "sys."):
        assert word not in str(found.value)
