"""Everything in a bucket: sources, store, dataset, model, videos and predictions."""

import json

import fakes
import numpy as np
import pytest
import yaml
from conftest import SETTINGS

from beampose.core import storage
from beampose.pipelines.cli import main


def put_folder(buckets, folder, address):
    for path in folder.rglob("*"):
        if path.is_file():
            buckets.put(f"{address}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.mark.slow
def test_a_run_in_a_bucket_gives_what_a_run_on_disk_gives(trained, buckets, tmp_path):
    local = trained["pose"]
    put_folder(buckets, storage.place(local.source.path), "gs://lab/project")
    fakes.video(tmp_path / "film.mp4", "libx264", 20)
    buckets.put("gs://lab/videos/film.mp4", (tmp_path / "film.mp4").read_bytes())
    settings = yaml.safe_load(SETTINGS)
    settings["source"]["path"] = "../project"
    settings["output"] = "../runs/pose"
    settings["predict"]["videos"] = ["../videos"]
    buckets.put("gs://lab/configs/pose.yaml", yaml.safe_dump(settings).encode())

    assert main(["run", "gs://lab/configs/pose.yaml"]) == 0

    found = json.loads(buckets.get("gs://lab/runs/pose/model/metrics.json"))
    wanted = storage.read_json(storage.place(local.model, "metrics.json"))
    assert found["split"] == wanted["split"]
    np.testing.assert_allclose(
        found["test"]["mean_error_px"], wanted["test"]["mean_error_px"], rtol=1e-4
    )
    names = buckets.names("gs://lab/runs/pose/")
    below = {name.removeprefix("gs://lab/runs/pose/") for name in names}
    scorer = json.loads(buckets.get("gs://lab/runs/pose/model/info.json"))["dlc_scorer"]
    stem = f"predictions/film{scorer}"
    assert {f"{stem}.h5", f"{stem}.csv", f"{stem}_labeled.mp4", "report.html"} <= below
    assert not [name for name in below if ".ranges" in name]
    assert any(name.startswith("train/logs/events") for name in below)
    assert main(["store", "verify", "gs://lab/configs/pose.yaml"]) == 0
    assert main(["store", "prune", "gs://lab/configs/pose.yaml"]) == 0
