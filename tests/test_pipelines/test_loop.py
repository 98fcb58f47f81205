"""The loop: predict, choose bad frames, correct them in a tool, embed the new ones alone, train."""

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import BODYPARTS, picture

from beampose.pipelines import cli

COUNT = 3


def film(path: Path, frames: int = 24) -> None:
    """Noisy frames, each with its spots elsewhere: a model of so few labels jumps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 144, 96, "yuv420p"
        for i in range(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture(900 + i)[0], "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def correct(folder: Path, scorer: str) -> pd.DataFrame:
    """Merges machine labels as napari-deeplabcut and DeepLabCut's refinement do: moved by a person,
    without likelihood, into the CollectedData of the scorer, sorted, as h5 and csv."""
    (machine,) = folder.glob("machinelabels-iter*.h5")
    made = pd.read_hdf(machine, key="df_with_missing")
    assert isinstance(made, pd.DataFrame)
    made = made.drop(columns="likelihood", level="coords")
    made = made.rename(columns={str(made.columns[0][0]): scorer}, level="scorer").clip(2, 90)
    file = folder / f"CollectedData_{scorer}.h5"
    if file.is_file():
        made = pd.concat([pd.DataFrame(pd.read_hdf(file)), made])
        made = made[~made.index.duplicated(keep="first")]
    made = made.sort_index()
    made.to_hdf(file, key="df_with_missing", mode="w")
    made.to_csv(file.with_suffix(".csv"))
    return made


@pytest.fixture
def experiment(trained, tmp_path):
    """The trained experiment with a film nobody labeled, in a place of its own."""
    source = Path(trained["pose"].output).parent
    for name in ("project", "pose"):
        shutil.copytree(source / name, tmp_path / name)
    shutil.copy(source / "pose.yaml", tmp_path)
    film(tmp_path / "new film.mp4")
    return tmp_path


def run(place, verb, *words):
    keys = [f"outliers.{key}" for key in ("epsilon=2", f"count={COUNT}")]
    sets = [word for key in (*keys, "train.steps=4") for word in ("--set", key)]
    assert cli.main([verb, str(place / "pose.yaml"), *words, *sets]) == 0


def embedded(capsys) -> tuple[int, int]:
    """Labeled images, and how many of them the store did not have."""
    found = re.search(r"(\d+) labeled images, (\d+) embedded", capsys.readouterr().out)
    assert found
    return int(found[1]), int(found[2])


@pytest.mark.slow
def test_corrected_frames_come_back_and_only_they_are_embedded(experiment, capsys):
    video, root = str(experiment / "new film.mp4"), experiment / "project"
    run(experiment, "predict", video)
    run(experiment, "outliers", video, "--to", str(root))
    folder = root / "labeled-data/new film"
    images = sorted(file.name for file in folder.glob("img*.png"))
    assert len(images) == COUNT
    # The names by which DeepLabCut and napari-deeplabcut find all of it.
    assert {f.name for f in folder.iterdir()} - set(images) == {
        "machinelabels-iter0.h5",
        "machinelabels.csv",
        # Which film they are from.
        "film.json",
    }
    told = yaml.safe_load((root / "config.yaml").read_text())
    assert video in told["video_sets"] and told["scorer"] == "me"

    # Frames nobody has corrected yet are no labels.
    capsys.readouterr()
    run(experiment, "features")
    assert embedded(capsys) == (12, 0)

    corrected = correct(folder, "me")
    assert list(corrected.index) == [("labeled-data", "new film", name) for name in images]
    run(experiment, "features")
    assert embedded(capsys) == (12 + COUNT, COUNT)
    run(experiment, "features")
    assert embedded(capsys) == (12 + COUNT, 0)

    run(experiment, "train")
    split = json.loads((experiment / "pose/model/metrics.json").read_text())["split"]
    assert split["train"] + split["test"] == 12 + COUNT
    from beampose.trainer.dataset import read_labels

    records = {r.name: r for r in read_labels(str(experiment / "pose/dataset"))}
    for (_, _, name), row in corrected.iterrows():  # pyright: ignore[reportGeneralTypeIssues]
        points = records[f"labeled-data/new film/{name}"].keypoints[0]
        np.testing.assert_allclose(points, row.to_numpy().reshape(len(BODYPARTS), 2), rtol=1e-6)

    # As DeepLabCut's merge_datasets leaves the project: the next refinement is another iteration.
    config = root / "config.yaml"
    config.write_text(config.read_text() + "iteration: 1\n")
    run(experiment, "predict", video, "--overwrite")
    run(experiment, "outliers", video, "--to", str(root))
    assert len(list(folder.glob("img*.png"))) == 2 * COUNT
    next_ones = pd.read_hdf(folder / "machinelabels-iter1.h5", key="df_with_missing")
    assert isinstance(next_ones, pd.DataFrame)
    assert not set(next_ones.index) & set(corrected.index)
    merged = correct_next(folder)
    assert len(merged) == 2 * COUNT
    run(experiment, "features")
    assert embedded(capsys) == (12 + 2 * COUNT, COUNT)


def correct_next(folder: Path) -> pd.DataFrame:
    """The second round: rows are merged with those that were corrected before."""
    (folder / "machinelabels-iter0.h5").unlink()
    return correct(folder, "me")
