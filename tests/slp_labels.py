"""Labels of SLEAP for the tests of its reader."""

import fake_labels
import fakes
import h5py

FILM = {"backend": {"filename": "/Users/someone/films/film.mp4", "shape": [40, 48, 80, 1]}}
A, B, C = fakes.points()
USER, PREDICTED = 0, 1


def write(folder, frames, **options):
    options = {"videos": [FILM], **options}
    return str(fake_labels.slp(folder / "labels.slp", frames, **options))


def whats(labels):
    return [problem.what for problem in labels.problems]


def spoil(path, name, make):
    with h5py.File(path, "a") as file:
        del file[name]
        make(file)
