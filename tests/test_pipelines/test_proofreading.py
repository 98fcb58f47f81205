"""Predictions that a person corrects: kept beside, read by other verbs, never lost."""

import logging
import pickle

import fakes
import numpy as np
import pytest
import yaml

from beampose.core import storage
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import prediction_tables, project_labels
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.label import predicted_labels
from beampose.pipelines.label.desk import Desk, ShownFilm
from beampose.pipelines.label.label_session import LabelSession
from beampose.pipelines.label.learner import NoLearner
from beampose.pipelines.label.proofreading import Listed, Proofread, Proofreads
from beampose.pipelines.label.shown_frames import Part
from beampose.pipelines.results import corrections, filtering, result_files

POINTS = (("ann", "nose"), ("ann", "ear"), ("bob", "nose"), ("bob", "ear"))


def table(rows=12, points=POINTS):
    rng = np.random.default_rng(0)
    values = rng.uniform(5, 40, (rows, len(points), 3))
    values[..., 2] = 0.9
    return Table("film.h5", "DLC_x", points, np.arange(rows), values)


def test_a_swap_from_here_on_exchanges_two_animals_and_twice_is_nothing():
    read = table()
    swap = {"do": "swap", "row": 5, "a": "ann", "b": "bob"}
    once = corrections.apply_all(read, [swap])
    np.testing.assert_array_equal(once[:5], read.values[:5])
    np.testing.assert_array_equal(once[5:, :2], read.values[5:, 2:])
    np.testing.assert_array_equal(once[5:, 2:], read.values[5:, :2])
    np.testing.assert_array_equal(corrections.apply_all(read, [swap, swap]), read.values)


def test_deleting_ends_where_it_is_told_and_joining_fills_only_what_is_free():
    read = table()
    cut = corrections.apply_all(read, [{"do": "delete", "row": 3, "stop": 6, "a": "ann"}])
    assert np.isnan(cut[3:6, :2]).all() and np.isfinite(cut[6:, :2]).all()
    gone = [
        {"do": "delete", "row": 4, "a": "ann"},
        {"do": "delete", "row": 0, "stop": 6, "a": "bob"},
    ]
    joined = corrections.apply_all(read, [*gone, {"do": "join", "row": 2, "a": "ann", "b": "bob"}])
    np.testing.assert_array_equal(joined[:4, :2], read.values[:4, :2])
    assert np.isnan(joined[4:6, :2]).all()
    np.testing.assert_array_equal(joined[6:, :2], read.values[6:, 2:])
    assert np.isnan(joined[6:, 2:]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "fly"},
        {"do": "swap", "row": 99, "a": "ann", "b": "bob"},
        {"do": "swap", "row": 1, "a": "ann", "b": "eve"},
        {"do": "place", "row": 1, "point": 9, "xy": [1, 1]},
        {"do": "place", "row": 1, "point": 0, "xy": [1, float("nan")]},
        {"do": "delete", "row": -1, "a": "ann"},
    ],
)
def test_what_is_no_correction_changes_nothing(wrong):
    read = table()
    with pytest.raises(ValueError, match=r"\.$"):
        corrections.apply_all(read, [wrong])


def test_where_to_look_first_is_a_jump_and_an_unsure_row():
    read = table(40)
    values = np.tile(read.values[:1], (40, 1, 1)) + np.arange(40)[:, None, None] * [0.1, 0.1, 0]
    values[20, 1, :2] += 60
    values[33, :, 2] = 0.1
    found = corrections.summary(read, values, 10)
    assert set(found["worst"][:2]) == {20, 33}
    assert len(found["likelihood"]) == len(found["there"]["bob"]) == 10


@pytest.fixture
def predicted(tmp_path):
    """An experiment with a film of two animals that DeepLabCut predicted."""
    film = fakes.video(tmp_path / "film.mp4", "libx264", 12)
    root = fakes.animals(tmp_path / "herd", np.full((2, 3, 4, 2), 11.5))
    values = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": "herd"},
        "predict": {"videos": [film]},
        "output": "results",
    }
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(values))
    prediction_tables.write(table(), str(tmp_path / "results/predictions/filmDLC_x"))
    return root, experiment.load(file)


def found_of(config):
    ((found,), failures) = result_files.tables(config, config.predict.videos)
    assert not failures
    return found


def test_corrections_are_read_by_other_verbs_and_survive_a_kill(predicted):
    _, config = predicted
    swap = {"do": "swap", "row": 5, "a": "ann", "b": "bob"}
    first = Proofread(found_of(config))
    first.correct(swap)
    first.correct({"do": "place", "row": 0, "point": 1, "xy": [3, 4]})
    first.correct({"do": "undo"})
    # Killed here: only the log is written.
    first._timer.cancel()
    again = Proofreads(config).of("film")
    np.testing.assert_array_equal(again.values, corrections.apply_all(table(), [swap]))
    again.save()
    found = found_of(config)
    assert found.table().endswith("_proofread.h5") and found.predicted().endswith("DLC_x.h5")
    np.testing.assert_allclose(prediction_tables.read(found.table()).values, again.values)
    done, failures = filtering.run(config, config.predict.videos)
    assert len(done) == 1 and not failures
    again.correct({"do": "undo"})
    again.save()
    np.testing.assert_allclose(prediction_tables.read(found.table()).values, table().values)


def test_what_another_program_corrected_meanwhile_is_taken_up(predicted):
    _, config = predicted
    one, two = Proofreads(config), Proofreads(config)
    assert two.of("film").count == 0
    one.of("film").correct({"do": "delete", "row": 2, "stop": 4, "a": "ann"})
    assert two.of("film").count == 1 and not one.of("film").outdated
    two.of("film").correct({"do": "undo"})
    assert one.of("film").count == 0
    np.testing.assert_array_equal(one.of("film").values, two.of("film").values)
    one.close()
    two.close()


def test_predictions_within_a_crop_are_shown_and_corrected_in_the_whole_frame(predicted):
    _, config = predicted
    stem = found_of(config).stem
    data = {"cropping": True, "cropping_parameters": [30, 70, 10, 40]}
    storage.write_bytes(f"{stem}_meta.pickle", pickle.dumps({"data": data}))
    one = Proofread(found_of(config))
    np.testing.assert_allclose(one.values, table().values + [30, 10, 0])
    one.correct({"do": "place", "row": 0, "point": 1, "xy": [33, 14]})
    one.save()
    kept = prediction_tables.read(found_of(config).table()).values
    np.testing.assert_allclose(kept[0, 1, :2], [3, 4])
    np.testing.assert_allclose(kept[1:], table().values[1:])
    assert result_files.offset(result_files.Found("film", f"{stem}_proofread")) == (30, 10)


def test_a_full_disk_leaves_no_part_of_a_line_in_the_log(predicted, monkeypatch):
    _, config = predicted
    one = Proofread(found_of(config))
    one.correct({"do": "delete", "row": 0, "a": "ann"})

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("beampose.pipelines.label.proofreading.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        one.correct({"do": "delete", "row": 1, "a": "ann"})
    monkeypatch.undo()
    assert one.count == 1
    one.correct({"do": "delete", "row": 2, "a": "ann"})
    one.close()
    again = Proofread(found_of(config))
    assert again.count == 2
    np.testing.assert_array_equal(again.values, one.values)


def test_after_another_prediction_old_corrections_are_told_and_not_used(predicted, caplog):
    _, config = predicted
    first = Proofread(found_of(config))
    first.correct({"do": "delete", "row": 0, "a": "ann"})
    first.save()
    stem = found_of(config).stem
    prediction_tables.write(table()._replace(values=table().values + 1), stem)
    with caplog.at_level(logging.WARNING):
        assert found_of(config).table() == f"{stem}.h5"
    assert "predicted again" in caplog.text
    again = Proofread(found_of(config))
    assert again.count == 0 and "predicted again" in again.note


def test_a_corrected_frame_becomes_a_label(predicted):
    root, config = predicted
    session = LabelSession(str(root))
    one = Proofread(found_of(config))
    key, changes = predicted_labels.take(session, one, 7)
    session.refresh()
    assert key == "film/img07.png"
    assert [change["point"] for change in changes(key)] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    from beampose.pipelines.label import desk

    session.change([desk._change(change) for change in changes(key)])
    session.close()
    found = {item.name: item.keypoints for item in project_labels.read(str(root)).items}
    np.testing.assert_allclose(
        found["labeled-data/film/img07.png"][:2, :2].reshape(4, 2), table().values[7, :, :2]
    )


def test_no_frame_of_a_film_that_was_replaced_is_shown_or_labeled(predicted):
    root, config = predicted
    desk = Desk(LabelSession(str(root)), NoLearner("none"), str(root.parent / "experiment.yaml"))
    film, part = ShownFilm("film"), Part(100, 100)
    desk.predicted_picture("film", 7, part)
    path = root.parent / "film.mp4"
    kept = path.rename(root.parent / "kept.mp4")
    fakes.video(path, "libx264", 12, gop=5)
    for act in (
        lambda: desk.label_predicted("one", film, 7),
        lambda: desk.predicted_picture("film", 7, part),
    ):
        with pytest.raises(ValueError, match="another film"):
            act()
    said = desk.correct("one", film, {"do": "place", "row": 7, "point": 0, "xy": [3, 4]})
    assert said["corrections"] == 1 and not said["film"] and "another film" in said["note"]
    kept.replace(path)
    assert desk.label_predicted("one", film, 7)["added"] == ["film/img07.png"]
    desk.close()


def test_labels_of_a_person_are_not_replaced_by_predictions(predicted):
    root, config = predicted
    desk = Desk(LabelSession(str(root)), NoLearner("none"), str(root.parent / "experiment.yaml"))
    film = ShownFilm("film")
    assert desk.label_predicted("one", film, 7) == {"added": ["film/img07.png"], "kept": 0}
    said = {"frame": "film/img07.png", "point": [0, 1]}
    desk.change("one", [{**said, "xy": [1, 2]}, {**said, "point": [1, 0], "absent": True}])
    desk.correct("one", film, {"do": "place", "row": 7, "point": 0, "xy": [3, 4]})
    assert desk.label_predicted("one", film, 7)["kept"] == 2
    found = desk.session.keypoints("film/img07.png")
    assert found[0, :2].tolist() == [[3, 4], [1, 2]] and np.isnan(found[1, 0]).all()
    desk.close()


def test_a_page_that_shows_older_predictions_corrects_nothing(predicted):
    root, config = predicted
    desk = Desk(LabelSession(str(root)), NoLearner("none"), str(root.parent / "experiment.yaml"))
    old = ShownFilm("film", desk.proofreads.of("film").summary()["code"])
    swap = {"do": "swap", "row": 5, "a": "ann", "b": "bob"}
    desk.correct("one", old, swap)
    prediction_tables.write(table(15), found_of(config).stem)
    for act in (
        lambda: desk.correct("one", old, swap),
        lambda: desk.label_predicted("one", old, 7),
    ):
        with pytest.raises(PermissionError, match="predicted again"):
            act()
    np.testing.assert_array_equal(desk.proofreads.of("film").values, table(15).values)
    desk.close()


def test_a_correction_of_a_page_that_slept_is_refused_and_an_undo_says_where(predicted):
    _, config = predicted
    one = Proofread(found_of(config))
    place = {"do": "place", "row": 7, "point": 0, "xy": [3, 4], "id": "a 1"}
    assert one.summary()["made"] == 0 and one.correct(place, 0) is None
    # Its answer was lost: it is done already.
    assert one.correct(place, 0) is None and one.summary()["made"] == 1
    with pytest.raises(PermissionError, match="film was corrected elsewhere since"):
        one.correct({"do": "undo", "id": "b 1"}, 0)
    one._timer.cancel()
    again = Proofreads(config).of("film")
    assert again.summary()["made"] == 1
    assert again.correct({"do": "undo", "id": "b 1"}, 1) == 7
    assert again.summary()["corrections"] == 0 and again.summary()["made"] == 2
    np.testing.assert_array_equal(again.values, again.table.values)
    again.close()


def test_the_page_is_told_the_frame_of_each_row_where_they_are_not_evenly_apart(tmp_path):
    for frames in ([4, 6, 8, 10], [0, 2, 5, 7]):
        stem = str(tmp_path / f"film{frames[0]}DLC_x")
        prediction_tables.write(table(4)._replace(rows=np.array(frames)), stem)
        said = Proofread(result_files.Found("film", stem)).summary()
        assert said["numbers"] == (frames if frames[0] == 0 else [])
        assert said["frames"] == [frames[0], 2]


def test_a_film_that_was_predicted_again_is_shown_as_it_is_now(tmp_path, monkeypatch):
    stem = str(tmp_path / "filmDLC_x")
    prediction_tables.write(table(), stem)
    found = result_files.Found("film", stem)
    films = Proofreads(None)
    monkeypatch.setattr(films, "listed", lambda: [Listed("film", found)])
    films.of("film").correct({"do": "place", "row": 1, "point": 0, "xy": [1.0, 2.0]})
    assert films.of("film").rows(1, 2)[0][0][:2] == [1.0, 2.0]
    prediction_tables.write(table(15), stem)
    again = films.of("film")
    assert again.summary()["rows"] == 15 and "was predicted again" in again.note
    assert films.of("film") is again
    films.close()
