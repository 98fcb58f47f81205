"""Images of the rows of a CollectedData file: beside it, else where the paths of the rows say."""

from collections.abc import Sequence

from beampose.core import files
from beampose.core.wording import agreed, counted
from beampose.formats import named_files
from beampose.preprocess import images
from beampose.preprocess.labels import WARNING, Problem


def locate(names: Sequence[str], file: str, problems: list[Problem]) -> dict[str, str]:
    """Images by the names of rows; a name that leads out of the project, or nowhere, has none.

    An image beside the label file is meant whatever its row says of folders: projects are renamed
    and put together. Of one that is not there the last parts of the path decide, and never the name
    alone. What is not as the paths say is told.
    """
    folder = files.parent(file)
    beside = {files.name(child) for child in files.children(folder)}
    own = {name: parts for name in names if (parts := _parts(name))}
    found = {
        name: files.join(folder, parts[-1])
        for name, parts in own.items()
        # Of a path out of the project only an image that is there is meant.
        if parts[-1] in beside or not _is_whole(name)
    }
    lost = [name for name, parts in own.items() if parts[-1] not in beside and len(parts) > 1]
    above = files.parent(folder)
    places = named_files.locate(lost, [above, files.parent(above)], images.SUFFIXES)
    elsewhere = {}
    for name in lost:
        path = places[name].path
        if path and files.name(files.parent(path)) == own[name][-2]:
            elsewhere[name] = path
    respelled = [name for name, path in elsewhere.items() if files.name(path) != own[name][-1]]
    away = [name for name in elsewhere if name not in respelled]
    for some, told in ((away, "not beside it but in the folders of their rows"), (respelled, "")):
        if some:
            name = files.name(elsewhere[some[0]])
            told = told or f"there under a name that is spelled otherwise, such as {name!r}"
            what = f"{counted(len(some), 'image')} {agreed(len(some), 'are')} {told}"
            problems.append(Problem(WARNING, file, 0, some[0], f"{what}; those are read"))
    others = {parts[-2] for parts in own.values() if len(parts) > 1 and parts[-1] in beside}
    for other in sorted(others - {files.name(folder), ""}):
        if files.is_folder(files.join(above, other)):
            what = f"its rows say the folder {other}, which is there too; the images beside it are"
            problems.append(Problem(WARNING, file, 0, "", f"{what} read"))
    return {**found, **elsewhere}


def _parts(name: str) -> list[str]:
    """Parts of the path of a row; of an absolute one those that may be below the project."""
    if ".." in name.replace("\\", "/").split("/"):
        return []
    if _is_whole(name):
        return named_files.parts(name, images.SUFFIXES)
    try:
        return list(files.parts(name))
    except ValueError:
        return []


def _is_whole(name: str) -> bool:
    return files.is_absolute(name) or name.startswith(("\\", "/"))
