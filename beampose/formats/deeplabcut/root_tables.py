"""Projects whose labels lie in tables at their root, as Lightning Pose keeps them.

`CollectedData.csv`, or one for each view (`CollectedData_top.csv`), stands beside `labeled-data`
and is laid out as DeepLabCut's label files are. Rows name images by paths from the root. Without a
config.yaml the names of bodyparts and of the scorer are those of the headers.
"""

from typing import Any

from beampose.core import files
from beampose.formats import named_files
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.collected_data import Reading, Table
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, WARNING, Problem

LABELED_DATA = "labeled-data"
_BEGINNING = "CollectedData"
_MOST = 20_000


def find(path: str) -> list[str]:
    """The tables at the root of a project, or the one that a path names.

    None where the folders of videos hold labels: those at the root are then another copy.
    """
    root = files.parent(path) if is_table(path) else path
    above = files.join(root, LABELED_DATA)
    if not files.is_folder(above):
        return []
    if root != path:
        return [path] if files.exists(path) else []
    found = [child for child in files.children(root) if is_table(child)]
    return [] if found and any(map(_is_label_file, files.below(above, 2, _MOST))) else found


def is_table(file: str) -> bool:
    return _is_label_file(file) and files.suffix(file) == ".csv"


def _is_label_file(file: str) -> bool:
    return files.name(file).startswith(_BEGINNING) and files.suffix(file) in (".csv", ".h5")


def config(tables: list[str], scorer: str, problems: list[Problem]) -> dict[str, Any]:
    """What a config.yaml would say: the names of the headers.

    Raises:
      ValueError: no table can be read.
    """
    wrong: list[Problem] = []
    found = read(tables, Reading(several=False), scorer, wrong)
    named = [column for table in found for column in table.columns if any(column)]
    if not named:
        raise ValueError(f"{wrong[0].file}: {wrong[0].what}" if wrong else f"{tables[0]} is empty.")
    what = (
        "has no config.yaml: read as a project of Lightning Pose, with the bodyparts of "
        f"{', '.join(map(files.name, tables))}; source.path may name one table alone"
    )
    problems.append(Problem(WARNING, files.parent(tables[0]), 0, "", what))
    return {
        "scorer": next((column.scorer for column in named if column.scorer), ""),
        "bodyparts": [*dict.fromkeys(column.bodypart for column in named)],
    }


def read(tables: list[str], reading: Reading, scorer: str, problems: list[Problem]) -> list[Table]:
    """The columns of a scorer in some tables; "" for the first that each has.

    What cannot be read is a problem.
    """
    found = []
    for file in tables:
        try:
            table, wrong = collected_data.read(file, several=reading.several)
        except ValueError as error:
            problems.append(Problem(ERROR, file, 0, "", str(error).removeprefix(f"{file}: ")))
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
