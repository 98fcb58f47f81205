"""An experiment of this machine to one in a bucket: what workers must read is put there first."""

import logging
import shlex
from pathlib import Path

from beampose.core import artefacts, storage
from beampose.core.files import is_address, join
from beampose.core.infos import DatasetInfo, Info, ModelInfo
from beampose.core.names import COMPLETED
from beampose.core.settings.experiment import Config, changed
from beampose.pipelines import inputs
from beampose.pipelines.cloud.cloud_settings import Cloud

LOG = logging.getLogger(__name__)
WEIGHTS = "weights"


def config(local: Config, cloud: Cloud) -> Config:
    """The experiment with every output in the bucket, and weights of this machine put there.

    `runs/openfield` becomes `<bucket>/openfield`; addresses stay what they are. A store that
    experiments share becomes `<bucket>/store`.

    Raises:
      OSError: the bucket or the weights cannot be used.
    """
    moved = placed(local, cloud)
    if not Path(local.weights).is_absolute():
        return moved
    weights = inputs.put_file(local.weights, join(cloud.root, WEIGHTS))
    return changed(moved, features={"weights": weights})


def placed(local: Config, cloud: Cloud) -> Config:
    """As `config`, and nothing is put anywhere: weights of this machine stay what they are."""
    output, store = local.output, local.store_
    if not is_address(output):
        output = join(cloud.root, Path(output).name)
    if store is not None and not is_address(store):
        store = join(cloud.root, "store")
    return changed(local, output=output, store_=store)


def dataset(local: Config, remote: Config) -> bool:
    """Puts the dataset of this machine, and its store, where the remote experiment looks for them.

    Returns whether it did: a dataset that is in the bucket already stays, and if it is another one
    than that of this machine, that is said.

    Raises:
      FileNotFoundError: there is no finished dataset at either place.
    """
    if storage.place(remote.dataset, COMPLETED).is_file():
        _tell_other(local.dataset, remote.dataset, DatasetInfo, ("labels_digest", "store"))
        return False
    if is_address(local.dataset):
        artefacts.require(remote.dataset, DatasetInfo)
    info = artefacts.require(local.dataset, DatasetInfo)
    _send(join(local.store, info.store), join(remote.store, info.store))
    _send(local.dataset, remote.dataset)
    return True


def model(local: Config, remote: Config) -> bool:
    """Puts the model of this machine where the remote experiment looks for one.

    Returns whether it did: a model that is in the bucket already stays, and if it is another one
    than that of this machine, that is said.

    Raises:
      FileNotFoundError: there is no finished model at either place.
    """
    if storage.place(remote.model, COMPLETED).is_file():
        _tell_other(local.model, remote.model, ModelInfo, ("digest",))
        return False
    if is_address(local.model):
        artefacts.require(remote.model, ModelInfo)
    artefacts.require(local.model, ModelInfo)
    _send(local.model, remote.model)
    return True


def _tell_other(here: str, there: str, kind: type[Info], keys: tuple[str, ...]) -> None:
    """Says that something is used which is not what this machine has under the same name."""
    if is_address(here) or not storage.place(here, COMPLETED).is_file():
        return
    own, used = artefacts.require(here, kind), artefacts.require(there, kind)
    if any(getattr(own, key) != getattr(used, key) for key in keys):
        LOG.warning(
            "NOTE %s is used; %s is another one. To send that, remove the first: gcloud storage rm "
            "-r %s",
            there,
            here,
            # Pasted with a space in it, it would remove another folder.
            shlex.quote(there),
        )


def _send(source: str, target: str) -> None:
    """Copies a finished artefact into the bucket; it counts once all of it is there."""
    LOG.info("Sending %s to %s", source, target)
    artefacts.begin(target)
    storage.upload(Path(source), target)
