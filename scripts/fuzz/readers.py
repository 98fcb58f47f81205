"""All readers of strangers' files, each with files to begin from. Nothing here is written twice."""

import io
import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import fake_labels  # noqa: E402  # pyright: ignore[reportMissingImports]
import fakes  # noqa: E402  # pyright: ignore[reportMissingImports]

from beampose.core import files, storage, yaml_files, zips  # noqa: E402
from beampose.core.infos import DatasetInfo, ModelInfo, PredictionInfo  # noqa: E402
from beampose.core.settings import experiment  # noqa: E402
from beampose.formats import (  # noqa: E402
    crop_lists,
    deepmeerkat,
    individuals_file,
    megadetector,
    pandas_h5,
)
from beampose.formats.coco import coco_reader  # noqa: E402
from beampose.formats.deeplabcut import (  # noqa: E402
    collected_data,
    prediction_tables,
    project_config,
    project_labels,
)
from beampose.formats.imagej import imagej_reader, myconfig  # noqa: E402
from beampose.formats.sleap import slp_reader  # noqa: E402
from beampose.pipelines import planning, search_spec  # noqa: E402
from beampose.pipelines.cloud import cloud_settings, event_service, upload_recipe  # noqa: E402
from beampose.pipelines.curation import crop_corrections, label_corrections, repeats_page  # noqa: E402
from beampose.preprocess import images, inside, unpickle, videos  # noqa: E402

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]


class Reader(NamedTuple):
    """A reader: the name its file has, files to begin from, and how it is called with a path."""

    file: str
    seeds: list[bytes]
    read: Callable[[Path], Any]


def _h5(layout: str, folder: Path) -> bytes:
    file = folder / f"{layout}.h5"
    fakes.table(NAMES, fakes.points()).to_hdf(str(file), key="k", mode="w", format=layout)
    return file.read_bytes()


def _predictions(folder: Path) -> tuple[bytes, bytes]:
    columns = pd.MultiIndex.from_product(
        [["DLC_x"], ["nose", "tail"], ["x", "y", "likelihood"]],
        names=["scorer", "bodyparts", "coords"],
    )
    frame = pd.DataFrame(np.arange(24.0).reshape(4, 6), columns=columns)
    frame.to_hdf(str(folder / "p.h5"), key="k", mode="w", format="table")
    return (folder / "p.h5").read_bytes(), frame.to_csv().encode()


def _slp(folder: Path) -> bytes:
    file = folder / "a.slp"
    points = fakes.points()[0]
    videos_ = [{"backend": {"filename": "film.mp4", "dataset": "video0/video"}}]
    fake_labels.slp(file, [(0, 0, [(0, -1, points)])], videos=videos_)
    fake_labels.embed(file, [fakes.encode(fakes.pixels(1))], [0], "RGB")
    return file.read_bytes()


def _individuals(folder: Path) -> bytes:
    head = individuals_file.Head("s", ["a"], ["nose", "tail"], [], False, "d", 3, 10.0, 40, 60)
    piece = {
        "frames": np.arange(3),
        "keypoints": np.zeros((3, 1, 2, 3), np.float32),
        "peaks": np.zeros((3, 2, 4, 3), np.float32),
        "descriptors": np.zeros((3, 1, 2, 4), np.float16),
    }
    individuals_file.write(folder / "film", head, [piece])
    return (folder / f"film{individuals_file.ENDING}").read_bytes()


def _read_individuals(path: Path) -> None:
    with individuals_file.read(str(path).removesuffix(individuals_file.ENDING)) as found:
        for piece in found.each("frames", "keypoints"):
            piece["keypoints"].sum()


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/config.yaml", "Task: x\n")
        archive.writestr("p/labeled-data/a.txt", "a" * 300)
    return stream.getvalue()


def _unpack(path: Path) -> None:
    import shutil

    target = path.parent / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    zips.unpack(path, target, zips.Limits(bytes=10_000_000, files=1000))


def _project(path: Path) -> Any:
    (path.parent / "labeled-data").mkdir(exist_ok=True)
    text = path.read_bytes().decode("utf-8", "replace")
    for ask in (project_config.settings, project_config.bodyparts, project_config.iteration):
        try:
            ask(text)
        except ValueError:
            break
    return project_labels.read(str(path.parent))


def _imagej(path: Path) -> Any:
    (path.parent / "img1.png").write_bytes(b"")
    return imagej_reader.read(str(path.parent))


def _info(kind: type) -> Callable[[Path], Any]:
    return lambda path: storage.read_info(path, kind)


def _embedded(path: Path) -> Any:
    return images.load(inside.image_of(str(path), "video0/video", 0))


def _film(folder: Path, suffix: str, codec: str) -> bytes:
    return Path(fakes.video(folder / f"film.{suffix}", codec, 3)).read_bytes()


def _frames(path: Path) -> None:
    video = videos.index(str(path))
    for _ in videos.read(video, 0, min(video.count, 3)):
        pass


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False).encode()


def readers(folder: Path) -> dict[str, Reader]:
    """All readers by name.

    Args:
      folder: for what is made to begin from.
    """
    table, fixed = _h5("table", folder), _h5("fixed", folder)
    predicted_h5, predicted_csv = _predictions(folder)
    labels_csv = fakes.csv_text(NAMES, fakes.points()).encode()
    fakes.project(folder / "project")
    config = (folder / "project/config.yaml").read_bytes()
    fake_labels.coco(folder / "coco")
    coco = (folder / "coco/labels.json").read_bytes()
    documentation = [[{"image": ("a", "b"), "size": np.array([3, 4])}], np.arange(3), [-1], 0.9]
    index = pd.MultiIndex.from_product([["s"], ["nose"], ["x", "y"]])
    own = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "o"}
    audit = b"apply,image,bodypart,x,y,new_x,new_y\nyes,labeled-data/a/b.png,nose,1,2,3,4\n"
    crops = b"apply,image,label,new_label\nyes,positive/a.png,positive,negative\n"
    boxes = {
        "images": [{"file": "film.mp4/frame1.jpg", "detections": [
            {"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.2, 0.2], "frame_number": 1}
        ]}],
        "detection_categories": {"1": "animal"},
        "info": {"format_version": "1.3"},
    }  # fmt: skip
    deepmeerkat_csv = b"frame,clock,x,y,h,w,label,score\n1,0:00:00,1,2,3,4,positive,0.9\n"
    spec = {"trials": 3, "parameters": {"train.steps": {"values": [1, 2]}}}
    predicted = {"kind": "prediction", "format": 1, "scorer": "s", "frames": 3, "video": "a.mp4"}
    model = {"kind": "model", "format": 1, "task": "pose", "bodyparts": ["a"], "config": {}}
    dataset = {"kind": "dataset", "format": 1, "task": "pose", "store": "s", "counts": {}}
    clicks = fake_labels.imagej_table(fakes.points()[:, 0]).encode()
    pixels = fakes.pixels(1)
    pictures = [fakes.encode(pixels, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")]
    event = {"bucket": "lab", "name": "incoming/a.zip", "generation": "1"}
    headers = {"ce-type": event_service.FINALIZED, "ce-id": "1", "ce-specversion": "1.0",
               "ce-source": "x", "Content-Type": "application/json"}  # fmt: skip
    pickles = [pickle.dumps(one, protocol) for one in (documentation, index) for protocol in (2, 4)]
    return {
        "h5": Reader("a.h5", [table, fixed], lambda p: pandas_h5.read(p.read_bytes())),
        "edit": Reader(
            "a.h5", [table, fixed], lambda p: pandas_h5.edit(p.read_bytes(), {(0, 0): 1.0})
        ),
        "slp": Reader("a.slp", [_slp(folder)], lambda p: slp_reader.read(str(p))),
        "embedded": Reader("a.slp", [_slp(folder)], _embedded),
        "individuals": Reader(
            f"film{individuals_file.ENDING}", [_individuals(folder)], _read_individuals
        ),
        "pickle": Reader("a.pickle", pickles, lambda p: unpickle.loads(p.read_bytes())),
        "labels csv": Reader(
            "CollectedData_Ann.csv",
            [labels_csv],
            lambda p: collected_data.read(str(p), several=False),
        ),
        "predictions csv": Reader(
            "aDLC_x.csv", [predicted_csv], lambda p: prediction_tables.read(str(p))
        ),
        "predictions h5": Reader(
            "aDLC_x.h5", [predicted_h5], lambda p: prediction_tables.read(str(p))
        ),
        "project": Reader("config.yaml", [config], _project),
        "coco": Reader("a.json", [coco], lambda p: coco_reader.read(str(p))),
        "imagej": Reader("nose.csv", [clicks], _imagej),
        "myconfig": Reader(
            "myconfig.py",
            [b'Task = "x"\nbodyparts = ["a", "b"]\nScorers = ["A"]\n'],
            lambda p: myconfig.read(str(p)),
        ),
        "crops list": Reader(
            "a.csv", [b"a.png,positive\nb.png,negative\n"], lambda p: crop_lists.read(str(p))
        ),
        "megadetector": Reader(
            "a.json", [_json(boxes)], lambda p: megadetector.read(str(p), "film.mp4")
        ),
        "deepmeerkat": Reader(
            "annotations.csv",
            [deepmeerkat_csv],
            lambda p: deepmeerkat.read.__wrapped__(str(p), files.size(str(p))),
        ),
        "experiment": Reader("a.yaml", [_yaml(own)], lambda p: experiment.load(p)),
        "own settings": Reader(
            "beampose.yaml",
            [b"train: {steps: 5, seed: 1}\nfeatures: {copies: 2}\n"],
            lambda p: upload_recipe._own(p, {}),
        ),
        "yaml": Reader("a.yaml", [config], lambda p: yaml_files.read(p, "file")),
        "cloud": Reader(
            "cloud.yaml",
            [_yaml({"project": "lab", "region": "us-central1", "bucket": "gs://lab"})],
            lambda p: cloud_settings.load(str(p)),
        ),
        "spec": Reader("a.yaml", [_yaml(spec)], lambda p: search_spec.read(str(p))),
        "prices": Reader(
            "a.yaml",
            [Path(planning.PRICES_FILE).read_bytes()],
            lambda p: planning.read_prices(str(p)),
        ),  # fmt: skip
        "audit": Reader("a.csv", [audit], lambda p: label_corrections.read(str(p))),
        "reclassed": Reader("a.csv", [crops], lambda p: crop_corrections.read(str(p))),
        "dismissed": Reader(
            "a.csv", [b"video,frame,box\na.mp4,1,0\n"], lambda p: repeats_page.read_dismissed(p)
        ),
        "model info": Reader("info.json", [_json(model)], _info(ModelInfo)),
        "dataset info": Reader("info.json", [_json(dataset)], _info(DatasetInfo)),
        "prediction info": Reader("a.json", [_json(predicted)], _info(PredictionInfo)),
        "image": Reader("a.png", pictures, lambda p: images.decode(p.read_bytes())),
        "film": Reader(
            "a.mp4",
            [_film(folder, "mp4", "libx264"), _film(folder, "avi", "mpeg4")],
            _frames,
        ),
        "zip": Reader("a.zip", [_zip()], _unpack),
        "event": Reader(
            "a.json",
            [_json(event)],
            lambda p: event_service.parse(headers, p.read_bytes()),
        ),
    }
