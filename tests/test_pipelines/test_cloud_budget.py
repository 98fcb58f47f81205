"""Jobs above a budget are not sent."""

import fakes
from cloud_jobs import config_file, write_cloud

from beampose.pipelines.cli import main


def test_a_job_above_the_budget_is_not_sent(trained, buckets, vertex, tmp_path, capsys):
    fake, ours = vertex(), trained["pose"]
    cloud = write_cloud(tmp_path, max_cost=0.0001, vertex={"endpoint": fake.url})
    words = [config_file(ours), "--cloud", cloud]
    assert main(["submit", *words]) == 2
    assert "Nothing was sent" in capsys.readouterr().err
    assert buckets.names() == [] and fake.server.requests == []
    assert main(["plan", *words]) == 0
    printed = capsys.readouterr().out
    assert "n2-standard-4 on Dataflow" in printed and "n1-standard-8 on Vertex AI" in printed
    assert "by prices of 2026-11-20" in printed


def test_videos_named_on_the_command_line_count_for_the_budget(trained, buckets, tmp_path, capsys):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 20)
    cloud = write_cloud(tmp_path, max_cost=0.0001, dataflow={"endpoint": "http://localhost:9"})
    assert main(["predict", config_file(trained["pose"]), film, "--cloud", cloud]) == 2
    assert "predict would cost" in capsys.readouterr().err
    assert buckets.names() == []


def test_a_machine_without_a_price_is_named(trained, tmp_path, capsys):
    cloud = write_cloud(tmp_path, vertex={"machine_type": "n1-highmem-96"})
    assert main(["plan", config_file(trained["pose"]), "--cloud", cloud]) == 2
    assert "vertex.machines.n1-highmem-96" in capsys.readouterr().err
