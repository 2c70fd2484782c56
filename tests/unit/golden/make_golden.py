# SPDX-License-Identifier: MIT
"""Writes the golden model files of this folder with nothing but the format's definition.

They belong to the model of tests/support/io_support.h. `model_*.safetensors` must load; every `fail_<status>_*.safetensors` must be
refused with that status. A file that was once released is never changed: new cases get new names.
"""
import json
import os
import struct

VALUES = struct.pack("<11f", 1.0, -0.0, 3.4028234663852886e38, -1.1754943508222875e-38, 1.401298464324817e-45,
                     0.1, -1.0e-7, 1.0e10, 3.0, -16777217.0, 0.333333343)
WEIGHT, SCALE, ODD = VALUES[:24], VALUES[24:28], VALUES[28:]
MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def xxh64(data):
    """XXH64 with seed 0, after the xxHash specification 0.1.1."""
    def rotate(a, bits):
        return (a << bits | a >> (64 - bits)) & MASK

    def stir(lane, word):
        return rotate((lane + word * P2) & MASK, 31) * P1 & MASK

    at = 0
    if len(data) >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while len(data) - at >= 32:
            lanes = [stir(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        value = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            value = ((value ^ stir(0, lane)) * P1 + P4) & MASK
    else:
        value = P5
    value = (value + len(data)) & MASK
    while len(data) - at >= 8:
        value = (rotate(value ^ stir(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if len(data) - at >= 4:
        value = (rotate(value ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        value = rotate(value ^ byte * P5 & MASK, 11) * P1 & MASK
    value = (value ^ value >> 33) * P2 & MASK
    value = (value ^ value >> 29) * P3 & MASK
    return value ^ value >> 32


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors():
    return {"param.weight": entry([2, 3], 0, 24), "param.scale": entry([], 24, 28),
            "param.odd\"name\\": entry([1, 2, 1, 1, 2, 1, 1, 1], 28, 44)}


def pack(header, data=VALUES, padding=0):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def with_digest(header):
    text = json.dumps({"__metadata__": {"ebm.digest": "0" * 16}, **header}, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    file = pack(text)
    return file.replace(b"0" * 16, b"%016x" % xxh64(file), 1)


def changed(**entries):
    result = tensors()
    result.update({"param." + name: value for name, value in entries.items()})
    return result


def without(name):
    return {key: value for key, value in tensors().items() if key != name}


def flip(file, offset, bit):
    return file[:offset] + bytes([file[offset] ^ 1 << bit]) + file[offset + 1:]


def files():
    good = with_digest(tensors())
    other = {"param.odd\"name\\": entry([1, 2, 1, 1, 2, 1, 1, 1], 0, 16), "param.scale": entry([], 16, 20),
             "param.weight": entry([2, 3], 20, 44), "__metadata__": {"format": "np", "author": "somebody \u00e9lse"}}
    pairs = json.dumps(tensors(), separators=(",", ":"))
    yield "model_0_1", good
    yield "model_other_writer", pack(json.dumps(other, indent=1, ensure_ascii=False).encode(), ODD + SCALE + WEIGHT)
    yield "model_without_digest", pack(tensors(), padding=3)
    yield "fail_corrupt_truncated", good[:-1]
    yield "fail_corrupt_header_cut", good[:100]
    yield "fail_corrupt_longer", good + b"\0"
    yield "fail_corrupt_flip_in_data", flip(good, len(good) - 5, 3)
    yield "fail_corrupt_flip_in_digest", flip(good, good.index(b"ebm.digest") + 14, 0)
    yield "fail_corrupt_flip_in_digest_key", flip(good, good.index(b"ebm.digest"), 1)
    yield "fail_corrupt_flip_in_name", flip(good, good.index(b"weight"), 1)
    yield "fail_corrupt_digest_short", pack({"__metadata__": {"ebm.digest": "12"}, **tensors()})
    yield "fail_format_empty", b""
    yield "fail_format_not_json", pack(b"{\"param.weight\":}")
    yield "fail_format_other_file", b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield "fail_format_duplicate", pack((pairs[:-1] + "," + pairs[1:]).encode())
    yield "fail_format_hole", pack(changed(scale=entry([], 28, 32)), VALUES + bytes(4))
    yield "fail_format_overlap", pack(changed(scale=entry([], 20, 24)))
    yield "fail_format_rank_9", pack(changed(scale=entry([1] * 9, 24, 28)))
    yield "fail_format_product", pack(changed(scale=entry([1 << 32, 1 << 32], 24, 28)))
    yield "fail_format_unknown_dtype", pack(changed(scale=entry([], 24, 28, "F33")))
    yield "fail_format_nested_metadata", pack({"__metadata__": {"a": {}}, **tensors()})
    yield "fail_mismatch_missing", pack(without("param.odd\"name\\"), VALUES[:28])
    yield "fail_mismatch_foreign", pack({**tensors(), "param.more": entry([1], 44, 48)}, VALUES + bytes(4))
    yield "fail_mismatch_shape", pack(changed(weight=entry([3, 2], 0, 24)))
    yield "fail_mismatch_rank", pack(changed(weight=entry([6], 0, 24)))
    yield "fail_mismatch_dtype", pack(changed(scale=entry([], 24, 28, "I32")))
    yield "fail_nonfinite_nan", pack(tensors(), VALUES[:24] + struct.pack("<f", float("nan")) + VALUES[28:])
    yield "fail_nonfinite_infinity", pack(tensors(), VALUES[:40] + struct.pack("<f", float("-inf")))


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, content in files():
        with open(os.path.join(folder, name + ".safetensors"), "wb") as file:
            file.write(content)


if __name__ == "__main__":
    main()
