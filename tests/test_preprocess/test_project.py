"""config.yaml of DeepLabCut: a video comes in, everything else stays as a person wrote it."""

import datetime
import difflib
import json

import pytest
import yaml

from beampose.formats.deeplabcut import project_config

TEXT = """# Project definitions (do not edit)
Task: reach
video_sets:
  /films/a.avi:
    crop: 0, 60, 0, 40

# who knows why
bodyparts: [nose, tail]  # two
"""


def added(text, video="/films/b c: d.mp4"):
    return project_config.add_video(text, video, (1, 61, 2, 42))


def test_a_video_is_added_and_no_line_changes():
    changed = added(TEXT)
    lines = list(difflib.ndiff(TEXT.splitlines(), changed.splitlines()))
    assert not [line for line in lines if line.startswith("-")]
    new = [line[2:] for line in lines if line.startswith("+")]
    assert yaml.safe_load("\n".join(new)) == {"/films/b c: d.mp4": {"crop": "1, 61, 2, 42"}}
    assert list(yaml.safe_load(changed)["video_sets"]) == ["/films/a.avi", "/films/b c: d.mp4"]


@pytest.mark.parametrize(
    "section",
    [
        "video_sets:\n",
        "video_sets: {}\n",
        "video_sets: {'C:\\a.avi': {crop: '0, 1, 0, 1'}}\n",
        "video_sets:\n    C:\\films\\a.avi:\n        crop: 0, 1, 0, 1\n",
        "video_sets:\n  ? /films/a.avi\n  : crop: 0, 1, 0, 1\n",
        "video_sets:\n# note\n  /films/a.avi: {crop: '0, 1, 0, 1'}\n",
        "",
    ],
)
@pytest.mark.parametrize("end", ["bodyparts: [nose]\n", "\n# end\n", ""])
def test_however_the_section_is_written(section, end):
    text = f"Task: reach\n{section}{end}"
    before = yaml.safe_load(text)
    known = before.pop("video_sets", None) or {}
    after = yaml.safe_load(added(text))
    assert after.pop("video_sets") == {**known, "/films/b c: d.mp4": {"crop": "1, 61, 2, 42"}}
    assert after == before


@pytest.mark.parametrize("indent", [None, 1])
def test_a_config_that_a_program_wrote_as_json_gets_the_video_too(indent):
    values = yaml.safe_load(TEXT)
    after = yaml.safe_load(added(json.dumps(values, indent=indent)))
    assert list(after.pop("video_sets")) == ["/films/a.avi", "/films/b c: d.mp4"]
    del values["video_sets"]
    assert after == values


def test_a_video_of_the_same_name_elsewhere_is_the_same_video():
    assert added(TEXT, "/moved/a.mp4") == TEXT
    assert project_config.crop_of(TEXT, "/moved/a.mp4") == (0, 60, 0, 40)
    assert project_config.crop_of(TEXT, "/films/c.avi") is None


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "video_sets: [a.avi]\n"])
def test_what_is_no_such_file_is_refused(text):
    with pytest.raises(ValueError):
        added(text)


def test_a_new_config_is_what_deeplabcut_expects():
    text = project_config.create(
        "/lab/reach-Ann-2026-01-07",
        scorer="Ann",
        bodyparts=["nose", " tail"],
        today=datetime.date(2026, 1, 7),
    )
    values = yaml.safe_load(text)
    assert (values["Task"], values["scorer"], values["date"]) == ("reach", "Ann", "Jan7")
    assert values["bodyparts"] == ["nose", "tail"]
    assert project_config.settings(text) == {"count": 20, "start": 0, "stop": 1}
    assert len(yaml.safe_load(added(text))["video_sets"]) == 1


@pytest.mark.parametrize(("scorer", "parts"), [("", ["a"]), ("me", [""]), ("me", ["a", "a"])])
def test_a_new_project_needs_a_scorer_and_bodyparts(scorer, parts):
    with pytest.raises(ValueError, match="bodyparts"):
        project_config.create("/lab/x", scorer=scorer, bodyparts=parts)
