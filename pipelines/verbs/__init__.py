"""What each verb does, between the command line and the rooms that do the work."""

from pipelines.verbs import cloud, labeling, labels, training, video, whole

VERBS = {
    **labels.VERBS,
    **labeling.VERBS,
    **training.VERBS,
    **video.VERBS,
    **whole.VERBS,
    **cloud.VERBS,
}
