"""Verbs on videos, and on the several animals in them."""

from beampose.pipelines.verbs.shared_options import (
    BOXES,
    BUDGET,
    DRY,
    FILTERED,
    IDENTITIES,
    PREDICTED,
    PRICES,
    SLP,
    SOURCES,
)
from beampose.pipelines.verbs.verb import Group, Option, Verb

VIDEOS = Group(
    "Videos",
    (
        Verb(
            "predict",
            "video_verbs.predict",
            "run the model on videos and photographs",
            (
                BUDGET,
                PRICES,
                BOXES,
                DRY,
                Option(
                    "--overwrite",
                    "replace predictions by another model, with other settings or of a film that "
                    "changed",
                    switch=True,
                ),
            ),
            videos=SOURCES,
            beam=True,
            cloud=True,
        ),
        Verb(
            "render",
            "video_verbs.render",
            "draw the predictions into copies of the videos",
            (
                FILTERED,
                Option(
                    "--detections",
                    "several animals: draw every detection, before assembly",
                    switch=True,
                ),
            ),
            videos=PREDICTED,
            tensorflow=False,
        ),
    ),
)

ANIMALS = Group(
    "Several animals",
    (
        Verb(
            "track",
            "animal_verbs.track",
            "join the predicted animals into tracks through each video",
            (IDENTITIES, SLP),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "reid",
            "animal_verbs.reid",
            "learn to tell the animals apart by appearance and make tracks with it",
            (IDENTITIES, SLP),
            videos=PREDICTED,
        ),
    ),
)
