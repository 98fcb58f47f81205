"""The reader of YAML files."""

import pytest

from beampose.core import yaml_files


def test_yaml_that_would_fill_the_memory_is_refused(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="once its anchors are spelled out"):
        yaml_files.read(tmp_path / "config.yaml", "config", most_bytes=1_000_000)
    for text, what in [
        ("a: &a [*a]", "nested too deep"),
        ("[" * 5000, "nested too deep"),
        ("a: [", "is not a YAML file"),
        ("!!python/object/apply:os.system [ls]", "is not a YAML file"),
        ("- a", "must hold keys and values"),
        ("a" * 2_000_000, "is longer than"),
    ]:
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match=what):
            yaml_files.read(tmp_path / "config.yaml", "config", most_bytes=1_000_000)
    (tmp_path / "config.yaml").write_text("a: &x [1]\nb: *x\n")
    found = yaml_files.read(tmp_path / "config.yaml", "config", most_bytes=1_000_000)
    assert found == {"a": [1], "b": [1]}


def test_a_key_that_is_there_twice_is_refused_with_its_line(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("train:\n  steps: 3\n  seed: 1\n  steps: 4\n")
    with pytest.raises(ValueError, match=r"one.yaml is not .*'steps' is there twice[^$]*line 4"):
        yaml_files.read(file, "config")


def test_words_that_older_yaml_takes_for_truth_are_words_in_files_of_deeplabcut():
    text = "scorer: NO\nparts: [on, off, yes, ~, 12:30, 1e3, 010, 0o17, .5, true]\n"
    parts = ["on", "off", "yes", None, "12:30", 1000.0, 10, 15, 0.5, True]
    assert yaml_files.parse(text, words=True) == {"scorer": "NO", "parts": parts}


def test_a_key_twice_is_refused_in_files_of_deeplabcut_too():
    with pytest.raises(ValueError, match="'x' is there twice"):
        yaml_files.parse("x: 1\nx: 2\n", words=True)


def test_a_mapping_may_change_keys_of_one_that_it_takes_over(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert yaml_files.read(file, "config")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    "value", ["!!timestamp a", "!!bool x", "!!int ''", "!!timestamp 2001-1-1*a"]
)
@pytest.mark.parametrize("words", [False, True])
def test_a_value_that_its_tag_does_not_fit_is_an_error_of_ours(value, words):
    with pytest.raises(ValueError, match="not of the type that it or its tag"):
        yaml_files.parse(f"a: [1, {value}]", words=words)


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("number", ["0x" + "f" * 9000, "9" * 9000, "-0b" + "1" * 9000])
def test_a_number_of_thousands_of_letters_is_refused(number, words):
    with pytest.raises(ValueError, match=r"a number has 9,\d+ letters, above 1,000"):
        yaml_files.parse(f"scorer: {number}", words=words)


def test_a_number_of_many_sixties_costs_nothing():
    with pytest.raises(ValueError, match="a number has 60,001 letters"):
        yaml_files.parse("scorer: 1" + ":59" * 20_000)
