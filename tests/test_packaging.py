"""What the two archives hold, and that the trainer's runs alone."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "pipelines/review").iterdir()
    if path.suffix in (".html", ".css")
}
BUILTIN = {"trainer/builtin/resnet_compact.md", "trainer/builtin/resnet_compact.npz"}


def modules(package):
    return {p.relative_to(ROOT).as_posix() for p in (ROOT / package).rglob("*.py")}


def contents(archive):
    """Names inside the archive's one folder, without packaging metadata."""
    with tarfile.open(archive) as tar:
        names = {m.name.partition("/")[2] for m in tar.getmembers() if m.isfile()}
    return {name for name in names if "egg-info" not in name}


@pytest.fixture(scope="module")
def trainer_archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    environment = {**os.environ, "PYTHON": sys.executable}
    script = ROOT / "scripts/package_trainer"
    subprocess.run([script, folder], check=True, env=environment, capture_output=True)
    return next(folder.glob("*.tar.gz"))


def test_the_trainer_archive_holds_the_trainer_alone(trainer_archive):
    expected = {"LICENSE", "MANIFEST.in", "PKG-INFO", "setup.cfg", "setup.py"}
    assert contents(trainer_archive) == modules("trainer") | BUILTIN | expected


def test_the_distribution_holds_three_packages_and_the_report_template(tmp_path):
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(".*", "runs", "demo", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, source, ignore=ignore)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", tmp_path, source],
        check=True,
        capture_output=True,
    )
    held = contents(next(tmp_path.glob("*.tar.gz")))
    ours = modules("trainer") | modules("preprocess") | modules("pipelines")
    ours |= BUILTIN | PAGES
    assert "pipelines/review/report.html" in PAGES
    assert ours | {"LICENSE", "README.md"} <= held
    others = {name for name in held if "/" in name} - ours
    # setuptools adds tests named test*.py at the top of tests/ by itself.
    assert {name.split("/")[0] for name in others} <= {"tests"}


def install_and_ask_for_help(archive, folder, packages, options):
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if packages:
        subprocess.run([*pip, *packages], check=True, capture_output=True)
    subprocess.run([*pip, *options, archive], check=True, capture_output=True)
    done = subprocess.run(
        [python, "-I", "-m", "beampose.trainer.task", "--help"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout
    return python


def test_the_trainer_installed_alone_answers_help(trainer_archive, tmp_path):
    needed = ["setuptools", "wheel", "pyyaml", "fsspec", "universal-pathlib"]
    options = ["--no-deps", "--no-build-isolation"]
    install_and_ask_for_help(trainer_archive, tmp_path / "clean", needed, options)


@pytest.mark.slow
def test_the_trainer_installed_with_what_it_declares_imports_everything(trainer_archive, tmp_path):
    python = install_and_ask_for_help(trainer_archive, tmp_path / "clean", [], [])
    names = sorted(Path(name).stem for name in modules("trainer") if "__init__" not in name)
    code = "import " + ", ".join(f"trainer.{name}" for name in names)
    subprocess.run([python, "-I", "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_every_third_party_import_is_declared():
    import setup

    declared = {re.split(r"[\[<>=;]", pin)[0].lower() for pin in setup.PINS.values()}
    packages = {
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
        # Of apache-beam[gcp] and google-cloud-aiplatform; imported by pipelines.cloud alone.
        "google": "google-cloud-aiplatform",
        "requests": "google-cloud-aiplatform",
    }
    found = set()
    for file in modules("trainer") | modules("preprocess") | modules("pipelines"):
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    ours = {"trainer", "preprocess", "pipelines"}
    third = {n for n in found if n not in sys.stdlib_module_names} - ours
    assert {packages.get(name, name) for name in third} <= declared
