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
from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.formats.instances import Instance, arrange, several, untracked
from beampose.formats.label_format import LabelFormat
from beampose.formats.sleap import slp_negatives
from beampose.formats.sleap.slp_videos import Videos, distinct
from beampose.preprocess import inside
from beampose.preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem

SUFFIX = ".slp"
# Which the same tables had in 2019.
_OLD_SUFFIX = ".h5"
USER, PREDICTED = 0, 1
_SHOWN = 5
_BODY = 1
# Since this version (0, 0) is the centre of the first pixel, before it was its corner.
_CENTRED = 1.1
# From which on sleap-io expects tables of another kind, too.
_OTHER_TABLES = 3.0
_FIELDS = {
    "frames": ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "skeleton", "track", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
    "pred_points": ("x", "y", "visible"),
}
# The largest whole number that every float before it can be, and the longest number of a frame.
_WHOLE = 1 << 53
_LAST = 10**12


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
    """Reads a file, or the one in a folder.

    Args:
      empty: frames of its table without any animal are read, too.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a SLEAP file, or one that is cut short; a folder that holds none, or several.
    """
    files.require(path, "SLEAP file")
    path = _file_in(path) if files.is_folder(path) else path
    if files.suffix(path) == ".json":
        raise ValueError(f"{path} is not a {SUFFIX}: open it in SLEAP and save it as one.")
    problems: list[Problem] = []
    try:
        with h5.opened(path) as file:
            skeletons = _skeletons(file)
            tables = _tables(file)
            videos = Videos(file, path, problems)
            bodyparts = list(dict.fromkeys(name for one in skeletons for name in one.nodes))
            kind = _kind(tables, path, problems)
            problems += _several(tables, skeletons, kind, path)
            found = list(_frames(tables, skeletons, bodyparts, kind, (path, problems)))
            without = slp_negatives.read(file)
            found = [one._replace(bare=one.bare and without.is_one(one)) for one in found]
            problems += _unused(tables, found, kind, path, empty=empty)
            found = [one for one in found if one.instances or (empty and one.bare)]
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
            told=size,
            film=film,
        )
        for (one, image, name, video, size, film), points in zip(placed, keypoints, strict=True)
    ]
    return Labels(
        items=tuple(items),
        bodyparts=tuple(bodyparts),
        individuals=individuals,
        edges=tuple(dict.fromkeys(edge for one in skeletons for edge in one.edges)),
        untracked=untracked([one.instances for one, *_ in placed], individuals),
        scorer="sleap",
        project=files.name(path).split(".")[0],
        problems=tuple(problems),
    )


def _file_in(folder: str) -> str:
    found = files.of_suffix(folder, SUFFIX)
    if len(found) != 1:
        there = ", ".join(map(files.name, found[:_SHOWN])) or "none"
        raise ValueError(f"{folder} must hold one {SUFFIX}, or name the file. Found: {there}.")
    return found[0]


class Found(NamedTuple):
    """A frame with its animals; `number` is its row in the table, from 0.

    Attributes:
      bare: no animal of any kind is listed for it, placed or predicted, nor anything else that
        says there is one.
    """

    number: int
    video: int
    index: int
    instances: list[Instance]
    bare: bool


def _addressed(found: Sequence[Found], videos: Videos):
    """(frame, address, name, video, size that is told, film) of frames whose image is known."""
    width = max([4, *(len(str(one.index)) for one in found)])
    places = videos.numbered([(one.video, one.index) for one in found])
    videos.lost(Counter(one.video for one in found if one.video not in places))
    found = [one for one in found if one.video in places]
    videos.wanted([(places[one.video], one.index) for one in found])
    for one in found:
        place = places[one.video]
        image = videos.image(place, one.index)
        if image is not None:
            video = videos.name(place)
            name = f"{LABELED_DATA}/{video}/img{one.index:0{width}d}.png"
            corner = np.array(videos.corner(place), np.float64)
            moved = [Instance(own.track, own.keypoints + corner) for own in one.instances]
            known = videos.size(place), videos.film(place)
            yield one._replace(instances=moved), image, name, video, *known
    videos.report()


def _skeletons(file: h5.Group) -> list[Skeleton]:
    metadata = file.group("metadata")
    said = metadata and metadata.attribute("json")
    if said is None and file.dataset("node_names") is not None:
        raise ValueError("is SLEAP's analysis file, of predictions; labels are in the .slp")
    if said is None:
        raise ValueError("is not a SLEAP file: it holds no metadata")
    told = _json(said, "metadata")
    try:
        names = [str(node["name"]) for node in told["nodes"]]
        found = [_skeleton(one, names) for one in told["skeletons"]]
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise ValueError(f"its skeleton cannot be read: {error!r}") from None
    if not found or not all(one.nodes for one in found):
        raise ValueError("holds no skeleton")
    return found


def _skeleton(told: dict[str, Any], names: list[str]) -> Skeleton:
    # One that SLEAP ships (flies13, mice_hc, …) has a description and a picture beside its graph.
    told = told.get("nx_graph", told)
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
        else:  # Refers to the first, second, … kind that was spelled out, maybe before this one.
            number = int(kind.get("py/id", _BODY))
            number = kinds[number - 1] if 0 < number <= len(kinds) else number
        if number == _BODY:
            edges.append((link.get("edge_insert_idx", 0), int(link["source"]), int(link["target"])))
    return Skeleton(nodes, [(names[a], names[b]) for _, a, b in sorted(edges)])


def _tables(file: h5.Group) -> Tables:
    metadata = file.group("metadata")
    version = float(metadata.attribute("format_id", 1.0)) if metadata else 1.0
    if version >= _OTHER_TABLES:
        raise ValueError(
            f"is of SLEAP's format {version:g}, and those below {_OTHER_TABLES:g} are read: save "
            "it in an older one"
        )
    found = {name: _table(file, name, fields) for name, fields in _FIELDS.items()}
    shift = 0.0 if version >= _CENTRED else 0.5
    tracks = []
    if file.dataset("tracks_json") is not None:
        told = [_json(one, "tracks_json") for one in file.values("tracks_json").ravel()]
        named = [str(one[1] if isinstance(one, list) and len(one) > 1 else one) for one in told]
        # "" is that of an animal without a track.
        tracks = [name.strip() or f"track_{i}" for i, name in enumerate(named)]
    points = (_points(found["points"], shift), _points(found["pred_points"], shift))
    return Tables(found["frames"], found["instances"], points, distinct(tracks))


def _table(file: h5.Group, name: str, fields: Sequence[str]) -> np.ndarray:
    """A table of named columns, also as SLEAP's web page writes it: numbers, names beside them."""
    found = file.values(name)
    dataset = file.dataset(name)
    said = dataset.attribute("field_names") if dataset and found.ndim == 2 else None
    if said is not None:
        told = _json(said, f"names of the columns of {name}")
        names = [str(one) for one in told] if isinstance(told, list) else []
        if not names or len(set(names)) != len(names) or len(names) != found.shape[1]:
            raise ValueError(f"its table {name} has {found.shape[1]} columns, and names {told!r}")
        kind = np.dtype([(one, found.dtype) for one in names])
        found = np.ascontiguousarray(found).view(kind).reshape(len(found))
    missing = set(fields) - set(found.dtype.names or ())
    if missing:
        raise ValueError(f"its table {name} lacks {', '.join(sorted(missing))}")
    for field in fields:
        _check_numbers(found[field], f"its table {name} holds a {field} that is no", field)
    return found


def _check_numbers(column: np.ndarray, what: str, field: str) -> None:
    if column.dtype.kind not in "biuf":
        raise ValueError(f"{what} number")
    if column.dtype.kind == "f" and field not in ("x", "y", "visible"):
        whole = np.isfinite(column) & (np.abs(column) < _WHOLE)
        if not whole.all() or (column != np.round(column)).any():
            raise ValueError(f"{what} whole number")


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


def _several(tables: Tables, skeletons: list[Skeleton], kind: int, path: str) -> list[Problem]:
    own = tables.instances["instance_type"] == kind
    used = {int(one) for one in tables.instances["skeleton"][own]} & {*range(len(skeletons))}
    return several([skeletons[one].nodes for one in used], "skeletons name different nodes", path)


def _unused(
    tables: Tables, found: Sequence[Found], kind: int, path: str, *, empty: bool
) -> list[Problem]:
    """Says which animals and frames of the file are not used."""
    told = []
    predicted = int((tables.instances["instance_type"] == PREDICTED).sum())
    bare = sum(one.bare for one in found)
    unlabeled = sum(not one.instances and not one.bare for one in found)
    if kind == USER and predicted:
        what = f"{counted(predicted, 'predicted animal')} {agreed(predicted, 'are')} not used: "
        told.append(f"{what}it has animals that a person placed")
    if unlabeled:
        what = f"{counted(unlabeled, 'frame')} {agreed(unlabeled, 'have')} no labeled point of "
        told.append(f"{what}{'a person' if kind == USER else 'an animal'}; not used")
    if bare and not empty:
        what = f"{counted(bare, 'frame')} {agreed(bare, 'have')} no animal; not used. "
        told.append(f"{what}`source.empty: negatives` uses {'it' if bare == 1 else 'them'}")
    return [Problem(WARNING, path, 0, "", what) for what in told]


def _frames(
    tables: Tables,
    skeletons: list[Skeleton],
    bodyparts: list[str],
    kind: int,
    told: tuple[str, list[Problem]],
):
    """Frames with their animals of a kind, in the order of videos and frames."""
    path, problems = told
    orders = [[bodyparts.index(name) for name in one.nodes] for one in skeletons]
    for number in np.lexsort((tables.frames["frame_idx"], tables.frames["video"])):
        row = tables.frames[number]
        # As they are stored numbers below 0 would be huge ones.
        index, video, start, stop = (
            int(row[name].astype(np.int64))
            for name in ("frame_idx", "video", "instance_id_start", "instance_id_end")
        )
        wrong = ""
        if not 0 <= index < _LAST:
            wrong = f"there is no frame {index}"
        elif start < stop and not 0 <= start <= stop <= len(tables.instances):
            wrong = f"frame {index} has animals {start} to {stop} of {len(tables.instances)}"
        if wrong:
            problems.append(Problem(ERROR, path, int(number) + 1, "", f"{wrong}; it is not used"))
            continue
        instances, damaged = [], False
        for one in tables.instances[start:stop]:
            if one["instance_type"] != kind:
                continue
            try:
                keypoints = np.full((len(bodyparts), 2), np.nan)
                order = orders[int(one["skeleton"])]
                keypoints[order] = _slice(tables.points[kind], one, len(order))
            except (ValueError, IndexError) as error:
                damaged = True
                what = f"an animal of frame {index} is damaged ({error}); not used"
                problems.append(Problem(ERROR, path, int(number) + 1, "", what))
                continue
            track = int(one["track"])
            name = tables.tracks[track] if 0 <= track < len(tables.tracks) else ""
            if np.isfinite(keypoints).any():
                instances.append(Instance(name, keypoints))
        if instances or not damaged:
            yield Found(int(number), video, index, instances, bare=start >= stop)


def _slice(points: np.ndarray, one: np.void, count: int) -> np.ndarray:
    start, stop = int(one["point_id_start"]), int(one["point_id_end"])
    if stop - start != count or not 0 <= start <= stop <= len(points):
        raise ValueError(f"points {start} to {stop} of {len(points)} for {count} nodes")
    return points[start:stop]


def _json(value: Any, what: str) -> Any:
    return json_files.parse(inside.text(value), f"its {what}")


def _recognizes(path: str) -> bool:
    if files.suffix(path) != _OLD_SUFFIX:
        return files.suffix(path) == SUFFIX or bool(files.of_suffix(path, SUFFIX))
    try:
        with h5.opened(path) as file:
            # Of an analysis file the reader says what it is.
            labels = file.group("metadata") is not None and file.dataset("videos_json") is not None
            return labels or file.dataset("track_occupancy") is not None
    except (OSError, ValueError):
        return False


FORMAT = LabelFormat(name="sleap", read=read, options=("empty",), recognizes=_recognizes)
