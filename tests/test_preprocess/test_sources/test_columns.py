"""Label files whose columns are found by all their levels, whatever their order and number."""

import fakes
import numpy as np
import pandas as pd
import pytest

from beampose import formats
from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, SINGLE, WARNING

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
CSV = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
H5 = CSV.replace(".csv", ".h5")


@pytest.fixture
def root(tmp_path):
    return fakes.project(tmp_path)


def by(scorer: str, points: np.ndarray) -> pd.DataFrame:
    table = fakes.table(NAMES, points)
    return table.rename(columns={fakes.SCORER: scorer}, level="scorer")


def save(root, table: pd.DataFrame, form: str) -> None:
    (root / CSV).unlink()
    if form == "csv":
        table.to_csv(root / CSV)
    else:
        table.to_hdf(root / H5, key="df_with_missing", mode="w", format=form)  # pyright: ignore[reportArgumentType]


def keypoints(labels) -> np.ndarray:
    return np.concatenate([item.keypoints for item in labels.items])


def whats(labels, level: str) -> str:
    return "\n".join(problem.what for problem in labels.problems if problem.level == level)


@pytest.mark.parametrize("form", ["csv", "table", "fixed"])
@pytest.mark.parametrize("first", ["Ann", "Bob"])
def test_of_two_scorers_in_one_file_the_one_asked_for_is_read(root, form, first):
    tables = {name: by(name, fakes.points() + (name == "Bob") * 10) for name in ("Ann", "Bob")}
    second = "Bob" if first == "Ann" else "Ann"
    save(root, pd.concat([tables[first], tables[second]], axis=1), form)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert "not used are those by Bob" in whats(labels, WARNING)
    assert whats(labels, ERROR) == ""


@pytest.mark.parametrize("form", ["csv", "table"])
def test_images_that_only_another_scorer_labeled_are_an_error(root, form):
    ann, bob = fakes.points(), fakes.points() + 1
    ann[1:], bob[:1] = np.nan, np.nan
    save(root, pd.concat([by("Ann", ann), by("Bob", bob)], axis=1), form)
    wrong = whats(project_labels.read(str(root)), ERROR)
    assert "2 of 3 images are labeled only by Bob, not by Ann (img1.png, img2.png)" in wrong
    together = formats.read("deeplabcut", str(root), scorer=["Ann", "Bob"])
    assert whats(together, ERROR) == ""
    assert np.isfinite(keypoints(together)[:, 0]).all()


def test_columns_of_two_others_are_an_error_that_names_both(root):
    save(root, pd.concat([by("Bob", fakes.points()), by("Eve", fakes.points())], axis=1), "csv")
    labels = project_labels.read(str(root))
    assert labels.items == ()
    assert "columns are by Bob, Eve, config says Ann. Set source.scorer" in whats(labels, ERROR)


# pandas itself refuses to write such a table in the fixed layout.
@pytest.mark.parametrize("form", ["csv", "table"])
def test_a_bodypart_that_is_there_twice_is_an_error(root, form):
    table = fakes.table(NAMES, fakes.points())
    save(root, pd.concat([table, table.iloc[:, :2] + 1], axis=1), form)
    labels = project_labels.read(str(root))
    assert labels.items == ()
    assert "two columns 'x' of bodypart 'nose' by Ann" in whats(labels, ERROR)


@pytest.mark.parametrize("form", ["csv", "table", "fixed"])
def test_levels_in_another_order_are_found_by_their_names(root, form):
    order = ["coords", "scorer", "bodyparts"]
    save(root, fakes.table(NAMES, fakes.points()).reorder_levels(order, axis=1), form)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


def test_levels_without_names_stand_in_deeplabcuts_order(root):
    table = fakes.table(NAMES, fakes.points())
    table.columns.names = [None, None, None]
    save(root, table, "fixed")
    np.testing.assert_array_equal(keypoints(project_labels.read(str(root))), fakes.points())


@pytest.mark.parametrize("gap", ["", "Unnamed: 2_level_0"])
def test_cells_that_a_spreadsheet_merged_mean_what_stands_left_of_them(root, gap):
    text = (root / CSV).read_text()
    head = f"scorer,Ann{f',{gap}' * 5}"
    text = text.replace("scorer" + ",Ann" * 6, head).replace("nose,nose", "nose,")
    (root / CSV).write_text(text)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize(
    ("form", "scorer"),
    # pandas itself writes "nan" into a csv.
    [("csv", ""), ("csv", "Unnamed: 1_level_0")]
    + [(form, s) for form in ("table", "fixed") for s in ("", None, np.nan, "Unnamed: 1_level_0")],
)
def test_columns_that_name_no_scorer_are_read_from_every_form(root, form, scorer):
    table = fakes.table(NAMES, fakes.points())
    tuples = [(scorer, *column[1:]) for column in table.columns]
    table.columns = pd.MultiIndex.from_tuples(tuples, names=table.columns.names)
    save(root, table, form)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert "columns are by (nobody), config says Ann" in whats(labels, WARNING)


def test_an_h5_that_pandas_made_of_a_csv_with_merged_cells_is_read_as_that(root):
    head = f"scorer,Ann{',' * 5}"
    text = (root / CSV).read_text().replace("scorer" + ",Ann" * 6, head)
    (root / CSV).write_text(text.replace("nose,nose", "nose,"))
    save(root, pd.read_csv(root / CSV, header=[0, 1, 2], index_col=0), "fixed")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


def test_numbers_without_a_column_name_are_told(root):
    rows = (root / CSV).read_text().splitlines()
    rows = [f"{row},{'' if i < 3 else 7}" for i, row in enumerate(rows)]
    (root / CSV).write_text("\n".join(rows))
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert "1 column without a name holds numbers, which are not used" in whats(labels, WARNING)


def test_of_two_tables_in_an_h5_deeplabcuts_own_is_read(root):
    (root / CSV).unlink()
    for key, shift in (("keypoints", 5), ("df_with_missing", 0)):
        fakes.table(NAMES, fakes.points() + shift).to_hdf(root / H5, key=key, mode="a")
    np.testing.assert_array_equal(keypoints(project_labels.read(str(root))), fakes.points())


def test_of_two_tables_in_an_h5_without_that_name_none_is_read(root):
    (root / CSV).unlink()
    for key in ("one", "two"):
        fakes.table(NAMES, fakes.points()).to_hdf(root / H5, key=key, mode="a")
    assert "Found: 2 (one, two)" in whats(project_labels.read(str(root)), ERROR)


def animals(tmp_path, old: str, new: str):
    points = np.full((3, 3, 4, 2), np.nan)
    points[:, 2, 3] = 50.5, 3.25
    points[:, 0, :3] = fakes.points()
    root = fakes.animals(tmp_path, points)
    text = (root / CSV).read_text()
    rows = text.splitlines()
    assert old in rows[1] + rows[2]
    rows[1:3] = [row.replace(old, new) for row in rows[1:3]]
    (root / CSV).write_text("\n".join(rows) + "\n")
    return project_labels.read(str(root))


def test_a_unique_bodypart_under_an_animal_is_told_and_not_mixed_with_it(tmp_path):
    labels = animals(tmp_path, "single,single", "ann,ann")
    assert np.isnan(np.stack([item.keypoints for item in labels.items])[:, :, 3]).all()  # pyright: ignore[reportAttributeAccessIssue]
    told = whats(labels, WARNING)
    assert "'door' is a unique bodypart in config.yaml, but has columns under 'ann'" in told
    assert "the 3 labels there are not used" in told


def test_names_that_differ_in_case_only_are_an_error(tmp_path):
    labels = animals(tmp_path, "ann", "Ann")
    assert "individual 'Ann' is 'ann' in config.yaml: its" in whats(labels, ERROR)
    labels = animals(tmp_path / "other", "nose", "Nose ")
    assert "bodypart 'Nose' is 'nose' in config.yaml: its" in whats(labels, ERROR)


def test_header_rows_that_were_swapped_are_an_error_that_says_so(tmp_path):
    points = np.full((3, 3, 4, 2), 1.0)
    points[:, 2, :3], points[:, :2, 3] = np.nan, np.nan
    root = fakes.animals(tmp_path, points)
    rows = (root / CSV).read_text().splitlines()
    cells = [row.split(",", 1) for row in rows[1:3]]
    rows[1:3] = [f"{cells[0][0]},{cells[1][1]}", f"{cells[1][0]},{cells[0][1]}"]
    (root / CSV).write_text("\n".join(rows) + "\n")
    labels = project_labels.read(str(root))
    assert "individuals and bodyparts are swapped" in whats(labels, ERROR)
    assert labels.individuals == ("ann", "bob", SINGLE)


def test_an_h5_of_several_animals_in_a_project_of_one_is_told_as_a_csv_is(root):
    table = fakes.table(NAMES, fakes.points())
    tuples = [(column[0], "one", *column[1:]) for column in table.columns]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    table.columns = pd.MultiIndex.from_tuples(tuples, names=names)
    said = set()
    for form in ("csv", "fixed"):
        save(root, table, form)
        said.add(whats(project_labels.read(str(root)), ERROR))
        table.to_csv(root / CSV)
        (root / H5).unlink(missing_ok=True)
    assert len(said) == 1 and "config.yaml does not say multianimalproject: true" in said.pop()


def test_a_column_before_the_names_of_rows_is_told(root):
    text = (root / CSV).read_text().splitlines()
    (root / CSV).write_text("\n".join(f"{'' if i < 3 else i},{row}" for i, row in enumerate(text)))
    assert "A column stands before them" in whats(project_labels.read(str(root)), ERROR)


def test_an_h5_without_rows_says_so(root):
    save(root, fakes.table(NAMES, fakes.points()).iloc[:0], "fixed")
    assert "holds no rows" in whats(project_labels.read(str(root)), ERROR)


def test_a_missing_scorer_is_the_same_in_h5_and_in_the_csv_that_pandas_makes_of_it(root):
    table = fakes.table(NAMES, fakes.points())
    tuples = [(np.nan, part, coord) for _, part, coord in table.columns]
    table.columns = pd.MultiIndex.from_tuples(tuples, names=table.columns.names)
    save(root, table, "fixed")
    table.to_csv(root / CSV)
    assert "scorer,nan,nan" in (root / CSV).read_text()
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert whats(labels, WARNING) == "scorer mismatch: columns are by (nobody), config says Ann"


@pytest.mark.parametrize("parts", [1, 3])
def test_a_header_that_pandas_read_as_names_is_that_of_one_scorer(root, parts):
    table = fakes.table(NAMES, fakes.points())
    if parts > 1:
        table.index = pd.MultiIndex.from_tuples([name.split("/") for name in NAMES])
    save(root, table, "csv")
    pd.read_csv(root / CSV, dtype=str).to_csv(root / CSV, index=False)
    assert f"{fakes.SCORER}.1," in (root / CSV).read_text()
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


def test_scorers_with_numbers_are_two_where_names_recur(root):
    tables = [by("Ann", fakes.points()), by("Ann.6", fakes.points() + 10)]
    save(root, pd.concat(tables, axis=1), "csv")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert "not used are those by Ann.6" in whats(labels, WARNING)
