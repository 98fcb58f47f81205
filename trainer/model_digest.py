"""Names a SavedModel by its weights and its graph, whatever names and order its files have.

TensorFlow numbers functions and layers by what the process made before, and writes a random
fingerprint: two exports of one model are other bytes, and the same model.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from beampose.core import storage
from beampose.core.names import SAVED_MODEL
from beampose.trainer import export

_VARIABLES = "variables"
# Attributes of an operation that say how it is run or called, not what it computes.
_NAMES = ("shared_name", "container", "config", "config_proto", "executor_type")


def model_digest(folder: str) -> str:
    """sha256 of what the SavedModel of a model computes: its graph and its weights.

    Raises:
      OSError: there is none.
      ValueError: it is damaged.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    root = storage.place(folder, SAVED_MODEL)
    try:
        return _digest(str(root), _stamp(root))
    except (ValueError, LookupError, DecodeError, tf.errors.OpError) as error:
        raise export.damaged(folder, error) from error


def file_digest(folder: str) -> str:
    """sha256 of a SavedModel's files, by which versions before 1.0 named a model."""
    root = storage.place(folder, SAVED_MODEL)
    code = hashlib.sha256()
    for name, *_ in _stamp(root):
        code.update(name.encode())
        code.update((root / name).read_bytes())
    return code.hexdigest()


def _stamp(root: UPath) -> tuple[tuple[str, int, float], ...]:
    """Files of a SavedModel with their sizes and times, but for the random fingerprint."""
    files = sorted((path for path in root.rglob("*") if path.is_file()), key=str)
    found = [(path, path.stat()) for path in files if path.name != "fingerprint.pb"]
    return tuple(
        (path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime) for path, stat in found
    )


@functools.lru_cache(maxsize=8)
def _digest(root: str, stamp: tuple[tuple[str, int, float], ...]) -> str:
    from tensorflow.core.protobuf import saved_model_pb2

    with storage.without_wildcards(root) as copy:
        data = (copy / "saved_model.pb").read_bytes()
        graphs = saved_model_pb2.SavedModel.FromString(data).meta_graphs
        code = hashlib.sha256()
        for graph in graphs:
            code.update(_Graph(graph).digest())
        for name, value in _weights(copy):
            code.update(name.encode() + value)
        for name, *_ in stamp:
            if name != "saved_model.pb" and not name.startswith(f"{_VARIABLES}/"):
                code.update(name.encode() + (copy / name).read_bytes())
    return code.hexdigest()


def _weights(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and values of what a SavedModel keeps beside its graph."""
    import tensorflow as tf

    stem = folder / _VARIABLES / _VARIABLES
    if not stem.with_suffix(".index").is_file():
        return
    reader = tf.train.load_checkpoint(str(stem))
    for name in sorted(reader.get_variable_to_shape_map()):
        # The object graph names objects of Python.
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH":
            value = reader.get_tensor(name)
            kind = f"{value.dtype}{value.shape}" if hasattr(value, "dtype") else ""
            data = value.tobytes() if hasattr(value, "tobytes") else bytes(value)
            yield f"{name}:{kind}", data


class _Graph:
    """Digests of a graph's operations by what they compute from what."""

    def __init__(self, graph: Any):
        self._signatures = graph.signature_def
        self._main = graph.graph_def
        self._functions = {one.signature.name: one for one in graph.graph_def.library.function}
        self._known: dict[str, bytes] = {}

    def digest(self) -> bytes:
        """Of all signatures of the graph."""
        found = []
        for name, signature in sorted(self._signatures.items()):
            if name.startswith("__"):
                continue
            inputs = [one.name for _, one in sorted(signature.inputs.items())]
            outputs = [one.name for _, one in sorted(signature.outputs.items())]
            names = [*sorted(signature.inputs), "", *sorted(signature.outputs)]
            found += [name.encode(), *map(str.encode, names)]
            found += self._computed(self._main.node, [one.split(":")[0] for one in inputs], outputs)
        return _hash(*found)

    def _function(self, name: str) -> bytes:
        if name not in self._known:
            self._known[name] = b""  # A function that calls itself.
            function = self._functions[name]
            arguments = [one.name for one in function.signature.input_arg]
            results = [function.ret[one.name] for one in function.signature.output_arg]
            kinds = [str(one.type).encode() for one in function.signature.input_arg]
            self._known[name] = _hash(
                *kinds, *self._computed(function.node_def, arguments, results)
            )
        return self._known[name]

    def _computed(
        self, nodes: Sequence[Any], arguments: Sequence[str], results: Sequence[str]
    ) -> list[bytes]:
        """Digests of some tensors, by what they are computed from."""
        by_name = {node.name: node for node in nodes}
        done = {name: _hash(b"argument", str(i).encode()) for i, name in enumerate(arguments)}
        # In the order they are first met: variables have no other name than that.
        resources: dict[str, bytes] = {}
        begun: set[str] = set()
        wanted = [_producer(result) for result in results]
        while wanted:
            name = wanted[-1]
            node = by_name.get(name)
            if name in done:
                wanted.pop()
            elif name in begun or node is None:
                done[name] = self._node(node, done, resources)
            else:
                begun.add(name)
                before = [_producer(one) for one in reversed(node.input)]
                wanted += [one for one in before if one not in done and one not in begun]
        return [_hash(done[_producer(one)], _which(one)) for one in results]

    def _node(self, node: Any, done: Mapping[str, bytes], resources: dict[str, bytes]) -> bytes:
        if node is None:
            return _hash(b"unknown")
        # An operation that waits for itself: a loop, which no function of ours has.
        inputs = [_hash(done.get(_producer(one), b"loop"), _which(one)) for one in node.input]
        # What only has to be done before may be listed in any order.
        first = [h for one, h in zip(node.input, inputs, strict=True) if not one.startswith("^")]
        before = sorted(h for one, h in zip(node.input, inputs, strict=True) if one[0] == "^")
        attributes = [
            part
            for name, value in sorted(node.attr.items())
            if not name.startswith("_") and name not in _NAMES
            for part in (name.encode(), self._attribute(value))
        ]
        own = b""
        if node.op in ("VarHandleOp", "Placeholder"):
            own = resources.setdefault(node.name, str(len(resources)).encode())
        return _hash(node.op.encode(), own, *first, b"before", *before, *attributes)

    def _attribute(self, value: Any) -> bytes:
        called = value.func.name if value.HasField("func") else ""
        if called in self._functions:
            return self._function(called)
        return value.SerializeToString(deterministic=True)


def _producer(tensor: str) -> str:
    """The operation of `name`, `name:0`, `name:output:0` or `^name`."""
    return tensor.lstrip("^").split(":")[0]


def _which(tensor: str) -> bytes:
    """Which of an operation's outputs a tensor is."""
    parts = tensor.split(":")[1:]
    return (":".join(parts) or "0").encode()


def _hash(*parts: bytes) -> bytes:
    code = hashlib.sha256()
    for part in parts:
        code.update(len(part).to_bytes(8, "little") + part)
    return code.digest()
