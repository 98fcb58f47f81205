"""What is said of YAML that people write by hand."""

import itertools
import random

import pytest

from beampose.core import yaml_faults, yaml_files

WRONG = [
    ("train:\n\tsteps: 3\n", "a tab stands before 'steps: 3'", 2, 1),
    ("task: pose\noutput runs/a\n", "'output runs/a' has no colon after its key", 2, 1),
    ("task: pose\noutput runs\nsplit: {by: image}\n", "write `output: runs`", 2, 1),
    ("task:pose\noutput: runs/a\n", "'task:pose' lacks a space after its colon", 1, 6),
    ("train:\n  seed: 1\n  steps:3\n", "write `steps: 3`", 3, 9),
    ("bodyparts:\n-nose\n-tail\n", "'-nose' lacks a space after its dash", 2, 2),
    ("bodyparts:\n\u2013 nose\n\u2013 tail\n", "write - and a space", 2, 1),
    ('task: "pose\noutput: runs/a\n', 'the quotation mark " is not closed', 1, 7),
    ('a: "b\nc: d\ne: "f"\n', 'the quotation mark " is not closed in its line', 1, 4),
    ("scorer: 'Ann's'\n", "follows a closing quotation mark", 1, 14),
    ("videos: [a.mp4, b.mp4\noutput: runs\n", "the [ is not closed", 1, 9),
    ("train: {steps: 3\noutput: runs\n", "close it with }", 1, 8),
    ("videos: [a, b,", "the [ is not closed", 1, 9),
    ("scorer: ,a\n", "no value stands before ',a'", 1, 9),
    ("videos: [a, b}\n", "the [ is closed by }", 1, 9),
    ('path: "C:\\Users\\ann"\n', "as in C:/Users/ann, or in single quotes", 1, 7),
    ('path: "D:\\temp\\new"\n', "as in D:/temp/new", 1, 7),
    ("scorer: @ann\n", "put it in quotes, '@ann'", 1, 9),
    ("scorer: %ann # me\n", "put it in quotes, '%ann'", 1, 9),
    ("videos: [*.mp4, a]\n", "put it in quotes, '*.mp4'", 1, 10),
    ("scorer: !ann\n", "put it in quotes, '!ann'", 1, 9),
    ("scorer: `ann`\n", "a value begins with `", 1, 9),
    ("a: !!python/tuple [b]\n", "a value has the tag !!python/tuple", 1, 4),
    ("bodyparts: - nose\n", "begin the list in the next line", 1, 12),
    ("title: a: b\n", "put the value in quotes, 'a: b'", 1, 9),
    ("task: pose\n---\ntask: crops\n", "'---' begins a second document", 2, 1),
    ("task: pose\n...\nscorer: a\n", "the line ... ends the document", 2, 1),
    ("task: pose\n\ufeffoutput: a\n", r"'\\ufeffoutput' begins with a sign that is not seen", 2, 1),
    ("train:\n\u00a0\u00a0steps: 3\n", "a sign that is not seen (U+00A0)", 2, 1),
    ("task:\u00a0pose\noutput: a\n", "a space of another kind (U+00A0)", 1, 6),
    ("task\uff1apose\noutput: a\n", "a wide colon", 1, 5),
    ("scorer: \u201cAnn\u201d\n", "has quotation marks of a text program", 1, 9),
    ("train:\n  steps: 3\n   seed: 1\n", "is indented by 3, the line before it by 2", 3, 4),
    ("train:\n   steps: 3\n  seed: 1\n", "is indented by 2, as no section above is", 3, 3),
    (" task: pose\noutput: a\n", "is indented less than the first line", 2, 1),
    ("- a\nb: 1\n", "the key 'b: 1' stands among items of a list", 2, 1),
    ("[train]\nsteps = 3\n", "has = for a colon", 2, 9),
    ("a: 1\n<<<<<<< HEAD\nb: 3\n=======\n", "two versions of git", 2, 1),
    ("output: {{name}}\n", "around what is in double braces", 1, 10),
    ("a: &x 1\nb: &x 2\n", "the anchor &x is there twice", 2, 4),
    ("task: po\x07se\n", "a sign that no text has (U+0007)", 1, 9),
    ("a: 1\nb: 2026-13-45\n", "a value is not of the type", 2, 4),
]


@pytest.mark.parametrize(("text", "said", "line", "column"), WRONG)
def test_an_error_is_a_sentence_with_file_line_and_column(tmp_path, text, said, line, column):
    file = tmp_path / "my.yaml"
    file.write_bytes(text.encode())
    with pytest.raises(ValueError) as error:
        yaml_files.read(file, "config")
    told = str(error.value)
    assert told.startswith(f"{file} is not a YAML file: ")
    assert said.replace("\\\\", "\\") in told
    assert f"(line {line}, column {column})" in told
    assert "\n" not in told and "<" not in told.replace("<<<", "")


def test_files_that_are_no_text_in_utf8_are_named(tmp_path):
    file = tmp_path / "my.yaml"
    for data, said in [
        ("scorer: S\u00f8ren".encode("cp1252"), r"is not UTF-8 \(line 1 has .*: save it again as"),
        ("task: pose".encode("utf-16-le"), "is no text, or one in UTF-16"),
        (b"PK\x03\x04aaaa", "is a zip"),
        (b"", "must hold keys and values.* It is empty"),
        (b"task:pose\noutput:runs\n", r"must hold .*'task:pose' lacks a space .*line 1, column 6"),
        (b'task = "pose"\n', "must hold .* has = for a colon, as TOML"),
    ]:
        file.write_bytes(data)
        with pytest.raises(ValueError, match=said) as error:
            yaml_files.read(file, "config")
        assert "CSV" not in str(error.value)


@pytest.mark.parametrize("words", [False, True])
def test_tabs_that_indent_nothing_are_spaces(words):
    text = (
        "task:\tpose\t\n\t# note\n\t\ntrain:\n  steps:\t 3\t# few\nparts:\n-\tnose\n- [a,\tb]\n\t"
    )
    wanted = {"task": "pose", "train": {"steps": 3}, "parts": ["nose", ["a", "b"]]}
    assert yaml_files.parse(text, words=words) == wanted


@pytest.mark.parametrize(
    "text", ['"C:\\\\Users\\\\ann"', "'D:\\temp'", '"\u201cAnn\u201d"', "a\u201d"]
)
def test_what_may_be_meant_is_taken(text):
    assert isinstance(yaml_files.parse(f"path: {text}")["path"], str)


def test_whatever_is_cut_or_put_in_gives_a_sentence():
    rng = random.Random(0)
    signs = ["\t", ":", "'", '"', "[", "}", "-", "*", "%", "\n", " ", "\u00a0", "...", "---", "!"]
    for text, _ in itertools.product([one for one, *_ in WRONG], range(12)):
        at, to = sorted(rng.choices(range(len(text) + 1), k=2))
        try:
            yaml_files.parse(text[:at] + rng.choice(signs) + text[rng.choice([at, to]) :])
        except ValueError as error:
            assert str(error) and "\n" not in str(error)
    assert yaml_faults.no_mapping("\n\n", "\n\n") == ""
