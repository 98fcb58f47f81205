"""SLEAP's labels: `.slp`, whose frames lie in videos, and `.pkg.slp`, which holds their images.

The file is read as tables (h5py), nothing in it runs. Videos and images are found by their whole
path if they are there, else near the labels by the last parts of it. Labels come before
predictions; a file with predictions only is read as such, and says so.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, h5, json_files
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.formats.instances import Instance, arrange
from beampose.formats.label_format import LabelFormat
from beampose.formats.sleap.slp_videos import Videos, distinct
from beampose.preprocess import inside
from beampose.preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem

USER, PREDICTED = 0, 1
_BODY = 1
# Since this version (0, 0) is the centre of the first pixel, before it was its corner.
_CENTRED = 1.1
_FIELDS = {
    "frames": ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "skeleton", "track", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
    "pred_points": ("x", "y", "visible"),
}


class Tables(NamedTuple):
    """The tables of a file. `points` by the type of instance, coordinates (n, 2), NaN = hidden."""

    frames: np.ndarray
    instances: np.ndarray
    points: tuple[np.ndarray, np.ndarray]
    tracks: list[str]


class Skeleton(NamedTuple):
    """Names of the nodes in the order of points, and edges between them."""

    nodes: list[str]
    edges: list[tuple[str, str]]


def read(path: str, *, empty: bool = False) -> Labels:
    """Reads a file.

    Args:
      empty: frames of its table without any animal are read, too.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a SLEAP file, or one that is cut short.
    """
    files.require(path, "SLEAP file")
    problems: list[Problem] = []
    try:
        with h5.opened(path) as file:
            skeletons = _skeletons(file)
            tables = _tables(file)
            videos = Videos(file, path, problems)
            bodyparts = list(dict.fromkeys(name for one in skeletons for name in one.nodes))
            kind = _kind(tables, path, problems)
            found = list(_frames(tables, skeletons, bodyparts, kind, (path, problems)))
            if not empty:
                found = [one for one in found if one.instances]
            placed = list(_addressed(found, videos))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    individuals, keypoints = arrange(
        [one.instances for one, *_ in placed],
        tracks=tables.tracks,
        bodyparts=len(bodyparts),
        file=path,
        problems=problems,
    )
    items = [
        LabeledFrame(
            image=image,
            name=name,
            video=video,
            file=path,
            row=one.number + 1,
            keypoints=points,
        )
        for (one, image, name, video), points in zip(placed, keypoints, strict=True)
    ]
    return Labels(
        items=tuple(items),
        bodyparts=tuple(bodyparts),
        individuals=individuals,
        edges=tuple(dict.fromkeys(edge for one in skeletons for edge in one.edges)),
        scorer="sleap",
        project=files.name(path).split(".")[0],
        problems=tuple(problems),
    )


class Found(NamedTuple):
    """A frame with its animals; `number` is its row in the table, from 0."""

    number: int
    video: int
    index: int
    instances: list[Instance]


def _addressed(found: Sequence[Found], videos: Videos):
    """(frame, address, name, video) of each frame whose image is known."""
    width = max([4, *(len(str(one.index)) for one in found)])
    videos.wanted([(one.video, one.index) for one in found])
    for one in found:
        image = videos.image(one.video, one.index)
        if image is not None:
            video = videos.name(one.video)
            name = f"{LABELED_DATA}/{video}/img{one.index:0{width}d}.png"
            yield one, image, name, video
    videos.report()


def _skeletons(file: h5.Group) -> list[Skeleton]:
    metadata = file.group("metadata")
    said = metadata and metadata.attribute("json")
    if said is None:
        raise ValueError("is not a SLEAP file: it holds no metadata")
    told = _json(said, "metadata")
    try:
        names = [str(node["name"]) for node in told["nodes"]]
        found = [_skeleton(one, names) for one in told["skeletons"]]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"its skeleton cannot be read: {error!r}") from None
    if not found or not all(one.nodes for one in found):
        raise ValueError("holds no skeleton")
    return found


def _skeleton(told: dict[str, Any], names: list[str]) -> Skeleton:
    nodes = [names[int(node["id"])] for node in told["nodes"]]
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"a node is named twice: {', '.join(nodes)}")
    kinds: list[int] = []
    edges = []
    for link in told.get("links", []):
        kind = link.get("type", {})
        if "py/reduce" in kind:
            kinds.append(int(kind["py/reduce"][1]["py/tuple"][0]))
            number = kinds[-1]
        else:  # Refers to the first, second, … kind that was spelled out.
            number = kinds[int(kind.get("py/id", 1)) - 1] if kinds else _BODY
        if number == _BODY:
            edges.append((link.get("edge_insert_idx", 0), int(link["source"]), int(link["target"])))
    return Skeleton(nodes, [(names[a], names[b]) for _, a, b in sorted(edges)])


def _tables(file: h5.Group) -> Tables:
    found = {name: file.values(name) for name in _FIELDS}
    for name, fields in _FIELDS.items():
        missing = set(fields) - set(found[name].dtype.names or ())
        if missing:
            raise ValueError(f"its table {name} lacks {', '.join(sorted(missing))}")
    metadata = file.group("metadata")
    version = float(metadata.attribute("format_id", 1.0)) if metadata else 1.0
    shift = 0.0 if version >= _CENTRED else 0.5
    tracks = []
    if file.dataset("tracks_json") is not None:
        told = [_json(one, "tracks_json") for one in file.values("tracks_json").ravel()]
        tracks = [str(one[1] if isinstance(one, list) and len(one) > 1 else one) for one in told]
    points = (_points(found["points"], shift), _points(found["pred_points"], shift))
    return Tables(found["frames"], found["instances"], points, distinct(tracks))


def _points(table: np.ndarray, shift: float) -> np.ndarray:
    found = np.stack([table["x"], table["y"]], axis=-1).astype(np.float64) - shift
    found[~table["visible"].astype(bool)] = np.nan
    found[~np.isfinite(found).all(axis=-1)] = np.nan
    return found


def _kind(tables: Tables, path: str, problems: list[Problem]) -> int:
    kinds = Counter(tables.instances["instance_type"].tolist())
    if kinds[USER]:
        return USER
    if kinds[PREDICTED]:
        what = f"holds predictions only ({kinds[PREDICTED]:,}), placed by no person; they are used"
        problems.append(Problem(WARNING, path, 0, "", what))
    return PREDICTED


def _frames(
    tables: Tables,
    skeletons: list[Skeleton],
    bodyparts: list[str],
    kind: int,
    told: tuple[str, list[Problem]],
):
    """Frames with animals of a kind, and those without any, in the order of videos and frames."""
    path, problems = told
    orders = [[bodyparts.index(name) for name in one.nodes] for one in skeletons]
    for number in np.lexsort((tables.frames["frame_idx"], tables.frames["video"])):
        row = tables.frames[number]
        start, stop = int(row["instance_id_start"]), int(row["instance_id_end"])
        instances = []
        for one in tables.instances[start : min(stop, len(tables.instances))]:
            if one["instance_type"] != kind:
                continue
            try:
                keypoints = np.full((len(bodyparts), 2), np.nan)
                order = orders[int(one["skeleton"])]
                keypoints[order] = _slice(tables.points[kind], one, len(order))
            except (ValueError, IndexError) as error:
                what = f"an animal of frame {row['frame_idx']} is damaged ({error}); not used"
                problems.append(Problem(ERROR, path, int(number) + 1, "", what))
                continue
            track = int(one["track"])
            name = tables.tracks[track] if 0 <= track < len(tables.tracks) else ""
            if np.isfinite(keypoints).any():
                instances.append(Instance(name, keypoints))
        if instances or start >= stop:
            yield Found(int(number), int(row["video"]), int(row["frame_idx"]), instances)


def _slice(points: np.ndarray, one: np.void, count: int) -> np.ndarray:
    start, stop = int(one["point_id_start"]), int(one["point_id_end"])
    if stop - start != count or not 0 <= start <= stop <= len(points):
        raise ValueError(f"points {start} to {stop} of {len(points)} for {count} nodes")
    return points[start:stop]


def _json(value: Any, what: str) -> Any:
    return json_files.parse(inside.text(value), f"its {what}")


FORMAT = LabelFormat(
    name="sleap",
    read=read,
    options=("empty",),
    recognizes=lambda path: files.suffix(path) == ".slp",
)
