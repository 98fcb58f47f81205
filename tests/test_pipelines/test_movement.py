"""Reads with `movement` every table we write, and DeepLabCut's own of the same kind.

movement is a large installation, so it may be one of its own: BEAMPOSE_MOVEMENT names its Python.
"""

import importlib.util
import json
import os
import subprocess
import sys

import fakes
import numpy as np
import pytest

from beampose.formats.deeplabcut import (
    machine_labels,
    prediction_tables,
    prediction_writer,
    project_writer,
    track_writer,
)
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.preprocess.labels import LabeledFrame, Labels

READ = """
import json, sys
from loguru import logger
from movement.io import load_dataset
logger.remove()
for path in sys.argv[1:]:
    try:
        found = load_dataset(path, source_software="DeepLabCut", fps=30)
        position = found.position.transpose("time", "individuals", "keypoints", "space")
        told = {"shape": list(position.shape), "first": float(position.values.ravel()[0])}
        told["names"] = [found.individuals.values.tolist(), found.keypoints.values.tolist()]
    except Exception as error:
        told = {"refused": str(error)}
    print(json.dumps(told))
"""
SCORER = "DLC_resnet50_spotsJan1shuffle1_30"
PARTS = ("nose", "tail")
ANIMALS = ("she", "he")


@pytest.fixture(scope="module")
def python() -> str:
    named = os.environ.get("BEAMPOSE_MOVEMENT", "")
    if not named and importlib.util.find_spec("movement") is None:
        pytest.skip("needs movement, or BEAMPOSE_MOVEMENT, the Python of its installation")
    return named or sys.executable


def opened(python, *files):
    """Reads each with movement."""
    words = [python, "-c", READ, *map(str, files)]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]


def values(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 3))


def labels(individuals):
    images = [f"labeled-data/film/img{i}.png" for i in range(3)]
    points = values(3, len(individuals), len(PARTS))[..., :2]
    items = [
        LabeledFrame(image=n, name=n, video="film", file="a.csv", row=1, keypoints=one)
        for n, one in zip(images, points, strict=True)
    ]
    return Labels(items=tuple(items), bodyparts=PARTS, individuals=individuals), points


def test_predictions_and_what_is_filtered_open(python, tmp_path):
    single = values(5, 2)
    prediction_writer.write(
        prediction_writer.table(single, SCORER, PARTS), tmp_path / f"film{SCORER}"
    )
    points = tuple(("", part) for part in PARTS)
    found = Table("", SCORER, points, np.arange(0, 25, 5), single)
    prediction_tables.write(found, tmp_path / f"film{SCORER}_filtered")
    several = values(5, 4)
    points = tuple((animal, part) for animal in ANIMALS for part in PARTS)
    found = Table("", SCORER, points, np.arange(5), several)
    prediction_tables.write(found, tmp_path / f"film{SCORER}_el_filtered")
    stems = (f"film{SCORER}", f"film{SCORER}_filtered", f"film{SCORER}_el_filtered")
    paths = [tmp_path / f"{stem}{ending}" for stem in stems for ending in (".h5", ".csv")]
    told = opened(python, *paths)
    for one in told[:4]:
        assert one["shape"] == [5, 1, 2, 2]
        assert one["names"] == [["individual_0"], list(PARTS)]
        assert one["first"] == single[0, 0, 0]
    for one in told[4:]:
        assert one["shape"] == [5, 2, 2, 2]
        assert one["names"] == [list(ANIMALS), list(PARTS)]
        assert one["first"] == several[0, 0, 0]


def test_of_tracks_the_csv_opens_and_the_h5_is_refused_like_deeplabcuts_own(
    python, tmp_path, shared_data
):
    found = track_writer.table(values(5, 2, 2), ANIMALS, track_writer.Names(SCORER, PARTS))
    track_writer.write(found, tmp_path / "film")
    real = shared_data / "dlc-outputs/montblanc_tracks.h5"
    told = opened(python, tmp_path / "film_el.csv", tmp_path / "film_el.h5", real)
    assert told[0]["names"] == [list(ANIMALS), list(PARTS)]
    assert all("df_with_missing" in one["refused"] for one in told[1:])


@pytest.mark.parametrize("individuals", [("animal",), ANIMALS])
def test_labels_open_as_h5_and_their_csv_as_deeplabcuts_own(
    python, tmp_path, shared_data, individuals
):
    from upath import UPath

    made, points = labels(individuals)
    frame = project_writer.table(
        made,
        [
            project_writer.Picture(one, "film", f"img{i}.png", 9, 9)
            for i, one in enumerate(made.items)
        ],  # pyright: ignore[reportArgumentType]
        fakes.SCORER,
    )
    for file in project_writer.table_files(frame, UPath(tmp_path / "CollectedData_Ann")):
        file.place.write_bytes(file.data)
    several = len(individuals) > 1
    wanted = [(animal if several else "", part) for animal in individuals for part in PARTS]
    guesses = {f"img{i}.png": one for i, one in enumerate(values(3, len(wanted)))}
    machine_labels.write(str(tmp_path / "machinelabels-iter0.h5"), guesses, wanted, SCORER)
    names = [tmp_path / "CollectedData_Ann.h5", tmp_path / "machinelabels-iter0.h5"]
    names += [tmp_path / "CollectedData_Ann.csv", tmp_path / "machinelabels.csv"]
    real = "Reaching-Mackenzie-2018-08-30/labeled-data/reachingvideo1/CollectedData_Mackenzie"
    if several:
        real = "MontBlanc-Daniel-2019-12-16/labeled-data/montblanc/CollectedData_Daniel"
    told = opened(python, *names, *(shared_data / f"{real}{end}" for end in (".h5", ".csv")))
    for one in told[:2]:
        assert one["shape"] == [3, len(individuals), 2, 2]
    assert told[0]["first"] == points[0, 0, 0, 0]
    assert "shape" in told[4]
    # Names of images are no numbers of frames; those of old files, in one column, pass of several.
    assert all("refused" in one for one in told[2:4]), told
    assert ("refused" in told[5]) == (not several)
