# SPDX-License-Identifier: MIT
"""The MLP of libebm against an independent one in numpy, in float64. EBM_LIBRARY names libebm.so."""
import ctypes
import os

import numpy as np
import pytest

ACTIVATIONS = {"silu": 1, "softplus": 2, "tanh": 3, "relu": 4}
SHAPES = {  # dim, hidden widths
    "linear": (7, []),
    "plane": (2, [128, 128]),
    "image": (784, [256, 256]),
    "deep": (11, [40, 3, 64, 17, 33]),
    "thin": (1, [1]),
}
BATCHES = [1, 127, 129, 1000]


def load():
    lib = ctypes.CDLL(os.environ["EBM_LIBRARY"])
    lib.ebm_last_error.restype = ctypes.c_char_p
    lib.ebm_model_param_count.restype = ctypes.c_int64
    lib.ebm_model_param_count.argtypes = [ctypes.c_void_p]
    lib.ebm_model_destroy.argtypes = [ctypes.c_void_p]
    lib.ebm_model_destroy.restype = None
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    lib.ebm_mlp_create.argtypes = [pointer, size, ctypes.c_int32, pointer, ctypes.c_int32, pointer]
    lib.ebm_model_set_params.argtypes = [pointer, size, pointer]
    lib.ebm_model_energy.argtypes = [pointer, size, pointer, pointer]
    lib.ebm_model_grad_x.argtypes = [pointer, size, pointer, pointer, pointer]
    lib.ebm_model_param_grad.argtypes = [pointer, size, pointer, pointer, pointer, size, pointer]
    return lib


LIB = load()


def ok(status):
    assert status == 0, LIB.ebm_last_error().decode()


class Library:
    """The library's MLP."""

    def __init__(self, dim, widths, activation):
        self.model = ctypes.c_void_p()
        array = np.array(widths, dtype=np.int64)
        ok(LIB.ebm_mlp_create(None, dim, len(widths), array.ctypes.data, ACTIVATIONS[activation],
                              ctypes.byref(self.model)))
        self.n_params = LIB.ebm_model_param_count(self.model)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        LIB.ebm_model_destroy(self.model)

    def set_params(self, theta):
        ok(LIB.ebm_model_set_params(self.model, len(theta), theta.ctypes.data))

    def energy(self, x):
        energy = np.empty(len(x))
        ok(LIB.ebm_model_energy(self.model, len(x), x.ctypes.data, energy.ctypes.data))
        return energy

    def grad_x(self, x):
        energy, grad = np.empty(len(x)), np.empty_like(x)
        ok(LIB.ebm_model_grad_x(self.model, len(x), x.ctypes.data, energy.ctypes.data, grad.ctypes.data))
        return energy, grad

    def param_grad(self, x, weight):
        energy, grad = np.empty(len(x)), np.empty(self.n_params, np.float32)
        ok(LIB.ebm_model_param_grad(self.model, len(x), x.ctypes.data, weight.ctypes.data, energy.ctypes.data,
                                    self.n_params, grad.ctypes.data))
        return energy, grad


def activate(activation, z):
    """The activation and its slope."""
    logistic = np.where(z >= 0, 1, np.exp(np.minimum(z, 0))) / (1 + np.exp(-np.abs(z)))
    if activation == "silu":
        return z * logistic, logistic + z * logistic * (1 - logistic)
    if activation == "softplus":
        return np.logaddexp(0, z), logistic
    if activation == "tanh":
        return np.tanh(z), 1 - np.tanh(z) ** 2
    return np.maximum(z, 0), (z > 0).astype(float)


def reference(dim, widths, activation, theta, x, weight):
    """Energies, dE/dx, and the weighted sum of dE/dtheta, in float64; and how near to 0 each row's ReLUs come."""
    theta, x, weight = theta.astype(float), x.astype(float), weight.astype(float)
    layers, place, fan_in = [], 0, dim
    for width in [*widths, 1]:
        w = theta[place:place + width * fan_in].reshape(width, fan_in)
        place += width * fan_in
        layers.append((w, theta[place:place + width]))
        place += width
        fan_in = width
    assert place == len(theta)

    hidden, slopes, margin = [x], [], np.full(len(x), np.inf)
    for w, b in layers[:-1]:
        z = hidden[-1] @ w.T + b
        h, slope = activate(activation, z)
        hidden.append(h)
        slopes.append(slope)
        margin = np.minimum(margin, np.abs(z).min(axis=1))
    w, b = layers[-1]
    energy = (hidden[-1] @ w.T + b)[:, 0]

    delta, parts = np.ones((len(x), 1)), []
    for layer in range(len(layers) - 1, -1, -1):
        parts[:0] = [np.einsum("n,ni,nj->ij", weight, delta, hidden[layer], optimize=True).ravel(), weight @ delta]
        delta = delta @ layers[layer][0]
        if layer > 0:
            delta = delta * slopes[layer - 1]
    return energy, delta, np.concatenate(parts), margin


def assert_close(given, expected, tolerance):
    """Relative to the largest expected: single entries may be small by cancellation."""
    assert given.shape == expected.shape
    assert np.max(np.abs(given - expected)) <= tolerance * np.max(np.abs(expected))


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_mlp_is_numpys(shape, activation, n):
    dim, widths = SHAPES[shape]
    rng = np.random.default_rng(n + dim)
    with Library(dim, widths, activation) as mlp:
        theta = []
        for fan_in, width in zip([dim, *widths], [*widths, 1]):
            theta += [rng.normal(0, 1.5 / np.sqrt(fan_in), fan_in * width), rng.normal(0, 0.5, width)]
        theta = np.concatenate(theta).astype(np.float32)
        assert mlp.n_params == len(theta)
        x = rng.normal(0, 1, (n, dim)).astype(np.float32)
        weight = rng.normal(0, 1, n).astype(np.float32)
        energy, grad_x, _, margin = reference(dim, widths, activation, theta, x, weight)
        if activation == "relu":  # rows where rounding may decide whether a unit is on have no gradient to compare
            weight[margin < 1e-5] = 0
            smooth = margin >= 1e-5
        else:
            smooth = np.full(n, True)
        grad_theta = reference(dim, widths, activation, theta, x, weight)[2]

        mlp.set_params(theta)
        scale = 1 + np.max(np.abs(energy))
        given, given_grad = mlp.grad_x(x)
        assert np.max(np.abs(given - energy)) <= 4e-6 * scale
        assert np.max(np.abs(mlp.energy(x) - energy)) <= 4e-6 * scale
        assert np.mean(smooth) > 0.9
        assert_close(given_grad[smooth], grad_x[smooth], 1e-5)
        given, given_grad = mlp.param_grad(x, weight)
        assert np.max(np.abs(given - energy)) <= 4e-6 * scale
        assert_close(given_grad, grad_theta, 1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_far_inputs_stay_finite(activation):
    """Pre-activations of +-3e4 saturate; they neither overflow nor become NaN."""
    with Library(1, [4], activation) as mlp:
        theta = np.array([1, -1, 0.5, 2, 0, 0, 0, 0, 1, 2, 3, 4, 0.5], np.float32)
        x = np.array([[3e4], [-3e4], [90], [-90]], np.float32)
        weight = np.ones(4, np.float32)
        energy, grad_x, grad_theta, _ = reference(1, [4], activation, theta, x, weight)
        mlp.set_params(theta)
        given, given_grad = mlp.grad_x(x)
        np.testing.assert_allclose(given, energy, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(given_grad, grad_x, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(mlp.param_grad(x, weight)[1], grad_theta, rtol=1e-6, atol=1e-6)
