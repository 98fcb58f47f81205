"""The command line, by calling its entry point."""

import contextlib
import importlib
import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

import fakes
import pytest

from beampose.core.settings import experiment
from beampose.pipelines import cli, verbs
from beampose.pipelines.report import report_page


def test_help_answers_without_heavy_libraries():
    code = (
        "import sys; from beampose.pipelines import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'apache_beam', 'cv2', 'pandas', 'av', 'numpy', 'fsspec'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_help_lists_each_verb_once_and_beam_options_only_where_a_job_runs(capsys):
    def shown(*words):
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        return capsys.readouterr().out

    listed = re.findall(r"^  ([a-z][\w-]+) ", shown().split("Labels:")[1], flags=re.MULTILINE)
    assert listed == list(verbs.VERBS)
    for name, verb in verbs.VERBS.items():
        assert ("Apache Beam" in shown(name)) == verb.beam
        words = " ".join(shown(name).split())
        for option in verb.options:
            for other in filter(None, (option.only_with, option.not_with)):
                assert f"with {other.removeprefix('action ')}" in words


def test_every_verb_has_its_code():
    for verb in verbs.VERBS.values():
        module, function = verb.code.split(".")
        assert hasattr(importlib.import_module(f"beampose.pipelines.verbs.{module}"), function)


def test_check_lists_problems_with_file_and_row_and_says_one(pose_file, capsys):
    assert cli.main(["check", str(pose_file)]) == 0
    place = pose_file.parent / "project/labeled-data/a"
    with (place / "CollectedData_me.csv").open("a") as csv:
        csv.write("labeled-data/a/gone.png,1,2,3,4,5,6\n")
    assert cli.main(["check", str(pose_file)]) == 1
    out = capsys.readouterr().out
    assert "CollectedData_me.csv:10" in out
    assert "image missing" in out
    assert "1 error, 0 warnings" in out


BUILTIN = ("--set", "features.weights=builtin")


def test_only_googles_words_on_old_pythons_are_left_out(capsys):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert cli.main(["check", "nothing.yaml"]) == 2
        for start in ("You are using a non-supported", "You are using a"):
            text = f"{start} Python version (3.10.13). Google will not post any further updates"
            warnings.warn(text, FutureWarning, stacklevel=1)
        warnings.warn("Another thing changes", FutureWarning, stacklevel=1)
    assert [str(one.message) for one in told] == ["Another thing changes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["features", "{file}", "--", "--runer=X"], "Did you mean --runner"),
        (["features", "{file}", "--", "stray"], "Beam options look like"),
        (["features", "{file}", "--set", "features.scal=1"], "Did you mean 'features.scale'"),
        (["train", "{file}"], "Run `beampose features` first"),
        (["predict", "{file}", "x.mp4"], "Run `beampose train` first"),
        (["predict", "{file}"], "No videos"),
        (["features", "none.yaml"], "No config file"),
        (["features", "{file}", "--set", "features.backbone=resnet5"], "must be one of resnet50"),
        (["features", "{file}", "--set", "features.weights=no.h5"], "no file"),
        (
            [*["features", "{file}", "--set", "features.backbone=resnet50"], *BUILTIN],
            "weights: builtin is not available for this backbone",
        ),
        (["features", "{file}", "--set", "features.weights=random:x"], "must be random:SEED"),
        (["features", "{file}", "--set", "source.path=nowhere"], "No DeepLabCut project"),
    ],
)
def test_mistakes_get_a_sentence(pose_file, capsys, words, message):
    assert cli.main([word.format(file=pose_file) for word in words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_unknown_verbs_flags_and_beam_options_of_verbs_without_beam_are_errors(pose_file):
    for words in (["trane", "x"], ["train", str(pose_file), "--fast"], ["train", "x", "--", "-r"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        assert stop.value.code == 2


@pytest.mark.parametrize(
    "words",
    [
        "extract-frames a.mp4 --to p --backbone resnet50",
        "extract-frames a.mp4 --to p --cluster kmeans",
        "extract-frames a.mp4 --to p --method uniform --every 2",
        "import-labels a --to p --combine mean",
        "audit a.yaml --apply a.csv --top 5",
        "audit a.yaml --apply a.csv --folds 3",
        "store ls a.yaml --dry-run",
        "datasets list --to data",
        "label a.yaml --count 5",
        "repeats a.yaml --dismiss a.csv --at-least 3",
        "features a.yaml --prices a.yaml",
        "predict a.yaml a.mp4 --budget 3",
        "submit a.yaml --cloud c.yaml --register-only --spec s.yaml",
        "submit a.yaml --cloud c.yaml --register-only --no-wait",
        "submit a.yaml --cloud c.yaml --register-only --budget 3",
        "submit a.yaml --cloud c.yaml --register-only --prices p.yaml",
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(pose_file, words, capsys):
    text = words.replace("a.yaml", str(pose_file))
    assert cli.main(text.split()) == 2
    flag = [word for word in words.split() if word.startswith("--")][-1]
    said = capsys.readouterr().err
    assert flag in said and ("only with" in said or "no effect" in said or "applies to" in said)


def test_an_option_given_twice_counts_twice_or_is_refused(capsys):
    words = "requests a --to b --images c d --images e"
    assert cli.parser().parse_args(words.split()).images == ["c", "d", "e"]
    words = "label a.mp4 --bodyparts nose,ear --bodyparts tail"
    assert cli.parser().parse_args(words.split()).bodyparts == ["nose", "ear", "tail"]
    cli.parser().parse_args(["export", "a", "--format", "onnx", "--format", "onnx"])
    with pytest.raises(SystemExit):
        cli.main(["export", "a", "--format", "onnx", "--format", "tflite"])
    assert "--format: is given twice, as onnx and tflite" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e999", "x", ""])
@pytest.mark.parametrize("words", ["features a.yaml --budget", "watch in --every"])
def test_an_amount_is_a_number(words, value, capsys):
    with pytest.raises(SystemExit):
        cli.main(f"{words}={value}".split(" "))
    assert "must be a number of 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["", "  "])
def test_watch_needs_a_folder(folder, capsys):
    assert cli.main(["watch", folder, "--once"]) == 2
    assert "watch needs a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["evaluate a --folds 1", "sweep a --folds 0", "evaluate a --curve -1"]
)
def test_counts_that_mean_nothing_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        cli.main(words.split())
    assert "must be a whole number of" in capsys.readouterr().err


def test_run_does_everything_and_leaves_a_report(pose_file, capsys, tmp_path):
    fakes.video(tmp_path / "film.mp4", "libx264", 12)
    assert cli.main(["run", str(pose_file), str(tmp_path / "film.mp4")]) == 0
    out = capsys.readouterr().out
    assert "12 rows for 12 frames, 12 decoded, 0 failed" in out
    assert [line.split()[0] for line in out.splitlines() if " points  mean " in line][:3] == [
        *("nose", "left", "tail")
    ]
    page = (tmp_path / "out/report.html").read_text()
    body = page[page.index("<main>") :]
    assert body.index("RANDOM") < body.index("<h1>")
    assert "12 rows for 12 frames" in body
    assert "http" not in body.replace("http://www.w3.org", "")
    assert list(Path(tmp_path / "out/predictions").glob("*_labeled.mp4"))
    assert list(Path(tmp_path / "out/evaluation/images").glob("001-test-*.jpg"))
    assert cli.main(["render", str(pose_file), str(tmp_path / "film.mp4")]) == 0
    assert "Cross validation" not in body
    assert "Plan and truth" not in body
    assert cli.main(["plan", str(pose_file)]) == 0
    assert cli.main(["evaluate", str(pose_file), "--folds", "2"]) == 0
    assert "fold 2" in capsys.readouterr().out
    text = report_page.write(experiment.load(pose_file)).read_text()
    assert "Cross validation" in text
    assert "Plan and truth" in text


def test_run_of_crops_leaves_a_report_too(trained, capsys, tmp_path):
    folder = Path(trained["crops"].output).parent
    assert cli.main(["evaluate", str(folder / "crops.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "accuracy" in line] == ["test", "train"]
    text = report_page.write(trained["crops"]).read_text()
    assert "of held-out crops are right" in text
    assert cli.main(["repeats", str(folder / "crops.yaml"), "x.mp4"]) == 2
    assert "Run `beampose predict` first" in capsys.readouterr().err


def test_a_note_is_told_once_by_a_command():
    told = cli.NotesOnce()

    def passes(words, *arguments):
        record = logging.LogRecord("beampose", logging.WARNING, "", 0, words, arguments, None)
        return told.filter(record)

    assert [passes("NOTE %s: moved", name) for name in ("a", "a", "b", "a")] == [1, 0, 1, 0]
    assert passes("status.json was lost") and passes("status.json was lost")


def test_a_film_whose_name_looks_like_an_option_is_a_film(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.mp4").write_bytes(b"")
    (tmp_path / "e.yaml").write_text("task: pose\nsource: {format: deeplabcut, path: p}\n")
    for words in (["-x.mp4"], ["-y.mp4"]):
        with contextlib.suppress(SystemExit):
            cli.main(["predict", "e.yaml", *words])
        said = capsys.readouterr().err
        assert ("unrecognized arguments" in said) == (words == ["-y.mp4"])
