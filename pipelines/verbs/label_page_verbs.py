"""The verb that opens the page on which people label."""

import argparse
import contextlib
import sys
import webbrowser
from typing import TYPE_CHECKING

from beampose.core import files, yaml_files
from beampose.preprocess import videos

if TYPE_CHECKING:
    from beampose.pipelines.label.label_session import LabelSession
    from beampose.pipelines.label.learner import Learner


def label(arguments: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C."""
    from beampose.pipelines.label import address_book, gate, listening, server
    from beampose.pipelines.label.desk import Desk
    from beampose.pipelines.label.label_session import LabelSession

    root, config = _project(arguments)
    session = LabelSession(root)
    for line in dict.fromkeys(session.notes):
        print(f"NOTE {line}")
    if session.lock.why:
        print(f"NOTE read-only: {session.lock.why}")
    known = address_book.of(root)
    bound = _listening(arguments, known.port)
    host, port = bound.getsockname()[:2]
    if not session.lock.why:
        address_book.keep(root, known._replace(port=port))
    desk = Desk(session, _learner(arguments, session), config)
    try:
        address = listening.address(host, port, known.token)
        print(f"label: {len(session.frames)} frames of {root}\n{address}", flush=True)
        if host not in ("127.0.0.1", "::1"):
            print(f"NOTE whoever knows this address and reaches {host} can label, too.", flush=True)
        if not arguments.no_browser and sys.stdout.isatty():
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(address)
        hosts = gate.allowed_hosts(arguments.host)
        listening.serve(server.application(desk, known.token, hosts), bound)
    finally:
        desk.close()
    return 0


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
    if files.suffix(first) in videos.SUFFIXES:
        root = files.absolute(arguments.to or new_project.default_folder(first))
        lost = new_project.make(
            [files.absolute(film) for film in arguments.targets],
            root,
            arguments.bodyparts or [],
            individuals=arguments.individuals or [],
            scorer=arguments.scorer,
            count=arguments.count,
            progress=arguments.progress,
        )
        for line in lost:
            print(f"FAILED {line}")
        return root, _experiment(root)
    _check_project_only(arguments, others)
    if not files.exists(first):
        raise FileNotFoundError(f"No file or folder {first}.")
    if files.suffix(first) not in (".yaml", ".yml"):
        return files.absolute(first), _experiment(first)
    if "source" not in (yaml_files.read(first, "an experiment or a project's config") or {}):
        return files.absolute(files.parent(files.absolute(first))), _experiment(files.parent(first))
    return _of_experiment(first), files.absolute(first)


def _check_project_only(arguments: argparse.Namespace, others: list[str]) -> None:
    if others:
        raise ValueError(
            "Label one project at a time, or name films alone, which make a project. Received: "
            f"{', '.join(arguments.targets)}."
        )
    for option in ("bodyparts", "individuals", "to", "scorer"):
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
