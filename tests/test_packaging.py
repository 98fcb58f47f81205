"""One import name is installed, beside whatever others install; and the trainer needs no Beam."""

import ast
import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from beampose.pipelines.cloud import code_wheel

ROOT = Path(__file__).parent.parent
setup = SimpleNamespace(**runpy.run_path(str(ROOT / "setup.py")))
FOLDERS = ("beampose", *setup.INSIDE)
NAMING_PYTHONS = ("README.md", "pyproject.toml", "scripts/environment")
# What a distribution of somebody else installs at the top level: names that were ours.
OTHERS = ("preprocess", "trainer", "pipelines")


def sources(suffix=".py"):
    """Files of the packages, as in the checkout and as they are installed."""
    files = [f for one in FOLDERS for f in (ROOT / one).rglob("*") if f.is_file()]
    files = [f.relative_to(ROOT).as_posix() for f in files if "__pycache__" not in f.parts]
    names = [f for f in files if f.endswith(suffix)]
    return {f: f if f.startswith("beampose/") else f"beampose/{f}" for f in names}


def members(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run(*words, cwd, **environment):
    """Output of a command that must succeed and knows no PYTHONPATH of ours."""
    known = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [*words], cwd=cwd, env={**known, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def built(folder, source, *what):
    command = [sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", folder, source]
    run(*command, cwd=folder)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the sdist of a fresh copy of the checkout, and the wheel made from it."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    ignore = shutil.ignore_patterns(".*", "runs", "demo", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, source, ignore=ignore, dirs_exist_ok=True)
    built(folder, source)
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    (file,) = dist.glob("*.whl")
    return file


def python_in(folder, *, libraries=True):
    """A new Python; with the libraries of this one, but nothing of ours, or with none."""
    venv.create(folder)
    python = folder / "bin/python"
    if libraries:
        # What a .pth file names is searched, but .pth files in it, such as ours, are not read.
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def pip(python, *words):
    ours = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"]
    run(*ours, "--python", python, *words, cwd=python.parent)


def test_the_wheel_holds_one_name_and_every_file_of_it(wheel):
    held = {name for name in members(wheel) if ".dist-info/" not in name}
    assert held == set(sources("").values())
    assert "beampose/py.typed" in held
    assert "beampose/pipelines/cloud/prices.yaml" in held


def test_the_sdist_holds_what_the_wheel_is_made_from(dist):
    """`build` makes the wheel from the sdist, so a file that it lacks is in neither."""
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as tar:
        held = {m.name.partition("/")[2] for m in tar.getmembers() if m.isfile()}
    assert sources("").keys() | {"LICENSE", "README.md", "setup.py"} <= held
    # setuptools adds tests named test*.py at the top of tests/ by itself.
    inside = {name.split("/")[0] for name in held if "/" in name}
    assert inside <= {*FOLDERS, "tests", "beampose.egg-info"}


def test_a_job_gets_the_same_code_in_the_same_bytes(wheel, tmp_path):
    """From a checkout, and from an installation."""
    first, again = (code_wheel.build(tmp_path / name) for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    code = {k: v for k, v in members(wheel).items() if ".dist-info/" not in k}
    assert {k: v for k, v in members(first).items() if ".dist-info/" not in k} == code

    python = python_in(tmp_path / "jobs")
    pip(python, "install", "--no-deps", wheel)
    make = "from beampose.pipelines.cloud import code_wheel; print(code_wheel.build('.'))"
    sums = set()
    for _ in range(2):
        made = tmp_path / run(python, "-I", "-c", make, cwd=tmp_path).strip()
        sums.add(hashlib.sha256(made.read_bytes()).hexdigest())
    assert len(sums) == 1
    held = members(made)
    assert code.items() <= held.items()
    metadata = next(v for k, v in members(wheel).items() if k.endswith("/METADATA"))
    assert metadata in held.values()
    pip(python, "install", "--no-deps", "--force-reinstall", made)
    assert run(python.with_name("beampose"), "--version", cwd=tmp_path).startswith("beampose ")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A wheel of somebody else, whose packages have the names that ours have in the checkout."""
    source, folder = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("dist")
    for name in OTHERS:
        (source / name).mkdir()
        (source / name / "__init__.py").write_text("raise SystemExit('theirs, not ours')\n")
    (source / "setup.py").write_text(
        f"from setuptools import setup\nsetup(name='theirs', packages={list(OTHERS)})\n"
    )
    built(folder, source, "--wheel")
    (file,) = folder.glob("*.whl")
    return file


@pytest.mark.parametrize("ours_first", [True, False])
def test_it_lives_beside_a_package_with_the_same_folders(wheel, strangers, tmp_path, ours_first):
    python = python_in(tmp_path / "beside")
    for file in (wheel, strangers) if ours_first else (strangers, wheel):
        pip(python, "install", "--no-deps", file)
    # As a project for Vertex AI has it.
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/__init__.py").write_text("raise SystemExit('the folder, not ours')\n")
    (tmp_path / "trainer/task.py").touch()

    def answers():
        version = run(python.with_name("beampose"), "--version", cwd=tmp_path)
        assert version.startswith("beampose ")
        assert "--config" in run(python, "-m", "beampose.trainer.task", "--help", cwd=tmp_path)

    answers()
    pip(python, "uninstall", "--yes", "theirs")
    answers()


def modules(wheel, package):
    """Names by which modules of a package are imported."""
    names = [name for name in members(wheel) if name.endswith(".py")]
    dotted = [
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in names
    ]
    return sorted(name for name in dotted if f"{name}.".startswith(f"{package}."))


@pytest.mark.slow
def test_the_trainer_with_what_it_declares_imports_everything_and_no_beam(wheel, tmp_path):
    python = python_in(tmp_path / "clean", libraries=False)
    pip(python, "install", f"beampose[trainer] @ {wheel.as_uri()}")
    assert "--config" in run(python, "-I", "-m", "beampose.trainer.task", "--help", cwd=tmp_path)
    names = {*modules(wheel, "beampose.trainer"), *modules(wheel, "beampose.core")}
    # Of the extra s3, and imported by its name where that is there.
    names -= {"beampose.core.s3_files"}
    run(python, "-I", "-c", f"import {', '.join(sorted(names))}", cwd=tmp_path)
    absent = "import importlib.util as u; assert not u.find_spec('apache_beam')"
    run(python, "-I", "-c", absent, cwd=tmp_path)


@pytest.mark.slow
def test_the_base_alone_checks_labels(wheel, tmp_path):
    python = python_in(tmp_path / "clean", libraries=False)
    pip(python, "install", wheel)
    run(python, "-I", "-c", "import beampose", cwd=tmp_path)
    (tmp_path / "crops.yaml").write_text(
        "task: crops\nsource: {format: crops, path: crops}\noutput: out\n"
    )
    for number, kind in enumerate(("Positive", "Negative") * 2):
        place = tmp_path / "crops" / ("Training", "Testing")[number // 2] / kind
        place.mkdir(parents=True)
        Image.new("RGB", (64, 48), (60 * number, 0, 0)).save(place / "v_1_0.png")
    run(python.with_name("beampose"), "check", "crops.yaml", cwd=tmp_path)


def test_every_third_party_import_is_declared():
    declared = {re.split(r"[\[<>=;]", pin)[0].lower() for pin in setup.PINS.values()}
    packages = {
        "ai_edge_litert": "ai-edge-litert",
        "apache_beam": "apache-beam",
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "yaml": "pyyaml",
        "tensorflow_transform": "tensorflow-transform",
        "ml_dtypes": "ml-dtypes",
        # Come with what needs them.
        "tensorflow_metadata": "tensorflow-transform",
        "tfx_bsl": "tensorflow-transform",
        "markupsafe": "jinja2",
        "upath": "universal-pathlib",
        "sleap_io": "sleap-io",
        "google_crc32c": "google-crc32c",
        # Of apache-beam[gcp] and google-cloud-aiplatform; imported by pipelines.cloud alone.
        "google": "google-cloud-aiplatform",
        "requests": "google-cloud-aiplatform",
    }
    found = set()
    for file in sources():
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    # Python 3.10 has no tomllib, and its place is taken by a package.
    known = {*sys.stdlib_module_names, "tomllib", "beampose"}
    third = found - known
    assert {packages.get(name, name) for name in third} <= declared


def test_all_files_name_the_same_pythons():
    versions = [f"3.{minor}" for minor in setup.PYTHONS]
    text = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMING_PYTHONS}
    assert f'PYTHONS="{" ".join(versions)}"' in text["scripts/environment"]
    assert f"Python {', '.join(versions[:-1])} or {versions[-1]}" in text["README.md"]
    first = versions[0]
    assert f'target-version = "py{first.replace(".", "")}"' in text["pyproject.toml"]
    assert f'pythonVersion = "{first}"' in text["pyproject.toml"]


def test_scripts_in_python_are_linted_though_their_names_do_not_say_so():
    files = [file for file in (ROOT / "scripts").rglob("*") if file.is_file() and not file.suffix]
    first = {str(file.relative_to(ROOT)): file.read_bytes().partition(b"\n")[0] for file in files}
    python = {name for name, line in first.items() if line.startswith(b"#!") and b"python" in line}
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert python and {name for name in python if f'"{name}"' not in listed} == set()


def test_the_conda_recipe_has_the_pins_of_setup():
    text = runpy.run_path(str(ROOT / "scripts/conda_recipe"))["text"]()
    recipe = (ROOT / "scripts/conda/meta.yaml").read_text(encoding="utf-8")
    assert recipe == text, "Run scripts/conda_recipe."
    for pin in {*setup.LABELS, *setup.PREDICT} - {setup.PINS["tensorflow"]}:
        assert pin.partition(";")[0].partition(">=")[2] in recipe
    assert "apache-beam" not in recipe
