import json

import fake_labels
import fakes
import numpy as np
import pytest
import yaml

from beampose import formats
from beampose.core.settings import experiment
from beampose.pipelines.cli import main
from beampose.pipelines.features import label_files, labeled_source
from beampose.preprocess import validate
from beampose.preprocess.labels import LabeledFrame
from beampose.trainer import metrics


def coco(root):
    """Two labeled images, one with a box alone, one of a crowd, one without an annotation."""
    path = fake_labels.coco(root)
    told = json.loads(path.read_text())
    for i in range(2, 5):
        told["images"].append({"id": 7 + i, "file_name": f"cam1/img{i}.png"})
        (root / "cam1" / f"img{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
    crowd = fake_labels.annotation(9, 10, fakes.points()[0], iscrowd=1)
    boxed = {"id": 8, "image_id": 9, "category_id": 1, "bbox": [1, 1, 9, 9]}
    told["annotations"] += [boxed, crowd]
    path.write_text(json.dumps(told))
    return path


def test_of_coco_only_images_without_an_annotation_are_negatives(tmp_path):
    path = str(coco(tmp_path / "a"))
    labels = formats.read("coco", path, empty=True)
    assert [item.name for item in labels.items if item.negative] == ["labeled-data/cam1/img4.png"]
    assert any("1 of 3 images has no label: negatives" in p.what for p in labels.problems)
    before = formats.read("coco", path)
    assert len(before.items) == 2
    assert any("uses the 1 without an annotation" in p.what for p in before.problems)


def test_rows_without_a_point_are_negatives_if_the_config_says_so(tmp_path):
    root = fakes.project(tmp_path / "p", rows=6)
    csv = root / "labeled-data/cam1/CollectedData_Ann.csv"
    lines = csv.read_text().splitlines()
    lines[4] = lines[4].split(",")[0] + "," * 6
    csv.write_text("\n".join(lines) + "\n")
    told = {"task": "pose", "source": {"format": "deeplabcut", "path": str(root)}, "output": "o"}
    for empty, usable in (("skip", 5), ("negatives", 6)):
        told["source"]["empty"] = empty
        config = experiment.from_dict(experiment.Config, told)
        labels, splits = labeled_source.read(config)
        assert len(labels.items) == 6
        assert sum(validate.report(labels, splits).usable) == usable


def test_points_outside_the_image_make_no_negative(tmp_path):
    (tmp_path / "a.png").write_bytes(fakes.encode(fakes.pixels(0)))
    item = LabeledFrame(
        image=str(tmp_path / "a.png"), name="a", video="v", file="f", row=1,
        keypoints=np.full((1, 3, 2), 1e4),
    )  # fmt: skip
    assert validate.inspect(item, fakes.BODYPARTS)[1] is None


def test_negatives_travel_to_workers():
    item = LabeledFrame(
        image="a", name="a", video="v", file="f", row=1,
        keypoints=np.full((1, 3, 2), np.nan), negative=True,
    )  # fmt: skip
    found, split = label_files.item(label_files.plain((item, "train")))
    assert isinstance(found, LabeledFrame)
    assert (found.negative, split) == (True, "train")


def test_figures_say_in_how_many_negatives_nothing_is_found():
    truth = np.full((4, 2, 2), np.nan)
    truth[0] = 5
    predicted = np.full((4, 2, 3), 0.1)
    predicted[1, 0, 2] = 0.9
    found = metrics.with_negatives(metrics.Figures(), truth, predicted, 0.6)
    without = metrics.with_negatives(metrics.Figures(), truth[:1], predicted[:1], 0.6)
    assert (found.negatives, found.share_negatives_empty) == (3, 2 / 3)
    assert without.negatives is None
    assert (
        metrics.with_negatives(metrics.Figures(), truth[:1], predicted[:1], 0.6).negatives is None
    )


def test_classes_have_no_negatives():
    told = {"task": "crops", "source": {"format": "crops", "path": "c", "empty": "negatives"}}
    with pytest.raises(ValueError, match=r"source\.empty does not apply"):
        experiment.from_dict(experiment.Config, {**told, "output": "o"})


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_a_model_learns_from_negatives_and_says_how_they_come_out(tmp_path, several):
    points = np.full((24, 3, 4, 2), np.nan)
    rng = np.random.default_rng(0)
    for frame in points[:16]:
        frame[:2, :3] = rng.uniform(15, 80, (2, 3, 2))
        frame[2, 3] = 20
    root = tmp_path / "p"
    if several:
        points[16:] = np.nan
        fakes.animals(root, points, size=(96, 144))
    else:
        fakes.project(root, rows=24)
        csv = root / "labeled-data/cam1/CollectedData_Ann.csv"
        lines = csv.read_text().splitlines()
        lines[3 + 16 :] = [line.split(",")[0] + "," * 6 for line in lines[3 + 16 :]]
        csv.write_text("\n".join(lines) + "\n")
    told = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": str(root), "empty": "negatives"},
        "train": {"steps": 20},
        "output": str(tmp_path / "o"),
    }
    config = tmp_path / "e.yaml"
    config.write_text(yaml.safe_dump(told))
    for verb in ("features", "train", "evaluate", "report"):
        assert main([verb, str(config)]) == 0, verb
    assert "without an animal: negatives" in (tmp_path / "o/report.html").read_text()
    found = json.loads((tmp_path / "o/model/metrics.json").read_text())
    assert sum(found[split]["negatives"] for split in ("train", "test")) == 8
