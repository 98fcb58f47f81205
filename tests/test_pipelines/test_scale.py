"""What grows with the data: graphs hold addresses, and requests go by pages and not by images."""

import numpy as np
import pytest

from beampose.core import storage, tfrecords
from beampose.formats import crop_folders
from beampose.pipelines import film_names, item_files, still_sets
from beampose.pipelines.features import dataset_writer, label_files
from beampose.pipelines.predict import film_outcomes
from beampose.pipelines.predict.film_outcomes import Refused
from beampose.pipelines.results.result_names import Predictions
from beampose.preprocess.labels import LabeledCrop, LabeledFrame
from beampose.preprocess.stills import Stills
from beampose.trainer import dataset, schema

WHERE = {"name": "a/b.png", "video": "ä", "file": "gs://lab/l.csv", "row": 4}


def frame(number, points):
    return LabeledFrame(image=f"gs://lab/{number}.png", **WHERE, keypoints=points)


def requests(buckets, work):
    before = len(buckets.server.requests)
    work()
    return len(buckets.server.requests) - before


def test_labels_travel_bit_by_bit(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1e4, (2, 3, 2))
    points[1, 2] = np.nan
    labeled = [(frame(i, points + i), "train") for i in range(5)]
    labeled.append((LabeledCrop(image="c.png", **WHERE, label=1, split="test"), "test"))
    (file,) = item_files.write(labeled, str(tmp_path), label_files.plain)
    found = list(item_files.read(file, label_files.item))
    for (item, split), (wanted, other) in zip(found[:5], labeled[:5], strict=True):
        assert (item.image, split, item.row) == (wanted.image, other, wanted.row)
        np.testing.assert_array_equal(item.keypoints, wanted.keypoints)
    assert found[5] == labeled[5]
    assert item_files.write(labeled, str(tmp_path), label_files.plain) == [file]


def test_a_film_of_photographs_travels_by_its_listing():
    sets = Stills("gs://lab/trap", "trap", "gs://lab/trap", 3, "f", "gs://lab/l.jsonl", 9)
    for one in (
        film_names.Film("a", "gs://lab/a.mp4", "f"),
        film_names.Film("t", "p", stills=sets),
    ):
        assert film_outcomes.film(film_outcomes.plain(one)) == one


def test_every_film_has_an_outcome_or_the_run_says_which_has_none(tmp_path):
    films = [film_names.Film(f"f{i}", f"/films/f{i}.mp4") for i in range(3)]
    outcomes = [list(film_outcomes.of_refusal(film.name, film.path, "no")) for film in films[:2]]
    film_outcomes.write((0, outcomes), str(tmp_path))
    assert list(film_outcomes.read(str(tmp_path), films[:2])) == [
        Refused(film.path, "no") for film in films[:2]
    ]
    with pytest.raises(FileNotFoundError, match=r"f2.mp4 has neither a result nor a reason"):
        list(film_outcomes.read(str(tmp_path), films))


def test_requests_for_crops_and_films_do_not_grow_with_their_number(buckets):
    counts = []
    for total in (40, 400):
        for i in range(total):
            buckets.put(f"gs://lab/c{total}/Positive/{i}.png", b"x")
            buckets.put(f"gs://lab/c{total}/Negative/{i}.png", b"x")
            buckets.put(f"gs://lab/f{total}/{i}.mp4", b"x" * 50)
        paths = [f"gs://lab/f{total}/{i}.mp4" for i in range(total)]

        def named(paths=paths):
            sources = still_sets.expand(paths)
            found = film_names.assign(sources.videos, Predictions("gs://lab/p", "M"), later=True)
            assert {film.fingerprint for film in found} == {film_names.LATER}

        crops = requests(buckets, lambda total=total: crop_folders.read(f"gs://lab/c{total}"))
        counts.append((crops, requests(buckets, named)))
    assert counts[0] == counts[1]
    assert max(counts[0]) < 40


def test_films_of_one_name_or_beside_results_are_read(buckets):
    buckets.put("gs://lab/a/x.mp4", b"1")
    buckets.put("gs://lab/b/x.mp4", b"2")
    paths = ["gs://lab/a/x.mp4", "gs://lab/b/x.mp4"]
    found = film_names.assign(paths, Predictions("gs://lab/p", "M"), later=True)
    assert film_names.LATER not in {film.fingerprint for film in found}
    assert len({film.name for film in found}) == 2


def test_labels_in_several_files_are_one_dataset_in_order(tmp_path):
    def write(name, numbers):
        with open(tmp_path / name, "wb") as stream:
            for i in numbers:
                words = {"key": str(i), "image_uri": "", "video": "", "file": "", "split": "train"}
                sizes = {"row": 1, "height": 4, "width": 4, "copy": 0, "label": -1}
                points = np.zeros((1, 1, 2))
                one = schema.LabelRecord(name=f"img{i}", keypoints=points, **words, **sizes)
                stream.write(tfrecords.framed(schema.label_example(one)))

    write("labels-00000-of-00002.tfrecord", [1, 4])
    write("labels-00001-of-00002.tfrecord", [2, 3])
    folder = str(tmp_path)
    names = [r.name for r in dataset.read_labels(folder)]
    assert names == ["img1", "img2", "img3", "img4"]
    write("labels-00000-of-00001.tfrecord", [9])
    storage.write_json(
        tmp_path / dataset.MANIFEST,
        {"files": [[f"labels-0000{i}-of-00002.tfrecord", 2] for i in (0, 1)]},
    )
    assert [r.name for r in dataset.read_labels(folder)] == names
    dataset_writer._drop_former(storage.place(folder))
    assert not (tmp_path / "labels-00000-of-00001.tfrecord").exists()
    write("labels-00001-of-00002.tfrecord", [2])
    with pytest.raises(ValueError, match="it holds 1 of 2 labels"):
        list(dataset.read_labels(folder))
