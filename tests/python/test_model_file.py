# SPDX-License-Identifier: MIT
"""Model files and programs that know only the safetensors format: numpy, the `safetensors` package where it is installed.

EBM_LIBRARY names libebm.so.
"""
import ctypes
import json
import os
import struct
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "golden"))
from make_golden import xxh64  # noqa: E402

EBM_ERR_CORRUPT = -13
DIM, WIDTHS, SOFTPLUS = 5, [7, 3], 2
POINTER, SIZE = ctypes.c_void_p, ctypes.c_int64

LIB = ctypes.CDLL(os.environ["EBM_LIBRARY"])
LIB.ebm_last_error.restype = ctypes.c_char_p
LIB.ebm_model_param_count.restype = SIZE
LIB.ebm_model_param_count.argtypes = [POINTER]
LIB.ebm_model_tensor_count.restype = SIZE
LIB.ebm_model_tensor_count.argtypes = [POINTER]
LIB.ebm_model_tensor_info.argtypes = [POINTER, SIZE, POINTER, POINTER, POINTER, POINTER]
LIB.ebm_model_destroy.argtypes = [POINTER]
LIB.ebm_model_destroy.restype = None
LIB.ebm_mlp_create.argtypes = [POINTER, SIZE, ctypes.c_int32, POINTER, ctypes.c_int32, POINTER]
LIB.ebm_model_init_params.argtypes = [POINTER, ctypes.c_uint64]
LIB.ebm_model_get_params.argtypes = [POINTER, SIZE, POINTER]
LIB.ebm_model_save.argtypes = [POINTER, ctypes.c_char_p]
LIB.ebm_model_load.argtypes = [POINTER, ctypes.c_char_p]


def ok(status):
    assert status == 0, LIB.ebm_last_error().decode()


class Model:
    def __init__(self):
        self.handle = POINTER()
        widths = np.array(WIDTHS, dtype=np.int64)
        ok(LIB.ebm_mlp_create(None, DIM, len(WIDTHS), widths.ctypes.data, SOFTPLUS, ctypes.byref(self.handle)))
        ok(LIB.ebm_model_init_params(self.handle, 1))

    def tensors(self):
        """Name to array, in the model's order."""
        theta = np.empty(LIB.ebm_model_param_count(self.handle), dtype=np.float32)
        ok(LIB.ebm_model_get_params(self.handle, len(theta), theta.ctypes.data))
        result = {}
        for index in range(LIB.ebm_model_tensor_count(self.handle)):
            name, rank, offset = ctypes.c_char_p(), ctypes.c_int32(), SIZE()
            shape = (SIZE * 8)()
            ok(LIB.ebm_model_tensor_info(self.handle, index, ctypes.byref(name), ctypes.byref(rank), shape,
                                         ctypes.byref(offset)))
            shape = list(shape[:rank.value])
            values = theta[offset.value:offset.value + int(np.prod(shape))]
            result[name.value.decode()] = values.reshape(shape)
        return result


@pytest.fixture
def model():
    result = Model()
    yield result
    LIB.ebm_model_destroy(result.handle)


def read_safetensors(path):
    """As any reader would: tensors and metadata."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length].decode("utf-8"))
    data = content[8 + length:]
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        tensors[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
    assert sum(array.nbytes for array in tensors.values()) == len(data)
    return tensors, metadata


def write_safetensors(path, tensors, metadata=None):
    header, blocks, at = {}, [], 0
    for name, array in tensors.items():
        block = np.asarray(array, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def assert_same(left, right):
    assert set(left) == set(right)
    for name, array in left.items():
        assert array.shape == right[name].shape
        assert array.tobytes() == right[name].tobytes(), name


def in_file(tensors):
    return {"param." + name: array for name, array in tensors.items()}


def test_numpy_reads_what_is_saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    ok(LIB.ebm_model_save(model.handle, str(path).encode()))
    tensors, metadata = read_safetensors(path)
    assert_same(tensors, in_file(model.tensors()))
    assert list(metadata) == ["ebm.digest"]


def test_data_are_aligned_and_digest_is_of_the_whole_file(model, tmp_path):
    path = tmp_path / "model.safetensors"
    ok(LIB.ebm_model_save(model.handle, str(path).encode()))
    content = path.read_bytes()
    assert (8 + struct.unpack_from("<Q", content)[0]) % 64 == 0
    digits = read_safetensors(path)[1]["ebm.digest"].encode()
    assert content.count(digits) == 1
    assert b"%016x" % xxh64(content.replace(digits, b"0" * 16)) == digits


@pytest.mark.parametrize("metadata", [None, {}, {"format": "np", "epoch": "12"}])
@pytest.mark.parametrize("order", [1, -1])
def test_what_numpy_writes_is_loaded(model, tmp_path, metadata, order):
    random = np.random.default_rng(3)
    tensors = {name: random.standard_normal(array.shape).astype(np.float32)
               for name, array in list(model.tensors().items())[::order]}
    path = tmp_path / "numpy.safetensors"
    write_safetensors(path, in_file(tensors), metadata)
    ok(LIB.ebm_model_load(model.handle, str(path).encode()))
    assert_same(model.tensors(), tensors)


def test_a_digest_that_was_copied_along_is_found(model, tmp_path):
    """Who changes a file and keeps its metadata keeps a digest that is no longer true."""
    path = tmp_path / "model.safetensors"
    ok(LIB.ebm_model_save(model.handle, str(path).encode()))
    before = model.tensors()
    tensors, metadata = read_safetensors(path)
    write_safetensors(path, {name: array + 1 for name, array in tensors.items()}, metadata)
    assert LIB.ebm_model_load(model.handle, str(path).encode()) == EBM_ERR_CORRUPT
    assert "digest" in LIB.ebm_last_error().decode()
    assert_same(model.tensors(), before)
    write_safetensors(path, tensors)
    ok(LIB.ebm_model_load(model.handle, str(path).encode()))


def test_the_safetensors_package(model, tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    path = str(tmp_path / "model.safetensors")
    ok(LIB.ebm_model_save(model.handle, path.encode()))
    tensors = {name: np.array(array) for name, array in package.load_file(path).items()}
    assert_same(tensors, in_file(model.tensors()))
    changed = {name: array + 1 for name, array in tensors.items()}
    package.save_file(changed, path)
    ok(LIB.ebm_model_load(model.handle, path.encode()))
    assert_same(in_file(model.tensors()), changed)
