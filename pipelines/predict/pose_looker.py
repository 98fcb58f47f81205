"""Where a model is asked for one animal: in a window around it, or in the whole frame."""

import numpy as np

from beampose.core.names import WINDOW
from beampose.pipelines.predict.follow import BATCH, Follower, Following, whole_batch
from beampose.trainer.frame_predictor import FramePredictor, outputs


class PoseLooker:
    """Asks a model where the animal of a range is, by windows where they say the same."""

    def __init__(self, following: Following, batch_size: int, model: FramePredictor):
        self._following = following
        self._batch_size = batch_size
        self._shared = min(BATCH, batch_size)
        self._model = model
        self._follower: Follower | None = None
        # Of a model of a version before only whole frames can be asked for.
        self._follows = following.share > 0 and model.knows(WINDOW)

    def found(self, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (batch, bodyparts, 3 or 4) of the next frames, and whether a window said so."""
        if not self._follows:
            return self._whole(frames), np.zeros(len(frames), bool)
        size = frames[0].shape[:2]
        if self._follower is None or self._follower.size != size:
            self._follower = Follower(self._following, size)
        pieces = []
        while frames:
            count = len(frames) if self._follower.lost else self._shared
            pieces.append(self._follow(self._follower, frames[:count]))
            frames = frames[count:]
        found, by_window = zip(*pieces, strict=True)
        return np.concatenate(found), np.concatenate(by_window)

    def _follow(
        self, follower: Follower, frames: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `found`, of frames that share a window."""
        window = follower.window()
        if window is None:
            found, by_window = self._whole(frames), np.zeros(len(frames), bool)
        else:
            found = joined(outputs(self._model, frames, self._shared, WINDOW, **window.inputs()))
            by_window = np.ones(len(frames), bool)
        for i, frame in enumerate(frames):
            if window is not None and follower.unsure(found[i], window):
                found[i] = joined(self._model.predict(frame[None]))[0]
                by_window[i] = False
            follower.saw(found[i])
        follower.follow(found, window, int((~by_window).sum()))
        return found, by_window

    def _whole(self, frames: list[np.ndarray]) -> np.ndarray:
        size = whole_batch(len(frames), self._batch_size, follows=self._follows)
        return joined(outputs(self._model, frames, size))


def joined(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """(batch, bodyparts, 3 or 4) of the one individual."""
    columns = [outputs[name][:, 0, :, None] for name in ("likelihood", "spread") if name in outputs]
    return np.concatenate([outputs["keypoints"][:, 0], *columns], axis=-1)
