"""Allowed imports, held over whole chains."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Where the modules of the checkout stand, and how they are imported.
FOLDERS = {
    "beampose": "beampose",
    "preprocess": "beampose.preprocess",
    "trainer": "beampose.trainer",
    "pipelines": "beampose.pipelines",
}
# Each part, and the parts it may import; what stands directly in `beampose` may import all.
PARTS = {
    "core": set(),
    "preprocess": {"core"},
    "formats": {"core", "preprocess"},
    "trainer": {"core"},
    "pipelines": {"core", "preprocess", "formats", "trainer"},
    "public": {"core", "preprocess", "formats", "trainer", "pipelines"},
}
# Each folder of pipelines, or module that stands directly there, and the others it may import.
GROUND = {
    "beam_options",
    "beam_runner",
    "film_names",
    "gathered",
    "inputs",
    "item_files",
    "item_source",
    "manifest",
    "outcome",
    "search_spec",
    "still_sets",
}
NAMED = {"film_names", "manifest", "still_sets"}
RESULTS = {"results"}
TRACKING = {"tracking", *RESULTS}
FILMS = {"films", *TRACKING}
PREDICT = {"predict", *FILMS}
REPORT = {"report", *FILMS}
PIPELINES = {
    "beam_runner": {"causes"},
    "causes": set(),
    "beam_options": {"beam_runner"},
    "datasets": set(),
    "film_names": set(),
    "gathered": set(),
    "inputs": {"still_sets"},
    "item_files": set(),
    "item_source": {"item_files"},
    "manifest": set(),
    "outcome": set(),
    "search_spec": set(),
    "still_sets": {"manifest"},
    "features": GROUND,
    "results": NAMED,
    "tracking": {"manifest", *RESULTS},
    "films": {*NAMED, *TRACKING},
    "predict": {*GROUND, *FILMS},
    "report": {"film_names", *FILMS},
    "space": {*NAMED, *FILMS, *REPORT},
    "curation": {*NAMED, *PREDICT, *REPORT, "space"},
    "label": {*NAMED, *PREDICT, "curation", "space"},
    "planning": {"features", "manifest", "still_sets"},
    "cloud": {*GROUND, *PREDICT, *REPORT, "features", "planning", "causes"},
    "exports": {"outcome"},
    "outcomes": {"outcome", "still_sets", *PREDICT, *REPORT, "features", "space"},
    "verbs": {
        *GROUND,
        *PREDICT,
        *REPORT,
        "cloud",
        "curation",
        "datasets",
        "exports",
        "features",
        "label",
        "outcomes",
        "planning",
        "space",
    },
    "cli": {"causes", "verbs"},
}
# A program of its own, which calls the command line as a shell would.
PROGRAMS = {"beampose.pipelines.cloud.flex_template"}
BEAM = {"apache_beam", "tensorflow_transform", "tfx_bsl"}
TENSORFLOW = {"tensorflow", "keras", "tensorboard"}
# What only looks, reads or writes: neither TensorFlow nor Beam, however far away.
LIGHT = (
    "beampose.core",
    "beampose.preprocess",
    "beampose.formats",
    "beampose.pipelines.film_names",
    "beampose.pipelines.films",
    "beampose.pipelines.manifest",
    "beampose.pipelines.report",
    "beampose.pipelines.results",
    "beampose.pipelines.space",
    "beampose.pipelines.still_sets",
    "beampose.pipelines.tracking",
    "beampose.trainer.assemble",
    "beampose.trainer.calibrate",
    "beampose.trainer.dataset",
    "beampose.trainer.feature_store",
    "beampose.trainer.grouping",
    "beampose.trainer.matching",
    "beampose.trainer.metrics",
    "beampose.trainer.outcomes",
    "beampose.trainer.scaling",
    "beampose.trainer.schema",
)
# Trains a network that tells animals apart, once it is called.
TRAINS = {"beampose.pipelines.tracking.reidentify"}


def inside(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in folders)


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for folder, package in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = file
    return found


def imports(node: ast.AST, late: bool = False):
    """Names that are imported, and whether that waits for a call; types alone do not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.module and not child.level, "imports are absolute"
            yield from ((f"{child.module}.{alias.name}", late) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        else:
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports(child, late or function)


@functools.cache
def graph(late: bool) -> dict[str, set[str]]:
    """Imports of each module: our modules, and the others by their first name.

    Args:
      late: whether imports inside functions count too.
    """
    found = {}
    for name, file in modules().items():
        targets = set()
        for target, waits in imports(ast.parse(file.read_text(encoding="utf-8"))):
            if waits and not late:
                continue
            if not target.startswith("beampose."):
                targets.add(target.split(".")[0])
                targets.add(".".join(target.split(".")[:2]))
            elif target in modules() or target.rpartition(".")[0] in modules():
                targets.add(target if target in modules() else target.rpartition(".")[0])
        found[name] = targets - {name}
    return found


def chain(start: str, forbidden: set[str], *, late: bool) -> str:
    """The shortest chain of imports from a module to something forbidden, or nothing."""
    paths = {start: [start]}
    for name in (waiting := [start]):
        for target in sorted(graph(late).get(name, ())):
            if target not in paths:
                paths[target] = [*paths[name], target]
                waiting.append(target)
            if target in forbidden:
                return " > ".join(paths[target])
    return ""


def chains(names, forbidden: set[str], *, late: bool) -> list[str]:
    return [found for name in names if (found := chain(name, forbidden, late=late))]


def part(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def test_parts_import_only_what_lies_below_them():
    wrong = [
        f"{name} > {target}"
        for name, targets in graph(late=True).items()
        for target in targets & modules().keys()
        if part(name) in PARTS and part(target) not in (part(name), *PARTS[part(name)])
        if target != "beampose"
    ]
    assert not wrong


def test_folders_of_pipelines_import_only_what_lies_below_them():
    wrong = []
    for name, targets in graph(late=True).items():
        if part(name) != "pipelines" or name.count(".") < 2 or name in PROGRAMS:
            continue
        folder = name.split(".")[2]
        for target in targets:
            if target.startswith("beampose.pipelines."):
                there = target.split(".")[2]
                if there != folder and there not in PIPELINES[folder]:
                    wrong.append(f"{name} > {target}")
    assert not wrong


def test_the_allowed_arrows_make_no_circle():
    tuple(graphlib.TopologicalSorter(PARTS).static_order())
    tuple(graphlib.TopologicalSorter(PIPELINES).static_order())


@pytest.mark.parametrize("late", [False, True])
def test_modules_do_not_import_in_circles(late):
    ours = {name: targets & modules().keys() for name, targets in graph(late).items()}
    for name in PROGRAMS:
        ours[name] = set()
    tuple(graphlib.TopologicalSorter(ours).static_order())


def test_what_only_looks_reaches_neither_tensorflow_nor_beam():
    names = [name for name in modules() if inside(name, LIGHT) and name not in TRAINS]
    assert len(names) > 100
    assert not chains(names, TENSORFLOW | BEAM, late=True)


def test_curation_needs_no_beam_and_tensorflow_only_where_a_network_runs():
    names = [name for name in modules() if inside(name, ("beampose.pipelines.curation",))]
    assert not chains(names, BEAM, late=True)
    light = set(names) - {"beampose.pipelines.curation.label_evidence"}
    assert not chains([*light, *TRAINS], TENSORFLOW, late=False)


def test_the_trainer_needs_nothing_of_the_workers():
    names = [name for name in modules() if inside(name, ("beampose.trainer",))]
    forbidden = {"apache_beam", "google.cloud", "cv2", "pandas", "av", "PIL"}
    assert not chains(names, forbidden, late=True)


def test_a_chain_is_found_through_imports_in_functions():
    assert chain("beampose.trainer.evaluation", {"keras"}, late=True)
    assert not chain("beampose.trainer.schema", {"keras"}, late=True)


def names_a_task(node: ast.AST) -> bool:
    match node:
        case ast.Name(id="task") | ast.Attribute(attr="task"):
            return True
        case ast.Subscript(slice=ast.Constant(value="task")):
            return True
    return False


def holds_words(node: ast.AST) -> bool:
    found = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in found)


def asks_for_a_task(text: str) -> bool:
    """Whether a task is compared with words, by `==`, `in` or `match`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(names_a_task, sides)) and any(
                holds_words(side) for side in sides if not names_a_task(side)
            ):
                return True
        elif isinstance(node, ast.Match) and names_a_task(node.subject):
            return True
    return False


def test_only_the_table_of_tasks_knows_their_names():
    texts = {name: file.read_text(encoding="utf-8") for name, file in modules().items()}
    texts.pop("beampose.core.task_kinds")
    assert not [name for name, text in texts.items() if asks_for_a_task(text)]
    pages = list(ROOT.glob("pipelines/**/templates/*.html"))
    asked = re.compile(r"\btask\b[\"'\])]* *(==|!=|in\b)")
    assert pages
    assert not [page.name for page in pages if asked.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "text", ['task == "pose"', 'info["task"] != "crops"', '"pose" == x.task', 'task in ("pose",)']
)
def test_a_question_for_a_task_is_found(text):
    assert asks_for_a_task(text)


def test_h5_files_are_read_by_one_module():
    opens = re.compile(r"h5py\.File\(|HDFStore\(|read_hdf\(|tables\.open_file\(")
    found = {
        name
        for name, file in modules().items()
        for line in file.read_text(encoding="utf-8").splitlines()
        if opens.search(line) and '"w"' not in line
    }
    assert found == {"beampose.core.h5"}


def test_no_file_writes_tf_keras():
    attribute = "tf" + ".keras"
    assert not [f for f in modules().values() if attribute in f.read_text(encoding="utf-8")]


def test_pages_and_films_are_imported_without_tensorflow_and_beam():
    names = [name for name in modules() if inside(name, LIGHT)]
    heavy = sorted(TENSORFLOW | BEAM)
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {names}]; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]", ran.stderr
