"""All readers of strangers' files, each with files to begin from; others: `own_files`,
`stacks_and_cameras`.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_labels  # pyright: ignore[reportMissingImports]
import fakes  # pyright: ignore[reportMissingImports]
import numpy as np
import own_files
import pandas as pd
import stacks_and_cameras
import yaml
from reader import Reader

from beampose.core import yaml_files, zips
from beampose.core.settings import experiment
from beampose.formats import (
    box_files,
    crop_classes,
    crop_lists,
    deepmeerkat,
    individuals_file,
    megadetector,
    pandas_h5,
)
from beampose.formats.coco import coco_reader
from beampose.formats.deeplabcut import (
    collected_data,
    label_edits,
    machine_labels,
    merged_labels,
    prediction_tables,
    project_config,
    project_labels,
    shuffles,
)
from beampose.formats.deeplabcut.label_edits import Correction
from beampose.formats.imagej import imagej_reader, myconfig
from beampose.formats.sleap import slp_reader
from beampose.pipelines import manifest, planning, search_spec
from beampose.pipelines.cloud import (
    cloud_settings,
    event_service,
    upload_recipe,
    upload_run,
)
from beampose.pipelines.curation import (
    crop_corrections,
    label_corrections,
    project_films,
    repeats_page,
)
from beampose.pipelines.results import result_files
from beampose.pipelines.tracking import identity_labels
from beampose.preprocess import images, inside, unpickle, videos
from beampose.preprocess.labels import LabeledFrame

FILMS = [("mp4", "libx264"), ("avi", "mpeg4"), ("mkv", "mjpeg"), ("webm", "libvpx"),
         ("ts", "mpeg2video"), ("mpg", "mpeg1video")]  # fmt: skip
NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]


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


def _boxes(path: Path) -> None:
    megadetector.contents.cache_clear()
    deepmeerkat.read.cache_clear()
    boxes = box_files.FileBoxes(str(path))
    boxes.unsure(["film.mp4", "other.mp4"])
    boxes.read("film.mp4").of(1, 40, 60)


def _shuffle(name: str, more: dict[str, bytes]) -> Callable[[Path], Any]:
    """The split of a training set, of which one file is damaged."""

    def read(path: Path) -> Any:
        folder = path.parent / "set"
        folder.mkdir(exist_ok=True)
        for other, data in more.items():
            (folder / other).write_bytes(data)
        path.rename(folder / name)
        return shuffles.read(collected(NAMES), str(folder), 1)

    return read


def collected(names: list[str]) -> list[LabeledFrame]:
    """Frames without files."""
    points = fakes.points()[:1]
    return [
        LabeledFrame(image=name, name=name, video="cam1", file="f", row=i, keypoints=points)
        for i, name in enumerate(names)
    ]


def _config(path: Path) -> None:
    text, encoding = project_config.read(str(path))
    project_config.video_sets(text)
    project_config.crop_of(text, "a.mp4")
    project_config.encoded(project_config.add_video(text, "new.mp4", (0, 10, 0, 10)), encoding)
    project_films.ProjectFilms(str(path.parent)).owners("a")


def _merged(path: Path) -> Any:
    return merged_labels.read([str(path)])


def _machine(path: Path) -> Any:
    return machine_labels.read(str(path), [("", part) for part in ("nose", "tail")])


def _edited(path: Path) -> None:
    wanted = Correction(NAMES[0], "nose", tuple(fakes.points()[0, 0]), (1.0, 2.0))
    label_edits.edit_csv(path.read_bytes(), [wanted], fakes.SCORER)


def _edited_h5(path: Path) -> None:
    data = path.read_bytes()
    if pandas_h5.read(data)[2].size:
        pandas_h5.edit(data, {(0, 0): 1.0})


def _reclassed(path: Path) -> None:
    crop_classes.edited(str(path), [crop_classes.Reclass("a.png", "positive", "negative")])


def _meta(path: Path) -> Any:
    return result_files.offset(result_files.Found("a", str(path).removesuffix("_meta.pickle")))


def _list(path: Path) -> None:
    manifest.read(manifest.expand([str(path)]))


def _identities(path: Path) -> Any:
    return identity_labels.read(str(path), "film.mp4", list(fakes.BODYPARTS))


def _answers(path: Path) -> None:
    """A request as bytes of HTTP, to the event service itself."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    told = {name.decode("latin-1"): value.decode("latin-1") for name, _, value in lines}
    service = event_service.Service(upload_run.Settings(), bucket="nobody")
    answer = service.answer(told, body)
    if answer.status >= 500:
        raise AssertionError(answer)


def _embedded(path: Path) -> Any:
    return images.load(inside.image_of(str(path), "video0/video", 0))


def _film(folder: Path, suffix: str, codec: str) -> bytes:
    return Path(fakes.video(folder / f"film.{suffix}", codec, 12)).read_bytes()


def _frames(path: Path) -> None:
    video = videos.index(str(path))
    for _ in videos.read(video, 0, min(video.count, 3)):
        pass


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False).encode()


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


def readers(folder: Path) -> dict[str, Reader]:
    """All readers by name.

    Args:
      folder: for what is made to begin from.
    """
    table, fixed = _h5("table", folder), _h5("fixed", folder)
    predicted_h5, predicted_csv = _predictions(folder)
    labels_csv = fakes.csv_text(NAMES, fakes.points()).encode()
    numbered_csv = _numbered(labels_csv)
    fakes.project(folder / "project")
    config = (folder / "project/config.yaml").read_bytes()
    fake_labels.coco(folder / "coco")
    coco = (folder / "coco/labels.json").read_bytes()
    apart = _by_parts(json.loads(coco))
    animals = fakes.animals(folder / "animals", np.ones((2, 3, 4, 2)) * 7)
    several = (animals / "labeled-data/cam1/CollectedData_Ann.csv").read_bytes()
    several_config = (animals / "config.yaml").read_bytes()
    documentation = [[{"image": ("a", "b"), "size": np.array([3, 4])}], np.arange(3), [-1], 0.9]
    index = pd.MultiIndex.from_product([["s"], ["nose"], ["x", "y"]])
    own = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "o"}
    audit = b"apply,image,bodypart,x,y,new_x,new_y\nyes,labeled-data/a/b.png,nose,1,2,3,4\n"
    listed = [
        b"a.png,positive\nb.png,negative\n",
        b",split,image_path,label\n0,train,a.png,cat\n1,val,b.png,dog\n",
        b"TRAIN,gs://lab/a.png,cat\nTEST,gs://lab/b.png,dog\n",
    ]
    crops = b"apply,image,label,new_label\nyes,positive/a.png,positive,negative\n"
    boxes = {
        "images": [{"file": "film.mp4/frame1.jpg", "detections": [
            {"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.2, 0.2], "frame_number": 1}
        ]}],
        "detection_categories": {"1": "animal"},
        "info": {"format_version": "1.3"},
    }  # fmt: skip
    species = {"predictions": [{
        "filepath": "film.mp4/frame1.jpg", "failures": ["CLASSIFIER"],
        "detections": [{"category": "1", "label": "animal", "conf": 0.9,
                        "bbox": [0.1, 0.1, 0.2, 0.2]}],
    }]}  # fmt: skip
    deepmeerkat_csv = b"frame,clock,x,y,h,w,label,score\n1,0:00:00,1,2,3,4,positive,0.9\n"
    spec = {"trials": 3, "parameters": {"train.steps": {"values": [1, 2]}}}
    clicks = fake_labels.imagej_table(fakes.points()[:, 0]).encode()
    pixels = fakes.pixels(1)
    pictures = [fakes.encode(pixels, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")]
    event = {"bucket": "lab", "name": "incoming/a.zip", "generation": "1"}
    headers = {"ce-type": event_service.FINALIZED, "ce-id": "1", "ce-specversion": "1.0",
               "ce-source": "x", "Content-Type": "application/json"}  # fmt: skip
    split = [[{"image": f"labeled-data/cam1/img{i}.png"} for i in (0, 2)],
             np.array([0, 2]), np.array([1]), 0.66]  # fmt: skip
    documented = "Documentation_data-reach_66shuffle1.pickle"
    merged = {"CollectedData_Ann.csv": labels_csv}
    metadata = _yaml({"shuffles": {"reach-trainset66shuffle1": {"index": 1, "split": 1}}})
    meta = {"data": {"cropping": True, "cropping_parameters": [1, 2, 3, 4]}}
    http = b"\r\n".join(f"{name}: {value}".encode() for name, value in headers.items())
    request = b"POST / HTTP/1.1\r\n" + http + b"\r\n\r\n" + _json(event)
    pickles = [pickle.dumps(one, protocol) for one in (documentation, index) for protocol in (2, 4)]
    return (
        own_files.readers(folder)
        | stacks_and_cameras.readers(folder)
        | {
            "h5": Reader("a.h5", [table, fixed], lambda p: pandas_h5.read(p.read_bytes())),
            "edit": Reader("a.h5", [table, fixed], _edited_h5),
            "slp": Reader("a.slp", [_slp(folder)], lambda p: slp_reader.read(str(p))),
            "embedded": Reader("a.slp", [_slp(folder)], _embedded),
            "individuals": Reader(
                f"film{individuals_file.ENDING}", [_individuals(folder)], _read_individuals
            ),
            "pickle": Reader("a.pickle", pickles, lambda p: unpickle.loads(p.read_bytes())),
            "labels csv": Reader(
                "CollectedData_Ann.csv",
                [labels_csv, numbered_csv],
                lambda p: collected_data.read(str(p), several=False),
            ),
            "predictions csv": Reader(
                "aDLC_x.csv", [predicted_csv], lambda p: prediction_tables.read(str(p))
            ),
            "predictions h5": Reader(
                "aDLC_x.h5", [predicted_h5], lambda p: prediction_tables.read(str(p))
            ),
            "project": Reader("config.yaml", [config], _project),
            "coco": Reader("a.json", [coco, _json(apart)], lambda p: coco_reader.read(str(p))),
            "imagej": Reader("nose.csv", [clicks], _imagej),
            "myconfig": Reader(
                "myconfig.py",
                [b'Task = "x"\nbodyparts = ["a", "b"]\nScorers = ["A"]\n'],
                lambda p: myconfig.read(str(p)),
            ),
            "crops list": Reader("a.csv", listed, lambda p: crop_lists.read(str(p))),
            "megadetector": Reader("a.json", [_json(boxes), _json(species)], _boxes),
            "deepmeerkat": Reader("annotations.csv", [deepmeerkat_csv], _boxes),
            "experiment": Reader("a.yaml", [_yaml(own)], lambda p: experiment.load(p)),
            "own settings": Reader(
                "beampose.yaml",
                [b"train: {steps: 5, seed: 1}\nfeatures: {copies: 2}\n"],
                lambda p: upload_recipe._own(p, {}),
            ),
            "yaml": Reader("a.yaml", [config], lambda p: yaml_files.read(p, "file")),
            "cloud": Reader(
                "cloud.yaml",
                [_yaml({"project": "my-lab-123", "region": "us-central1", "bucket": "gs://lab"})],
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
            "shuffle": Reader(
                "a",
                [pickle.dumps(split, protocol) for protocol in (2, 4)],
                _shuffle(documented, merged),
            ),
            "shuffle metadata": Reader(
                "a",
                [metadata],
                _shuffle(shuffles.METADATA, {documented: pickle.dumps(split, 2), **merged}),
            ),
            "shuffle rows": Reader(
                "a",
                [labels_csv],
                _shuffle("CollectedData_Ann.csv", {documented: pickle.dumps(split, 2)}),
            ),
            "video sets": Reader("config.yaml", [config], _config),
            "labels of several": Reader(
                "CollectedData_Ann.csv",
                [several],
                lambda p: collected_data.read(str(p), several=True),
            ),
            "project of several": Reader("config.yaml", [several_config], _project),
            "merged labels": Reader("CollectedData_Ann.csv", [labels_csv], _merged),
            "machine labels": Reader("machinelabels-iter0.h5", [predicted_h5], _machine),
            "edited csv": Reader("CollectedData_Ann.csv", [labels_csv], _edited),
            "edited list": Reader("a.csv", [b"a.png,positive\nb.png,negative\n"], _reclassed),
            "identities csv": Reader("a.csv", [several], _identities),
            "identities slp": Reader("a.slp", [_slp(folder)], _identities),
            "meta pickle": Reader("a_meta.pickle", [pickle.dumps(meta, 4)], _meta),
            "list of videos": Reader("a.csv", [b"video,what\na.mp4,1\nb.avi,2\n"], _list),
            "http": Reader("a", [request], _answers),
            "image": Reader("a.png", pictures, lambda p: images.decode(p.read_bytes())),
            "film": Reader("a.mp4", [_film(folder, *one) for one in FILMS], _frames),
            "zip": Reader("a.zip", [_zip()], _unpack),
            "event": Reader(
                "a.json",
                [_json(event)],
                lambda p: event_service.parse(headers, p.read_bytes()),
            ),
        }
    )
