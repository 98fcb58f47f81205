"""Calls of a network by many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from beampose.pipelines.features import embedding_worker
from beampose.preprocess.transform import Ranges


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
        return list(embedding_worker.embed(lambda _: Answer(), [pending] * 3, ranges, 1, []))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert sum(map(len, found)) == 24
    assert 1 <= most <= 2
