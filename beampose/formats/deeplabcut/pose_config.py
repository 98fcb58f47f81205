"""The part of DeepLabCut's test pose_cfg that its tools read."""

from collections.abc import Sequence
from typing import Any

# A network of ours as DeepLabCut's rules take it, and abbreviate it in a scorer.
NET_TYPE, NETWORK = "resnet_beampose", "resnetbeampose"


def of_model(bodyparts: Sequence[str], network: str, scale: float) -> dict[str, Any]:
    """Bodyparts, name of the network, and the scale of the images that it sees."""
    return {
        "all_joints": [[i] for i in range(len(bodyparts))],
        "all_joints_names": list(bodyparts),
        "num_joints": len(bodyparts),
        "net_type": network,
        "global_scale": scale,
    }
