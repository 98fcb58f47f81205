"""Everything in a bucket: sources, store, dataset, model, videos and predictions."""

import json

import fakes
import numpy as np
import pytest
import yaml
from conftest import SETTINGS

from pipelines.cli import main
from trainer import artefacts


def put_folder(storage, folder, address):
    for path in folder.rglob("*"):
        if path.is_file():
            storage.put(f"{address}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.mark.slow
def test_a_run_in_a_bucket_gives_what_a_run_on_disk_gives(trained, storage, tmp_path):
    local = trained["pose"]
    put_folder(storage, artefacts.place(local.source.path), "gs://lab/project")
    fakes.video(tmp_path / "film.mp4", "libx264", 20)
    storage.put("gs://lab/videos/film.mp4", (tmp_path / "film.mp4").read_bytes())
    settings = yaml.safe_load(SETTINGS)
    settings["source"]["path"] = "../project"
    settings["output"] = "../runs/pose"
    settings["predict"]["videos"] = ["../videos"]
    storage.put("gs://lab/configs/pose.yaml", yaml.safe_dump(settings).encode())

    assert main(["run", "gs://lab/configs/pose.yaml"]) == 0

    found = json.loads(storage.get("gs://lab/runs/pose/model/metrics.json"))
    wanted = artefacts.read_json(artefacts.place(local.model, "metrics.json"))
    assert found["split"] == wanted["split"]
    np.testing.assert_allclose(
        found["test"]["mean_error_px"], wanted["test"]["mean_error_px"], rtol=1e-4
    )
    names = storage.names("gs://lab/runs/pose/")
    below = {name.removeprefix("gs://lab/runs/pose/") for name in names}
    scorer = json.loads(storage.get("gs://lab/runs/pose/model/info.json"))["dlc_scorer"]
    stem = f"predictions/film{scorer}"
    assert {f"{stem}.h5", f"{stem}.csv", f"{stem}_labeled.mp4", "report.html"} <= below
    assert not [name for name in below if ".ranges" in name]
    assert any(name.startswith("train/logs/events") for name in below)
    assert main(["store", "verify", "gs://lab/configs/pose.yaml"]) == 0
    assert main(["store", "prune", "gs://lab/configs/pose.yaml"]) == 0
