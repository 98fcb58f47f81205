"""Tables that other programs saved: separators, encodings, numbers that are no numbers."""

import subprocess
import sys

import fakes
import h5py
import numpy as np
import pandas as pd
import pytest

from beampose.formats import spreadsheets
from beampose.formats.coco import coco_images
from beampose.formats.deeplabcut import collected_data, prediction_tables, project_labels
from beampose.pipelines.tracking import identity_labels

HEAD = "scorer,s,s,s\nbodyparts,n,n,n\ncoords,x,y,likelihood\n"


@pytest.mark.parametrize(
    "cell", ["1e3084869689", "-1e99999999999", "1e-99999999999999999999", "x", "1;5", "0x1p5"]
)
def test_a_cell_that_is_no_number_is_named_and_does_not_end_the_process(tmp_path, cell):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,{cell},2,.5\n1,2,3,.9\n")
    # In a process of its own: the usual parser of pandas ends it.
    code = f"""
from beampose.formats.deeplabcut import prediction_tables
try:
    prediction_tables.read({str(file)!r})
except ValueError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0
    assert ran.stderr == ""
    told = f"holds {cell!r}, which is not a number" in ran.stdout or "infinite" in ran.stdout
    assert told or cell.startswith("1e-")


@pytest.mark.parametrize("cell", ["x", "1_0", "True", "\uff11\uff12"])
def test_the_cell_that_is_named_is_the_one_that_is_wrong(tmp_path, cell):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,1.5,2,.5\n1,{cell},3,.9\n")
    with pytest.raises(ValueError, match=f"row 1 holds '{cell}'") as told:
        prediction_tables.read(str(file))
    assert "1.5" not in str(told.value)


def test_digits_of_other_scripts_are_no_numbers():
    for cell, separator in (("\uff11\uff12", ","), ("\u0661.5", ","), ("\uff11,5", ";")):
        with pytest.raises(ValueError, match="which is not a number"):
            spreadsheets.number(cell, separator)
    assert coco_images.id_of("\uff11") != coco_images.id_of("1")


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000])
def test_a_number_of_a_frame_that_no_film_has_is_told(tmp_path, number):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,1.5,2,.5\n{number},1,3,.9\n")
    with pytest.raises(ValueError, match="is no number of anything|is not a whole number"):
        prediction_tables.read(str(file))
    labels = fakes.animals(tmp_path / "several", np.ones((2, 3, 4, 2)) * 7)
    table = labels / "labeled-data/cam1/CollectedData_Ann.csv"
    table.write_text(table.read_text().replace("img1.png", f"img{number}.png"))
    with pytest.raises(ValueError, match="is no number of anything|is not a whole number"):
        identity_labels.read(str(table), "film.mp4", list(fakes.BODYPARTS))


def test_identities_of_one_table_for_several_films_are_those_of_the_film(tmp_path):
    head = ("scorer,,,s,s,s,s", "individuals,,,a,a,b,b", "bodyparts,,,n,n,n,n", "coords,,,x,y,x,y")
    rows = [
        f"labeled-data,{film},img{number:03d}.png,1,2,3,{number}"
        for film, number in (("film", 1), ("other", 3), ("film", 5), ("other", 5))
    ]
    table = tmp_path / "CollectedData_s.csv"
    table.write_text("\n".join([*head, *rows]) + "\n")
    found = identity_labels.read(str(table), "/films/film.mp4", ["n"])
    assert found.frames.tolist() == [1, 5]
    assert found.keypoints[:, 1, 0].tolist() == [[3, 1], [3, 5]]
    with pytest.raises(ValueError, match=r"several folders \(film, other\), none called third"):
        identity_labels.read(str(table), "/films/third.mp4", ["n"])


def test_numbers_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,0.1234567890123456,,1e-30\n1,2,3,.9\n")
    values = prediction_tables.read(str(file)).values
    assert values[0, 0].tolist()[::2] == [0.1234567890123456, 1e-30]


def _read(root, data):
    file = root / f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
    file.write_bytes(data)
    return project_labels.read(str(root))


@pytest.mark.parametrize(
    "spelled",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-32"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\r\n\r\n").encode(),
        lambda text: b"sep=;\r\n" + text.replace(",", ";").encode(),
        lambda text: b'"sep=\t"\n' + text.replace(",", "\t").encode(),
        lambda text: text.replace("scorer", "Scorer").replace("coords", "COORDS").encode(),
        lambda text: text.replace(",x,y", ",X,Y").encode(),
        lambda text: text.replace("\n", ",,\n").encode(),
    ],
)
def test_labels_are_the_same_however_a_program_saved_them(tmp_path, spelled):
    root = fakes.project(tmp_path / "p")
    wanted = project_labels.read(str(root)).items
    text = fakes.csv_text([item.name for item in wanted], fakes.points())
    found = _read(root, spelled(text))
    assert found.problems == ()
    for one, two in zip(found.items, wanted, strict=True):
        assert one.name == two.name
        np.testing.assert_array_equal(one.keypoints, two.keypoints)


@pytest.mark.parametrize(
    ("spelled", "told"),
    [
        (lambda text: text.encode("utf-16-le"), "UTF-16 without the mark"),
        (lambda text: text.replace(",", "|").encode(), "parted by commas, semicolons or tabs"),
        (lambda text: text.replace("ear", "Öhr").encode("mac_roman"), "is not UTF-8"),
        (lambda text: b"", "must begin with rows scorer"),
        (lambda text: text.replace("x,y\n", "x,z\n").encode(), "tail has a column x only"),
    ],
)
def test_a_table_that_cannot_be_read_for_sure_says_why(tmp_path, spelled, told):
    root = fakes.project(tmp_path / "p")
    names = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
    found = _read(root, spelled(fakes.csv_text(names, fakes.points())))
    assert any(told in problem.what for problem in found.problems), found.problems


def test_labels_of_one_animal_and_of_several_are_told_apart(tmp_path):
    several = {
        "multianimalproject": True,
        "individuals": ["a"],
        "multianimalbodyparts": list(fakes.BODYPARTS),
    }
    one = project_labels.read(str(fakes.project(tmp_path / "one", config=several)))
    assert "was labeled as a project of one animal" in one.problems[0].what
    root = fakes.animals(tmp_path / "two", np.ones((3, 3, 4, 2)))
    config = (root / "config.yaml").read_text().replace("multianimalproject: true", "")
    (root / "config.yaml").write_text(config.replace("MULTI!", str(list(fakes.BODYPARTS))))
    two = project_labels.read(str(root))
    assert "does not say multianimalproject: true" in two.problems[0].what


def test_variances_of_an_ensemble_beside_the_points_are_left_out(tmp_path):
    """Lightning Pose's smoother (EKS) writes seven columns a bodypart."""
    coords = ["x", "y", "likelihood", "x_ens_median", "y_ens_median", "x_ens_var"]
    coords.append("y_posterior_var")
    rows = [["scorer", *["eks"] * 14], ["bodyparts", *["nose"] * 7, *["tail"] * 7]]
    rows += [["coords", *coords * 2], ["0", *map(str, range(14))], ["1", *map(str, range(14))]]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, rows)))
    table = prediction_tables.read(str(tmp_path / "a.csv"))
    np.testing.assert_array_equal(table.values[1], [[0, 1, 2], [7, 8, 9]])
    rows[2][4] = "z"
    (tmp_path / "b.csv").write_text("\n".join(map(",".join, rows)))
    with pytest.raises(ValueError, match="every bodypart must have the columns x, y, likelihood"):
        prediction_tables.read(str(tmp_path / "b.csv"))
    (tmp_path / "c.csv").write_text("\n".join(map(",".join, rows[:3])) + "\n,,\n")
    with pytest.raises(ValueError, match="holds no frame, only its header"):
        prediction_tables.read(str(tmp_path / "c.csv"))


def test_predictions_whose_scorer_pandas_numbered_are_of_one(tmp_path):
    file = tmp_path / "film.csv"
    file.write_text(f"{HEAD}0,1,2,.5\n1,2,3,.9\n".replace("s,s,s", "net,net.1,net.2"))
    found = prediction_tables.read(str(file))
    assert found.scorer == "net"
    np.testing.assert_array_equal(found.values[:, 0], [[1, 2, 0.5], [2, 3, 0.9]])


def test_a_row_that_names_the_index_is_no_frame(tmp_path):
    file = tmp_path / "film.csv"
    file.write_text(f"{HEAD}frame,,,\n3,1,2,.5\n4,2,3,.9\n")
    np.testing.assert_array_equal(prediction_tables.read(str(file)).frames, [3, 4])
    file.write_text(f"{HEAD}a.png,,,\nb.png,2,3,.9\n")
    assert list(prediction_tables.read(str(file)).rows) == ["a.png", "b.png"]
    file.write_text(f"{HEAD}3,1,2,.5\nmean,1,2,.5\n")
    with pytest.raises(ValueError, match="row 'mean' is not the number of a frame, as others are"):
        prediction_tables.read(str(file))
    file = tmp_path / "CollectedData_s.csv"
    file.write_text("scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\nimage,,\na/b/c.png,1,2\n")
    assert collected_data.read(str(file), several=False)[0].names == ["a/b/c.png"]


@pytest.mark.parametrize("form", ["fixed", "table"])
def test_rows_named_by_times_are_no_frames(tmp_path, form):
    columns = pd.MultiIndex.from_product([["s"], ["nose"], ["x", "y", "likelihood"]])
    times = pd.to_timedelta([0, 40], unit="ms")
    pd.DataFrame(np.ones((2, 3)), times, columns).to_hdf(
        tmp_path / "a.h5", key="df_with_missing", format=form
    )
    with pytest.raises(ValueError, match="its rows are times"):
        prediction_tables.read(str(tmp_path / "a.h5"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (HEAD.replace("likelihood", "z").encode() + b"0,1,2,3\n", "in space, .*load_points reads"),
        (b"\x02\x50\0\0\xe0\x9c\0\0" * 40, "is no text"),
        (b"track,frame_idx,instance.score,a.x\n", "SLEAP's analysis table: movement writes"),
        (b"MATLAB 5.0 MAT-file, Platform: posix" + b" " * 88 + b"\0\x01IM", "a file of MATLAB"),
    ],
)
def test_what_holds_no_predictions_is_called_what_it_is(tmp_path, data, told):
    (tmp_path / "film.csv").write_bytes(data)
    with pytest.raises(ValueError, match=told):
        prediction_tables.read(str(tmp_path / "film.csv"))


def test_an_analysis_file_of_sleap_is_called_so(tmp_path):
    with h5py.File(tmp_path / "film.h5", "w") as file:
        file["track_occupancy"] = np.ones((2, 1))
    with pytest.raises(ValueError, match="is SLEAP's analysis file: movement writes it"):
        prediction_tables.read(str(tmp_path / "film.h5"))
