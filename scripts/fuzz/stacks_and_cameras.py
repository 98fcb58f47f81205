"""Readers of stacks, calibrations, labels without a config.yaml, and times of frames."""

import contextlib
import io
import pickle
from pathlib import Path
from typing import Any

import cv2
import fakes  # pyright: ignore[reportMissingImports]
import numpy as np
import rigs  # pyright: ignore[reportMissingImports]
from PIL import Image
from reader import Reader, as_json

from beampose.formats import anipose_csv, calibrations
from beampose.formats.coco import coco_results
from beampose.formats.deeplabcut import project_labels
from beampose.pipelines.results import program_export
from beampose.preprocess import cameras, images, inside, tiff_stacks, videos
from beampose.preprocess.cameras import Rig


def _stack(**options: Any) -> bytes:
    pages = [Image.fromarray(fakes.pixels(i)) for i in range(3)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], **options)
    return stream.getvalue()


def _pages(path: Path) -> None:
    tiff_stacks.is_stack(str(path))
    with contextlib.suppress(ValueError):
        images.load(inside.frame_of(str(path), 2))
    video = videos.index(str(path))
    for _ in videos.read(video, 0, min(video.count, 3)):
        pass


def _toml(folder: Path) -> bytes:
    calibrations.write(Rig(rigs.rig(2), error=0.25), str(folder / "c.toml"))
    return (folder / "c.toml").read_bytes()


def _sheet(folder: Path) -> bytes:
    camera = rigs.rig(1)[0]
    storage = cv2.FileStorage(str(folder / "c.yml"), cv2.FILE_STORAGE_WRITE)
    for key, value in (
        ("camera_matrix", camera.matrix),
        ("distortion_coefficients", camera.distortion),
        ("rvec", cameras.rotation_vector(camera)),
        ("tvec", camera.projection[:, 3]),
    ):
        storage.write(key, value)
    storage.release()
    return (folder / "c.yml").read_bytes()


def _pairs() -> bytes:
    one, two = rigs.rig(2)
    lens = {
        "cameraMatrix1": one.matrix, "distCoeffs1": one.distortion[None],
        "cameraMatrix2": two.matrix, "distCoeffs2": two.distortion[None],
        "R": np.eye(3), "T": np.array([[100.0], [0], [3]]), "E": np.eye(3),
        "image_shape": [(640, 480), (640, 480)],
    }  # fmt: skip
    return pickle.dumps({"camera-1-camera-2": lens}, 2)


def _bare(path: Path) -> Any:
    return project_labels.read(str(path.parent.parent.parent))


def _beside(name: str):
    """Reads a table as the labels of a project without a config.yaml."""

    def read(path: Path) -> Any:
        place = path.parent / "project" / "labeled-data" / "cam1"
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(path.read_bytes())
        return _bare(place / name)

    return read


def _rooted(path: Path) -> Any:
    place = path.parent / "rooted"
    (place / "labeled-data").mkdir(parents=True, exist_ok=True)
    (place / "CollectedData.csv").write_bytes(path.read_bytes())
    return project_labels.read(str(place))


def _named(labels: bytes):
    """Reads a config of Lightning Pose that names the table beside it."""

    def read(path: Path) -> Any:
        (path.parent / "CollectedData.csv").write_bytes(labels)
        return project_labels.read(str(path))

    return read


def _visible(labels: bytes) -> bytes:
    """Labels with a column of visibility behind each y."""
    lines = [line.split(",") for line in labels.decode().splitlines()]
    word = {"scorer": "Ann", "coords": "visible"}
    made = []
    for line in lines:
        cells = line[:1]
        for i in range(1, len(line), 2):
            third = line[i] if line[0] == "bodyparts" else word.get(line[0], "1")
            cells += [*line[i : i + 2], third]
        made.append(",".join(cells))
    return "\n".join(made).encode()


_NAMES_TABLES = (
    b"data:\n  data_dir: /home/joe/mouse\n  csv_file: [CollectedData.csv]\n"
    b"  keypoint_names: [nose, ear, tail]\n"
)


def readers(folder: Path) -> dict[str, Reader]:
    """All by name."""
    names = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
    labels = fakes.csv_text(names, fakes.points(3)).encode()
    stacks = [_stack(), *(_stack(compression=kind) for kind in ("tiff_lzw", "jpeg", "packbits"))]
    stacks += [_stack(description="ImageJ=1.53\nimages=9\nframes=9\nfinterval=0.1\n")]
    told = {"images": [{"id": i, "file_name": f"a{i}.png"} for i in range(3)]}
    points = b"nose_x,nose_y,nose_z,nose_error,nose_ncams,nose_score,fnum\n1,2,3,0.1,2,0.9,0\n"
    calibration = lambda path: calibrations.read(str(path))  # noqa: E731
    return {
        "stack": Reader("a.tif", stacks, _pages),
        "calibration toml": Reader("a.toml", [_toml(folder)], calibration),
        "calibration yaml": Reader("a.yml", [_sheet(folder)], calibration),
        "calibration pickle": Reader("a.pickle", [_pairs()], calibration),
        "without config": Reader("a.csv", [labels], _beside("CollectedData_Ann.csv")),
        "visibility": Reader("a.csv", [_visible(labels)], _beside("CollectedData_Ann.csv")),
        "root table": Reader("a.csv", [labels], _rooted),
        "lightning config": Reader("a.yaml", [_NAMES_TABLES], _named(labels)),
        "anipose": Reader("a.csv", [points], lambda path: anipose_csv.read(str(path))),
        "times": Reader(
            "a_times.csv",
            [b"frame,seconds\n0,0.0\n1,0.04\n2,0.5\n"],
            lambda path: program_export._times(str(path)),
        ),
        "image ids": Reader(
            "a.json", [as_json(told)], lambda path: coco_results.read_ids(str(path))
        ),
    }
