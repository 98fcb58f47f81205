"""Labels that go into a project or a file and come back."""

import numpy as np
import pytest

from beampose import formats
from beampose.preprocess import images


def keypoints(labels):
    return np.stack([item.keypoints for item in labels.items])


def by_name(labels):
    return {item.name: item.keypoints for item in labels.items}


def files_of(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def same_pixels(one, other):
    found = {item.name: item.image for item in one.items}
    for item in other.items:
        first, second = images.load(found[item.name])[0], images.load(item.image)[0]
        np.testing.assert_array_equal(first, second)


def experiment_file(tmp_path, source, split="{by: image, test: 0.4, seed: 1}"):
    file = tmp_path / "my.yaml"
    file.write_text(f"task: pose\nsource: {source}\nsplit: {split}\noutput: out\n")
    return str(file)


def several(folder):
    """A project of several animals, or a skip where this version does not read them."""
    try:
        return formats.read("deeplabcut", str(folder))
    except ValueError as error:
        if "several animals" not in str(error):
            raise
        pytest.skip("needs the reader of projects with several animals")
