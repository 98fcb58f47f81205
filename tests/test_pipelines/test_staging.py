"""What a machine has and what a bucket has, of the same name."""

import shlex

import fake_infos
import pytest
from cloud_jobs import CLOUD

from beampose.core import artefacts, names
from beampose.core.settings import experiment
from beampose.pipelines.cloud import staging
from beampose.pipelines.cloud.cloud_settings import Cloud


@pytest.mark.parametrize("other", [True, False])
@pytest.mark.parametrize("make", ["dataset", "model"])
def test_of_two_that_differ_the_one_in_the_bucket_is_used_and_said(
    buckets, tmp_path, caplog, other, make
):
    values = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "mice"}
    local = experiment.from_values(values, str(tmp_path / "my.yaml"))
    remote = staging.placed(local, Cloud(**CLOUD))
    made = getattr(fake_infos, make)
    key = "labels_digest" if make == "dataset" else "digest"
    artefacts.complete(getattr(local, make), made(**{key: "new" if other else "old"}))
    artefacts.complete(getattr(remote, make), made(**{key: "old"}))
    assert names.COMPLETED in {name.rpartition("/")[2] for name in buckets.names()}
    assert not getattr(staging, make)(local, remote)
    told = [record.getMessage() for record in caplog.records if "NOTE" in record.getMessage()]
    assert len(told) == other
    assert all(f"gcloud storage rm -r gs://lab/base/mice/{make}" in line for line in told)


def test_the_command_that_removes_a_folder_removes_no_other_one_when_pasted(
    buckets, tmp_path, caplog
):
    values = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "my mice"}
    local = experiment.from_values(values, str(tmp_path / "my.yaml"))
    remote = staging.placed(local, Cloud(**CLOUD))
    artefacts.complete(local.model, fake_infos.model(digest="new"))
    artefacts.complete(remote.model, fake_infos.model(digest="old"))
    assert not staging.model(local, remote)
    (told,) = (one.getMessage() for one in caplog.records if "NOTE" in one.getMessage())
    command = shlex.split(told.partition("remove the first: ")[2])
    assert command == ["gcloud", "storage", "rm", "-r", "gs://lab/base/my mice/model"]
