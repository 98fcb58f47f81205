"""All verbs and their options, in the groups that `beampose --help` shows."""

from beampose.pipelines.verbs.cloud_group import CLOUD
from beampose.pipelines.verbs.experiment_group import EXPERIMENT
from beampose.pipelines.verbs.labels_group import LABELS
from beampose.pipelines.verbs.result_group import RESULTS
from beampose.pipelines.verbs.space_group import SPACE
from beampose.pipelines.verbs.training_group import TRAINING
from beampose.pipelines.verbs.video_groups import ANIMALS, VIDEOS

GROUPS = (LABELS, TRAINING, VIDEOS, ANIMALS, SPACE, RESULTS, EXPERIMENT, CLOUD)
