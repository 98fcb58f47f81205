"""Tiny labels in the forms of other tools: ImageJ tables, SLEAP files, COCO."""

import json
from collections.abc import Sequence
from pathlib import Path

import fakes
import h5py
import numpy as np

FRAME = np.dtype(
    [
        ("frame_id", "<u8"),
        ("video", "<u4"),
        ("frame_idx", "<u8"),
        ("instance_id_start", "<u8"),
        ("instance_id_end", "<u8"),
    ]
)
INSTANCE = np.dtype(
    [
        ("instance_id", "<i8"),
        ("instance_type", "u1"),
        ("frame_id", "<u8"),
        ("skeleton", "<u4"),
        ("track", "<i4"),
        ("from_predicted", "<i8"),
        ("score", "<f4"),
        ("point_id_start", "<u8"),
        ("point_id_end", "<u8"),
    ]
)
POINT = np.dtype([("x", "<f8"), ("y", "<f8"), ("visible", "?"), ("complete", "?")])
PREDICTED = np.dtype([*POINT.descr, ("score", "<f8")])


def imagej_table(points: np.ndarray, *, first: int = 1, cut: str = "\t") -> str:
    """The text that "Measure" saves of (images, 2) points, NaN = not clicked."""
    lines = [cut.join([" ", "Area", "Mean", "Min", "Max", "X", "Y", "Slice"])]
    for i, (x, y) in enumerate(points.tolist()):
        if not np.isnan(x):
            cells = [first + i, 0, 80, 80, 80, repr(x), repr(y), i + 1]
            lines.append(cut.join(map(str, cells)))
    return "\n".join(lines) + "\n"


def imagej(root: Path, *, video: str = "cam1", cut: str = "\t") -> Path:
    """A folder of version 1: three images, of which img10 comes last, and a table a bodypart."""
    folder = root / video
    folder.mkdir(parents=True)
    for i, name in enumerate(("img1", "img2", "img10")):
        (folder / f"{name}.png").write_bytes(fakes.encode(fakes.pixels(i)))
    # Clicked in the order of BODYPARTS, which is not that of the alphabet.
    for i, name in enumerate(fakes.BODYPARTS):
        text = imagej_table(fakes.points()[:, i] + 20, first=1 + i, cut=cut)
        (folder / f"{name}.csv").write_text(text)
    return root


def slp(
    file: Path,
    frames: Sequence[tuple[int, int, Sequence[tuple[int, int, np.ndarray]]]],
    *,
    videos: Sequence[dict],
    tracks: Sequence[str] = (),
    nodes: Sequence[str] = fakes.BODYPARTS,
    version: float = 1.2,
) -> Path:
    """Writes (video, frame, [(type, track, points (nodes, 2))]) as SLEAP does."""
    rows, instances, points, predicted = [], [], [], []
    for number, (video, index, animals) in enumerate(frames):
        start = len(instances)
        for kind, track, keypoints in animals:
            table = predicted if kind else points
            first = len(table)
            for x, y in keypoints:
                table.append((x, y, not np.isnan(x), True, *([0.9] if kind else [])))
            span = (first, len(table))
            instances.append((len(instances), kind, number, 0, track, -1, 1.0, *span))
        rows.append((number, video, index, start, len(instances)))
    # Nodes stand in another order in the file than in the skeleton, as they do in SLEAP's.
    turned = list(nodes)[::-1]
    places = [{"id": turned.index(name)} for name in nodes]
    body = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
    mirror = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
    ends = {"source": turned.index(nodes[0]), "target": turned.index(nodes[1])}
    skeleton = {
        "nodes": places,
        "links": [
            {**ends, "type": body, "edge_insert_idx": 0},
            {"source": 0, "target": 1, "type": mirror},
        ],
    }
    told = {"skeletons": [skeleton], "nodes": [{"name": name} for name in turned]}
    with h5py.File(file, "w") as out:
        metadata = out.create_group("metadata")
        metadata.attrs["format_id"] = version
        metadata.attrs["json"] = np.bytes_(json.dumps(told))
        out["frames"] = np.array(rows, FRAME)
        out["instances"] = np.array(instances, INSTANCE)
        out["points"] = np.array(points, POINT)
        out["pred_points"] = np.array(predicted, PREDICTED)
        out["videos_json"] = [np.bytes_(json.dumps(one)) for one in videos]
        out["tracks_json"] = [np.bytes_(json.dumps([0, name])) for name in tracks]
    return file


def embed(
    file: Path | str,
    images: Sequence[bytes],
    numbers: Sequence[int],
    order: str | None = None,
    *,
    video: int = 0,
    film: str = "C:\\lab\\film.mp4",
    length: int = 0,
) -> None:
    """Puts image files into `video0/video` of a SLEAP file, or into that of another number.

    They were taken from a film of a length, 0 = not said.
    """
    with h5py.File(file, "a") as out:
        kind = h5py.vlen_dtype(np.int8)
        dataset = out.create_dataset(f"video{video}/video", (len(images),), kind)
        for i, data in enumerate(images):
            dataset[i] = np.frombuffer(data, np.int8)
        dataset.attrs["format"] = "png"
        if order:
            dataset.attrs["channel_order"] = order
        out[f"video{video}/frame_numbers"] = np.array(numbers)
        source = out.create_group(f"video{video}/source_video")
        shape = {"shape": [length, 40, 60, 3]} if length else {}
        source.attrs["json"] = json.dumps({"backend": {"filename": film, **shape}})


def coco(root: Path, **changes) -> Path:
    """Writes labels.json and two images, of two animals and of one."""
    points = fakes.points()
    (root / "cam1").mkdir(parents=True)
    for i in range(2):
        (root / "cam1" / f"img{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
    images = [{"id": 7 + i, "file_name": f"cam1/img{i}.png"} for i in range(2)]
    told = {
        "images": images,
        "annotations": [annotation(1, 7, points[0]), annotation(2, 7, points[1])]
        + [annotation(3, 8, points[2])],
        "categories": [{"id": 1, "keypoints": list(fakes.BODYPARTS), "skeleton": [[1, 2]]}],
        **changes,
    }
    (root / "labels.json").write_text(json.dumps(told))
    return root / "labels.json"


def annotation(number: int, image: int, points: np.ndarray, **changes) -> dict:
    """An animal in COCO's form."""
    values = [v for x, y in points.tolist() for v in ([0, 0, 0] if np.isnan(x) else [x, y, 2])]
    return {"id": number, "image_id": image, "category_id": 1, "keypoints": values, **changes}
