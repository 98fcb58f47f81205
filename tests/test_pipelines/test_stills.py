"""Photographs are predicted as videos are: every image a row, whatever happens."""

import json
import os
import re
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest
from conftest import picture
from PIL import Image

from beampose.core import artefacts
from beampose.core.infos import ModelInfo
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Boxes
from beampose.formats import detection_table
from beampose.pipelines import cli, inputs, still_sets
from beampose.pipelines.features import feature_job
from beampose.pipelines.outcomes import model_outcomes, video_outcomes, whole_run
from beampose.pipelines.predict import crops_predictor, prediction_job, still_ranges
from beampose.pipelines.report import film_pages, still_sheets
from beampose.preprocess import stills


def own(config, folder):
    """A trained experiment with predictions in a folder of this test."""
    (folder / "out").mkdir()
    (folder / "out/model").symlink_to(config.model)
    return experiment.changed(
        config, output=str(folder / "out"), predict={"chunk": 3, "pcutoff": 0.0, "batch_size": 2}
    )


@pytest.fixture
def pose(trained, tmp_path):
    return own(trained["pose"], tmp_path)


@pytest.fixture
def crops(trained, tmp_path):
    return own(trained["crops"], tmp_path)


def photo(path, seed=0, orientation=1, taken="", size=(96, 144)):
    """An image that says its turn and its time; pixels are stored so that it stands upright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, _ = picture(seed, *size)
    if orientation == 6:
        pixels = np.rot90(pixels, 1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    image.save(path, exif=exif)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two cameras of images that are called alike, one of them turned, one broken."""
    place = tmp_path / "photos"
    photo(place / "A/IMG_1.png", 1, taken="2026:05:01 06:30:00")
    photo(place / "A/IMG_2.PNG", 2, orientation=6)
    photo(place / "B/IMG_1.png", 3, size=(64, 96))
    photo(place / "B/IMG_2.jpg", 4)
    (place / "B/IMG_3.jpg").write_bytes((place / "B/IMG_2.jpg").read_bytes()[:900])
    (place / "B/._IMG_1.png").write_bytes(b"of a Mac")
    return place


NAMES = ["A/IMG_1.png", "A/IMG_2.PNG", "B/IMG_1.png", "B/IMG_2.jpg", "B/IMG_3.jpg"]


def test_a_folder_of_photographs_is_one_table_with_rows_by_image(pose, folder):
    done = prediction_job.run(pose, [str(folder)])
    (summary,) = done.videos
    stem = f"{pose.predictions}/photos{summary.scorer}"
    table = pd.read_hdf(f"{stem}.h5", "df_with_missing")
    assert list(table.index) == NAMES
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert np.isnan(table.to_numpy()[4]).all()
    assert not np.isnan(table.to_numpy()[:4]).any()
    images = {one.name: one for one in still_ranges.read(still(pose, summary))}
    assert images["A/IMG_1.png"].taken == "2026-05-01T06:30:00"
    assert (images["B/IMG_1.png"].width, images["B/IMG_1.png"].height) == (96, 64)
    (line,) = Path(f"{pose.predictions}/failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["image"], failure["frame"]) == ("B/IMG_3.jpg", 4)
    assert done.kept == 0
    assert prediction_job.run(pose, [str(folder)]).kept == 1
    # Upright pixels are what the model saw, whichever way they are stored.
    plain = prediction_job.run(pose, [str(photo(folder.parent / "plain/x.png", 2))])
    other = pd.read_hdf(f"{pose.predictions}/x{plain.videos[0].scorer}.h5")
    np.testing.assert_allclose(table.to_numpy()[1], other.to_numpy()[0], atol=1e-3)


def still(config, summary):
    from beampose.core import storage

    return storage.place(
        config.predictions, f"{summary.name}{summary.scorer or '_crops'}_images.csv"
    )


def md_file(path, entries):
    values = {
        "info": {"format_version": "1.5"},
        "detection_categories": {"1": "animal", "2": "person"},
        "images": entries,
    }
    path.write_text(json.dumps(values))
    return str(path)


def box(x=0.1, conf=0.9):
    return {"category": "1", "conf": conf, "bbox": [x, 0.2, 0.25, 0.5]}


def test_boxes_of_photographs_and_of_videos_stand_in_one_file(crops, folder, tmp_path):
    film = folder / "B/clip.mp4"
    fakes.video(film, "libx264", 6)
    path = md_file(
        tmp_path / "md.json",
        [
            {"file": "A/IMG_1.png", "detections": [box(), box(0.5), box(conf=0.01)]},
            {"file": "A/IMG_2.PNG", "detections": []},
            {"file": "B/IMG_1.png", "detections": [box()]},
            {"file": "B/IMG_2.jpg", "failure": "Failure image access", "detections": None},
            {
                "file": "B/clip.mp4",
                "frame_rate": 10,
                "frames_processed": [2],
                "detections": [{**box(), "frame_number": 2}],
            },
        ],
    )
    config = experiment.changed(crops, boxes=Boxes(by="file", path=path, pad=0.0))
    done = prediction_job.run(config, [str(folder)])
    assert sorted(one.boxes for one in done.videos) == [1, 3]
    found = detection_table.read(f"{config.predictions}/photos_crops.parquet")
    assert found.frames.tolist() == [0, 0, 2]
    assert found.places.tolist()[2] == [10, 13, 24, 32]
    rows = pd.read_csv(f"{config.predictions}/photos_crops.csv")
    assert list(rows["image"]) == [NAMES[0], NAMES[0], NAMES[2]]
    assert rows["taken"][0] == "2026-05-01T06:30:00"
    joined = json.loads(Path(f"{config.predictions}/megadetector.json").read_text())
    entries = {one["file"]: one for one in joined["images"]}
    assert set(entries) == {*NAMES, "B/clip.mp4"}
    assert len(entries["A/IMG_1.png"]["detections"]) == 2
    assert entries["A/IMG_2.PNG"]["detections"] == []
    assert "Failure image access" in entries["B/IMG_2.jpg"]["failure"]
    assert "has no entry" in entries["B/IMG_3.jpg"]["failure"]
    assert entries["B/IMG_3.jpg"]["detections"] is None
    assert set(joined["classification_categories"].values()) == set(found.classes)
    text = "\n".join(done.lines())
    assert "5 images, 2 failed" in text


def test_without_boxes_the_whole_image_is_classified(crops, folder):
    prediction_job.run(crops, [str(folder)])
    found = detection_table.read(f"{crops.predictions}/photos_crops.parquet")
    assert found.frames.tolist() == [0, 1, 2, 3]
    assert found.places.tolist()[0] == [0, 0, 144, 96]
    assert found.places.tolist()[2] == [0, 0, 96, 64]
    for name in ("megadetector.json", "photos_crops_megadetector.json"):
        told = json.loads(Path(f"{crops.predictions}/{name}").read_text())
        assert told["info"]["detector"] == "none: whole photographs"


def test_a_killed_run_goes_on_at_the_range_it_had_come_to(crops, folder, monkeypatch):
    seen = []
    infer = crops_predictor.Crops.infer

    def die_at_the_second(self, part, *rest):
        seen.append(part.start)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return infer(self, part, *rest)

    monkeypatch.setattr(crops_predictor.Crops, "infer", die_at_the_second)
    with pytest.raises(BaseException):  # noqa: B017  Beam wraps it.
        prediction_job.run(crops, [str(folder)])
    first = seen[0]
    seen.clear()
    seen.append(-1)
    seen.append(-1)
    prediction_job.run(crops, [str(folder)])
    assert seen[2:] == [start for start in (0, 3) if start != first]


def test_a_stack_is_predicted_as_a_film_in_ranges_of_its_pages(pose, tmp_path):
    pages = [Image.fromarray(picture(seed)[0]) for seed in range(9)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    (summary,) = prediction_job.run(pose, [str(tmp_path / "stack.tif")]).videos
    table = pd.read_hdf(f"{pose.predictions}/stack{summary.scorer}.h5")
    assert list(table.index) == list(range(9))
    assert not np.isnan(table.to_numpy()).any()


def test_images_of_a_list_and_of_a_call_are_sets_of_their_own(folder, tmp_path):
    (tmp_path / "some.txt").write_text("photos/B/IMG_1.png\nphotos/A/IMG_1.png\n")
    loose = [str(folder / NAMES[0]), f"{folder}/B/*.jpg"]
    listed, together = still_sets.expand([str(tmp_path / "some.txt"), *loose]).sets
    assert (listed.name, list(listed.sizes)) == ("some", ["B/IMG_1.png", "A/IMG_1.png"])
    assert (together.name, list(together.sizes)) == ("photos", [NAMES[0], *NAMES[3:]])


def test_a_gif_of_one_picture_is_a_photograph_and_one_of_several_a_film(folder, tmp_path):
    pixels = [Image.fromarray(picture(seed, 48, 64)[0]) for seed in (5, 6)]
    pixels[0].save(folder / "A/one.gif")
    pixels[0].save(folder / "A/two.gif", save_all=True, append_images=pixels[1:])
    (folder / "A/cut.gif").write_bytes((folder / "A/one.gif").read_bytes()[:20])
    found = still_sets.expand([str(folder)])
    assert list(found.sets[0].sizes) == [*NAMES[:2], "A/one.gif", *NAMES[2:]]
    assert found.videos == [str(folder / "A/cut.gif"), str(folder / "A/two.gif")]
    (alone,) = still_sets.expand([str(folder / "A/one.gif")]).sets
    listed = still_sets.write(alone, str(tmp_path))
    (_, window), *_ = stills.windows(listed, 1)
    (read,) = stills.read(window, range(1), 1)
    assert read.frame.pixels is not None and read.frame.pixels.shape == (48, 64, 3)


def test_images_of_formats_that_cannot_be_read_are_named(folder, caplog):
    (folder / "A/IMG_1.CR2").write_bytes(b"raw beside a PNG")
    assert still_sets.expand([str(folder)]).sets and "cannot be read" not in caplog.text
    (folder / "B/IMG_9.HEIC").write_bytes(b"of a telephone")
    still_sets.expand([str(folder)])
    assert "1 file (IMG_9.HEIC) of formats that cannot be read" in caplog.text


def test_links_that_lead_nowhere_are_images_that_failed(folder, tmp_path):
    (folder / "A/IMG_5.jpg").symlink_to(".git/annex/objects/x/y.jpg")
    (folder / "A/IMG_6.tif").symlink_to("IMG_6.tif")
    (folder / "A/clip.mp4").symlink_to("gone.mp4")
    found = still_sets.expand([str(folder)])
    assert found.videos == [str(folder / "A/clip.mp4")]
    written = still_sets.write(found.sets[0], str(tmp_path))
    failures = {one.name: one.failure for one in stills.listed(written.listing)}
    assert failures["A/IMG_5.jpg"] == (
        "is a link that leads nowhere, to .git/annex/objects/x/y.jpg: `git annex get` fetches it"
    )
    assert failures["A/IMG_6.tif"] == "is a link that leads nowhere, to IMG_6.tif"
    assert failures[NAMES[0]] == ""


def test_links_that_may_have_led_to_folders_of_images_are_named(folder, caplog):
    (folder / "more").symlink_to("../drive/more")
    (folder / "older").symlink_to("../drive/older")
    still_sets.expand([str(folder)])
    assert "more, which is a link that leads nowhere, to ../drive/more, and 1 more" in caplog.text


def test_folders_of_the_system_hold_no_photographs(folder, caplog):
    for name in ("@eaDir/1.png", "A/@EADIR/2.png", "$Recycle.Bin/3.png", "__MACOSX/4.png"):
        photo(folder / name)
    (folder / "__MACOSX/clip.mp4").write_bytes(b"x")
    found = still_sets.expand([str(folder)])
    assert list(found.sets[0].sizes) == NAMES and not found.videos
    assert "4 folders that a system keeps for itself ($Recycle.Bin, @eaDir, A/@EADIR" in caplog.text
    assert len(still_sets.expand([str(folder / "@eaDir")]).sets[0].sizes) == 1


def test_an_image_that_changed_makes_another_set(folder):
    def code():
        (one,) = still_sets.expand([str(folder)]).sets
        return still_sets.write(one, str(folder.parent / "work")).fingerprint

    before = code()
    assert code() == before
    photo(folder / "A/IMG_1.png", 7, taken="2026:05:01 06:30:00")
    assert code() != before


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_pillow_turns_them(tmp_path, orientation):
    from PIL import ImageOps

    path = tmp_path / "x.png"
    pixels, _ = picture(0, 30, 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    (one,) = still_sets.expand([str(path)]).sets
    ((_, piece),) = stills.windows(still_sets.write(one, str(tmp_path / "work")), 5)
    (found,) = stills.read(piece, [0], 1)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(found.frame.pixels, expected)
    assert found.facts.orientation == orientation


def test_repeats_are_grouped_by_camera_and_dismissed(crops, tmp_path, capsys):
    place = tmp_path / "photos"
    for number in range(3):
        photo(place / f"A/IMG_{number}.png")
        photo(place / f"B/IMG_{number}.png")
    prediction_job.run(crops, [str(place)])
    config = str(tmp_path / "experiment.yaml")
    Path(config).write_text(json.dumps(experiment.to_dict(crops)))
    assert cli.main(["repeats", config, str(place), "--at-least", "3"]) == 0
    text = Path(f"{crops.predictions}/repeats.html").read_text()
    assert "A/IMG_0.png" in text
    csv = tmp_path / "dismissed.csv"
    csv.write_text("video,frame,box\nphotos,0,0\nphotos,4,0\n")
    assert cli.main(["repeats", config, "--dismiss", str(csv)]) == 0
    assert "photos: 2 dismissed, 4 hits left" in capsys.readouterr().out
    joined = json.loads(Path(f"{crops.predictions}/megadetector.json").read_text())
    counts = {one["file"]: len(one["detections"]) for one in joined["images"]}
    assert counts["A/IMG_0.png"] == counts["B/IMG_1.png"] == 0
    assert sum(counts.values()) == 4
    assert prediction_job.run(crops, [str(place)]).kept == 1


def test_crops_are_cut_from_photographs(folder, tmp_path, capsys):
    path = md_file(
        tmp_path / "md.json",
        [{"file": f"photos/{name}", "detections": [box()]} for name in NAMES],
    )
    wanted = ["extract-crops", str(folder), "--to", str(tmp_path / "crops"), "--boxes", path]
    assert cli.main(wanted) == 1
    assert "IMG_3.jpg" in capsys.readouterr().out
    assert sorted(one.name for one in (tmp_path / "crops").glob("*.jpg")) == [
        f"photos_{number}_0.jpg" for number in range(4)
    ]
    rows = (tmp_path / "crops/origin.csv").read_text().splitlines()
    assert rows[1].split(",")[1] == str(folder / NAMES[0])


def test_boxes_that_could_not_be_read_do_not_bind_the_folder_of_crops(folder, tmp_path, capsys):
    (tmp_path / "wrong.json").write_text("{}")
    path = md_file(tmp_path / "md.json", [{"file": f"photos/{NAMES[0]}", "detections": [box()]}])
    wanted = ["extract-crops", str(folder), "--to", str(tmp_path / "crops"), "--boxes"]
    assert cli.main([*wanted, str(tmp_path / "wrong.json")]) == 1
    cli.main([*wanted, path])
    assert "extract-crops: 1 crop in" in capsys.readouterr().out
    assert cli.main([*wanted, str(tmp_path / "wrong.json")]) == 2
    assert "holds crops that were cut with other settings" in capsys.readouterr().err


def test_steps_on_videos_leave_photographs_out_and_say_so(folder, caplog):
    with pytest.raises(ValueError, match="photographs"):
        video_outcomes.films_of([str(folder)])
    film = folder / "B/clip.mp4"
    fakes.video(film, "libx264", 6)
    assert video_outcomes.films_of([str(folder)]) == [str(film)]
    assert "left out" in caplog.text


def test_a_run_of_photographs_alone_ends_with_its_report(folder, trained, monkeypatch):
    for module, name in (
        *((one, "run") for one in (feature_job, prediction_job)),
        *((model_outcomes, one) for one in ("train", "evaluate", "report")),
    ):
        said = f"{module.__name__.rpartition('.')[2]} {name}"
        monkeypatch.setattr(module, name, lambda *a, _said=said, **k: _said)
    done = list(whole_run.each(trained["pose"], [str(folder)], lambda items, *_: items))
    assert [*map(str, done)][-2:] == ["prediction_job run", "model_outcomes report"]


def test_the_report_has_sheets_by_class_and_certainty(crops, folder):
    prediction_job.run(crops, [str(folder)])
    own = artefacts.require(crops.model, ModelInfo).digest
    (found,), (other,) = still_sheets.section(crops, own), still_sheets.section(crops, "other")
    assert (found["of_another_model"], other["of_another_model"]) == (False, True)
    assert sum(sheet["count"] for sheet in found["sheets"]) == 4
    assert all(len(sheet["pictures"]) == sheet["count"] for sheet in found["sheets"])
    assert film_pages.of_crops(crops, None) == []  # pyright: ignore[reportArgumentType]


def test_what_moves_in_a_burst_has_boxes_across_the_ends_of_a_range(crops, tmp_path):
    place = tmp_path / "photos"
    for number in range(4):
        path = photo(place / f"IMG_{number}.png", 1, taken=f"2026:05:01 06:30:0{number}")
        with Image.open(path) as image:
            pixels, exif = np.array(image), image.getexif()
        pixels[20:40, 10 + 30 * number : 34 + 30 * number] = (250, 240, 30)
        Image.fromarray(pixels).save(path, exif=exif)
    photo(place / "later.png", 2, taken="2026:05:01 08:00:00")
    config = experiment.changed(crops, boxes=Boxes(burst=2, merge=5.0, min_size=0.005))
    prediction_job.run(config, [str(place)])
    found = detection_table.read(f"{config.predictions}/photos_crops.parquet")
    assert found.frames.tolist() == [0, 1, 2, 3, 4]
    for number, (x, y, width, height) in enumerate(found.places[:4].tolist()):
        assert abs(x - 10 - 30 * number) < 6 and abs(y - 20) < 6
        assert abs(width - 24) < 10 and abs(height - 20) < 10
    assert found.places.tolist()[4] == [0, 0, 144, 96]


def test_of_a_folder_that_grew_only_what_is_new_is_sent(folder, tmp_path, buckets):
    def sent():
        sources = still_sets.expand([str(folder)])
        (one,) = inputs.put_sources(sources, "gs://lab/run").sets
        return one.root, {name: buckets.get(f"{one.root}/{name}") for name in one.sizes}

    root, before = sent()
    for name in before:
        buckets.put(f"{root}/{name}", b"sent")
    some = next(iter(before))
    (folder / "A" / "new.png").write_bytes((folder / some).read_bytes())
    changed = list(before)[1]
    data = bytearray((folder / changed).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / changed).write_bytes(data)
    again, after = sent()
    assert again == root
    assert {name for name, held in after.items() if held != b"sent"} == {"A/new.png", changed}


def test_a_film_that_is_not_there_does_not_keep_others_from_being_sent(tmp_path):
    films = [str(tmp_path / "gone.mp4"), fakes.video(tmp_path / "film.mp4", "libx264", 5)]
    gone, sent = inputs.put_videos(films, "memory://lab/videos")
    assert gone == films[0] and sent.startswith("memory://") and sent.endswith("/film.mp4")


def test_photographs_are_not_counted_as_videos(crops, folder):
    shown = "\n".join(prediction_job.run(crops, [str(folder)]).lines())
    assert re.search(r"predict: \d+ photographs \(0 from before\)", shown)


def test_two_folders_of_the_same_images_keep_their_own_boxes_and_earlier_results(tmp_path):
    for name in "ab":
        photo(tmp_path / name / "1.png", 1)

    def boxes(path, root, names):
        return [(((0.1, 0.1, 0.2, 0.2, 0.9, path[-1]),), "") for _ in names]

    def recall(path, images):
        before = "ab".index(path[-1])
        return still_sets.Recalled([one._replace(before=before) for one in images])

    sets = still_sets.expand([str(tmp_path / "a"), str(tmp_path / "b")]).sets
    found, _ = still_sets.write_all(sets, str(tmp_path / "out"), boxes, recall)
    (one,), (two,) = (list(stills.listed(made.listing)) for made in found)
    assert (one.boxes[0][-1], one.before) == ("a", 0)
    assert (two.boxes[0][-1], two.before) == ("b", 1)


def test_an_image_whose_name_is_in_no_encoding_is_a_failure_of_its_own(tmp_path):
    photo(tmp_path / "photos/1.png", 1)
    try:
        os.rename(photo(tmp_path / "2.png", 2), os.fsencode(tmp_path) + b"/photos/\xff.png")
    except OSError:
        pytest.skip("this disk takes no such name")
    sets = still_sets.expand([str(tmp_path / "photos")]).sets
    (found,), wrong = still_sets.write_all(sets, str(tmp_path / "out"))
    one, two = stills.listed(found.listing)
    assert not wrong
    assert (one.name, one.failure, two.name) == ("1.png", "", "\\udcff.png")
    assert "rename it" in two.failure


@pytest.mark.parametrize("line", ["[1, 2", '["a.png", 3]', '["a.png", 3, [4]]'])
def test_a_damaged_listing_is_named_with_its_line(tmp_path, line):
    file = tmp_path / "set.jsonl"
    stills.write(str(file), [stills.Still("a.png", 3, ((0.1, 0.2, 0.3, 0.4, 0.5, "1"),))])
    assert len(list(stills.listed(str(file)))) == 1
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(ValueError, match=r"set.jsonl:2 (is not JSON|lists no image)"):
        list(stills.listed(str(file)))
