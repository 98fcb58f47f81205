"""TFRecord files of `tensorflow.Example` messages, read and written without TensorFlow."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

# Before each payload its length and the checksum of that; after it its own checksum.
HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK = 0xA282EAD8
_LISTS = {"BytesList": "TYPE_BYTES", "FloatList": "TYPE_FLOAT", "Int64List": "TYPE_INT64"}
_NAMES = {"BytesList": "bytes_list", "FloatList": "float_list", "Int64List": "int64_list"}


def example(values: Mapping[str, Any]) -> bytes:
    """Serializes a `tensorflow.Example`, the same bytes for the same values.

    Args:
      values: by name, text or bytes, whole numbers or floats, one or a list.
    """
    built = _Example()
    found = built.features.feature
    for name, value in values.items():
        if isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else value
            found[name].bytes_list.value.append(data)
            continue
        items = value if isinstance(value, list) else [value]
        floats = any(isinstance(item, float) for item in items)
        one = found[name].float_list if floats else found[name].int64_list
        one.SetInParent()  # An empty list has a type too.
        one.value.extend(items)
    return built.SerializeToString(deterministic=True)


def fields(serialized: bytes) -> Mapping[str, Any]:
    """The features of a serialized `tensorflow.Example` by name, such as `.bytes_list.value`.

    Raises:
      ValueError: not such a message.
    """
    try:
        return _Example.FromString(serialized).features.feature
    except message.DecodeError as error:
        raise ValueError(f"not a tensorflow.Example: {error}") from error


def framed(payload: bytes) -> bytes:
    """A payload as it stands in a TFRecord file."""
    length = len(payload).to_bytes(8, "little")
    header = length + _FOOTER.pack(_checksum(length))
    return header + payload + _FOOTER.pack(_checksum(payload))


def read(file: Path) -> Iterator[bytes]:
    """The payloads of a local TFRecord file.

    Raises:
      ValueError: a record is cut off or its checksum is wrong.
    """
    with file.open("rb") as stream:
        end = stream.seek(0, 2)
        start = stream.seek(0)
        while start < end:
            yield _payload(stream, start)
            start = stream.tell()


def record_at(stream: BinaryIO, start: int, size: int) -> bytes:
    """The payload of one record.

    Args:
      start: its first byte in the file.
      size: bytes that the payload must have.

    Raises:
      ValueError: it is cut off, has another size, or its checksum is wrong.
    """
    stream.seek(start)
    return _payload(stream, start, size)


def _payload(stream: BinaryIO, start: int, size: int | None = None) -> bytes:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise ValueError(f"the record at byte {start} is cut off")
    length, checksum = HEADER.unpack(header)
    if checksum != _checksum(header[:8]):
        raise ValueError(f"the length at byte {start} has a wrong checksum")
    if size not in (None, length):
        raise ValueError(f"the record at byte {start} has {length} bytes, not {size}")
    payload, footer = stream.read(length), stream.read(_FOOTER.size)
    if len(footer) < _FOOTER.size:
        raise ValueError(f"the record at byte {start} is cut off")
    if _FOOTER.unpack(footer)[0] != _checksum(payload):
        raise ValueError(f"the record at byte {start} has a wrong checksum")
    return payload


def _checksum(data: bytes) -> int:
    """CRC-32C, rotated and masked as TFRecord files have it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def _example_class() -> Any:
    """The message class of tensorflow/core/example/example.proto, in a pool of its own.

    TensorFlow puts its own into the usual pool, where a second one would clash.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="tensorflow", syntax="proto3"
    )
    for name, kind in _LISTS.items():
        _field(file.message_type.add(name=name), "value", 1, kind, label="LABEL_REPEATED")
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(_LISTS, 1):
        field = _field(feature, _NAMES[name], number, "TYPE_MESSAGE", of=name)
        field.oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _field(entry, "key", 1, "TYPE_STRING")
    _field(entry, "value", 2, "TYPE_MESSAGE", of="Feature")
    of = "Features.FeatureEntry"
    _field(features, "feature", 1, "TYPE_MESSAGE", label="LABEL_REPEATED", of=of)
    _field(file.message_type.add(name="Example"), "features", 1, "TYPE_MESSAGE", of="Features")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def _field(
    owner: Any, name: str, number: int, kind: str, *, label: str = "LABEL_OPTIONAL", of: str = ""
) -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    return owner.field.add(
        name=name,
        number=number,
        type=getattr(field, kind),
        label=getattr(field, label),
        type_name=f".tensorflow.{of}" if of else None,
    )


_Example = _example_class()
