"""Where the results of a prediction job go, and what they depend on."""

from typing import Any, NamedTuple

from beampose.core import storage
from beampose.pipelines.predict.predictor import Predictor


class Output(NamedTuple):
    """Output of a job: folder, scorer, and what the results depend on.

    Attributes:
      folder: the predictions artefact.
      label: the part of file names that follows the video's name.
      model_digest: of the SavedModel.
      former_digest: by which versions before named the same files.
      settings: everything else the results depend on, plain values.
      predictor: what is made of frames.
      overwrite: whether files of another model or of other settings may be replaced.
    """

    folder: str
    label: str
    model_digest: str
    settings: dict[str, Any]
    predictor: Predictor
    overwrite: bool = False
    former_digest: str = ""

    def settings_digest(self, path: str) -> str:
        """Of the settings, and of what else the results of a video depend on."""
        beside = self.predictor.depends(path)
        return storage.digest([self.settings, beside] if beside else self.settings)[:16]
