"""Zips from strangers, most of them made by hand to do harm."""

import os
import random
import stat
import struct
import zipfile

import fakes
import pytest

from beampose.core import zips
from beampose.formats import project_search

LIMITS = zips.Limits(bytes=2_000_000, files=50, ratio=100.0)


def make(path, members, method=zipfile.ZIP_DEFLATED):
    """Writes a zip of (name or ZipInfo, bytes) pairs, whatever the names are."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo("x")
            if info is not name:
                info.filename = info.orig_filename = name
                info.compress_type = method
            archive.writestr(info, data)
    return path


def of_folder(path, folder, prefix=""):
    """Zips a folder as `zip -r` does, its files below `prefix`."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return make(
        path, [(f"{prefix}{f.relative_to(folder).as_posix()}", f.read_bytes()) for f in files]
    )


def everything_below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_zip_unpacks_to_the_files_it_was_made_of(tmp_path):
    project = fakes.project(tmp_path / "reach")
    zips.unpack(of_folder(tmp_path / "a.zip", project), tmp_path / "out", LIMITS)
    assert everything_below(tmp_path / "out") == everything_below(project)
    for name in everything_below(project):
        assert (tmp_path / "out" / name).read_bytes() == (project / name).read_bytes()


def test_separators_of_windows_make_folders_and_shadows_of_macs_are_left_out(tmp_path):
    file = make(
        tmp_path / "a.zip",
        [("p\\", b""), ("p\\labeled-data\\a.txt", b"1"), ("__MACOSX/p/._a.txt", b"2"), ("e/", b"")],
    )
    zips.unpack(file, tmp_path / "out", LIMITS)
    assert everything_below(tmp_path / "out") == ["p/labeled-data/a.txt"]
    assert (tmp_path / "out/e").is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "//host/share/evil",
        "C:\\evil",
        "C:evil",
        "..\\evil",
        "a\\..\\..\\evil",
        "\\evil",
        "\\\\host\\share\\evil",
    ],
)
def test_no_member_leaves_its_folder(tmp_path, name):
    inside = tmp_path / "deep" / "out"
    file = make(tmp_path / "a.zip", [("good.txt", b"1"), (name, b"evil")])
    with pytest.raises(ValueError, match="would leave its folder") as error:
        zips.unpack(file, inside, LIMITS)
    assert repr(name) in str(error.value)
    assert everything_below(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("name", ["a\nb", "a\0.txt/../../evil", "a\x1b[2J"])
def test_control_characters_in_names_are_refused(tmp_path, name):
    file = make(tmp_path / "a.zip", [("placeholder" + "x" * (len(name) - 11), b"1")])
    wanted = ("placeholder" + "x" * (len(name) - 11)).encode()
    name = name.ljust(len(wanted), "y")
    file.write_bytes(file.read_bytes().replace(wanted, name.encode()))
    with pytest.raises(ValueError, match="control characters"):
        zips.unpack(file, tmp_path / "out", LIMITS)


def special(kind):
    info = zipfile.ZipInfo("data")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (stat.S_IFLNK, "is a link"),
        (stat.S_IFIFO, "special file"),
        (stat.S_IFCHR, "special file"),
        (stat.S_IFSOCK, "special file"),
    ],
)
def test_links_and_special_files_are_refused_before_anything_is_written(tmp_path, kind, what):
    file = make(tmp_path / "a.zip", [("a", b"1"), (special(kind), b"/etc"), ("data/evil", b"2")])
    with pytest.raises(ValueError, match=f"'data' .*{what}"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    assert everything_below(tmp_path / "out") == []


def test_a_bomb_that_says_its_size_is_refused_before_it_is_read(tmp_path):
    file = make(tmp_path / "a.zip", [(f"{i}.bin", bytes(150_000)) for i in range(15)])
    with pytest.raises(ValueError, match="2,250,000 bytes unpacked, above 2,000,000"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    assert everything_below(tmp_path / "out") == []


def test_a_large_member_may_not_be_packed_too_well(tmp_path):
    file = make(tmp_path / "a.zip", [("zeros.png", bytes(20_000_000))])
    with pytest.raises(ValueError, match="'zeros.png' unpacks to more than 100 times its size"):
        zips.unpack(file, tmp_path / "out", LIMITS._replace(bytes=10**9))


def test_small_members_that_are_packed_too_well_together_are_refused(tmp_path):
    file = make(tmp_path / "a.zip", [(f"{i}.png", bytes(5_000_000)) for i in range(4)])
    with pytest.raises(ValueError, match="20,000,000 bytes unpacked, more than 100 times"):
        zips.unpack(file, tmp_path / "out", LIMITS._replace(bytes=10**9))
    assert everything_below(tmp_path / "out") == []


def lie(file, *, size=None, packed=None):
    """Changes what both headers of a zip's one member say of its sizes."""
    data = bytearray(file.read_bytes())
    for mark, at in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
        place = data.index(mark) + at
        was_packed, was_size = struct.unpack_from("<II", data, place)
        values = was_packed if packed is None else packed, was_size if size is None else size
        struct.pack_into("<II", data, place, *values)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("says", [10, 4_999_999, 5_000_001])
def test_a_member_that_lies_about_its_size_writes_no_more_than_it_said(tmp_path, says):
    file = lie(make(tmp_path / "a.zip", [("zeros.csv", bytes(5_000_000))]), size=says)
    with pytest.raises(ValueError, match="'zeros.csv' is damaged"):
        zips.unpack(file, tmp_path / "out", LIMITS._replace(bytes=10**7))
    assert (tmp_path / "out/zeros.csv").stat().st_size <= says


def test_the_budget_holds_even_if_zipfile_gives_more_than_a_member_said(tmp_path, monkeypatch):
    file = make(tmp_path / "a.zip", [("a.csv", bytes(1_900_000)), ("zeros.csv", b"0")])

    class Endless:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, size):
            return bytes(size)

    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: Endless())
    with pytest.raises(ValueError, match="beyond the limit of bytes"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) <= LIMITS.bytes


def test_too_many_files_are_refused_and_so_is_a_list_of_them_too_long_to_read(tmp_path):
    file = make(tmp_path / "a.zip", [(f"{i}", b"") for i in range(51)])
    with pytest.raises(ValueError, match="51 files, above 50"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    file = make(tmp_path / "b.zip", [(f"{i:0>200}", b"") for i in range(600)])
    with pytest.raises(ValueError, match="too many files"):
        zips.unpack(file, tmp_path / "out", LIMITS)


def test_members_that_overlap_or_repeat_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = make(tmp_path / "a.zip", [("p/a.csv", b"1"), ("p/a.csv", b"2")])
    with pytest.raises(ValueError, match="'p/a.csv' is there twice"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    file = make(tmp_path / "b.zip", [("p/a.csv", b"1"), ("p\\a.csv", b"2")])
    with pytest.raises(ValueError, match="is there twice"):
        zips.unpack(file, tmp_path / "b", LIMITS)
    assert everything_below(tmp_path / "b") == []
    file = make(tmp_path / "c.zip", [("p", b"1"), ("p/a.csv", b"2")])
    with pytest.raises(ValueError, match="'p/a.csv' is there twice"):
        zips.unpack(file, tmp_path / "c", LIMITS)


def test_encrypted_and_unusually_packed_members_are_refused(tmp_path):
    file = make(tmp_path / "a.zip", [("a.csv", b"1")])
    data = bytearray(file.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="'a.csv' is encrypted"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    file = make(tmp_path / "b.zip", [("a.csv", b"1")], zipfile.ZIP_LZMA)
    with pytest.raises(ValueError, match="packed with method 14"):
        zips.unpack(file, tmp_path / "out", LIMITS)


def test_damage_is_named(tmp_path):
    file = make(tmp_path / "a.zip", [("a.csv", b"some labels")], zipfile.ZIP_STORED)
    file.write_bytes(file.read_bytes().replace(b"some labels", b"sane labels"))
    with pytest.raises(ValueError, match=r"'a.csv' is damaged: Bad CRC"):
        zips.unpack(file, tmp_path / "out", LIMITS)
    for name, data in (("b.zip", b""), ("c.zip", b"no zip"), ("d.zip", file.read_bytes()[:-30])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match="is not a complete zip"):
            zips.unpack(tmp_path / name, tmp_path / "out", LIMITS)


def test_damaged_bytes_raise_nothing_but_value_errors(tmp_path):
    whole = make(tmp_path / "a.zip", [("p/a.csv", b"some labels" * 20), ("p/b", b"2")]).read_bytes()
    rng = random.Random(0)
    for i in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "b.zip").write_bytes(data)
        try:
            zips.unpack(tmp_path / "b.zip", tmp_path / f"out{i}", LIMITS)
        except ValueError as error:
            assert str(tmp_path) not in str(error)
    assert {p.name for p in tmp_path.iterdir()} <= {"a.zip", "b.zip"} | {
        f"out{i}" for i in range(400)
    }


@pytest.mark.parametrize("prefix", ["", "reach/", "home/ann/projects/reach/"])
def test_a_project_is_found_at_any_depth(tmp_path, prefix):
    fakes.project(tmp_path / prefix)
    (tmp_path / "__MACOSX/reach/labeled-data").mkdir(parents=True)
    (tmp_path / "__MACOSX/reach/config.yaml").write_text("")
    (tmp_path / ".trash/labeled-data").mkdir(parents=True)
    (tmp_path / ".trash/config.yaml").write_text("")
    found = project_search.find_project(tmp_path)
    assert found == ("deeplabcut", str(tmp_path / prefix))


@pytest.mark.parametrize("prefix", ["", "birds/", "home/ann/birds/"])
@pytest.mark.parametrize(
    "folders",
    [
        ("Training/Positive", "Training/Negative", "Testing/Positive", "Testing/Negative"),
        ("Positives", "Negatives"),
        ("jay", "wren"),
    ],
)
def test_crops_are_found_at_any_depth(tmp_path, prefix, folders):
    fakes.crops(tmp_path / prefix, dict.fromkeys(folders, 2))
    assert project_search.find_project(tmp_path) == ("crops", str(tmp_path / prefix))


def test_two_folders_of_pictures_beside_a_project_are_not_taken_for_crops(tmp_path):
    fakes.project(tmp_path / "reach")
    fakes.crops(tmp_path, {"figures": 2, "photos": 2})
    assert project_search.find_project(tmp_path)[0] == "deeplabcut"
    # Two videos' labeled frames are folders of images too.
    folder = fakes.label_folder(tmp_path / "reach", "cam2")
    (folder / "img0.png").write_bytes(fakes.encode(fakes.pixels(9)))
    assert project_search.find_project(tmp_path)[0] == "deeplabcut"


def test_no_project_and_several_are_errors_that_say_where(tmp_path):
    (tmp_path / "reach").mkdir()
    with pytest.raises(ValueError, match="holds no project"):
        project_search.find_project(tmp_path)
    (tmp_path / "reach/config.yaml").write_text("")
    with pytest.raises(ValueError, match="reach has a config.yaml only"):
        project_search.find_project(tmp_path)
    fakes.project(tmp_path / "one")
    fakes.crops(tmp_path / "two", {"Positive": 1, "Negative": 1})
    with pytest.raises(ValueError, match=r"2 projects: two \(crops\), one \(deeplabcut\)"):
        project_search.find_project(tmp_path)


def test_the_zip_command_is_read_as_people_use_it(tmp_path):
    import shutil
    import subprocess

    if not shutil.which("zip"):
        pytest.skip("needs the command zip")
    project = fakes.project(tmp_path / "projects/reach")
    subprocess.run(["zip", "-qr", tmp_path / "a.zip", project], check=True, cwd=os.sep)
    zips.unpack(tmp_path / "a.zip", tmp_path / "out", LIMITS)
    found = project_search.find_project(tmp_path / "out")
    assert found == ("deeplabcut", str(tmp_path / "out") + str(project))
