"""Stands for work on an upload in a process of its own, which goes wrong in every way."""

import ctypes
import time
from collections import namedtuple

Result = namedtuple("Result", "metrics problems")


def reads_null(config, stage):
    stage("features")
    ctypes.string_at(0)


def never_ends(config, stage):
    time.sleep(600)


def lies(config, stage):
    print('{"metrics": {"mean_error_px": 0.0}, "problems": 0}', flush=True)
    raise ValueError(f"{config.source.path}/a.csv is wrong")


def works(config, stage):
    stage("training")
    return Result({"labels": 3, "test": {"mean_error_px": 1.5}}, 2)
