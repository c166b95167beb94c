"""The message in a TFRecord: an Example, which has features by name; those of images are single byte strings.

Protocol Buffers: a field is a key (number * 8 + wire type), then a varint (0), 8 bytes (1), a length and bytes (2), or 4 bytes (5).
    Example { Features features = 1 }   Features { map<string, Feature> feature = 1 }   map entry { string key = 1; Feature value = 2 }
    Feature { BytesList bytes_list = 1; FloatList ...= 2; Int64List ...= 3 }   BytesList { repeated bytes value = 1 }
"""

from collections.abc import Iterator, Mapping

_FIXED = {1: 8, 5: 4}
_LONGEST_VARINT = 10
_MOST_FEATURES = 1000


def write_example(features: Mapping[str, bytes]) -> bytes:
    """An Example of byte strings, in the order of their names."""
    entries = b""
    for name in sorted(features):
        feature = bytes_field(1, bytes_field(1, features[name]))
        entries += bytes_field(1, bytes_field(1, name.encode()) + bytes_field(2, feature))
    return bytes_field(1, entries)


def read_example(data: bytes) -> dict[str, bytes]:
    """The first byte string of each feature that has one, by name; features of numbers are left out.

    Raises ValueError if the bytes are no Example.
    """
    found: dict[str, bytes] = {}
    view = memoryview(data)
    for features in _inner(view, 1):
        for count, entry in enumerate(_inner(features, 1)):
            if count >= _MOST_FEATURES:
                raise ValueError(f"it has more than {_MOST_FEATURES} features")
            name = b"".join(bytes(key) for key in _inner(entry, 1))
            strings = [value for feature in _inner(entry, 2) for values in _inner(feature, 1) for value in _inner(values, 1)]
            if strings:
                found[name.decode("utf-8", "replace")] = bytes(strings[0])
    return found


def bytes_field(number: int, data: bytes) -> bytes:
    """A field of bytes, text or a message. number: of the field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A whole number, 0 or more, in seven bits a byte; also the key of a field, its number * 8 + wire type."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _inner(message: memoryview, number: int) -> Iterator[memoryview]:
    """The contents of a message's fields of a number that are bytes; others are passed over."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        wire = key & 7
        if wire == 0:
            _, place = _read_varint(message, place)
            continue
        length, place = _read_varint(message, place) if wire == 2 else (_FIXED.get(wire), place)
        if length is None or place + length > len(message):
            raise ValueError("its fields do not fit together")
        if wire == 2 and key >> 3 == number:
            yield message[place : place + length]
        place += length


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number, and the place behind it."""
    value = 0
    for count, byte in enumerate(message[place : place + _LONGEST_VARINT]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, place + count + 1
    raise ValueError("its fields do not fit together")
