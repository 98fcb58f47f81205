"""Readers of labeled frames: DeepLabCut's tables and projects, SLEAP's, COCO's and ImageJ's."""

import json
import pickle
from pathlib import Path
from typing import Any

import fake_labels  # pyright: ignore[reportMissingImports]
import fakes  # pyright: ignore[reportMissingImports]
import numpy as np
import pandas as pd
from reader import NAMES, Reader, as_json

from beampose.formats import pandas_h5
from beampose.formats.coco import coco_reader
from beampose.formats.deeplabcut import (
    collected_data,
    label_edits,
    merged_labels,
    project_config,
    project_labels,
)
from beampose.formats.deeplabcut.label_edits import Correction
from beampose.formats.imagej import imagej_reader, myconfig
from beampose.formats.sleap import slp_reader
from beampose.pipelines.curation import label_corrections, project_films
from beampose.pipelines.tracking import identity_labels
from beampose.preprocess import images, inside, unpickle


def _h5(layout: str, folder: Path) -> bytes:
    file = folder / f"{layout}.h5"
    fakes.table(NAMES, fakes.points()).to_hdf(str(file), key="k", mode="w", format=layout)
    return file.read_bytes()


def _slp(folder: Path) -> bytes:
    file = folder / "a.slp"
    points = fakes.points()[0]
    videos = [{"backend": {"filename": "film.mp4", "dataset": "video0/video"}}]
    fake_labels.slp(file, [(0, 0, [(0, -1, points)])], videos=videos)
    fake_labels.embed(file, [fakes.encode(fakes.pixels(1))], [0], "RGB")
    return file.read_bytes()


def _by_parts(coco: dict[str, Any]) -> dict[str, Any]:
    """The same labels with a category for each bodypart."""
    (animal,) = coco["categories"]
    kinds = [{"id": i, "keypoints": [name]} for i, name in enumerate(animal["keypoints"], 1)]
    drawn = [
        {**one, "id": 10 * one["id"] + kind["id"], "category_id": kind["id"], "keypoints": found}
        for one in coco["annotations"]
        for kind in kinds
        for found in [one["keypoints"][3 * kind["id"] - 3 : 3 * kind["id"]]]
    ]
    return {**coco, "categories": kinds, "annotations": drawn}


def _numbered(labels_csv: bytes) -> bytes:
    """A table whose columns pandas numbered: nose, nose.1."""
    first, rest = labels_csv.split(b"\n", 1)
    names = first.split(b",")
    names = [name + b".%d" % i if i > 0 else name for i, name in enumerate(names[1:])]
    return b"scorer," + b",".join(names) + b"\n" + rest


def _project(path: Path) -> Any:
    (path.parent / "labeled-data").mkdir(exist_ok=True)
    text = path.read_bytes().decode("utf-8", "replace")
    for ask in (project_config.settings, project_config.bodyparts, project_config.iteration):
        try:
            ask(text)
        except ValueError:
            break
    return project_labels.read(str(path.parent))


def _config(path: Path) -> None:
    text, encoding = project_config.read(str(path))
    project_config.video_sets(text)
    project_config.crop_of(text, "a.mp4")
    project_config.encoded(project_config.add_video(text, "new.mp4", (0, 10, 0, 10)), encoding)
    project_films.ProjectFilms(str(path.parent)).owners("a")


def _imagej(path: Path) -> Any:
    (path.parent / "img1.png").write_bytes(b"")
    return imagej_reader.read(str(path.parent))


def _merged(path: Path) -> Any:
    return merged_labels.read([str(path)])


def _edited(path: Path) -> None:
    wanted = Correction(NAMES[0], "nose", tuple(fakes.points()[0, 0]), (1.0, 2.0))
    label_edits.edit_csv(path.read_bytes(), [wanted], fakes.SCORER)


def _edited_h5(path: Path) -> None:
    data = path.read_bytes()
    if pandas_h5.read(data)[2].size:
        pandas_h5.edit(data, {(0, 0): 1.0})


def _identities(path: Path) -> Any:
    return identity_labels.read(str(path), "film.mp4", list(fakes.BODYPARTS))


def _embedded(path: Path) -> Any:
    return images.load(inside.image_of(str(path), "video0/video", 0))


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    tables = [_h5("table", folder), _h5("fixed", folder)]
    labels_csv = fakes.csv_text(NAMES, fakes.points()).encode()
    packaged = _slp(folder)
    fakes.project(folder / "project")
    config = (folder / "project/config.yaml").read_bytes()
    fake_labels.coco(folder / "coco")
    coco = (folder / "coco/labels.json").read_bytes()
    apart = as_json(_by_parts(json.loads(coco)))
    animals = fakes.animals(folder / "animals", np.ones((2, 3, 4, 2)) * 7)
    several = (animals / "labeled-data/cam1/CollectedData_Ann.csv").read_bytes()
    several_config = (animals / "config.yaml").read_bytes()
    documentation = [[{"image": ("a", "b"), "size": np.array([3, 4])}], np.arange(3), [-1], 0.9]
    index = pd.MultiIndex.from_product([["s"], ["nose"], ["x", "y"]])
    pickles = [pickle.dumps(one, protocol) for one in (documentation, index) for protocol in (2, 4)]
    clicks = fake_labels.imagej_table(fakes.points()[:, 0]).encode()
    audit = b"apply,image,bodypart,x,y,new_x,new_y\nyes,labeled-data/a/b.png,nose,1,2,3,4\n"
    old_config = b'Task = "x"\nbodyparts = ["a", "b"]\nScorers = ["A"]\n'

    def collected(path: Path, *, several: bool) -> Any:
        return collected_data.read(str(path), several=several)

    return {
        "h5": Reader("a.h5", tables, lambda p: pandas_h5.read(p.read_bytes())),
        "edit": Reader("a.h5", tables, _edited_h5),
        "pickle": Reader("a.pickle", pickles, lambda p: unpickle.loads(p.read_bytes())),
        "labels csv": Reader(
            "CollectedData_Ann.csv",
            [labels_csv, _numbered(labels_csv)],
            lambda p: collected(p, several=False),
        ),
        "labels of several": Reader(
            "CollectedData_Ann.csv", [several], lambda p: collected(p, several=True)
        ),
        "merged labels": Reader("CollectedData_Ann.csv", [labels_csv], _merged),
        "edited csv": Reader("CollectedData_Ann.csv", [labels_csv], _edited),
        "audit": Reader("a.csv", [audit], lambda p: label_corrections.read(str(p))),
        "project": Reader("config.yaml", [config], _project),
        "project of several": Reader("config.yaml", [several_config], _project),
        "video sets": Reader("config.yaml", [config], _config),
        "slp": Reader("a.slp", [packaged], lambda p: slp_reader.read(str(p))),
        "embedded": Reader("a.slp", [packaged], _embedded),
        "identities csv": Reader("a.csv", [several], _identities),
        "identities slp": Reader("a.slp", [packaged], _identities),
        "coco": Reader("a.json", [coco, apart], lambda p: coco_reader.read(str(p))),
        "imagej": Reader("nose.csv", [clicks], _imagej),
        "myconfig": Reader("myconfig.py", [old_config], lambda p: myconfig.read(str(p))),
    }
