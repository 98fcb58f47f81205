"""A model as the folder that DeepLabCut-live loads: a frozen graph and pose_cfg.yaml."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import numpy as np
import yaml
from upath import UPath

from beampose.core import storage
from beampose.core.infos import ModelInfo
from beampose.formats.deeplabcut import pose_config
from beampose.trainer import cells, export

CONFIG = "pose_cfg.yaml"
# DeepLabCut-live takes the first operation for the input, and the last one, if its name holds
# these words, for the rows of all bodyparts: y, x, likelihood.
INPUT, OUTPUT = "Placeholder", "concat_1"


def write(folder: str, info: ModelInfo, to: UPath) -> UPath:
    """Writes the graph, whole or not at all, and then its configuration. Returns the graph's file.

    Frames may have any size.
    """
    import tensorflow as tf

    from beampose.trainer import frozen
    from beampose.trainer.traced import traced

    # Its variables live as long as it does.
    loaded = export.load(folder)
    signature = loaded.signatures["frames"]  # pyright: ignore[reportAttributeAccessIssue]

    def rows(frames: tf.Tensor) -> tf.Tensor:
        found = signature(frames=tf.cast(frames, tf.uint8))
        place, sure = found["keypoints"][0, 0], found["likelihood"][0, 0]
        return tf.concat([place[:, ::-1], sure[:, None]], axis=1)

    # It feeds frames of whatever numbers its camera gives, from 0 to 255.
    spec = tf.TensorSpec((1, None, None, 3), tf.float32)
    constant = frozen.freeze(traced(rows, [spec]).get_concrete_function())
    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        frames = v1.placeholder(tf.float32, (1, None, None, 3), INPUT)
        tf.identity(frozen.put(constant, frames, "model"), name=OUTPUT)
        definition = v1.graph_util.extract_sub_graph(graph.as_graph_def(), [OUTPUT])
    # The steps end the scorer's name.
    file = to / f"snapshot-{info.dlc_scorer.rpartition('_')[2]}.pb"
    storage.write_bytes(file, definition.SerializeToString())
    storage.write_text(to / CONFIG, yaml.safe_dump(_config(info), sort_keys=False))
    return file


class Runner:
    """The graph, found and run as DeepLabCut-live does."""

    def __init__(self, file: UPath, threads: int):
        import tensorflow as tf

        v1 = tf.compat.v1
        definition = v1.GraphDef()
        definition.ParseFromString(file.read_bytes())
        with v1.Graph().as_default() as graph:
            v1.import_graph_def(definition, name="DLC")
        operations = graph.get_operations()
        if OUTPUT not in operations[-1].name:
            raise ValueError(f"{file}: its last operation is {operations[-1].name}, not {OUTPUT}.")
        options = v1.ConfigProto(intra_op_parallelism_threads=threads)
        self._session = v1.Session(graph=graph, config=options)
        self._input = operations[0].outputs[0]
        self._output = operations[-1].outputs[0]

    def __call__(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (height, width, 3) to keypoints and likelihood, as the SavedModel gives them."""
        rows = self._session.run(self._output, {self._input: frame[None]})
        return {"keypoints": rows[None, None, :, 1::-1], "likelihood": rows[None, None, :, 2]}


def _config(info: ModelInfo) -> dict:
    recipe = info.recipe
    return {
        **pose_config.of_model(info.bodyparts, recipe.backbone, recipe.scale),
        "num_outputs": 1,
        "stride": float(cells.STRIDE),
        "scoremap_dir": "",
    }
