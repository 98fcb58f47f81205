"""Projects whose labels lie in tables at their root, as Lightning Pose keeps them.

`CollectedData.csv`, or one for each view (`CollectedData_top.csv`), stands beside `labeled-data`
and is laid out as DeepLabCut's label files are. Rows name images by paths from the root. Without a
config.yaml the names of bodyparts and of the scorer are those of the headers.

A config of Lightning Pose says which tables count, whatever they and the folder of images are
called. Without one all do, but for those to test on: `CollectedData_new.csv` and `_test.csv`.
"""

from typing import Any, NamedTuple

from beampose.core import files, texts
from beampose.formats import named_files
from beampose.formats.deeplabcut import collected_data, columns, folder_headers, lightning_config
from beampose.formats.deeplabcut.collected_data import Reading, Table
from beampose.formats.deeplabcut.lightning_config import Config
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, GONE, WARNING, Problem

LABELED_DATA = "labeled-data"
_BEGINNING = "collecteddata"
_TABLES = (".csv", ".h5")
_MOST = 20_000
_LONGEST_HEADER = 1 << 20
# What Lightning Pose's data sets call labels of sessions that no model is trained on.
_TO_TEST_ON = ("_new", "_test")


class Choice(NamedTuple):
    """Which tables of a project are read.

    Attributes:
      root: the project's folder.
      tables, left: those that are read, and the others at the root.
      config: the one that names them, if any does.
      wrong: why it is not known which are meant.
    """

    root: str
    tables: list[str]
    left: list[str]
    config: Config | None = None
    wrong: str = ""


def find(path: str) -> list[str]:
    """The tables at the root of a project, or those that a path names."""
    return choose(path).tables


def choose(path: str) -> Choice:
    """The tables of a project, of one of its configs, or the one that a path names.

    None where the folders of videos hold labels: those at the root are then another copy, unless
    a config of Lightning Pose names them and there is none of DeepLabCut.
    """
    if is_named(path):
        return Choice(files.parent(path), [path], [])
    if is_table(path):
        root = files.parent(path)
        there = files.is_folder(files.join(root, LABELED_DATA)) and files.exists(path)
        return Choice(root, [path] if there else [], [])
    if files.suffix(path) in (".yaml", ".yml"):
        config = lightning_config.read(path) if files.exists(path) else None
        if config:
            return _named([config], path)
        path = files.parent(path)
    if files.name(path.rstrip("/")) == LABELED_DATA:
        path = files.parent(path.rstrip("/"))
    if not files.is_folder(path):
        return Choice(path, [], [])
    found = [child for child in files.children(path) if is_table(child)]
    configs = lightning_config.beside(path)
    above = files.join(path, LABELED_DATA)
    labeled = files.is_folder(above)
    config = files.join(path, "config.yaml")
    if not configs and not (found and labeled):
        return Choice(
            path, [], [], wrong=_unnamed(path) if labeled and not files.exists(config) else ""
        )
    theirs = configs and (not files.exists(config) or config in [one.file for one in configs])
    if not theirs and labeled and any(map(_is_label_file, files.below(above, 2, _MOST))):
        return Choice(path, [], [])
    if configs:
        return _named(configs, path)
    tables = [table for table in found if not _tests(table, found)]
    return Choice(path, tables, [table for table in found if table not in tables])


def _unnamed(root: str) -> str:
    """Why a project without a config is not read whose tables are called otherwise; else empty."""
    if any(map(_is_label_file, files.below(files.join(root, LABELED_DATA), 2, _MOST))):
        return ""
    found = [files.name(child) for child in files.children(root) if is_named(child)]
    if not found:
        return ""
    listed = ", ".join(found)
    return (
        f"{root} has neither a config.yaml nor a CollectedData.csv; {listed} may hold its labels. "
        f"Let source.path name {'it' if len(found) == 1 else 'one of them'}, or a YAML file beside "
        f"with `data: {{csv_file: [{listed}]}}`, as Lightning Pose has it"
    )


def _named(configs: list[Config], path: str) -> Choice:
    """The tables that configs name, beside them or in their `data_dir` if a path names one."""
    first = configs[0]
    root = files.parent(first.file)
    places = [root]
    if path == first.file and first.folder not in ("", root):
        places.append(first.folder)
    tables = {one.file: _found(one, root) for one in configs}
    for one in configs[1:]:
        if (tables[one.file] or one.tables) != (tables[first.file] or first.tables):
            both = (f"{files.name(c.file)} {', '.join(c.tables)}" for c in (first, one))
            wrong = f"{root}: configs name different labels ({'; '.join(both)})"
            return Choice(root, [], [], first, f"{wrong}. Let source.path name one of them")
    for place in places:
        if found := _found(first, place):
            at_root = [child for child in files.children(place) if is_table(child)]
            left = [table for table in at_root if table not in found]
            return Choice(place, list(found), left, first)
    wrong = (
        f"{first.file} names as labels {', '.join(first.tables)}: not found in "
        f"{' or '.join(places)}. Put what is missing there, or correct its csv_file"
    )
    return Choice(root, [], [], first, wrong)


def _found(config: Config, folder: str) -> tuple[str, ...]:
    """The tables of a config in a folder; none if not all are there."""
    if not files.is_folder(folder):
        return ()
    places = named_files.locate(config.tables, [folder], _TABLES)
    found = [file for one in config.tables if (file := places[one].path)]
    return tuple(dict.fromkeys(found)) if len(found) == len(config.tables) else ()


def _tests(table: str, tables: list[str]) -> bool:
    """Whether a table holds, by its name, what models of another one are tested on."""
    stems = [files.stem(other) for other in tables if other != table]
    own = files.stem(table)
    return any(own == stem + end for stem in stems for end in _TO_TEST_ON)


def is_table(file: str) -> bool:
    return _is_label_file(file) and files.suffix(file) == ".csv"


def is_named(file: str) -> bool:
    """Whether a csv of any other name begins as label files do, without a model's likelihoods."""
    other = files.suffix(file) != ".csv" or _is_label_file(file)
    if other or not files.exists(file) or files.is_folder(file):
        return False
    with files.open_file(file) as stream:
        start = stream.read(_LONGEST_HEADER)
    if len(start) == _LONGEST_HEADER:
        start = start[: start.rfind(b"\n") + 1]
    try:
        told = collected_data.header(texts.decode(start, texts.WINDOWS)).columns
    except ValueError:
        return False
    others = ("likelihood", "z")
    return any(map(any, told)) and not any(column.coord in others for column in told)


def _is_label_file(file: str) -> bool:
    # On disks that do not tell capitals from other letters either name opens the file.
    return files.name(file).lower().startswith(_BEGINNING) and files.suffix(file) in _TABLES


def told(choice: Choice) -> list[Problem]:
    """Says which tables at the root are not read, and how they may be.

    Raises:
      ValueError: it is not known which are meant.
    """
    if choice.wrong:
        raise ValueError(f"{choice.wrong}.")
    read = ", ".join(files.name(table) for table in choice.tables)
    found = []
    for table in choice.left:
        if _tests(table, [*choice.tables, *choice.left]):
            what = (
                "is left out: it is called like what models of Lightning Pose are tested on. "
                "split.test_from may name it, or source.path"
            )
        else:
            assert choice.config
            what = f"is not read: {files.name(choice.config.file)} names {read}"
        found.append(Problem(WARNING, table, 0, "", what))
    return found


def config(choice: Choice, scorer: str, problems: list[Problem]) -> dict[str, Any]:
    """What a config.yaml would say: the names of the headers.

    Raises:
      ValueError: no table can be read.
    """
    wrong: list[Problem] = []
    every = [column for file in choice.tables for column in folder_headers.columns_of(file)]
    several = any(column.individual for column in every)
    found = read(choice.tables, Reading(several), scorer, wrong)
    named = [column for table in found for column in table.columns if any(column)]
    if not named:
        first = choice.tables[0]
        raise ValueError(f"{wrong[0].file}: {wrong[0].what}" if wrong else f"{first} is empty.")
    bodyparts = [*dict.fromkeys(column.bodypart for column in named)]
    tables = ", ".join(map(files.name, choice.tables))
    what = f"read as a project of Lightning Pose, with the bodyparts of {tables}"
    if choice.config:
        what = f"names the labels of the project: {what}"
        known = choice.config.keypoints
        if known and {*known} != {*bodyparts}:
            what += f" ({', '.join(bodyparts)}); its keypoint_names are others ({', '.join(known)})"
    elif is_named(choice.tables[0]):
        what = f"has no config.yaml: {tables} is read by its header"
    else:
        what = f"has no config.yaml: {what}; source.path may name one table alone"
    place = choice.config.file if choice.config else choice.root
    problems.append(Problem(WARNING, place, 0, "", what))
    return {
        "scorer": next((column.scorer for column in named if column.scorer), ""),
        **folder_headers.names(named),
    }


def read(tables: list[str], reading: Reading, scorer: str, problems: list[Problem]) -> list[Table]:
    """The columns of a scorer in some tables; "" for the first that each has.

    What cannot be read is a problem.
    """
    found = []
    for file in tables:
        try:
            table, wrong = collected_data.read(file, several=reading.several)
        except (ValueError, FileNotFoundError) as error:
            gone = isinstance(error, FileNotFoundError)
            what = GONE if gone else str(error).removeprefix(f"{file}: ")
            problems.append(Problem(ERROR, file, 0, "", what))
            continue
        problems += wrong
        own = scorer or next(iter(columns.scorers(table.columns)), "")
        chosen = collected_data.of_scorer(table, own, problems, reading.others)
        found += [] if chosen is None else [chosen]
    return found


def locate(names: list[str], root: str) -> dict[str, str]:
    """Images by the names of rows: at their paths from the root, else where the last parts say.

    A name that leads out of the project has none.
    """
    own = {name: found for name in names if (found := named_files.parts(name, images.SUFFIXES))}
    inside = [name for name in own if ".." not in name.replace("\\", "/").split("/")]
    places = named_files.locate(inside, [root], images.SUFFIXES)
    return {name: places[name].path or files.join(root, *own[name][-3:]) for name in inside}


def video(image: str, root: str) -> str:
    """The video of an image: its folder below `labeled-data`; of several levels all their names."""
    parts = files.parent(image)[len(root.rstrip("/")) + 1 :].split("/")
    return "_".join(parts[1:] if parts[0] == LABELED_DATA else parts) or files.name(root)
