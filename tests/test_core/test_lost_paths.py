"""What may be meant by a path that leads nowhere."""

import os

import pytest

from beampose.core import lost_paths, placeholders


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("$LAB/mouse", r"Variables such as \$LAB are not replaced"),
        ("${LAB}/mouse", r"Variables such as \$\{LAB\} are not"),
        ("%LAB%/mouse", "Variables such as %LAB% are not"),
        ("project/config.yaml", "There is .*/Project, whose name differs in upper and lower case"),
        ("Projct/config.yaml", "There is .*/Project, which may be meant"),
    ],
)
def test_a_likely_mistake_in_a_path_is_named(tmp_path, lost, said):
    (tmp_path / "Project").mkdir()
    with pytest.raises(FileNotFoundError, match=f"No file .*{said}"):
        raise placeholders.missing("file", tmp_path / lost)


@pytest.mark.skipif(os.name == "nt", reason="there such a path may be right")
@pytest.mark.parametrize("lost", [r"C:\Users\Ann\mouse", "C:/Users/Ann/mouse", r"\\server\mouse"])
def test_a_path_of_windows_is_told_where_it_was_taken_for_a_name(lost):
    assert lost_paths.meant(f"/home/ann/{lost}") == (
        f"{lost} is a path of Windows: write where it is on this machine"
    )


@pytest.mark.parametrize("lost", ["gs://bucket/$a", "/nowhere/at/all/of/it", "\0"])
def test_of_other_paths_nothing_is_said(lost):
    assert lost_paths.meant(lost) == ""
