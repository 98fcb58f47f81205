"""The part of DeepLabCut's test pose_cfg that its tools read."""

from collections.abc import Sequence
from typing import Any


def of_model(bodyparts: Sequence[str], network: str, scale: float) -> dict[str, Any]:
    """Bodyparts, name of the network, and the scale of the images that it sees."""
    return {
        "all_joints": [[i] for i in range(len(bodyparts))],
        "all_joints_names": list(bodyparts),
        "num_joints": len(bodyparts),
        "net_type": network,
        "global_scale": scale,
    }
