"""Libraries are used by what they promise; what is not promised is listed, with its version."""

import ast
import re
import runpy
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent
setup = SimpleNamespace(**runpy.run_path(str(ROOT / "setup.py")))
# Modules that their library does not document: the version that each use was checked with.
# With another one, read the file's use of it again, run its tests, and write the version here.
CHECKED = {
    # trainer/export.py: freezes the variables of a DeepMeerkat graph, and reads tensor names.
    "tensorflow.python": ("tensorflow", "2.21"),
    "tensorflow.core": ("tensorflow", "2.21"),
    # pipelines/features/analyze.py: tensors to the Arrow batches that tensorflow-transform takes.
    "tfx_bsl": ("tfx-bsl", "1.21"),
}
# Hooks that a library documents under a private name.
DOCUMENTED = {"_add_argparse_args", "_replace", "_asdict", "_fields"}
FILES = [f for one in ("beampose", *setup.INSIDE) for f in sorted((ROOT / one).rglob("*.py"))]


def imported(tree):
    """(name in the file, module) of every import of a library."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield one.asname or one.name.partition(".")[0], one.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def libraries(tree):
    return {
        name: module
        for name, module in imported(tree)
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "beampose"}
    }


@pytest.mark.parametrize("prefix", CHECKED)
def test_an_undocumented_module_is_of_the_version_it_was_checked_with(prefix):
    package, version = CHECKED[prefix]
    found = metadata.version(package)
    assert found.startswith(f"{version}."), f"{package} {found}: check what uses {prefix}"


def test_no_other_internals_are_used():
    private = ("tensorflow.python", "tensorflow.core", "keras.src", "tfx_bsl", "numpy.core")
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known = libraries(tree)
        for module in known.values():
            used = [p for p in private if f"{module}.".startswith(f"{p}.")]
            assert set(used) <= CHECKED.keys(), f"{file}: {module}"
            assert not any(part.startswith("_") for part in module.split(".")), f"{file}: {module}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
                top = node.value
                while isinstance(top, ast.Attribute):
                    top = top.value
                ours = not isinstance(top, ast.Name) or top.id not in known
                assert ours or node.attr in DOCUMENTED, f"{file}:{node.lineno}: {node.attr}"
