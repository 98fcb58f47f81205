"""The verb that opens the page on which people label."""

import argparse
import contextlib
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from beampose.core import files
from beampose.core.wording import counted
from beampose.formats.deeplabcut import project_config
from beampose.preprocess import images, videos

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from beampose.core.writing_lock import WritingLock
    from beampose.pipelines.label.crop_desk import CropDesk
    from beampose.pipelines.label.label_session import LabelSession
    from beampose.pipelines.label.learner import Learner


def label(arguments: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C."""
    first = arguments.targets[0]
    if _holds_crops(first):
        return _sort(arguments, files.absolute(first))
    if _sorts_crops(first):
        return _dismiss(arguments, first)
    if arguments.classes is not None:
        raise ValueError(f"--classes has an effect only with a folder of crops. Received: {first}.")
    return _label(arguments)


def _label(arguments: argparse.Namespace) -> int:
    from beampose.pipelines.label import server
    from beampose.pipelines.label.desk import Desk
    from beampose.pipelines.label.label_session import LabelSession

    root, config = _project(arguments)
    session = LabelSession(root)
    for line in dict.fromkeys(session.notes):
        print(f"NOTE {line}")
    desk = Desk(session, _learner(arguments, session), config)
    what = f"{counted(len(session.frames), 'frame')} of {root}"
    try:
        _serve(
            arguments,
            root,
            session.lock,
            what,
            lambda token, hosts: server.application(desk, token, hosts),
        )
    finally:
        desk.close()
    return 0


def _holds_crops(target: str) -> bool:
    """Whether it is a folder with images of its own, and no project."""
    if not Path(target).is_dir() or files.exists(files.join(target, "config.yaml")):
        return False
    names = [files.name(one) for one in files.children(target)]
    # Frames with labels of bodyparts are no crops.
    if any(name.startswith("CollectedData") for name in names):
        return False
    return any(files.suffix(name) in images.SUFFIXES for name in names)


def _sorts_crops(path: str) -> bool:
    """Whether it is an experiment with crops."""
    if files.suffix(path) not in (".yaml", ".yml") or not files.exists(path):
        return False
    return project_config.values(path).get("task") == "crops"


def _sort(arguments: argparse.Namespace, folder: str) -> int:
    from beampose.pipelines.curation import crop_vectors
    from beampose.pipelines.label.crop_desk import CropDesk
    from beampose.pipelines.label.crop_marks import SortedMarks

    _check_project_only(arguments, arguments.targets[1:])
    looks = crop_vectors.of_folder(folder, arguments.progress)
    desk = CropDesk(folder, looks, SortedMarks(folder), arguments.classes or ())
    return _serve_crops(arguments, desk, f"{counted(len(looks.names), 'crop')} of {folder}")


def _dismiss(arguments: argparse.Namespace, path: str) -> int:
    """Serves places where detections recur, to be marked as repeats or animals."""
    from beampose.core.settings import experiment
    from beampose.pipelines.label import recurring
    from beampose.pipelines.label.crop_desk import CropDesk
    from beampose.pipelines.label.crop_marks import ANIMAL, REPEAT

    _check_project_only(arguments, arguments.targets[1:])
    if arguments.classes is not None:
        raise ValueError(f"--classes has an effect only with a folder of crops. Received: {path}.")
    found = recurring.of_experiment(experiment.load(path))
    folder = files.absolute(found.folder)
    kinds = (REPEAT, ANIMAL)
    desk = CropDesk(folder, found.looks, found.marks, kinds, apply=found.apply, notes=found.notes)
    return _serve_crops(arguments, desk, f"{counted(len(found.looks.names), 'place')} in {folder}")


def _serve_crops(arguments: argparse.Namespace, desk: "CropDesk", what: str) -> int:
    from beampose.pipelines.label import crop_server

    def application(token: str, hosts: "frozenset[str] | None") -> "ASGIApp":
        return crop_server.application(desk, token, hosts)

    for line in desk.notes:
        print(f"NOTE {line}")
    try:
        _serve(arguments, desk.folder, desk.lock, what, application)
    finally:
        desk.close()
    return 0


def _serve(
    arguments: argparse.Namespace,
    root: str,
    lock: "WritingLock",
    what: str,
    application: "Callable[[str, frozenset[str] | None], ASGIApp]",
) -> None:
    """Serves an application of a token and the names of this machine until Ctrl-C."""
    from beampose.pipelines.label import address_book, gate, listening

    if lock.why:
        print(f"NOTE read-only: {lock.why}")
    known = address_book.of(root)
    bound = _listening(arguments, known.port)
    host, port = bound.getsockname()[:2]
    if not lock.why:
        address_book.keep(root, known._replace(port=port))
    if arguments.port is None and known.port not in (0, port):
        print(
            f"NOTE another program listens at port {known.port}, where this page was before. If "
            "it is still open there, with changes that are not saved: stop that program, and "
            f"start again with --port {known.port}."
        )
    address = listening.address(host, port, known.token)
    print(f"label: {what}\n{address}", flush=True)
    if host not in ("127.0.0.1", "::1"):
        print(f"NOTE whoever knows this address and reaches {host} can label, too.", flush=True)
    if not arguments.no_browser and sys.stdout.isatty():
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(address)
    listening.serve(application(known.token, gate.allowed_hosts(arguments.host)), bound)


def _listening(arguments: argparse.Namespace, before: int):
    """A socket on the port that is asked for, else the one of before, else a free one."""
    from beampose.pipelines.label import listening

    if arguments.port is not None or not before:
        return listening.bind(arguments.host, arguments.port or 0)
    try:
        return listening.bind(arguments.host, before)
    except OSError:
        return listening.bind(arguments.host, 0)


def _learner(arguments: argparse.Namespace, session: "LabelSession") -> "Learner":
    from beampose.pipelines.label.learner import NoLearner
    from beampose.pipelines.label.learning_process import LearningProcess

    if arguments.no_model:
        return NoLearner("No model learns: started with --no-model.")
    return LearningProcess(session.names, session.edges)


def _project(arguments: argparse.Namespace) -> tuple[str, str]:
    """The project's folder, and its experiment, which may be empty.

    Raises:
      FileNotFoundError: what is named is not there.
      ValueError: it is nothing to be labeled, or several projects.
    """
    from beampose.pipelines.label import new_project

    first, *others = arguments.targets
    if videos.is_video(first):
        root = files.absolute(arguments.to or new_project.default_folder(first))
        lost = new_project.make(
            [files.absolute(film) for film in arguments.targets],
            root,
            arguments.bodyparts or [],
            individuals=arguments.individuals or [],
            scorer=arguments.scorer,
            count=arguments.count or new_project.FIRST,
            progress=arguments.progress,
        )
        for line in lost:
            print(f"FAILED {line}")
        return root, _experiment(root)
    _check_project_only(arguments, others)
    files.require(first, "file or folder")
    if files.suffix(first) not in (".yaml", ".yml"):
        return files.absolute(first), _experiment(first)
    if "source" not in project_config.values(first):
        return files.absolute(files.parent(files.absolute(first))), _experiment(files.parent(first))
    return _of_experiment(first), files.absolute(first)


def _check_project_only(arguments: argparse.Namespace, others: list[str]) -> None:
    if others:
        raise ValueError(
            "Label one project at a time, or name films alone, which make a project. Received: "
            f"{', '.join(arguments.targets)}."
        )
    for option in ("bodyparts", "individuals", "to", "scorer", "count"):
        if getattr(arguments, option) is not None:
            raise ValueError(
                f"--{option} has an effect only with films, of which a project is made."
            )


def _of_experiment(path: str) -> str:
    from beampose.core.settings import experiment

    told = experiment.load(path).source
    if told.format != "deeplabcut":
        raise ValueError(
            f"{path} reads labels of the format {told.format}: `beampose import-labels "
            f"{told.path} --to FOLDER` makes a DeepLabCut project of them, which can be labeled."
        )
    return told.path


def _experiment(root: str) -> str:
    from beampose.pipelines.label import new_project

    file = files.join(files.absolute(root), new_project.EXPERIMENT)
    return file if files.exists(file) else ""
