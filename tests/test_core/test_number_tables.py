"""Tables of numbers: a row that has other cells than the header is never read shifted."""

import os

import pytest

from beampose.core import number_tables
from beampose.formats import anipose_csv, deepmeerkat
from beampose.formats.deeplabcut import (
    collected_data,
    prediction_tables,
    prediction_writer,
    track_writer,
)
from beampose.pipelines.curation import label_corrections, repeats_page

PREDICTED = "scorer,s,s,s\nbodyparts,n,n,n\ncoords,x,y,likelihood\n0,1,2,.5\n1,3,4,.6\n"
TRACKED = "scorer,s,s,s\nindividuals,a,a,a\n" + PREDICTED.partition("\n")[2]
LABELED = (
    "scorer,s,s\nbodyparts,n,n\ncoords,x,y\nlabeled-data/a/1.png,1,2\nlabeled-data/a/2.png,3,4\n"
)
MARKED = "apply,image,bodypart,x,y,new_x,new_y\n,a/0.png,n,1,2,3,4\nyes,a/1.png,n,1,2,3,4\n"
ANIPOSE = "n_x,n_y,n_z,n_error,n_ncams,n_score\n1,2,3,4,5,6\n1,2,3,4,5,6\n"
BOXES = "frame,clock,x,y,h,w\n1,0,1,2,3,4\n2,0,1,2,3,4\n"
READERS = {
    "predictions": (PREDICTED, prediction_tables.read),
    "of several": (TRACKED, prediction_tables.read),
    "own predictions": (PREDICTED, prediction_writer.read),
    "own tracks": (TRACKED, track_writer.read),
    "anipose": (
        "n_x,n_y,n_z,n_error,n_ncams,n_score\n1,2,3,4,5,6\n1,2,3,4,5,6\n",
        anipose_csv.read,
    ),
    "boxes": (
        "frame,clock,x,y,h,w\n1,0,1,2,3,4\n2,0,1,2,3,4\n",
        lambda f: deepmeerkat.read(f, os.path.getsize(f)),
    ),
    "repeats": ("video,frame,box\na.mp4,1,2\na.mp4,2,2\n", repeats_page.read_dismissed),
    "corrections": (MARKED, label_corrections.read),
}


@pytest.mark.parametrize("change", ["short", "long", "cut"])
@pytest.mark.parametrize("name", READERS)
def test_a_row_of_other_cells_than_the_header_is_refused_with_its_line(tmp_path, name, change):
    text, read = READERS[name]
    file = tmp_path / "a.csv"
    file.write_text(text)
    read(str(file))
    *lines, last = text.splitlines()
    first, _, rest = last.partition(",")
    changed = {
        "short": f"{first},{rest.partition(',')[2]}",
        "long": f"{first},7,{rest}",
        "cut": last.rpartition(",")[0],
    }
    file.write_text("\n".join([*lines, changed[change]]) + "\n")
    count = len(lines) + 1
    with pytest.raises(ValueError, match=rf"a\.csv.*line {count}\b"):
        read(str(file))


@pytest.mark.parametrize("row", ["labeled-data/a/2.png,3", "labeled-data/a/2.png,3,4,5"])
def test_a_label_row_of_other_cells_is_a_problem_of_its_own(tmp_path, row):
    file = tmp_path / "CollectedData_s.csv"
    file.write_text(LABELED.replace("labeled-data/a/2.png,3,4", row))
    table, (problem,) = collected_data.read(str(file), several=False)
    assert table.names == ["labeled-data/a/1.png"]
    assert (problem.row, problem.level) == (5, "error")
    assert "where the header has 3" in problem.what


def test_a_row_of_corrections_that_nobody_marked_may_lack_cells(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(MARKED.replace(",a/0.png,n,1,2,3,4", ",a/0.png,n,1"))
    assert len(label_corrections.read(str(file))) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_predictions_may_come_from_a_spreadsheet_program(tmp_path, separator, encoding):
    file = tmp_path / "a.csv"
    text = PREDICTED.replace(",", separator).replace(".5", "0,5").replace(".6", "0,6")
    file.write_bytes(f"sep={separator}\r\n{text}".encode(encoding))
    read = prediction_tables.read(str(file))
    assert read.values[:, 0].tolist() == [[1, 2, 0.5], [3, 4, 0.6]]
    assert read.frames.tolist() == [0, 1]


@pytest.mark.parametrize("rows", ["0.0,1,2,.5\n1.0,3,4,.6\n", "0,1,2,.5\n1,3,4,.6\n,,,\n,,,\n"])
def test_numbers_of_frames_stay_numbers_as_spreadsheet_programs_write_them(tmp_path, rows):
    file = tmp_path / "a.csv"
    file.write_text(PREDICTED[: PREDICTED.index("0,1")] + rows)
    read = prediction_tables.read(str(file))
    assert read.rows.tolist() == [0, 1]
    assert read.values[:, 0, 1].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("-1,1,2,.5\n", "from 0 on"),
        ("0,1,2,.5\n,3,4,.6\n", "neither the number of a frame nor"),
        ("0.5,1,2,.5\n", "not a whole number"),
    ],
)
def test_rows_that_are_no_frames_do_not_pass_for_images(tmp_path, rows, told):
    file = tmp_path / "a.csv"
    file.write_text(PREDICTED[: PREDICTED.index("0,1")] + rows)
    with pytest.raises(ValueError, match=told):
        prediction_tables.read(str(file))


def test_points_among_decimal_commas_are_told(tmp_path):
    file = tmp_path / "a.csv"
    head = PREDICTED[: PREDICTED.index("0,1")].replace(",", ";")
    file.write_text(f"{head}0;1.5;2,5;0.5\n")
    with pytest.raises(ValueError, match="a decimal point among decimal commas"):
        prediction_tables.read(str(file))


def test_quoted_cells_may_hold_separators_and_ends_of_lines(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('name,x\n"a,b\nc",1\n\n"d",2\n')
    assert number_tables.read(file, index_col=0)["x"].tolist() == [1, 2]
