"""A film is what is in it: whose results, frames and crops are whose, whatever films are called."""

import json
import logging
from pathlib import Path

import fake_infos
import fake_labels
import fakes
import pytest

from beampose.core import artefacts, files, fingerprints, storage
from beampose.core.names import INFO
from beampose.core.settings import experiment
from beampose.pipelines import cli, film_names
from beampose.pipelines.curation.crop_extraction import CropFilms
from beampose.pipelines.curation.project_films import ProjectFilms
from beampose.pipelines.film_names import Film, Owner
from beampose.pipelines.outcomes import video_outcomes
from beampose.pipelines.results.result_names import Predictions
from beampose.pipelines.tracking import identity_labels

SCORER = "DLC_beampose-x_spotsJan1shuffle1_9"


class Names:
    """Names and their films, as a folder would have them."""

    def __init__(self, **owners):
        self.known = owners

    def owners(self, name):
        return self.known.get(name.replace("-", "_"), [])

    def names(self, path):
        return [name.replace("_", "-") for name in self.known]

    def everything(self):
        for name, owners in self.known.items():
            yield from ((name.replace("_", "-"), owner) for owner in owners)


class NotByName(Names):
    """The same where nothing is called like the films."""

    def names(self, path):
        return []


@pytest.fixture
def films(tmp_path):
    """Paths of two films of one name and one length."""
    found = []
    for day, byte in (("day1", b"a"), ("day2", b"b")):
        (tmp_path / day).mkdir()
        path = tmp_path / day / "cam.avi"
        path.write_bytes(byte * 1000)
        found.append(str(path))
    return found


def suffixed(path):
    return f"{files.stem(path)}-{fingerprints.of_file(path)[:8]}"


def owner(path, **values):
    return Owner(path, fingerprints.of_file(path), files.size(path))._replace(**values)


def names(paths, known, **options):
    return [film.name for film in film_names.assign(paths, known, **options)]


@pytest.mark.parametrize("letter", ["x", "鼠"])
def test_a_name_too_long_for_files_made_of_it_is_cut_and_stays_its_own(tmp_path, caplog, letter):
    stem = letter * (240 // len(letter.encode()))
    paths = [str(tmp_path / f"{stem}{i}.avi") for i in range(2)]
    for i, path in enumerate(paths):
        Path(path).write_bytes(bytes([i]) * 1000)
    found = names(paths, Names())
    assert len(set(found)) == 2 and all(stem.startswith(name[:-9]) for name in found)
    # A scorer, an ending and a temporary name have room.
    assert all(len(name.encode()) <= 150 for name in found)
    assert caplog.text.count("too long for files made of it") == 2
    known = NotByName()
    known.owners = lambda name: [owner(paths[0])] if name == found[0] else []
    assert names(paths, known) == found
    # Another film of the same long name.
    (tmp_path / "day2").mkdir()
    other = tmp_path / "day2" / Path(paths[0]).name
    other.write_bytes(b"other" * 1000)
    (name,) = names([str(other)], known)
    assert name == f"{found[0]}-{fingerprints.of_file(str(other))[:8]}"


@pytest.mark.parametrize(
    ("stem", "name"), [(".hid", "_hid"), ("a#frame=3", "a_frame=3"), ("cam #1", "cam #1")]
)
def test_frames_of_no_film_lie_where_labels_are_not_read(tmp_path, stem, name):
    """A folder that is hidden, or that an image's path would name inside another file."""
    film = tmp_path / f"{stem}.mp4"
    film.write_bytes(b"film" * 1000)
    assert names([str(film)], Names()) == [name]


def test_the_first_film_has_the_plain_name_and_the_next_its_fingerprint(films):
    assert names(films, Names()) == ["cam", suffixed(films[1])]
    assert names(films[1:], Names(cam=[owner(films[0])])) == [suffixed(films[1])]


def test_a_film_keeps_its_name_in_any_order_and_from_any_place(films, tmp_path):
    known = Names(cam=[owner(films[1])])
    assert names(films, known) == [suffixed(films[0]), "cam"]
    moved = tmp_path / "cam.avi"
    moved.write_bytes(Path(films[1]).read_bytes())
    assert names([str(moved)], known) == ["cam"]


def test_a_renamed_film_is_what_it_was_and_a_copy_is_not(films, tmp_path, caplog):
    before = owner(films[0])
    known = NotByName(cam=[before], other=[owner(films[1])])
    copy = tmp_path / "copy.avi"
    copy.write_bytes(Path(films[0]).read_bytes())
    assert names([str(copy)], known) == ["copy"]
    Path(films[0]).unlink()
    assert names([str(copy)], known) == ["cam"]
    assert f"{copy}: was {films[0]} when cam was made of it" in caplog.text
    # One of two is what it was.
    (tmp_path / "more.avi").write_bytes(copy.read_bytes())
    assert names([str(copy), str(tmp_path / "more.avi")], known) == ["cam", "more"]


def test_films_that_differ_in_letters_case_alone_have_names_of_their_own(films, tmp_path):
    (tmp_path / "CAM.avi").write_bytes(b"c")
    upper = str(tmp_path / "CAM.avi")
    assert names([films[0], upper], Names()) == ["cam", suffixed(upper)]


def test_one_content_of_one_name_is_one_film_and_that_is_said(films, caplog):
    Path(films[1]).write_bytes(Path(films[0]).read_bytes())
    assert names(films, Names()) == ["cam"]
    assert f"{films[1]}: is the same film as {films[0]}" in caplog.text


def test_a_changed_film_leaves_what_it_was_and_is_told(films, caplog):
    known = Names(cam=[owner(films[0], fingerprint="0" * 32)])
    assert names(films[:1], known) == [suffixed(films[0])]
    assert "has changed since cam was made of it" in caplog.text
    assert names(films[:1], known, replace=True) == ["cam"]
    # Another film is not replaced: it did not change.
    assert names(films[1:], known, replace=True) == [suffixed(films[1])]


def test_results_without_a_fingerprint_are_taken_by_name_and_length_and_that_is_said(films, caplog):
    caplog.set_level(logging.WARNING)
    gone = Owner("/gone/cam.avi", bytes=1000)
    assert names(films[:1], Names(cam=[gone])) == ["cam"]
    assert "taken to be those of this film by its name and length" in caplog.text
    assert names(films[:1], Names(cam=[gone._replace(bytes=999)])) == [suffixed(films[0])]
    assert names(films[:1], Names(cam=[gone._replace(by_path=True)])) == [suffixed(films[0])]
    # Where the film they were made of is still there, it is asked.
    there = Owner(films[0], bytes=1000)
    assert names(films[1:], Names(cam=[there])) == [suffixed(films[1])]
    assert names(films, Names(cam=[there])) == ["cam", suffixed(films[1])]


def test_a_name_that_looks_like_a_fingerprint_is_another_films(films):
    taken = {suffixed(films[1]).replace("-", "_"): [Owner("/x/y.avi", "1" * 32, 5)]}
    longer = f"cam-{fingerprints.of_file(films[1])[:16]}"
    assert names(films[1:], Names(cam=[owner(films[0])], **taken)) == [longer]


def test_a_film_that_is_not_there_has_what_its_path_or_its_name_alone_says(films, caplog):
    gone, other = owner(films[0], video="/gone/cam.avi"), owner(films[1])
    two = Names(cam=[gone], cam_0123abcd=[other])
    assert names(["/gone/cam.avi"], two) == ["cam"]
    assert names(["/elsewhere/cam.avi"], Names(cam=[gone])) == ["cam"]
    assert "is not there: cam is taken for its own" in caplog.text
    (film,) = film_names.assign(["/elsewhere/cam.avi"], two)
    assert "cam, cam-0123abcd may belong to it" in film.problem


def summary(folder, name, path, **values):
    known = {
        "video": path,
        "video_bytes": files.size(path),
        "video_fingerprint": fingerprints.of_file(path),
        "name": name,
    }
    said = fake_infos.prediction(**{**known, **values})
    artefacts.write_info(f"{folder}/{name}{SCORER}.json", said)


def test_predictions_say_whose_a_name_is_and_the_models_own_files_first(films, tmp_path):
    folder = str(tmp_path / "predictions")
    assert names(films[:1], Predictions(folder, SCORER)) == ["cam"]
    summary(folder, "cam", films[0])
    known = Predictions(folder, SCORER)
    assert known.owners("cam") == [owner(films[0])]
    assert known.owners("ca") == []
    assert names(films, known) == ["cam", suffixed(films[1])]
    assert [*known.everything()] == [("cam", owner(films[0]))]
    # A name stays a film's for the next model too.
    assert names(films[1:], Predictions(folder, "DLC_other")) == [suffixed(films[1])]
    # Before November 2026 two films of one call had folders after their paths.
    before = Predictions(folder, SCORER).names(films[1])[1]
    summary(folder, before, films[1], video_fingerprint="")
    assert names(films, Predictions(folder, SCORER)) == ["cam", before]


def test_verbs_on_results_find_the_films_that_the_model_has_predicted(films, tmp_path):
    loaded = experiment.from_dict(
        experiment.Config,
        {
            "task": "pose",
            "source": {"format": "deeplabcut", "path": "p"},
            "output": str(tmp_path / "out"),
        },
    )
    assert videos_meant(loaded) == "No videos"
    artefacts.write_info(storage.place(loaded.model, INFO), fake_infos.model(dlc_scorer=SCORER))
    summary(loaded.predictions, "cam", films[0])
    summary(loaded.predictions, "sub/cam", films[1])
    damaged = storage.place(loaded.predictions, f"other{SCORER}.json")
    damaged.write_text("{")
    storage.place(loaded.predictions, "camDLC_of_another_model.json").write_text("{}")
    assert videos_meant(loaded) == sorted(films[:2])
    assert video_outcomes.predicted([films[1]], loaded) == [films[1]]


def videos_meant(loaded):
    try:
        return video_outcomes.predicted([], loaded)
    except ValueError as error:
        return str(error).split(":")[0]


def test_a_damaged_summary_frees_no_name_of_another_film(films, tmp_path):
    folder = tmp_path / "predictions"
    folder.mkdir()
    (folder / f"cam{SCORER}.json").write_text("{")
    assert names(films[:1], Predictions(str(folder), SCORER)) == ["cam"]
    assert Predictions(str(folder), SCORER).owners("cam") == [Owner("")]


def test_frames_of_two_films_of_one_name_stay_apart_in_a_project(tmp_path, capsys):
    films = []
    for i, day in enumerate(("day1", "day2")):
        (tmp_path / day).mkdir()
        films.append(fakes.video(tmp_path / day / "trial.mp4", "libx264", 12 + i))
    root = str(tmp_path / "p")
    words = ["--to", root, "--method", "uniform", "--count"]
    first = [*words, "3", "--scorer", "me", "--bodyparts", "nose"]
    assert cli.main(["extract-frames", films[0], *first]) == 0
    own = suffixed(films[1])
    for _ in range(2):
        assert cli.main(["extract-frames", films[1], *words, "4"]) == 0
        assert f"labeled-data/{own}" in capsys.readouterr().out
    labeled = tmp_path / "p/labeled-data"
    assert len([*labeled.glob("trial/*.png")]) == 3
    assert len([*labeled.glob(f"{own}/*.png")]) == 4
    said = json.loads((labeled / own / "film.json").read_text())
    assert (said["video"], said["fingerprint"]) == (films[1], fingerprints.of_file(films[1]))
    # DeepLabCut finds a folder by the stem of a path in video_sets.
    sets = (tmp_path / "p/config.yaml").read_text()
    assert f"{root}/videos/{own}.mp4:" in sets and f"{films[0]}:" in sets
    assert (tmp_path / f"p/videos/{own}.mp4").resolve() == Path(films[1])
    # What was renamed goes on where it was.
    renamed = Path(films[1]).rename(tmp_path / "day2/new.mp4")
    assert cli.main(["extract-frames", str(renamed), *words, "5"]) == 0
    assert len([*labeled.glob(f"{own}/*.png")]) == 5
    assert (tmp_path / "p/config.yaml").read_text() == sets
    assert (tmp_path / f"p/videos/{own}.mp4").resolve() == renamed


def test_a_project_of_before_is_asked_for_the_films_of_its_config(films, tmp_path, caplog):
    root = tmp_path / "p"
    (root / "labeled-data/cam").mkdir(parents=True)
    (root / "labeled-data/cam/img1.png").write_bytes(b"x")
    (root / "config.yaml").write_text(f"video_sets:\n  {films[0]}: {{crop: '0, 1, 0, 1'}}\n")
    assert names(films, ProjectFilms(str(root))) == ["cam", suffixed(films[1])]
    # Paths of a project that shall move count from it.
    (root / "config.yaml").write_text("video_sets:\n  ../day2/cam.avi: {crop: '0, 1, 0, 1'}\n")
    caplog.clear()
    assert names(films, ProjectFilms(str(root))) == [suffixed(films[0]), "cam"]
    assert "by its name and length" not in caplog.text
    (root / "config.yaml").write_text("video_sets:\n  C:\\far\\cam.avi: {crop: '0, 1, 0, 1'}\n")
    # On another machine the name is all that is known.
    assert names(films[1:], ProjectFilms(str(root))) == ["cam"]


def test_a_film_of_a_config_without_frames_has_its_name_and_no_note(films, tmp_path, caplog):
    (tmp_path / "config.yaml").write_text(f"video_sets:\n  {films[0]}: {{crop: '0, 1, 0, 1'}}\n")
    for _ in range(2):
        assert names(films[:1], ProjectFilms(str(tmp_path))) == ["cam"]
        assert not caplog.text
        (tmp_path / "labeled-data/cam").mkdir(parents=True, exist_ok=True)
    assert names(films[1:], ProjectFilms(str(tmp_path))) == [suffixed(films[1])]


def test_crops_of_before_belong_to_the_paths_in_their_list(films, tmp_path):
    folder = tmp_path / "crops"
    folder.mkdir()
    (folder / "origin.csv").write_text(
        f"crop,video,frame,box,x,y,width,height,detector\ncam_5_0.jpg,{films[0]},5,0,1,1,2,2,\n"
    )
    assert names(films, CropFilms(str(folder))) == ["cam", suffixed(films[1])]
    Path(films[0]).rename(tmp_path / "moved.avi")
    assert names(films[1:], CropFilms(str(folder))) == [suffixed(films[1])]


def test_labels_of_two_films_of_one_name_measure_their_own(tmp_path, caplog):
    paths = []
    for i, day in enumerate(("day1", "day2")):
        (tmp_path / day).mkdir()
        paths.append(fakes.video(tmp_path / day / "trial.mp4", "mpeg4", 6 + i))
    pair = [(0, 0, fakes.points()[0]), (0, 1, fakes.points()[2])]
    slp = fake_labels.slp(
        tmp_path / "labels.slp",
        [(0, 1, pair), (1, 4, pair)],
        videos=[{"filename": path} for path in paths],
        tracks=["she", "he"],
    )
    found = [identity_labels.read(str(slp), path, fakes.BODYPARTS).frames for path in paths]
    assert [frames.tolist() for frames in found] == [[1], [4]]
    other = fakes.video(tmp_path / "trial.mp4", "mpeg4", 3)
    with pytest.raises(ValueError, match=r"day2/trial.mp4, and none of them is .*/trial.mp4"):
        identity_labels.read(str(slp), other, fakes.BODYPARTS)


def test_animals_without_tracks_measure_no_tracks(tmp_path, caplog):
    path = fakes.video(tmp_path / "trial.mp4", "mpeg4", 6)
    points = fakes.points()

    def read(tracks, names):
        frames = [(0, i, [(0, a, points[0]), (0, b, points[2])]) for i, (a, b) in enumerate(tracks)]
        file = fake_labels.slp(
            tmp_path / "labels.slp", frames, videos=[{"filename": path}], tracks=names
        )
        return identity_labels.read(str(file), path, fakes.BODYPARTS)

    pieces = [(0, 1), (2, 3), (4, 5)]
    for tracks, names in (([(-1, -1)] * 3, ()), (pieces, [f"track_{i}" for i in range(6)])):
        with pytest.raises(ValueError, match="does not say which animal is which: none of 6 has"):
            read(tracks, names)
    caplog.clear()
    assert len(read([(0, 1), (0, 1)], ["she", "he"]).frames) == 2 and not caplog.text
    read([(0, 1), (0, -1)], ["she", "he"])
    assert "1 of 4 animals have no track, and count as whichever" in caplog.text


def test_what_a_folder_is_from_is_written_down_once(films, tmp_path):
    film = Film("cam", films[0], fingerprints.of_file(films[0]))
    film_names.record(tmp_path / "x", film)
    file = tmp_path / "x/film.json"
    before = file.stat().st_mtime_ns
    film_names.record(tmp_path / "x", film._replace(path="/moved/cam.avi"))
    assert file.stat().st_mtime_ns == before
    assert film_names.recorded(tmp_path / "x") == [owner(films[0])]
