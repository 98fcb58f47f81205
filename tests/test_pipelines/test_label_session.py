"""Labels that a person changes in the browser: on disk at once, in DeepLabCut's files."""

import errno
import json
import shutil

import fakes
import numpy as np
import pytest

from beampose.core import storage
from beampose.formats.deeplabcut import collected_data, label_table, project_labels
from beampose.formats.deeplabcut.label_table import Point
from beampose.pipelines.label import label_session, more_frames
from beampose.pipelines.label.label_session import Change, LabelSession, Place


@pytest.fixture
def root(tmp_path):
    return fakes.project(tmp_path / "project")


@pytest.fixture
def session(root):
    found = LabelSession(str(root))
    yield found
    found.close()


def read(root):
    return {item.name: item.keypoints for item in project_labels.read(str(root)).items}


def first(session):
    return session.frames[0].key


def both(root, several=False):
    """The labels of the csv and of the h5, by image."""
    folder = fakes.label_folder(root)
    found = []
    for suffix in (".csv", ".h5"):
        table, problems = collected_data.read(
            str(folder / f"CollectedData_{fakes.SCORER}{suffix}"), several=several
        )
        assert not problems
        found.append(table)
    return found


def test_a_change_is_in_both_files_and_nothing_else_changes(root, session):
    before, key = read(root), first(session)
    session.change([Change(key, Point(0, 1), (7.5, 8.25)), Change(key, Point(0, 0), None)])
    after = read(root)
    expected = {name: points.copy() for name, points in before.items()}
    expected[f"labeled-data/{key}"][0, 1] = 7.5, 8.25
    expected[f"labeled-data/{key}"][0, 0] = np.nan
    assert after.keys() == expected.keys()
    for name, points in expected.items():
        np.testing.assert_array_equal(after[name], points)
    csv, h5 = both(root)
    assert csv.names == h5.names
    np.testing.assert_array_equal(csv.values, h5.values)


def test_a_row_goes_with_its_last_label_and_comes_with_its_first(root, session):
    key = first(session)
    count = len(read(root))
    session.change([Change(key, Point(0, part), None) for part in range(3)])
    assert len(read(root)) == count - 1
    session.change([Change(key, Point(0, 2), (1, 2))])
    assert len(read(root)) == count


def test_an_image_that_is_gone_leaves_the_list_and_its_labels_stay(root, session):
    gone, kept, before = session.frames[0], session.frames[1].key, read(root)
    image = fakes.label_folder(root) / gone.image
    data = image.read_bytes()
    image.unlink()
    session.refresh()
    assert len(session.frames) == 2 and session.frames[0].key == kept
    assert session.notes[-1] == (
        f"1 image of the list is not there any more, such as {gone.key}; labels of 1 image stay "
        "in the file"
    )
    with pytest.raises(KeyError):
        session.change([Change(gone.key, Point(0, 0), (1, 2))])
    session.change([Change(kept, Point(0, 0), (1, 2))])
    image.write_bytes(data)
    session.refresh()
    assert session.frames[0] == gone and session.taken_up == 1
    name = f"labeled-data/{gone.key}"
    np.testing.assert_array_equal(read(root)[name], before[name])
    # A folder that is away as a whole may come back.
    folder = fakes.label_folder(root)
    folder.rename(root / "away")
    session.refresh()
    assert len(session.frames) == 3


def test_what_is_not_visible_is_no_label_and_remembered(root, session):
    key = first(session)
    session.change([Change(key, Point(0, 1), None, absent=True)])
    session.close()
    again = LabelSession(str(root))
    assert again.absent(key) == {Point(0, 1)}
    assert np.isnan(again.keypoints(key)[0, 1]).all()
    said = json.loads((fakes.label_folder(root) / label_table.ABSENT).read_text())
    assert list(said.values()) == [[["individual1", "ear"]]]
    again.change([Change(key, Point(0, 1), (3, 4))])
    assert not again.absent(key)
    again.close()


def test_labels_as_they_were_are_kept_once_a_session(root, session):
    folder = fakes.label_folder(root)
    before = {file.name: file.read_bytes() for file in folder.glob("CollectedData*")}
    for x in (1, 2, 3):
        session.change([Change(first(session), Point(0, 0), (x, 1))])
    (backup,) = (root / "labeled-data-backups").iterdir()
    assert {f.name: f.read_bytes() for f in (backup / folder.name).iterdir()} == before


def test_looking_at_a_project_writes_no_label_file(root, session):
    before = {file: file.read_bytes() for file in fakes.label_folder(root).iterdir()}
    session.refresh()
    session.close()
    assert {file: file.read_bytes() for file in fakes.label_folder(root).iterdir()} == before
    assert not (root / "labeled-data-backups").exists()


def test_columns_of_others_stay(root):
    folder = fakes.label_folder(root)
    file = folder / f"CollectedData_{fakes.SCORER}.csv"
    rows = file.read_text().splitlines()
    more = [",Ann,Ann,Bob,Bob", ",whisker,whisker,nose,nose", ",x,y,x,y"]
    more += [f",{i},1,{i},2" for i in range(len(rows) - 3)]
    file.write_text("\n".join(a + b for a, b in zip(rows, more, strict=True)) + "\n")
    (folder / f"CollectedData_{fakes.SCORER}.h5").unlink(missing_ok=True)
    session = LabelSession(str(root))
    session.change([Change(first(session), Point(0, 0), (5, 6))])
    session.close()
    for table in both(root):
        there = {(c.scorer, c.bodypart, c.coord): i for i, c in enumerate(table.columns)}
        ours = table.values[:, there[fakes.SCORER, "whisker", "x"]]
        theirs = table.values[:, there["Bob", "nose", "y"]]
        np.testing.assert_array_equal(ours, np.arange(len(table.names)))
        np.testing.assert_array_equal(theirs, 2)


def test_several_animals_and_the_scene_have_their_points(tmp_path):
    root = fakes.animals(tmp_path / "herd", np.full((2, 3, 4, 2), 11.5))
    session = LabelSession(str(root))
    names = session.names
    key = first(session)
    for point in label_table.slots(names):
        session.change([Change(key, point, (point.individual + 1.0, point.bodypart + 2.0))])
    session.close()
    found = next(iter(v for n, v in read(root).items() if n.endswith(key)))
    for point in label_table.slots(names):
        assert found[point].tolist() == [point.individual + 1.0, point.bodypart + 2.0]
    again = LabelSession(str(root))
    np.testing.assert_array_equal(again.keypoints(key), found)
    again.close()


def test_a_second_program_only_looks_on(root, session):
    second = LabelSession(str(root))
    assert "another program" in second.lock.why
    with pytest.raises(PermissionError, match="another program"):
        second.change([Change(first(session), Point(0, 0), (1, 1))])
    session.close()
    second.change([Change(first(session), Point(0, 0), (1, 1))])
    second.close()


def test_a_full_disk_loses_nothing_and_the_next_change_writes_all(root, session, monkeypatch):
    before, key = read(root), first(session)
    write = storage.write_bytes

    def full(path, data, **options):
        if str(path).endswith(".h5"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            session.change([Change(key, Point(0, 0), (9, 9))])
    np.testing.assert_array_equal(list(read(root).values()), list(before.values()))
    session.change([Change(key, Point(0, 2), (8, 8))])
    found = read(root)[f"labeled-data/{key}"][0]
    assert found[0].tolist() == [9, 9] and found[2].tolist() == [8, 8]


def test_a_disk_that_is_full_before_the_backup_loses_nothing_either(root, session, monkeypatch):
    before, key = read(root), first(session)

    def full(path, data, **options):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                session.change([Change(key, Point(0, 0), (9, 9))])
    assert list((root / "labeled-data-backups").iterdir()) == []
    np.testing.assert_array_equal(list(read(root).values()), list(before.values()))
    session.change([Change(key, Point(0, 2), (8, 8))])
    found = read(root)[f"labeled-data/{key}"][0]
    assert found[0].tolist() == [9, 9] and found[2].tolist() == [8, 8]
    assert len(list((root / "labeled-data-backups").iterdir())) == 1


def test_what_the_first_change_will_leave_out_is_said(tmp_path, session):
    names = session.names
    parts = [part for part in names.bodyparts for _ in range(2)]
    header = [["scorer", *[names.scorer] * (len(parts) + 1)], ["bodyparts", *parts, "set"]]
    header.append(["coords", *["x", "y"] * len(names.bodyparts), ""])
    row = ["labeled-data/film/img1.png", "1", "2", *["3"] * (len(parts) - 2), "train"]
    bad = ["labeled-data/film/img2.png", "abc", *row[2:]]
    lines = [",".join(line) for line in [*header, row, row, bad]]
    folder = tmp_path / "film"
    folder.mkdir()
    (folder / f"CollectedData_{names.scorer}.csv").write_text("\n".join(lines))
    said = " ".join(label_table.LabelTable(str(folder), names).notes)
    assert "holds 'abc'" in said and "leaves out of it what is not used (the backup" in said
    assert "stands in it twice" in said and "row 0" not in said


def test_what_another_program_labeled_meanwhile_is_taken_up(root, session):
    a, b = (one.key for one in session.frames[:2])
    other = label_table.LabelTable(str(fakes.label_folder(root)), session.names)
    other.put(b.split("/")[1], Point(0, 0), (2, 3), absent=False)
    other.save()
    session.change([Change(a, Point(0, 0), (4, 5))])
    found = read(root)
    assert found[f"labeled-data/{a}"][0, 0].tolist() == [4, 5]
    assert found[f"labeled-data/{b}"][0, 0].tolist() == [2, 3]
    assert session.taken_up == 1 and "another program" in session.notes[-1]


def test_a_csv_that_was_changed_alone_is_taken_up_and_backed_up(root, session):
    """As a spreadsheet does it; the h5 beside it is older."""
    a, b = (one.key for one in session.frames[:2])
    session.change([Change(a, Point(0, 0), (100, 5))])
    file = next(fakes.label_folder(root).glob("CollectedData_*.csv"))
    file.write_text(file.read_text().replace("100.0", "111.0"))
    session.change([Change(b, Point(0, 0), (4, 5))])
    found = read(root)
    assert found[f"labeled-data/{a}"][0, 0].tolist() == [111, 5]
    assert found[f"labeled-data/{b}"][0, 0].tolist() == [4, 5]
    assert "was changed by itself" in " ".join(session.notes)
    kept = (root / "labeled-data-backups").rglob(file.name)
    assert any("111.0" in one.read_text() for one in kept)


def test_what_was_labeled_since_a_person_looked_stays(root, session):
    key = first(session)
    seen = (Place(None), Place(tuple(session.keypoints(key)[0, 0])))
    session.change([Change(key, Point(0, 0), (4, 5))])
    late = Change(key, Point(0, 0), (9, 9), was=seen)
    fine = Change(key, Point(0, 1), (8, 8), was=(Place(tuple(session.keypoints(key)[0, 1])),))
    assert session.change([late, fine]) == [late]
    assert session.keypoints(key)[0, :2].tolist() == [[4, 5], [8, 8]]
    # One that is there already, since its answer was lost, is none.
    assert session.change([late._replace(xy=(4.001, 5))]) == []


def test_labels_of_another_program_outlive_a_save_that_failed(root, session, monkeypatch):
    a, b = (one.key for one in session.frames[:2])
    points = session.keypoints(b)[0, :2]
    was = tuple(Place(None if np.isnan(xy).any() else tuple(xy)) for xy in points)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", refused)
        mine = [Change(b, Point(0, i), (7, 7), was=was[i : i + 1]) for i in (0, 1)]
        with pytest.raises(OSError, match="Permission denied"):
            session.change([Change(a, Point(0, 0), (4, 5)), *mine])
    other = label_table.LabelTable(str(fakes.label_folder(root)), session.names)
    other.put(b.split("/")[1], Point(0, 0), (2, 3), absent=False)
    other.save()
    session.change([])
    found = read(root)
    assert found[f"labeled-data/{a}"][0, 0].tolist() == [4, 5]
    assert found[f"labeled-data/{b}"][0, :2].tolist() == [[2, 3], [7, 7]]
    assert "stays as that one says" in " ".join(session.notes)


def test_labels_that_another_program_is_writing_are_waited_for(root, session, monkeypatch):
    a, b = (one.key for one in session.frames[:2])
    other = label_table.LabelTable(str(fakes.label_folder(root)), session.names)
    other.put(b.split("/")[1], Point(0, 0), (2, 3), absent=False)
    other.save()
    file = next(fakes.label_folder(root).glob("CollectedData_*.h5"))
    csv = file.with_suffix(".csv")
    whole, text = file.read_bytes(), csv.read_text()
    # The h5 is half written, and whole a moment later; then neither can be read at all.
    file.write_bytes(whole[:1000])
    monkeypatch.setattr(label_session.time, "sleep", lambda _: file.write_bytes(whole))
    session.change([Change(a, Point(0, 0), (4, 5))])
    assert read(root)[f"labeled-data/{b}"][0, 0].tolist() == [2, 3]
    monkeypatch.setattr(label_session.time, "sleep", lambda _: None)
    file.write_bytes(whole[:1000])
    csv.write_text("none")
    with pytest.raises(OSError, match="Another program changed labels"):
        session.change([Change(a, Point(0, 0), (6, 7))])
    assert csv.read_text() == "none"
    file.write_bytes(whole)
    csv.write_text(text)
    session.change([Change(a, Point(0, 0), (6, 7))])
    assert read(root)[f"labeled-data/{a}"][0, 0].tolist() == [6, 7]


def test_a_config_that_is_changed_meanwhile_is_told_once(root, session):
    key = first(session)
    config = root / "config.yaml"
    config.write_text(config.read_text().replace(session.names.bodyparts[0], "muzzle"))
    for _ in range(2):
        session.change([Change(key, Point(0, 0), (4, 5))])
    assert [one for one in session.notes if "config.yaml was changed" in one] == session.notes[-1:]


def test_marks_of_bodyparts_that_the_config_does_not_name_stay(root, session):
    key = first(session)
    file = fakes.label_folder(root) / label_table.ABSENT
    other = [session.names.individuals[0], "dewclaw"]
    file.write_text(json.dumps({key.split("/")[1]: [other], "img9.png": [other]}))
    again = label_session.LabelSession(str(root))
    assert again.absent(key) == set()
    session.close()
    again.lock.try_again()
    again.change([Change(key, Point(0, 0), None, absent=True)])
    said = json.loads(file.read_text())
    own = [session.names.individuals[0], session.names.bodyparts[0]]
    assert said == {key.split("/")[1]: [own, other], "img9.png": [other]}
    again.close()


def test_who_looks_on_sees_what_is_written(root, session, monkeypatch):
    monkeypatch.setattr(label_session, "LOOK_SECONDS", 0.0)
    a, b = (one.key for one in session.frames[:2])
    looking = label_session.LabelSession(str(root))
    looking.look_on()
    assert looking.written == 0
    session.change([Change(a, Point(0, 0), (4, 5))])
    shutil.copy(session.path(session.frame(b)), fakes.label_folder(root) / "img77.png")
    looking.look_on()
    assert looking.keypoints(a)[0, 0].tolist() == [4, 5] and looking.written == 1
    assert looking.frames[-1].image == "img77.png" and not looking.notes
    # A file that cannot be read, as one that is half written, is read the next time.
    file = next(fakes.label_folder(root).glob("CollectedData_*.h5"))
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    looking.look_on()
    assert looking.keypoints(a)[0, 0].tolist() == [4, 5]
    file.write_bytes(whole)
    session.change([Change(a, Point(0, 0), (6, 7))])
    looking.look_on()
    assert looking.keypoints(a)[0, 0].tolist() == [6, 7]
    looking.close()


@pytest.mark.parametrize("xy", [(float("nan"), 1.0), (float("inf"), 1.0)])
def test_a_point_that_is_no_place_is_refused_and_nothing_is_written(root, session, xy):
    before = read(root)
    with pytest.raises(ValueError, match="two numbers"):
        session.change([Change(first(session), Point(0, 0), xy)])
    np.testing.assert_array_equal(list(read(root).values()), list(before.values()))


@pytest.mark.parametrize(("total", "had", "count"), [(100, [0, 50], 5), (10, [], 3), (4, [1], 9)])
def test_more_frames_are_those_farthest_from_the_ones_that_are_there(total, had, count):
    found = more_frames.farthest(total, had, count)
    assert len(set(found)) == len(found) == min(count, total - len(had))
    assert not set(found) & set(had) and all(0 <= one < total for one in found)
    gaps = np.diff(sorted([*found, *had]))
    assert gaps.max(initial=0) <= 2 * total / max(len(found), 1)
