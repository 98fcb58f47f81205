"""What each verb does, between the command line and the rooms that do the work."""

from pipelines.verbs import cloud, labels, training, video, whole

VERBS = {
    **labels.VERBS,
    **training.VERBS,
    **video.VERBS,
    **whole.VERBS,
    **cloud.VERBS,
}
