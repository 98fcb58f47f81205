"""GPUs of the machine that a process runs on, against those that it was ordered with."""

from beampose.core.wording import counted
from beampose.trainer.quiet import import_tensorflow


def require(ordered: int) -> None:
    """Refuses to work on a machine whose GPUs TensorFlow does not see: they cost several times it.

    Args:
      ordered: GPUs of this machine that somebody pays for.

    Raises:
      RuntimeError: TensorFlow sees fewer.
    """
    if not ordered:
        return
    import_tensorflow()
    import tensorflow as tf

    seen = len(tf.config.list_physical_devices("GPU"))
    if seen < ordered:
        raise RuntimeError(
            f"This machine was ordered with {counted(ordered, 'GPU')}, and TensorFlow sees {seen}: "
            "what is billed would not be used. Take the image that ends in -gpu, or drop "
            "the accelerator from the cloud's settings."
        )
