"""Calls of a network by many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from beampose.pipelines.features import embedding_worker
from beampose.preprocess.transform import Ranges
from beampose.trainer import model_calls


def test_two_threads_at_most_are_in_a_network(monkeypatch):
    inside, most, lock = 0, 0, threading.Lock()

    class Answer:
        def numpy(self):
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= 1
            return np.zeros((1, 4), np.float32)

    monkeypatch.setattr(embedding_worker, "load", lambda *_, **__: np.zeros((8, 8, 3), np.uint8))
    pending = embedding_worker.Pending("key", "image", "name", "file", 0, "digest", 0, 8, 8)
    ranges = Ranges(0, 0, 0, 0, 0)

    def work(_):
        steps = embedding_worker.Steps(lambda _: Answer())
        return list(embedding_worker.embed(steps, [pending] * 3, ranges, lambda *_: 1, []))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert sum(map(len, found)) == 24
    assert 1 <= most <= 2


class ResourceExhaustedError(Exception):
    """As TensorFlow calls it."""


def test_a_batch_that_is_too_large_for_the_memory_is_halved_until_it_fits():
    sizes = []

    def call(items, size):
        sizes.append(size)
        if size > 2:
            raise ResourceExhaustedError("OOM when allocating tensor")
        return [10 * item for item in items]

    found = model_calls.halved(call, [1, 2, 3, 4, 5], 8)
    assert [one for _, some in found for one in some] == [10, 20, 30, 40, 50]
    assert [count for count, _ in found] == [2, 2, 1]
    assert sizes == [8, 4, 2, 2, 4, 2]


def test_an_item_that_never_fits_has_a_reason_and_the_others_an_answer():
    def call(items, size):
        if 3 in items:
            raise MemoryError
        return list(items)

    found = model_calls.halved(call, [1, 2, 3, 4], 4)
    assert [some for _, some in found if isinstance(some, list)] == [[1, 2], [4]]
    (lost,) = (some for _, some in found if not isinstance(some, list))
    assert "not enough memory" in str(lost)


def test_another_error_is_nobodys_lack_of_memory():
    def call(items, size):
        raise ValueError("no such signature")

    with pytest.raises(ValueError, match="no such signature"):
        model_calls.halved(call, [1], 1)


def test_large_images_go_through_a_network_in_small_batches():
    assert model_calls.fitting(8, 480 * 640) == 8
    assert model_calls.fitting(8, 2160 * 3840) == 1
    assert model_calls.fitting(8, 1080 * 1920) == model_calls.PIXELS // (1080 * 1920)


def test_few_images_of_a_size_are_filled_up_to_few_lengths():
    assert [model_calls.few(count, 8) for count in range(1, 9)] == [1, 2, 4, 4, 8, 8, 8, 8]
    assert model_calls.few(3, 3) == 3 and model_calls.few(5, 6) == 6
