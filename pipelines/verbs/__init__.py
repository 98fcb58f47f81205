"""What each verb does, between the command line and the rooms that do the work."""

from beampose.pipelines.verbs import (
    animal_verbs,
    cloud_verbs,
    label_verbs,
    labeling_verbs,
    result_verbs,
    run_verb,
    training_verbs,
    video_verbs,
)

VERBS = {
    **label_verbs.VERBS,
    **labeling_verbs.VERBS,
    **training_verbs.VERBS,
    **video_verbs.VERBS,
    **animal_verbs.VERBS,
    **result_verbs.VERBS,
    **run_verb.VERBS,
    **cloud_verbs.VERBS,
}
