"""DeepLabCut projects: config.yaml and labeled-data/*/CollectedData_*.h5 or .csv.

Names are trusted, places are not: project_path, the paths in video_sets and the order of columns
are never used. An image lies beside its label file, else where the last parts of its path say.
Where the folders hold no labels, tables at the root are read: see `root_tables`.

A project of several animals (`multianimalproject: true`) names individuals. Its unique bodyparts,
those of the scene, belong to an individual `single`, in DeepLabCut's files and in `Labels` alike.
"""

from collections.abc import Collection
from typing import Any

from beampose.core import files, lost_paths, system_folders, texts, yaml_files
from beampose.formats.deeplabcut import (
    collected_data,
    folder_headers,
    label_folders,
    project_config,
    root_tables,
    row_frames,
    row_images,
)
from beampose.formats.deeplabcut.collected_data import Reading
from beampose.formats.deeplabcut.project_config import MULTI
from beampose.preprocess.labels import SINGLE, WARNING, LabeledFrame, Labels, Problem

LABELED_DATA = root_tables.LABELED_DATA
INDIVIDUAL = "individual1"


def read(
    path: str,
    *,
    scorer: str | None = None,
    bodyparts: list[str] | None = None,
    others: Collection[str] = (),
) -> Labels:
    """Reads a project.

    Args:
      path: the project folder, its config.yaml, a config of Lightning Pose, its labeled-data, or a
        table at its root.
      scorer: whose labels; the config's scorer if None.
      bodyparts: names and order; the config's if None.
      others: whose labels are read besides, so that columns of theirs are no problem.

    Raises:
      FileNotFoundError: no labeled-data, or neither a config.yaml nor labels.
      ValueError: config.yaml cannot be read.
    """
    root, file = _place(path)
    problems: list[Problem] = []
    choice = root_tables.choose(path)
    problems += root_tables.told(choice)
    root = choice.root if choice.tables else root
    config, encoding = _told(root, file, choice, scorer or "", problems)
    names = _names(config, file, scorer, bodyparts)
    reading = Reading(names.several, encoding, others)
    if choice.tables:
        frames = _of_root(choice, names, reading, problems)
    else:
        frames = _of_folders(root, names, reading, problems)
        problems += _hidden(root)
        if scorer is None and files.exists(file):
            problems += folder_headers.unread(frame_folders(root), names.scorer)
    return Labels(
        items=tuple(frames),
        bodyparts=names.bodyparts,
        individuals=names.individuals,
        unique_bodyparts=names.unique,
        edges=_edges(config, names.bodyparts, root, problems),
        scorer=names.scorer,
        project=f"{config.get('Task') or 'project'}{config.get('date') or ''}",
        problems=tuple(problems),
    )


def _told(
    root: str, file: str, choice: root_tables.Choice, scorer: str, problems: list[Problem]
) -> tuple[dict[str, Any], str | None]:
    """What the config says and its encoding; where there is none, what headers say."""
    there = files.exists(file)
    if there:
        config, encoding = _config(file, problems)
        if any(config.get(key) for key in ("bodyparts", "multianimalbodyparts", "scorer")):
            return config, encoding
    elif files.name(file) != "config.yaml":
        raise files.missing("config", file)
    found = None
    if choice.tables:
        found = root_tables.config(choice, scorer, problems)
    elif files.is_folder(files.join(root, LABELED_DATA)):
        folders = frame_folders(root)
        found = folder_headers.config(folders, scorer, root, problems)
        if found is None and not there and (what := folder_headers.like_them(folders)):
            raise FileNotFoundError(f"{root} has neither a config.yaml nor labels.{what}")
    if found is None:
        return _config(file, problems)
    if there and not (choice.config and choice.config.file == file):
        what = "names no bodyparts: it is of another program, and not used"
        problems.append(Problem(WARNING, file, 0, "", what))
    return found, None


def names(
    path: str,
) -> tuple[row_frames.Names, tuple[tuple[str, str], ...], tuple[Problem, ...]]:
    """What a project names, its skeleton, and what is odd in its config; no label is read.

    Raises: as `read`.
    """
    root, file = _place(path)
    problems: list[Problem] = []
    config, _ = _config(file, problems)
    found = _names(config, file, None, None)
    edges = _edges(config, found.bodyparts, root, problems)
    return found, edges, tuple(problems)


def holds_labels(path: str) -> bool:
    """Returns True if label files lie in the folders of a project, or of its labeled-data.

    Also if they are called otherwise: whoever reads them is told.
    """
    root, _ = _place(path)
    if not files.is_folder(files.join(root, LABELED_DATA)):
        return False
    folders = frame_folders(root)
    return bool(folder_headers.label_files(folders) or folder_headers.like_them(folders))


def _place(path: str) -> tuple[str, str]:
    """The folder of a project and its config."""
    if files.suffix(path) in (".yaml", ".yml"):
        return files.parent(path), path
    table = root_tables.is_table(path) or root_tables.is_named(path)
    inside = table or files.name(path.rstrip("/")) == LABELED_DATA
    root = files.parent(path.rstrip("/")) if inside else path
    return root, files.join(root, "config.yaml")


def _of_folders(
    root: str, names: row_frames.Names, reading: Reading, problems: list[Problem]
) -> list[LabeledFrame]:
    """Frames of the tables in the folders of videos."""
    folders = frame_folders(root)
    problems += label_folders.passed_over(files.join(root, LABELED_DATA), folders)
    frames: list[LabeledFrame] = []
    for folder in folders:
        table = collected_data.find(folder, names.scorer, problems, reading)
        if table is not None:
            places = row_images.locate(table.names, table.file, problems)
            videos = {name: files.name(files.parent(image)) for name, image in places.items()}
            frames += row_frames.frames(table, names, row_frames.Images(places, videos), problems)
    return frames


def _of_root(
    choice: root_tables.Choice, names: row_frames.Names, reading: Reading, problems: list[Problem]
) -> list[LabeledFrame]:
    """Frames of tables at the root."""
    root = choice.root
    frames: list[LabeledFrame] = []
    for table in root_tables.read(choice.tables, reading, names.scorer, problems):
        places = root_tables.locate(table.names, root)
        videos = {name: root_tables.video(image, root) for name, image in places.items()}
        frames += row_frames.frames(table, names, row_frames.Images(places, videos), problems)
    return frames


def _config(file: str, problems: list[Problem]) -> tuple[dict[str, Any], str]:
    """The values of a config and its encoding."""
    if not files.exists(file):
        root = files.parent(file)
        if files.exists(root) and not files.is_folder(root):
            what = (
                "is a file, not the folder of a DeepLabCut project (a zip must be unpacked first)"
            )
            raise ValueError(f"{root} {what}.")
        hint = "" if files.exists(root) else lost_paths.meant(file.removesuffix("/config.yaml"))
        above, inside, _ = root.partition(f"/{LABELED_DATA}/")
        if files.exists(root) and inside:
            hint = f"Labels of one video alone are not read: name the project, {above}"
        more = f" {hint}." if hint else ""
        raise FileNotFoundError(f"No DeepLabCut project: {file} does not exist.{more}")
    text, encoding = project_config.read(file)
    if encoding == texts.WINDOWS:
        what = "is not UTF-8: read as Windows-1252, with the csv files of the project"
        problems.append(Problem(WARNING, file, 0, "", what))
    return yaml_files.mapping(text, file, words=True), encoding


def _names(
    config: dict[str, Any], file: str, scorer: str | None, bodyparts: list[str] | None
) -> row_frames.Names:
    scorer = scorer or str(config.get("scorer") or "")
    several = bool(config.get("multianimalproject")) or config.get("bodyparts") == MULTI
    if not several:
        chosen = bodyparts or _listed(config, "bodyparts", file)
        known = config.get("bodyparts")
        all_of = tuple(map(str, known)) if isinstance(known, list) else tuple(chosen)
        return row_frames.Names(scorer, (INDIVIDUAL,), tuple(chosen), (), several, all_of)
    individuals = _listed(config, "individuals", file)
    if SINGLE in individuals:
        raise ValueError(
            f"{file} names an individual {SINGLE!r}, which is what unique bodyparts belong to: "
            "rename it, in the label files too."
        )
    unique = _listed(config, "uniquebodyparts", file) if config.get("uniquebodyparts") else []
    # A scene without animals has bodyparts of its own alone.
    alone = bool(unique) and config.get("multianimalbodyparts") in (None, [])
    common = [] if alone else _listed(config, "multianimalbodyparts", file)
    both = sorted(set(common) & set(unique))
    if both:
        raise ValueError(f"{file}: {both[0]!r} is both a unique bodypart and one of every animal.")
    chosen = bodyparts or [*common, *unique]
    of_scene = tuple(name for name in chosen if name in unique)
    slots = (*individuals, SINGLE) if of_scene else tuple(individuals)
    if set(chosen) <= set(unique):
        slots = (SINGLE,)
    return row_frames.Names(scorer, slots, tuple(chosen), of_scene, several, (*common, *unique))


def _listed(config: dict[str, Any], key: str, file: str) -> list[str]:
    names = config.get(key)
    if names is None and "camera_names" in config:
        raise ValueError(
            f"{file} is of a DeepLabCut project in 3D, which has no labels of its own: name the "
            "project of each camera (config_file_…). `beampose triangulate` puts views together."
        )
    if not isinstance(names, list) or not names:
        why = ""
        if config.get("bodyparts") == MULTI and not config.get("multianimalproject"):
            why = (
                f" `bodyparts: {MULTI}` stands for a project of several animals: of one animal "
                "list its bodyparts there."
            )
        raise ValueError(f"{file} must list {key}. Received: {names!r}.{why}")
    for name in names:
        # An empty line of a YAML list is null, and would become the name None.
        if name is None or isinstance(name, (dict, list)):
            raise ValueError(f"{file}: {key} must be names, one an entry. Received: {name!r}.")
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        what = "an individual" if key == "individuals" else "a bodypart"
        raise ValueError(f"{file} names {what} twice: {', '.join(names)}.")
    return names


def frame_folders(root: str) -> list[str]:
    """Folders of labeled frames; those that hold drawings alone are none.

    Raises:
      FileNotFoundError: there is no labeled-data.
    """
    labeled = files.join(root, LABELED_DATA)
    if not files.is_folder(labeled):
        there = files.children(root) if files.is_folder(root) else []
        if meant := [one for one in map(files.name, there) if one.lower() == LABELED_DATA]:
            raise FileNotFoundError(
                f"{labeled} does not exist, but {meant[0]}, another folder here: rename it."
            )
        raise FileNotFoundError(
            f"{labeled} does not exist: the project has no labeled frames. `beampose "
            "extract-frames` chooses frames to label, `import-labels` imports labels."
        )
    return [
        child
        for child in files.children(labeled)
        if files.is_folder(child)
        and not files.name(child).startswith(".")
        and not system_folders.is_one(child)
        and not label_folders.is_of_drawings(child)
    ]


def _hidden(root: str) -> list[Problem]:
    """Says which folders with labels are not read since their names begin with a dot."""
    what = "hidden folders are not read, and it holds labels: rename it, in its label files too"
    return [
        Problem(WARNING, child, 0, "", what)
        for child in files.children(files.join(root, LABELED_DATA))
        if files.name(child).startswith(".")
        and files.is_folder(child)
        and any(files.name(one).startswith("CollectedData") for one in files.children(child))
    ]


def _edges(
    config: dict[str, Any], bodyparts: tuple[str, ...], root: str, problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    edges, told = [], config.get("skeleton") or []
    if not isinstance(told, list):
        what = (
            f"skeleton must be a list of pairs of bodyparts, not {str(told)[:50]!r}; none is drawn"
        )
        problems.append(Problem(WARNING, f"{root}/config.yaml", 0, "", what))
        return ()
    for pair in told:
        if isinstance(pair, list) and len(pair) == 2 and set(map(str, pair)) <= set(bodyparts):
            edges.append((str(pair[0]), str(pair[1])))
        else:
            what = f"skeleton edge {pair!r} must be a pair of bodyparts; it is not drawn"
            problems.append(Problem(WARNING, f"{root}/config.yaml", 0, "", what))
    return tuple(edges)
