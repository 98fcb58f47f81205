"""What predictors of one animal and of several share."""

import dataclasses
from typing import Any

from beampose.core.infos import PredictionInfo
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import keypoint_stills
from beampose.pipelines.predict.follow import Following
from beampose.pipelines.predict.view import View
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Video


@dataclasses.dataclass(frozen=True)
class KeypointPredictor:
    """The half of a `predictor.Predictor` that does not know how many animals there are.

    Attributes:
      scorer: as in the model's info.json.
      config: the part of a DeepLabCut test pose_cfg that its tools read.
      view: what of a frame the model sees.
      following: how animals are followed from batch to batch.
    """

    scorer: str
    config: dict[str, Any]
    view: View
    following: Following

    still_endings = keypoint_stills.ENDINGS
    lead = 0
    burst = None

    def check(self, video: Video) -> None:
        """Accepts every video."""

    def depends(self, path: str) -> str:
        return ""

    def conclude(
        self, folder: str, summaries: list[PredictionInfo], failures: list[tuple[str, str]]
    ) -> None:
        """DeepLabCut's files are a video's own."""

    def _followed(self, part: Range) -> Following:
        """How animals of a range are followed: from one photograph to the next nobody is."""
        share = 0.0 if isinstance(part.video, Stills) else self.following.share
        return self.following._replace(share=share)
