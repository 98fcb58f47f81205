"""Corrections change the cells they name, and nothing else, in every layout of a label file."""

import csv
import io

import fakes
import h5py
import numpy as np
import pytest

from beampose.formats import pandas_h5
from beampose.formats.deeplabcut import label_edits
from beampose.formats.deeplabcut.label_edits import Correction

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
MOVE = Correction("labeled-data/cam1/img2.png", "ear", (22.5, 17.25), (1.5, 2.25))
AWAY = Correction("cam1/img0.png", "nose", (10.25, 5.5), (np.nan, np.nan))


def expected():
    points = fakes.points(3)
    points[2, 1] = MOVE.new
    points[0, 0] = np.nan
    return points


@pytest.mark.parametrize("names", [NAMES, [name.replace("/", ",") for name in NAMES]])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_csv_keeps_all_its_other_cells(names, end, mark):
    text = fakes.csv_text(names, fakes.points(3)).replace("\n", end)
    data, lost = label_edits.edit_csv(mark + text.encode(), [MOVE, AWAY], fakes.SCORER)
    assert not lost
    assert data.startswith(mark) and data.count(end.encode()) == 6
    rows = [list(csv.reader(io.StringIO(one))) for one in (text, data.decode("utf-8-sig"))]
    changed = [
        (r, c, new)
        for r, (before, after) in enumerate(zip(*rows, strict=True))
        for c, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
    ]
    first = names[0].count(",") + 1
    assert changed == [
        (3, first, ""),
        (3, first + 1, ""),
        (5, first + 2, "1.5"),
        (5, first + 3, "2.25"),
    ]


@pytest.mark.parametrize("layout", ["table", "fixed", "three levels"])
def test_an_h5_keeps_its_layout_and_attributes(tmp_path, layout):
    pandas = pytest.importorskip("pandas")
    names = [tuple(n.split("/")) for n in NAMES] if layout == "three levels" else NAMES
    frame = fakes.table(names, fakes.points(3))
    file = tmp_path / "labels.h5"
    kind = "table" if layout == "table" else "fixed"
    frame.to_hdf(file, key="df_with_missing", format=kind, mode="w")
    before = file.read_bytes()
    data, lost = label_edits.edit_h5(before, [MOVE, AWAY], fakes.SCORER)
    assert not lost
    np.testing.assert_array_equal(pandas_h5.read(data)[2].reshape(3, 3, 2), expected())
    file.write_bytes(data)
    again = pandas.read_hdf(file, "df_with_missing")
    np.testing.assert_array_equal(again.to_numpy().reshape(3, 3, 2), expected())
    assert again.columns.equals(frame.columns) and again.index.equals(frame.index)
    with h5py.File(io.BytesIO(before)) as old, h5py.File(io.BytesIO(data)) as new:
        found = [{}, {}]
        for attributes, h5 in zip(found, (old, new), strict=True):
            h5.visititems(
                lambda name, item, kept=attributes: kept.update(
                    {(name, key): str(value) for key, value in item.attrs.items()}
                )
            )
        assert found[0] == found[1]


@pytest.mark.parametrize(
    "wrong",
    [
        MOVE._replace(old=(22.5, 17.3)),
        MOVE._replace(image="labeled-data/cam2/img2.png"),
        MOVE._replace(bodypart="paw"),
        MOVE._replace(old=(np.nan, np.nan)),
    ],
)
def test_a_label_that_is_not_what_was_judged_stays(tmp_path, wrong):
    text = fakes.csv_text(NAMES, fakes.points(3)).encode()
    assert label_edits.edit_csv(text, [wrong], fakes.SCORER) == (text, {wrong})
    file = tmp_path / "labels.h5"
    fakes.table(NAMES, fakes.points(3)).to_hdf(file, key="df_with_missing", mode="w")
    data, lost = label_edits.edit_h5(file.read_bytes(), [wrong], fakes.SCORER)
    assert lost == {wrong}
    np.testing.assert_array_equal(pandas_h5.read(data)[2].reshape(3, 3, 2), fakes.points(3))


@pytest.mark.parametrize("layout", ["csv", "table"])
def test_of_two_scorers_only_the_one_asked_for_is_changed(tmp_path, layout):
    pandas = pytest.importorskip("pandas")
    ann = fakes.table(NAMES, fakes.points(3))
    both = pandas.concat([ann.rename(columns={fakes.SCORER: "Bob"}, level=0), ann], axis=1)
    file = tmp_path / "labels"
    if layout == "csv":
        both.to_csv(file)
        data, lost = label_edits.edit_csv(file.read_bytes(), [MOVE, AWAY], fakes.SCORER)
        found = pandas.read_csv(io.BytesIO(data), header=[0, 1, 2], index_col=0).to_numpy()
    else:
        both.to_hdf(file, key="df_with_missing", format="table", mode="w")
        data, lost = label_edits.edit_h5(file.read_bytes(), [MOVE, AWAY], fakes.SCORER)
        found = pandas_h5.read(data)[2]
    assert not lost
    np.testing.assert_array_equal(found.reshape(3, 2, 3, 2)[:, 0], fakes.points(3))
    np.testing.assert_array_equal(found.reshape(3, 2, 3, 2)[:, 1], expected())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_a_csv_keeps_its_separator_its_decimal_commas_and_its_encoding(encoding):
    text = fakes.csv_text(NAMES, fakes.points(3)).replace(",", ";").replace(".png", "~")
    text = text.replace(".", ",").replace("~", ".png").replace("ear", "Öhrchen")
    move = MOVE._replace(bodypart="Öhrchen")
    data, lost = label_edits.edit_csv(text.encode(encoding), [move], fakes.SCORER)
    assert not lost
    assert data.decode(encoding) == text.replace("22,5;17,25", "1,5;2,25")


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\xff\xfe"])
def test_what_is_no_label_file_is_refused(data):
    with pytest.raises(ValueError):
        label_edits.edit_csv(data, [MOVE], fakes.SCORER)
    with pytest.raises(ValueError):
        label_edits.edit_h5(data, [MOVE], fakes.SCORER)


def test_real_label_files_can_be_edited(shared_data):
    folder = shared_data / "openfield-Pranav-2018-10-30/labeled-data/m4s1"
    for suffix, edit in ((".csv", label_edits.edit_csv), (".h5", label_edits.edit_h5)):
        data = (folder / f"CollectedData_Pranav{suffix}").read_bytes()
        one = Correction("labeled-data/m4s1/img0000.png", "snout", (21.521, 265.428), (1.0, 2.0))
        changed, lost = edit(data, [one], "Pranav")
        assert not lost and changed != data
