"""What each verb does, between the command line and the rooms that do the work."""

from pipelines.verbs import animals, cloud, labeling, labels, results, training, video, whole

VERBS = {
    **labels.VERBS,
    **labeling.VERBS,
    **training.VERBS,
    **video.VERBS,
    **animals.VERBS,
    **results.VERBS,
    **whole.VERBS,
    **cloud.VERBS,
}
