"""Who may import whom. The arrows of the README, enforced."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"preprocess", "trainer", "pipelines"}
ALLOWED = {"preprocess": set(), "trainer": set(), "pipelines": {"preprocess", "trainer"}}
FORBIDDEN = {
    "preprocess": {"tensorflow", "keras", "apache_beam", "google"},
    "trainer": {"apache_beam", "google", "cv2", "pandas", "av", "PIL"},
    "pipelines/labeling": {"apache_beam", "google"},
    "pipelines/outputs": {"apache_beam", "tensorflow", "keras"},
    "pipelines/results": {"apache_beam", "tensorflow", "keras", "google"},
    "pipelines/review": {"apache_beam", "tensorflow", "keras"},
    "pipelines/crops/extract.py": {"apache_beam", "tensorflow", "keras"},
    "pipelines/tracking": {"apache_beam", "tensorflow", "keras"},
}
PUBLISHED = {
    "artefacts",
    "assemble",
    "backbone",
    "config",
    "curve",
    "dataset",
    "embed",
    "evaluate",
    "export",
    "folds",
    "frames",
    "metrics",
    "quiet",
    "reid",
    "reid_network",
    "scaling",
    "schema",
    "settings",
    "store",
    "sweep",
    "task",
    "train",
    "video_settings",
}
FILES = sorted(p for package in OURS for p in (ROOT / package).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Dotted names of all imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_follow_the_arrows(file):
    relative = file.relative_to(ROOT).as_posix()
    package = relative.split("/")[0]
    names = imported(file)
    tops = {name.split(".")[0] for name in names}
    assert not (tops & OURS) - ALLOWED[package] - {package}
    for place, forbidden in FORBIDDEN.items():
        if relative == place or relative.startswith(place + "/"):
            assert not tops & forbidden
    if package == "pipelines":
        of_trainer = {n.split(".")[1] for n in names if n.startswith("trainer.")}
        assert of_trainer <= PUBLISHED | {"__version__"}


def test_no_file_writes_tf_keras():
    attribute = "tf" + ".keras"
    assert not [f for f in FILES if attribute in f.read_text(encoding="utf-8")]


def test_modules_of_a_package_do_not_import_in_circles():
    edges = {}
    names = {".".join(f.relative_to(ROOT).with_suffix("").parts): f for f in FILES}
    names = {name.removesuffix(".__init__"): f for name, f in names.items()}
    for name, file in names.items():
        targets = {i if i in names else i.rpartition(".")[0] for i in top_level_imports(file)}
        edges[name] = (targets & names.keys()) - {name}

    def visit(name, path):
        assert name not in path, " -> ".join([*path, name])
        for target in edges[name]:
            visit(target, [*path, name])

    for name in edges:
        visit(name, [])


def top_level_imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
