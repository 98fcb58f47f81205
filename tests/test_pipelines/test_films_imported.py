"""Imported frames lie by the film they were taken from, whatever films are called."""

import shutil
from pathlib import Path

import fake_labels
import fakes
import pytest
import yaml

from beampose.core import files, fingerprints
from beampose.formats.sleap import slp_reader
from beampose.pipelines import cli
from beampose.pipelines.curation.project_films import ProjectFilms
from beampose.preprocess.film_paths import FilmPath


def suffixed(path):
    return f"{files.stem(path)}-{fingerprints.of_file(path)[:8]}"


def test_imported_frames_of_two_films_of_one_name_stay_apart(tmp_path):
    paths = []
    for i, day in enumerate(("day1", "day2")):
        (tmp_path / day).mkdir()
        paths.append(fakes.video(tmp_path / day / "trial.mp4", "mpeg4", 6 + i))
        frames = [(0, 2 + i, [(0, -1, fakes.points()[0])])]
        fake_labels.slp(tmp_path / day / "l.slp", frames, videos=[{"filename": paths[i]}])
    root = tmp_path / "p"
    for _ in range(2):
        for day in ("day1", "day2"):
            words = ["import-labels", str(tmp_path / day / "l.slp"), "--to", str(root)]
            assert cli.main([*words, "--scorer", "me"]) == 0
    own = suffixed(paths[1])
    images = sorted(p.relative_to(root / "labeled-data") for p in root.rglob("*.png"))
    assert {str(image) for image in images} == {f"{own}/img0003.png", "trial/img0002.png"}
    (owner,) = ProjectFilms(str(root)).owners(own)
    assert (owner.video, owner.fingerprint) == (paths[1], fingerprints.of_file(paths[1]))
    assert f"{root}/videos/{own}.mp4:" in (root / "config.yaml").read_text()
    assert (root / f"videos/{own}.mp4").samefile(paths[1])
    # The frames that are chosen next go to where the labels are.
    words = ["--to", str(root), "--method", "uniform", "--count", "3"]
    assert cli.main(["extract-frames", paths[1], *words]) == 0
    assert len([*(root / "labeled-data" / own).glob("*.png")]) == 3


def package(file, number, film, length=0):
    """A SLEAP package of one frame of a film."""
    frames = [(0, number, [(0, -1, fakes.points()[0])])]
    told = {"backend": {"filename": ".", "dataset": "video0/video"}}
    fake_labels.slp(file, frames, videos=[told])
    data = fakes.encode(fakes.pixels(number))
    fake_labels.embed(file, [data], [number], "RGB", film=film, length=length)
    return str(file)


def imported(root, file, capsys):
    """Images of the project's folders after an import of labels."""
    assert cli.main(["import-labels", str(file), "--to", str(root), "--scorer", "me"]) == 0
    capsys.readouterr()
    found: dict[str, list[int]] = {}
    for image in sorted(root.glob("labeled-data/*/*.png")):
        found.setdefault(image.parent.name, []).append(int(image.stem[3:]))
    return found


@pytest.mark.parametrize(
    ("told", "again"),
    [
        (("/lab/day1/trial.mp4", "/lab/day2/trial.mp4"), "/lab/x/../day2//trial.mp4"),
        (("C:\\lab\\day1\\trial.mp4", "C:\\lab\\day2\\trial.mp4"), "c:/Lab/day2/trial.mp4"),
        (("/lab/trial_labeled.mp4", "/x/trial_labeled.mp4"), "/x/trial_labeled.mp4"),
    ],
)
def test_packages_of_two_films_of_one_name_stay_apart_where_the_films_are_not(
    tmp_path, capsys, caplog, told, again
):
    root = tmp_path / "p"
    (first,) = imported(root, package(tmp_path / "a.pkg.slp", 3, told[0]), capsys)
    assert not caplog.text
    found = imported(root, package(tmp_path / "b.pkg.slp", 3, told[1]), capsys)
    (own,) = {*found} - {first}
    assert f"belongs to another film of that name, {told[0]}; this one is called" in caplog.text
    assert found == {first: [3], own: [3]}
    caplog.clear()
    assert imported(root, tmp_path / "a.pkg.slp", capsys) == found
    found = imported(root, package(tmp_path / "c.pkg.slp", 5, again), capsys)
    assert found == {first: [3], own: [3, 5]}
    assert not caplog.text


def test_packages_go_where_the_frames_of_their_films_are(tmp_path, capsys, caplog):
    films = []
    for i, day in enumerate(("day1", "day2")):
        (tmp_path / day).mkdir()
        films.append(fakes.video(tmp_path / day / "trial.mp4", "mpeg4", 6 + i))
    frames = [(0, 2, [(0, -1, fakes.points()[0])])]
    plain = fake_labels.slp(tmp_path / "l.slp", frames, videos=[{"filename": films[0]}])
    root, own = tmp_path / "p", suffixed(films[1])
    assert imported(root, plain, capsys) == {"trial": [2]}
    other = package(tmp_path / "b.pkg.slp", 2, films[1])
    assert imported(root, other, capsys) == {"trial": [2], own: [2]}
    assert f"{root}/videos/{own}.mp4:" in (root / "config.yaml").read_text()
    assert (root / f"videos/{own}.mp4").samefile(films[1])
    # A path below a folder that moved with the package, and films that are not there any more.
    caplog.clear()
    moved = package(tmp_path / "c.pkg.slp", 3, "D:\\old\\day1\\trial.mp4", length=6)
    assert imported(root, moved, capsys) == {"trial": [2, 3], own: [2]}
    for film in films:
        Path(film).unlink()
    gone = package(tmp_path / "d.pkg.slp", 4, films[1])
    assert imported(root, gone, capsys) == {"trial": [2, 3], own: [2, 4]}
    assert imported(root, moved, capsys) == {"trial": [2, 3], own: [2, 4]}
    assert not caplog.text


def test_a_film_that_is_found_by_its_name_alone_or_of_another_length_is_not_that_of_a_package(
    tmp_path, capsys
):
    (tmp_path / "day1").mkdir()
    fakes.video(tmp_path / "day1/trial.mp4", "mpeg4", 6)
    for i, (told, length) in enumerate([("/x/day1/trial.mp4", 90), ("/x/day2/trial.mp4", 6)]):
        file = package(tmp_path / f"{i}.pkg.slp", 1, told, length)
        (item,) = slp_reader.read(file).items
        assert item.film == FilmPath(told, "", length)
    # Of one path, as a camera numbers films again on an empty card, the length tells.
    root = tmp_path / "p"
    imported(root, tmp_path / "0.pkg.slp", capsys)
    other = package(tmp_path / "2.pkg.slp", 1, "/x/day1/trial.mp4", 500)
    assert len(imported(root, other, capsys)) == 2


def test_a_package_goes_to_a_folder_of_which_nobody_says_the_film(tmp_path, capsys, caplog):
    (tmp_path / "p/labeled-data/trial").mkdir(parents=True)
    (tmp_path / "p/labeled-data/trial/img0001.png").write_bytes(fakes.encode(fakes.pixels(1)))
    film = "/lab/trial.mp4"
    for path, folders in ((f"{tmp_path}/p/videos/trial.mp4", 1), ("/other/trial.mp4", 2)):
        root = tmp_path / f"p{folders}"
        shutil.copytree(tmp_path / "p", root)
        path = path.replace("/p/", f"/p{folders}/")
        parts = {"bodyparts": list(fakes.BODYPARTS), "video_sets": {path: {"crop": "0, 1, 0, 1"}}}
        (root / "config.yaml").write_text(yaml.safe_dump({"scorer": "me", **parts}))
        found = imported(root, package(tmp_path / "a.pkg.slp", 3, film), capsys)
        assert len(found) == folders
    assert "was not recorded; taken to be those of this film by its name" in caplog.text


def projects_of_one_film_name(tmp_path):
    """Two DeepLabCut projects of a film called trial each, with the films."""
    found = []
    for i, lab in enumerate(("ann", "bob")):
        (tmp_path / lab).mkdir()
        film = fakes.video(tmp_path / lab / "trial.mp4", "mpeg4", 6 + i)
        sets = {"video_sets": {film: {"crop": "0, 60, 0, 40"}}}
        root = fakes.project(tmp_path / lab / "p", video="trial", config=sets)
        if i:
            for image in (root / "labeled-data/trial").glob("*.png"):
                image.write_bytes(fakes.encode(fakes.pixels(100 + i)))
        found.append((root, film))
    return found


def test_two_projects_of_one_film_name_stay_apart(tmp_path, caplog):
    (ann, _), (bob, film) = projects_of_one_film_name(tmp_path)
    to = tmp_path / "both"
    for root in (ann, bob, bob, ann):
        assert cli.main(["import-labels", str(root), "--to", str(to), "--scorer", "me"]) == 0
    own = suffixed(film)
    assert {path.name for path in (to / "labeled-data").iterdir()} == {"trial", own}
    assert "trial belongs to another film of that name" in caplog.text
    assert f"{to}/videos/{own}.mp4:" in (to / "config.yaml").read_text()


def test_films_of_two_projects_that_nobody_finds_are_mixed_and_that_is_said(tmp_path, caplog):
    (ann, first), (bob, second) = projects_of_one_film_name(tmp_path)
    for film in (first, second):
        Path(film).unlink()
    for image in [*(bob / "labeled-data/trial").iterdir()]:
        image.rename(image.with_name(image.name.replace("img", "later")))
    table = next((bob / "labeled-data/trial").glob("*.csv"))
    table.write_text(table.read_text().replace("/img", "/later"))
    to = tmp_path / "both"
    words = ["--to", str(to), "--scorer", "me"]
    assert cli.main(["import-labels", str(ann), *words]) == 0
    assert not caplog.text
    for again in (False, True):
        caplog.clear()
        assert cli.main(["import-labels", str(bob), *words]) == 0
        assert ("has frames of films called trial, too" in caplog.text) is not again
    assert len([*(to / "labeled-data/trial").glob("*.png")]) == 6
