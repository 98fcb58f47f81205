"""The report of a run: what it says of the data, of unseen videos, of labeling more."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fake_infos
import numpy as np
import pytest
from PIL import Image

from beampose.core import artefacts, storage
from beampose.core.infos import CurveInfo, Figures, FoldsInfo
from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.pipelines.outcomes import model_outcomes
from beampose.pipelines.report import (
    curve_files,
    error_analysis,
    evaluation_files,
    evaluation_reader,
    gallery,
    label_summary,
    plots,
    report_page,
    timeline,
    unseen_videos,
    worst_frames,
)
from beampose.trainer.evaluation import evaluate
from beampose.trainer.outcomes import Curve, Point
from beampose.trainer.schema import LabelRecord

NAN = np.nan


def record(name, video, split="train", keypoints=None):
    points = np.zeros((1, 2, 2)) if keypoints is None else np.asarray(keypoints, float)
    return LabelRecord("", name, "", video, "f", 0, split, 8, 12, 0, points, -1)


@pytest.fixture(scope="module")
def judged(trained, tmp_path_factory):
    """Copies of the small experiments, evaluated, with a report: {kind: (yaml, config)}."""
    found = {}
    for kind, loaded in trained.items():
        folder = tmp_path_factory.mktemp(f"report_{kind}")
        shutil.copytree(loaded.output, folder / "out")
        text = Path(loaded.output).parent.joinpath(f"{kind}.yaml").read_text()
        text = re.sub(r"path: \w+", f"path: {loaded.source.path}", text)
        file = folder / f"{kind}.yaml"
        file.write_text(re.sub(r"output: \w+", "output: out", text))
        found[kind] = (file, experiment.load(file))
        evaluation_files.write(evaluate(found[kind][1]), found[kind][1])
    return found


def page(loaded):
    return report_page.write(loaded).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["pose", "crops"])
def test_a_report_is_one_file_with_its_plots_beside_it(judged, kind):
    _, loaded = judged[kind]
    text = page(loaded)
    assert not re.search(r'(src|href)="(?!data:|#|evaluation/)', text)
    plots = Path(loaded.output) / "plots"
    names = {file.stem for file in plots.glob("*.svg")}
    expected = {
        "pose": {"calibration", "errors-by-bodypart", "errors-cumulative", "pcutoff", "training"},
        "crops": {"calibration", "confusion", "thresholds", "training"},
    }
    assert names == expected[kind]
    assert names == {file.stem for file in plots.glob("*.png")}
    for file in plots.glob("*.svg"):
        # Letters, not outlines: a paper's font can take their place.
        assert "<text" in file.read_text()
        with Image.open(file.with_suffix(".png")) as image:
            assert max(image.size) > 600
    assert ("RANDOM" in text) == (kind == "pose")


def test_a_report_is_written_without_tensorflow_and_beam(judged):
    code = (
        "import sys; from beampose.pipelines import cli; "
        f"assert cli.main(['report', {str(judged['pose'][0])!r}]) == 0; "
        "print([name for name in ('tensorflow', 'keras', 'apache_beam') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.endswith("[]\n"), ran.stdout + ran.stderr


def test_the_page_says_what_the_labels_are(judged):
    _, loaded = judged["pose"]
    text = page(loaded)
    for words in ("12 labeled images", "labeled by me", "<td>a</td>", "<td>b</td>"):
        assert words in text
    assert "images not used" not in text
    assert text.count('alt="img') == 6
    # One frame of six lacks the bodypart left.
    assert re.search(r"</span>left</td><td>10</td>", text)
    _, loaded = judged["crops"]
    assert "<td>positive</td><td>12</td><td>6</td>" in page(loaded)


def test_worst_images_come_with_their_name_and_error(judged):
    _, loaded = judged["pose"]
    text = page(loaded)
    drawn = storage.read_json(storage.place(loaded.output, "evaluation", "info.json"))["images"]
    first = [one for one in drawn if one["split"] == "test"]
    sizes = [one["worst"]["error_px"] for one in first]
    assert sizes == sorted(sizes, reverse=True)
    assert Path(loaded.output, "evaluation", first[0]["near"]).is_file()
    text = text[text.index('id="worst"') :]
    assert text.index(f"{sizes[0]:.2f}\u00a0px</b>") < text.index(f"{sizes[-1]:.2f}\u00a0px</b>")
    assert first[0]["name"] in text
    _, loaded = judged["crops"]
    text = page(loaded)
    drawn = storage.read_json(storage.place(loaded.output, "evaluation", "info.json"))["images"]
    assert drawn[0]["split"] == "test"
    assert ("with" in text) and f"{drawn[0]['probability']:.2f}" in text


def test_a_worst_image_that_is_gone_is_told(judged, tmp_path, caplog):
    _, loaded = judged["pose"]
    result = evaluate(loaded)
    first = result.records[worst_frames.worst(result)[0]]
    records = [r._replace(image_uri=str(tmp_path)) if r is first else r for r in result.records]
    values = {**experiment.to_dict(loaded), "output": str(tmp_path / "out")}
    there = experiment.from_dict(experiment.Config, values)
    file = evaluation_files.write(result._replace(records=records), there)
    assert f"cannot be read any more and is not drawn, such as {first.name}." in caplog.text
    assert not list((file.parent / "images").glob("001-*"))


def test_labels_that_changed_since_the_training_are_told(judged):
    _, loaded = judged["crops"]
    file = storage.place(loaded.model, "info.json")
    before = file.read_text()
    words = "Labels or their split were changed since this model was trained"
    assert words not in page(loaded) and not model_outcomes.evaluate(loaded).notes
    file.write_text(json.dumps({**json.loads(before), "labels": "others"}))
    assert words in page(loaded)
    assert any(words in line for line in model_outcomes.evaluate(loaded).lines())
    # Models of the version before do not say what they learned from.
    file.write_text(json.dumps({**json.loads(before), "labels": ""}))
    assert words not in page(loaded)
    file.write_text(before)


def test_an_older_evaluation_still_has_a_report(judged):
    _, loaded = judged["crops"]
    file = storage.place(loaded.output, "evaluation", "info.json")
    before = file.read_text()
    info = json.loads(before)
    info["images"] = [{k: one[k] for k in ("file", "name", "split")} for one in info["images"]]
    file.write_text(json.dumps(info))
    assert "Worst held-out images" in page(loaded)
    file.write_text(before)


@pytest.mark.parametrize("kind", [pytest.param("pose", marks=pytest.mark.slow), "crops"])
def test_a_curve_is_measured_resumed_and_shown_until_the_labels_change(judged, kind, capsys):
    file, loaded = judged[kind]
    small = ["--set", "train.steps=20"]
    assert "Not measured" in page(loaded)
    assert cli.main(["evaluate", str(file), "--curve", "2"]) == 0
    said = capsys.readouterr().out
    assert "0 images embedded" in said
    target = Path(loaded.output, "evaluation/curve.json")
    found = json.loads(target.read_text())
    assert [p["images"] for p in found["points"]] == sorted(p["images"] for p in found["points"])
    assert len(found["points"]) == 2
    assert found["points"][-1]["low"] <= found["points"][-1]["error"] <= found["points"][-1]["high"]
    # The finished heads are taken up: nothing is trained, and nothing changes.
    assert cli.main(["evaluate", str(file), "--curve", "2"]) == 0
    assert json.loads(target.read_text()) == found
    assert cli.main(["report", str(file)]) == 0
    text = Path(loaded.output, "report.html").read_text()
    assert "Not measured" not in text
    assert f"{found['points'][0]['images']}</td>" in text
    assert Path(loaded.output, "plots/learning-curve.svg").is_file()
    target.write_text(json.dumps({**found, "labels": "others"}))
    assert "Not measured" in page(loaded)
    assert not Path(loaded.output, "plots/learning-curve.svg").exists()
    # Of other settings it is another curve.
    assert cli.main(["evaluate", str(file), "--curve", "2", *small]) == 0
    assert "Not measured" in page(loaded)
    target.unlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--curve", "1"], "from 2 to 10 sizes"),
        (["--curve", "--folds", "2"], "one at a time"),
        (
            ["--curve", "--set", "train.mode=finetune", "--set", "features.frames=true"],
            "train.mode=features",
        ),
    ],
)
def test_curves_that_cannot_be_are_refused_with_a_sentence(judged, words, message, capsys):
    file, _ = judged["pose"]
    assert cli.main(["evaluate", str(file), *words]) == 2
    assert message in capsys.readouterr().err


def test_an_ensemble_shows_the_histories_of_its_heads_or_says_why_not(judged):
    _, loaded = judged["pose"]
    model = storage.place(loaded.model)
    before = {name: (model / name).read_text() for name in ("info.json", "history.json")}
    info = {**json.loads(before["info.json"]), "heads": 2}
    (model / "info.json").write_text(json.dumps(info))
    (model / "history.json").write_text("[]")
    assert "did not keep their histories" in page(loaded)
    one = [{"step": 10, "seconds": 1.0, "loss": 0.5}, {"step": 20, "seconds": 2.0, "loss": 0.2}]
    (model / "history_folds.json").write_text(json.dumps([one, one]))
    text = page(loaded)
    assert "The model is 2 heads, each trained on another part" in text
    assert "head 2" in Path(loaded.output, "plots/training.svg").read_text()
    (model / "history_folds.json").unlink()
    for name, value in before.items():
        (model / name).write_text(value)


def test_names_of_strangers_are_letters_and_nothing_else(tmp_path):
    found = {"<script>alert(1)</script>": np.arange(9.0), "$\\frac$": np.arange(1.0, 4.0)}
    show = gallery.Gallery(tmp_path)
    for name, plot in (("a", plots.by_bodypart), ("b", plots.cumulative)):
        shown = show.show(name, "", plot, found)
        assert "<script>" not in shown.svg
        assert "&lt;script&gt;" in shown.svg
        assert "$\\frac$" in shown.svg
    matrix = [[1, 0], [2, 3]]
    assert "&lt;script&gt;" in show.show("c", "", plots.confusion, matrix, list(found)).svg


def test_plots_of_many_bodyparts_and_classes_can_be_read(tmp_path):
    show = gallery.Gallery(tmp_path)
    errors = {f"part{i}": np.arange(3.0) + i for i in range(25)} | {"lost": np.array([NAN])}
    assert show.show("a", "", plots.by_bodypart, errors).wide
    assert not show.show("b", "", plots.by_bodypart, {"nose": np.arange(3.0)}).wide
    lines = show.show("c", "", plots.cumulative, errors).svg
    assert ">part24<" in lines and ">part17<" in lines and ">part16<" not in lines
    names = [f"bodypart{i}" for i in range(60)]
    with plots.styled():
        # Matplotlib warns where a legend leaves no room for the lines.
        figure = plots.trajectory(np.ones((3, 60, 3)), names, 0.5, 10.0, np.arange(3))
        assert figure.get_figwidth() > 8
        assert ">bodypart59<" in plots.svg(figure)
    counts = np.diag(np.full(300, 2))
    counts[70, 299] = counts[100, 5] = 1
    found = error_analysis.confusion(counts.tolist(), [f"kind{i}" for i in range(300)], show)
    assert "of 300 classes the 24 with most mistakes" in found.caption
    assert all(f">kind{i}<" in found.svg for i in (5, 70, 100, 299))
    assert (tmp_path / "confusion.png").stat().st_size < 1_000_000


def test_missing_is_not_zero_when_points_are_read_back(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(
        "image,split,bodypart,x,y,predicted_x,predicted_y,likelihood,error_px\n"
        "a,test,NA,1,2,4,6,0.9,5.000\na,test,tail,,,4,6,0.4,\nb,train,NA,1,1,1,1,1,0\n"
    )
    found = evaluation_reader.points(storage.place(file), "test")
    assert found.bodypart.tolist() == ["NA", "tail"]
    assert found.labeled.tolist() == [True, False]
    np.testing.assert_array_equal(found.error, [5.0, NAN])
    assert found.likelihood.tolist() == [0.9, 0.4]


def test_figures_of_several_classes_are_not_those_of_the_first():
    counts = [[2, 0, 0], [1, 3, 0], [0, 0, 0]]
    found = Figures(
        images=6, accuracy=5 / 6, precision=2 / 3, recall=1.0, auc=1.0, confusion=counts,
        classes=["fox", "owl", "elk"],
    )  # fmt: skip
    (line,) = evaluation_files.table({"test": found})
    assert line.split()[3:] == ["accuracy", "0.833", "balanced_accuracy", "0.875"]
    two = found.model_copy(update={"confusion": [[2, 0], [1, 3]], "classes": ["fox", "owl"]})
    assert "precision 0.667  recall 1.000" in evaluation_files.table({"test": two})[0]


def test_figures_by_bodypart_count_what_was_not_found():
    found = evaluation_reader.Points(
        image=np.array(list("aabb")),
        bodypart=np.array(["nose", "tail"] * 2),
        individual=np.array([""] * 4),
        labeled=np.array([True, True, True, False]),
        error=np.array([2.0, NAN, 10.0, NAN]),
        likelihood=np.array([0.9, NAN, 0.2, 0.8]),
    )
    nose, tail, every = error_analysis.by_bodypart(found, ["nose", "tail"], 5.0)
    assert (nose["labeled"], nose["found"], nose["mean"], nose["within"]) == (2, 2, 6.0, 0.5)
    assert (tail["labeled"], tail["found"], tail["mean"], tail["within"]) == (1, 0, None, 0.0)
    assert (every["name"], every["labeled"], every["within"]) == ("all", 3, 1 / 3)
    assert every["ninety"] == pytest.approx(9.2)


def test_unseen_videos_are_those_nothing_was_learned_from():
    records = [
        record(f"{v}{i}", v, "test" if v == "c" or i == 0 else "train")
        for v in "abc"
        for i in range(4)
    ]
    found = unseen_videos.section(records, lambda names: {"mean_error_px": len(names)}, None)
    assert (found["how"], found["videos"], found["seen"]) == ("split", ["c"], 2)
    assert found["mean_error_px"] == 4


FOLDS = FoldsInfo(of="", by="video", folds={}, all=Figures(), seconds=1.0)


def test_without_an_unseen_video_the_page_says_so_and_what_to_do():
    records = [record(f"{v}{i}", v, "test" if i == 0 else "train") for v in "ab" for i in range(4)]
    found = unseen_videos.section(records, lambda names: {}, FOLDS.replace(by="image"))
    assert found["how"] == ""
    assert "--by video" in found["why"]
    folds = FOLDS.replace(folds={"a": {}, "b": {}}, all={"mean_error_px": 9.0})
    found = unseen_videos.section(records, lambda names: {}, folds)
    assert (found["how"], found["mean_error_px"]) == ("folds", 9.0)
    alone = unseen_videos.section([r for r in records if r.video == "a"], lambda names: {}, None)
    assert "second video" in alone["why"]
    crops = [
        record(f"{i}", f"{i}", "test" if i == 0 else "train", np.empty((0, 0, 2))) for i in range(4)
    ]
    assert "do not say which film" in unseen_videos.section(crops, lambda names: {}, None)["why"]


def test_films_of_one_labeled_frame_each_are_told_apart():
    records = [record(f"{v}0", v, "test" if v in "cd" else "train") for v in "abcdef"]
    found = unseen_videos.section(records, lambda names: {"mean_error_px": len(names)}, None)
    assert (found["how"], found["videos"], found["mean_error_px"]) == ("split", ["c", "d"], 2)


def test_shares_of_labels_are_of_the_animals_that_are_there():
    points = [[[1, 1], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]]
    records = [record("a", "v", keypoints=points), record("b", "v", keypoints=np.ones((2, 2, 2)))]
    share = label_summary.labeled_share(records)
    assert share is not None
    assert share.tolist() == [1.0, 2 / 3]
    assert label_summary.labeled_count(records).tolist() == [3, 2]
    assert label_summary.labeled_share([]) is None


def test_examples_are_of_every_video_in_turn():
    records = [record(f"{v}{i:02d}", v) for v in "ab" for i in range(12)]
    first = label_summary.spread(records)[:6]
    assert [r.video for r in first] == ["a", "b", "a", "b", "a", "b"]
    assert len({r.name for r in label_summary.spread(records)}) == 24


def slow_interval(total, count, draws=1500):
    rng = np.random.default_rng(5)
    found = []
    for _ in range(draws):
        chosen = [int(rng.integers(len(total))) for _ in total]
        found.append(sum(total[i] for i in chosen) / sum(count[i] for i in chosen))
    return np.quantile(found, [0.025, 0.975])


def test_intervals_equal_those_of_a_loop_over_draws():
    rng = np.random.default_rng(0)
    count = rng.integers(1, 5, 30).astype(float)
    total = rng.gamma(2, 3, 30) * count
    np.testing.assert_allclose(
        curve_files.interval(total, count), slow_interval(total, count), rtol=0.04
    )
    assert curve_files.interval(np.zeros(3), np.zeros(3)) == (None, None)


def measured(tmp_path, before, after, error="px"):
    count = np.ones(len(before))
    metrics = Figures(images=len(before))
    points = [Point(20, metrics, before, count), Point(40, metrics, after, count)]
    file = tmp_path / "x.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: p}\noutput: out\n")
    loaded = experiment.load(file)
    info = fake_infos.dataset(store="s")
    file = curve_files.write(Curve(points, error, 17.0, 3.0), loaded, info)
    return artefacts.read_info(file, CurveInfo)


def test_the_verdict_follows_the_curve(tmp_path):
    rng = np.random.default_rng(0)
    before = rng.gamma(4, 2, 60)
    falls = measured(tmp_path, before, before * 0.7)
    assert falls.points[1].fall.share == pytest.approx(0.3)
    assert "would probably help" in curve_files.verdict(falls)
    flat = measured(tmp_path, before, before * 0.96)
    assert "nearly flat" in curve_files.verdict(flat)
    chance = measured(tmp_path, before, rng.permutation(before) * 0.97)
    assert "chance alone" in curve_files.verdict(chance)
    rises = measured(tmp_path, before, before * 1.2)
    same = curve_files.verdict(measured(tmp_path, before, rng.permutation(before)))
    assert "stayed the same" in same
    assert "chance" not in same
    assert "rose by 20 %" in curve_files.verdict(rises)
    assert "did not help" in curve_files.verdict(rises)
    perfect = measured(tmp_path, np.zeros(9), np.zeros(9), "wrong")
    assert "no error" in curve_files.verdict(perfect)
    assert "20 labeled images" in curve_files.table(falls)


@pytest.mark.parametrize("key", ["costliest_joins", "dearest_joins"])
def test_joins_are_read_by_their_key_and_by_the_one_of_older_files(key):
    said = {
        "individuals": ["ada", "bo"],
        key: [{"track": 1, "frame": 7, "cost": 2.5, "before": 0, "after": 1}],
    }
    info = fake_infos.tracks(**said)
    assert timeline.joins(info) == [timeline.Join("bo", 7, 2.5)]


def test_a_trajectory_of_one_frame_in_five_has_the_times_of_the_film():
    points = np.ones((10, 2, 3))
    figure = plots.trajectory(points, ["nose", "tail"], 0.5, 25.0, 100 + 5 * np.arange(10))
    time = figure.axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(time[[0, -1]], [4.0, 5.8])
    plots.plt.close(figure)
