"""Records of rejects name files as they are below their source."""

from beampose.preprocess import reject_paths


def test_paths_below_a_source_are_told_without_it(tmp_path):
    (tmp_path / "lab/inner").mkdir(parents=True)
    (tmp_path / "lab/labels.slp").touch()
    lab = str(tmp_path / "lab")
    assert reject_paths.roots(f"{lab}/labels.slp", None, f"{lab}/inner/") == [f"{lab}/inner", lab]
    record = {"stage": "read", "file": f"{lab}/a.csv", "row": 3, "image": "x.png"}
    found = reject_paths.relative({**record, "what": f"no {lab}/b.png"}, [f"{lab}/inner", lab])
    assert (found["file"], found["what"], found["row"]) == ("a.csv", "no b.png", 3)
    inner = reject_paths.relative({**record, "file": f"{lab}/inner", "what": ""}, [lab])
    assert inner["file"] == "inner"
    assert reject_paths.relative({**record, "file": lab, "what": ""}, [lab])["file"] == "."
    elsewhere = {**record, "file": "/elsewhere/a.csv", "what": ""}
    assert reject_paths.relative(elsewhere, [lab]) == elsewhere
