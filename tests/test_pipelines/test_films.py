"""Prediction of films of every kind, and of every accident that can befall a run."""

import contextlib
import errno
import json
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import fakes
import films
import numpy as np
import pytest

from beampose.core import folder_lock
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import prediction_writer
from beampose.pipelines import cli, manifest
from beampose.pipelines.manifest import Sample
from beampose.pipelines.predict import commit, prediction_job
from beampose.pipelines.predict.view import View
from beampose.preprocess import videos


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.mp4", "libx264", 30, gop=5)


def changed(settings, **keys):
    return experiment.changed(settings, predict=keys)


def keypoints(settings, name="film"):
    (file,) = Path(settings.predictions).glob(f"{name}DLC*.csv")
    table = prediction_writer.read(file)
    return table.index.tolist(), prediction_writer.keypoints(table)[0]


def test_every_kind_of_film_has_a_row_a_frame_or_a_reason(settings, tmp_path, capfd):
    made = films.generate(tmp_path, len(films.FILMS))
    summary = prediction_job.run(settings, list(made))
    found = {video.video: video for video in summary.videos}
    reasons = dict(summary.failures)
    for path, kind in made.items():
        if kind.count is None:
            assert kind.why in reasons.pop(path)
        else:
            video = found.pop(path)
            assert video.rows == video.frames_by_packets == kind.count, path
            assert len(video.failures) <= kind.lost, path
            assert video.frames_decoded + len(video.failures) == kind.count
    assert not found
    assert not reasons
    differ = [video.frames_differ for video in summary.videos]
    assert "the header says 47 frames, the file holds 40" in differ


def test_the_exit_code_says_whether_all_frames_of_all_videos_have_a_result(
    settings, film, tmp_path, capsys
):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(experiment.to_dict(settings)))
    assert cli.main(["predict", str(file), film]) == 0
    assert "30 rows for 30 frames, 30 decoded, 0 failed" in capsys.readouterr().out
    broken = tmp_path / "broken.mp4"
    films.FILMS["cut short, index in front"].make(broken)
    assert cli.main(["predict", str(file), film, str(broken)]) == 1
    said = capsys.readouterr().out
    assert "NOTE: the header says 120 frames, the file holds 85; 85 were requested" in said
    assert "frames have no result, one per line" in said
    films.FILMS["sound alone"].make(tmp_path / "sound.mkv")
    assert cli.main(["predict", str(file), film, str(tmp_path / "sound.mkv")]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_full_disk_is_a_sentence_and_the_next_run_goes_on(settings, film, monkeypatch):
    save, saved = np.savez, []

    def full(stream, **arrays):
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", stream.name)
        saved.append(stream.name)
        save(stream, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left on device"):
        prediction_job.run(settings, [film])
    monkeypatch.setattr(np, "savez", save)
    summary = prediction_job.run(settings, [film])
    assert summary.counters["ranges_kept"] == 2
    assert summary.videos[0].rows == 30


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder nobody can write to")
def test_an_output_nobody_can_write_to_is_a_sentence(settings, film):
    Path(settings.predictions).symlink_to("/sys/kernel")
    with pytest.raises(OSError) as found:
        prediction_job.run(settings, [film])
    assert found.value.filename == settings.predictions and found.value.strerror


def test_a_model_that_is_cut_short_is_a_sentence(settings, film):
    data = next((Path(settings.model) / "saved_model/variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(ValueError, match="copy the whole folder again, or train again"):
        prediction_job.run(settings, [film])
    (Path(settings.model) / "COMPLETED").unlink()
    with pytest.raises((OSError, ValueError), match="COMPLETED|not whole|finished"):
        prediction_job.run(settings, [film])


def test_a_second_run_on_the_same_folder_is_refused_until_the_first_has_died(settings, film):
    program = f"""
        import time
        from beampose.core import folder_lock
        with folder_lock.held({settings.predictions!r}):
            print("held", flush=True)
            time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OSError, match="Another run is writing to"):
            prediction_job.run(settings, [film])
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert prediction_job.run(settings, [film]).frames == 30


def test_a_claim_in_a_bucket_holds_until_it_is_void(buckets, monkeypatch):
    from beampose.core import storage

    folder = "gs://lab/out/predictions"
    with (
        folder_lock.held(folder),
        pytest.raises(OSError, match="Another run"),
        folder_lock.held(folder),
    ):
        pass
    storage.create_text(f"{folder}/{folder_lock.FILE}", '{"by": "killed", "renewed": 5.0}')
    with folder_lock.held(folder):
        pass
    assert not storage.place(folder, folder_lock.FILE).exists()


def test_of_two_runs_that_find_a_void_claim_at_once_one_gets_it(buckets, monkeypatch):
    from beampose.core import storage

    folder, renewed, held = "gs://lab/out/predictions", folder_lock._renewed, contextlib.ExitStack()
    storage.create_text(f"{folder}/{folder_lock.FILE}", '{"by": "killed", "renewed": 5.0}')

    def meanwhile(file):
        found = renewed(file)
        monkeypatch.setattr(folder_lock, "_renewed", renewed)
        held.enter_context(folder_lock.held(folder))
        return found

    monkeypatch.setattr(folder_lock, "_renewed", meanwhile)
    with held:
        with pytest.raises(OSError, match="Another run"), folder_lock.held(folder):
            pass
        assert storage.place(folder, folder_lock.FILE).exists()
    assert not storage.place(folder, folder_lock.FILE).exists()


def test_a_run_that_was_taken_for_dead_leaves_the_claim_of_the_next(buckets):
    from beampose.core import storage

    file = storage.place("gs://lab/out/predictions", folder_lock.FILE)
    storage.write_text(file, '{"by": "another", "renewed": 5.0}')
    assert not folder_lock._renew(file, "me")
    assert storage.read_json(file, "by")["by"] == "another"
    file.unlink()
    assert folder_lock._renew(file, "me")
    assert storage.read_json(file, "by")["by"] == "me"


def test_a_claim_outlives_a_bucket_that_did_not_answer_once(monkeypatch):
    from beampose.core import storage

    renewed, write = threading.Event(), storage.write_text
    answers = iter([False])

    def now_and_then(file, text):
        if not next(answers, True):
            raise OSError("503")
        write(file, text)
        renewed.set()

    monkeypatch.setattr(folder_lock, "_RENEW", 0.01)
    monkeypatch.setattr(storage, "write_text", now_and_then)
    with folder_lock.held("memory://lab/out/predictions"):
        assert renewed.wait(5)
        file = storage.place("memory://lab/out/predictions", folder_lock.FILE)
        # Another run took it for dead all the same.
        monkeypatch.setattr(storage, "write_text", lambda file, text: None)
        write(file, '{"by": "another", "renewed": 5.0}')
    assert storage.read_json(file, "by")["by"] == "another"
    file.unlink()


def test_one_frame_in_five_is_looked_at_and_numbered_as_in_the_video(settings, film):
    prediction_job.run(settings, [film])
    _, whole = keypoints(settings)
    prediction_job.run(changed(settings, every=5), [film], overwrite=True)
    frames, sampled = keypoints(settings)
    assert frames == [0, 5, 10, 15, 20, 25]
    np.testing.assert_allclose(sampled, whole[::5], atol=1e-3)


def test_frames_are_chosen_by_their_times(tmp_path):
    even = videos.index(fakes.video(tmp_path / "even.mp4", "libx264", 50))
    assert list(manifest.chosen(even, Sample(fps=5))) == list(range(0, 50, 5))
    assert list(manifest.chosen(even, Sample(start=0.4, stop=0.6))) == list(range(10, 15))
    assert list(manifest.chosen(even, Sample(every=3, start=1.8))) == [45, 48]
    assert list(manifest.chosen(even, Sample(fps=100))) == list(range(50))
    assert list(manifest.chosen(even, Sample(start=99))) == []
    times = [0, 10, 20, 30, 500, 510, 1000, 1490, 1500, 2000]
    uneven = videos.index(fakes.video(tmp_path / "un.mp4", "libx264", 10, times=times))
    assert list(manifest.chosen(uneven, Sample(fps=2))) == [0, 4, 6, 8, 9]
    with pytest.raises(ValueError, match="has no frame rate"):
        manifest.chosen(even._replace(fps=0.0, times=()), Sample(fps=2))


def test_a_time_range_without_frames_is_a_failure(settings, film):
    ((_, why),) = prediction_job.run(changed(settings, start=100.0), [film]).failures
    assert "no frame is chosen" in why


def test_a_cut_gives_the_models_answer_on_the_cut_in_pixels_of_the_frame(settings, film):
    prediction_job.run(changed(settings, crop=[16, 64, 8, 40]), [film])
    _, found = keypoints(settings)
    from beampose.trainer.frame_predictor import FramePredictor

    model = FramePredictor(settings.model)
    (frame,) = videos.read(videos.index(film), 11, 12)
    expected = model.predict(frame.pixels[None, 8:40, 16:64])["keypoints"][0, 0] + [16, 8]
    np.testing.assert_allclose(found[11, :, :2], expected, atol=1e-2)
    ((_, why),) = prediction_job.run(
        changed(settings, crop=[0, 99, 0, 9]), [film], overwrite=True
    ).failures
    assert "does not fit frames of 80x48" in why


def test_a_view_and_its_way_back():
    frame = np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8)
    larger = View(None, "resize", (120, 150))
    assert larger.apply(frame).shape == (90, 150, 3)
    np.testing.assert_allclose(larger.undo(np.array([[75.0, 45.0]]), 60, 100), [[50, 30]])
    cut = View((20, 60, 10, 40), "resize", (60, 80))
    assert cut.apply(frame).shape == (60, 80, 3)
    np.testing.assert_allclose(cut.undo(np.array([[0.0, 60.0]]), 60, 100), [[20, 40]])
    padded = View(None, "pad", (80, 90)).apply(frame)
    assert padded.shape == (80, 100, 3)
    np.testing.assert_array_equal(padded[:60], frame)
    assert not padded[60:].any()
    assert View(None, "keep", (60, 100)).remark(60, 100) == ""
    assert "set predict.size: resize" in View(None, "keep", (60, 100)).remark(120, 200)


def test_dynamic_cutting_leaves_no_frame_out(settings, film):
    prediction_job.run(changed(settings, dynamic=0.01, margin=2), [film])
    frames, found = keypoints(settings)
    assert frames == list(range(30))
    assert np.isfinite(found).all()
    assert (found[..., 0] < 90).all()


def test_parts_of_frames_and_whole_frames_are_not_both_asked_for(settings):
    with pytest.raises(ValueError, match=r"predict.look: frame looks at whole frames.*dynamic 0.5"):
        changed(settings, dynamic=0.5, look="frame")


def test_a_list_of_videos_is_read_from_where_it_stands(film, tmp_path):
    (tmp_path / "list.csv").write_text('video,remark\nfilm.mp4,"a, b"\n\n')
    (tmp_path / "list.txt").write_text(f"{film}\n")
    assert manifest.expand([str(tmp_path / "list.csv"), str(tmp_path / "list.txt")]) == [film]
    (tmp_path / "semicolons.csv").write_bytes("Filename;Tag\r\nfilm.mp4;ü\r\n".encode("utf-16"))
    assert manifest.expand([str(tmp_path / "semicolons.csv")]) == [film]
    (tmp_path / "none.csv").write_text("video\n")
    with pytest.raises(FileNotFoundError, match="lists no video"):
        manifest.expand([str(tmp_path / "none.csv")])


def test_a_range_without_its_file_is_computed_again(settings, film):
    prediction_job.run(settings, [film])
    summary = next(Path(settings.predictions).glob("film*.json"))
    first = summary.with_suffix(".csv").read_bytes()
    summary.with_suffix(".csv").unlink()
    assert prediction_job.run(settings, [film]).kept == 0
    assert summary.with_suffix(".csv").read_bytes() == first
    assert not (Path(settings.predictions) / commit.WORK / "film").exists() or not list(
        (Path(settings.predictions) / commit.WORK).rglob("*.npz")
    )
