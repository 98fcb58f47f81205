import fakes
import pytest

from beampose import formats
from beampose.formats import crop_lists
from beampose.preprocess.labels import ERROR, TEST, TRAIN


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "trainingdata.csv").write_text(
        "Training/Positive/cam_1_0.jpg,positive\n"
        "Training/Negative/cam_2_0.jpg,negative\n"
        "Training/Negative/cam_3_0.jpg,negative\n"
    )
    (tmp_path / "testingdata.csv").write_text(
        "/data/bee_7_1.jpg,positive\ngs://bucket/bee_8_1.jpg,negative\n"
    )
    (tmp_path / "dict.txt").write_text("positive\nnegative\n")
    return tmp_path


def test_both_lists_of_a_folder_are_read_without_a_header(folder):
    labels = crop_lists.read(str(folder))
    assert sorted((item.split, item.label) for item in labels.items) == [
        (TEST, 0),
        (TEST, 1),
        (TRAIN, 0),
        (TRAIN, 1),
        (TRAIN, 1),
    ]
    assert labels.problems == ()


def test_relative_paths_belong_to_the_csv(folder):
    item = crop_lists.read(str(folder / "trainingdata.csv")).items[0]
    assert item.image == f"{folder}/Training/Positive/cam_1_0.jpg"
    assert item.name == "Training/Positive/cam_1_0.jpg"
    assert item.video == "cam"


def test_absolute_paths_and_addresses_stay(folder):
    labels = crop_lists.read(str(folder / "testingdata.csv"))
    assert [i.image for i in labels.items] == ["/data/bee_7_1.jpg", "gs://bucket/bee_8_1.jpg"]


def test_windows_separators_are_understood(folder):
    (folder / "trainingdata.csv").write_text("Positive\\a_1_0.jpg,positive\nb.jpg,negative\n")
    item = crop_lists.read(str(folder / "trainingdata.csv")).items[0]
    assert item.image == f"{folder}/Positive/a_1_0.jpg"


def test_dict_txt_decides_the_order_of_classes(folder):
    (folder / "dict.txt").write_text("negative\r\npositive\r\n\r\n")
    labels = crop_lists.read(str(folder))
    assert labels.classes == ("negative", "positive")
    assert next(i.label for i in labels.items if i.name.endswith("cam_1_0.jpg")) == 1


def test_dict_txt_is_found_in_the_folder_above(folder):
    (folder / "lists").mkdir()
    (folder / "trainingdata.csv").rename(folder / "lists" / "trainingdata.csv")
    (folder / "dict.txt").write_text("negative\npositive\nunsure\n")
    labels = crop_lists.read(str(folder / "lists"))
    assert labels.classes == ("negative", "positive", "unsure")


def test_without_dict_txt_positive_comes_first(folder):
    (folder / "dict.txt").unlink()
    assert crop_lists.read(str(folder)).classes == ("positive", "negative")


@pytest.mark.parametrize("row", ["lonely.jpg", "a.jpg,positive,0.5", "a.jpg,", ",positive"])
def test_a_bad_row_is_a_problem_with_its_line(folder, row):
    (folder / "trainingdata.csv").write_text(f"a.jpg,positive\n\n{row}\nb.jpg,negative\n")
    labels = crop_lists.read(str(folder / "trainingdata.csv"))
    (problem,) = labels.problems
    assert (problem.level, problem.row) == (ERROR, 3)
    assert problem.file.endswith("trainingdata.csv")
    assert [(item.name, item.row) for item in labels.items] == [("a.jpg", 1), ("b.jpg", 4)]


def test_an_unknown_label_is_a_problem_with_its_line(folder):
    with (folder / "trainingdata.csv").open("a") as file:
        file.write("c.jpg,badger\n")
    labels = crop_lists.read(str(folder / "trainingdata.csv"))
    (problem,) = labels.problems
    assert (problem.level, problem.row, problem.image) == (ERROR, 4, "c.jpg")
    assert "'badger' is not in dict.txt (positive, negative)" in problem.what
    assert len(labels.items) == 3


def test_labels_are_read_in_any_case_and_with_spaces(folder):
    (folder / "trainingdata.csv").write_text("\ufeffa.jpg , Positive\nb.jpg,NEGATIVE\n")
    labels = crop_lists.read(str(folder / "trainingdata.csv"))
    assert [(item.name, item.label) for item in labels.items] == [("a.jpg", 0), ("b.jpg", 1)]


def test_classes_of_dict_txt_are_read_in_any_case(folder):
    (folder / "dict.txt").write_text("Positive\nNegative\n")
    assert len(crop_lists.read(str(folder)).items) == 5


def test_a_list_of_any_name_takes_the_split_from_its_paths(folder):
    (folder / "all.csv").write_text(
        "Training/a.jpg,positive\nTesting/b.jpg,negative\nother/c.jpg,negative\n"
    )
    labels = crop_lists.read(str(folder / "all.csv"))
    assert [item.split for item in labels.items] == [TRAIN, TEST, None]


def test_a_single_class_is_a_value_error(folder):
    (folder / "dict.txt").unlink()
    (folder / "trainingdata.csv").write_text("a.jpg,positive\nb.jpg,positive\n")
    with pytest.raises(ValueError, match="at least two classes. Found: positive"):
        crop_lists.read(str(folder / "trainingdata.csv"))


def test_an_unclosed_quote_is_a_problem_and_not_a_crash(folder):
    rows = "".join(f"image{i}.jpg,negative\n" for i in range(10_000))
    (folder / "trainingdata.csv").write_text('a.jpg,positive\n"b.jpg,negative\n' + rows)
    labels = crop_lists.read(str(folder / "trainingdata.csv"))
    assert [item.name for item in labels.items] == ["a.jpg"]
    assert [problem.level for problem in labels.problems] == [ERROR]


@pytest.mark.parametrize("name", ["absent.csv", "empty"])
def test_an_absent_list_is_not_found(folder, name):
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError):
        crop_lists.read(str(folder / name))


def test_the_format_is_called_csv(folder):
    assert len(formats.read("csv", str(folder)).items) == 5


@pytest.mark.parametrize("cut", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["", "image,label", "Label,File_Name", "URI,class"])
def test_a_header_and_other_separators_are_understood(folder, cut, header):
    rows = [row.split(",") for row in (header, "a.jpg,positive", "b.jpg,negative") if row]
    rows = [row[::-1] if header.startswith("Label") and row[0] != "Label" else row for row in rows]
    (folder / "list.csv").write_text("\n".join(cut.join(row) for row in rows))
    (folder / "dict.txt").unlink()
    labels = crop_lists.read(str(folder / "list.csv"))
    assert labels.classes == ("positive", "negative")
    assert [(item.name, item.label) for item in labels.items] == [("a.jpg", 0), ("b.jpg", 1)]
    assert labels.problems == ()


def test_a_list_in_another_encoding_is_refused_with_its_line(folder):
    (folder / "list.csv").write_bytes("a.jpg,bär\nb.jpg,reh\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"list.csv is not UTF-8 \(line 1"):
        crop_lists.read(str(folder / "list.csv"))


def test_rows_of_three_cells_are_named(folder):
    (folder / "dict.txt").unlink()
    (folder / "list.csv").write_text("a.jpg,positive,0.5\n")
    with pytest.raises(ValueError, match="Found: none. .*list.csv:1 must be `uri,label`"):
        crop_lists.read(str(folder / "list.csv"))


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1/a.png", "simplecache::gs://b/a.png", "a::b.png", "film.m3u8#frame=3"],
)
def test_a_list_names_files_and_buckets_and_nothing_else(tmp_path, uri):
    (tmp_path / "a.csv").write_text(f"a.png,positive\nb.png,negative\n{uri},positive\n")
    labels = crop_lists.read(str(tmp_path / "a.csv"))
    assert [crop.name for crop in labels.items] == ["a.png", "b.png"]
    (problem,) = labels.problems
    assert (problem.row, "an address in a bucket" in problem.what) == (3, True)


def test_a_list_of_another_name_in_a_folder_of_lists_is_told(tmp_path):
    fakes.crops(tmp_path, {"a": 1, "b": 1})
    rows = "a/bird_0_0.jpg,positive\nb/bird_0_0.jpg,negative\n"
    (tmp_path / "trainingdata.csv").write_text(rows)
    (tmp_path / "valdata.csv").write_text(rows)
    (tmp_path / "origin.csv").write_text("crop,video,frame\n")
    labels = formats.read("csv", str(tmp_path))
    (problem,) = labels.problems
    assert problem.file == f"{tmp_path}/valdata.csv"
    assert "looks like a list of crops and is not read" in problem.what


def test_a_header_in_other_words_is_no_crop(tmp_path):
    rows = "Bild;Art\na.jpg;fox\nb.png;ba\u0308r\nc.png;b\xe4r\n"
    (tmp_path / "list.csv").write_text(rows, encoding="utf-8")
    labels = crop_lists.read(str(tmp_path / "list.csv"))
    assert labels.classes == ("b\xe4r", "fox") and len(labels.items) == 3
    assert not labels.problems


@pytest.mark.parametrize(
    "text",
    [
        "image,label,split\na.jpg,fox,train\nb.jpg,owl,val\nc.jpg,fox,\n",
        "split;filename;class\nTraining;a.jpg;fox\nTEST;b.jpg;owl\nunassigned;c.jpg;fox\n",
        "TRAIN,a.jpg,fox\nVALIDATION,b.jpg,owl\nUNASSIGNED,c.jpg,fox\n",
        "a.jpg\tfox\ttrain\nb.jpg\towl\ttest\nc.jpg\tfox\tunassigned\n",
        ",filepath,species,data set\n0,a.jpg,fox,train\n1,b.jpg,owl,test\n2,c.jpg,fox,\n",
    ],
)
def test_a_column_says_the_splits(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    labels = crop_lists.read(str(tmp_path / "list.csv"))
    assert [(item.name, labels.classes[item.label], item.split) for item in labels.items] == [
        ("a.jpg", "fox", TRAIN),
        ("b.jpg", "owl", TEST),
        ("c.jpg", "fox", None),
    ]
    assert not labels.problems


def test_columns_that_are_not_used_and_splits_that_are_none_are_told(tmp_path):
    text = "image,label,xmin,split\na.jpg,fox,3,train\nb.jpg,owl,4,spare\nc.jpg,fox\n"
    (tmp_path / "list.csv").write_text(text)
    labels = crop_lists.read(str(tmp_path / "list.csv"))
    assert [item.split for item in labels.items] == [TRAIN, None]
    unused, spare, short = labels.problems
    assert "columns that are not used: xmin; images are taken whole" in unused.what
    assert spare.row == 3 and "its split 'spare' is none of training, train" in spare.what
    assert short.row == 4 and "in 4 cells, as its header" in short.what


def test_one_short_row_of_a_list_without_a_header_is_that_row_alone(tmp_path):
    (tmp_path / "list.csv").write_text("TRAIN,a.jpg,fox\nTEST,b.jpg\nTEST,c.jpg,owl\n")
    labels = crop_lists.read(str(tmp_path / "list.csv"))
    assert [item.split for item in labels.items] == [TRAIN, TEST]
    (problem,) = labels.problems
    assert problem.row == 2
