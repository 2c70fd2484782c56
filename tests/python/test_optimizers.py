# SPDX-License-Identifier: MIT
"""The optimizers, with clip, weight decay and schedules, against numpy in float32: the same bits after each of 50 steps.

The factors of a step (rates, powers of beta, the clip's) are computed in float64 and rounded once; all else is float32,
one operation after the other, as the formulas are written here. EBM_LIBRARY names libebm.so.
"""
import ctypes
import math
import os

import numpy as np
import pytest

N_PARAMS, STEPS = 1003, 50
f32 = np.float32
SGD, ADAM, ADAMW = 1, 2, 3
CONSTANT, LINEAR, EXPONENTIAL, COSINE, STEP = range(5)
LEARNING_RATE = 1

i32, i64, f64, pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
floats, doubles = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_double)
ENERGY = ctypes.CFUNCTYPE(i32, i64, i64, floats, floats, doubles, floats, pointer)
PARAM_GRAD = ctypes.CFUNCTYPE(i32, i64, i64, floats, floats, floats, doubles, floats, pointer)

SIGNATURES = {
    "model_create": (pointer, i64, ENERGY, PARAM_GRAD, pointer, pointer),
    "model_add_tensor": (pointer, ctypes.c_char_p, i32, pointer),
    "model_set_params": (pointer, i64, pointer),
    "model_get_params": (pointer, i64, pointer),
    "sampler_create": (pointer, pointer, i64, ctypes.c_uint64, pointer),
    "trainer_create": (pointer, pointer, pointer, pointer),
    "trainer_set_mcmc_steps": (pointer, i64),
    "trainer_set_optimizer": (pointer, i32),
    "trainer_set_learning_rate": (pointer, f64),
    "trainer_set_momentum": (pointer, f64),
    "trainer_set_betas": (pointer, f64, f64),
    "trainer_set_epsilon": (pointer, f64),
    "trainer_set_weight_decay": (pointer, f64),
    "trainer_set_grad_clip": (pointer, f64),
    "trainer_set_schedule": (pointer, i32, i32, i64, i64, f64),
    "trainer_step": (pointer, i64, pointer),
}


def load():
    lib = ctypes.CDLL(os.environ["EBM_LIBRARY"])
    lib.ebm_last_error.restype = ctypes.c_char_p
    for name, arguments in SIGNATURES.items():
        getattr(lib, "ebm_" + name).argtypes = arguments
    for name in ("model", "sampler", "trainer"):
        destroy = getattr(lib, f"ebm_{name}_destroy")
        destroy.argtypes, destroy.restype = [pointer], None
    return lib


LIB = load()


def call(name, *arguments):
    assert getattr(LIB, "ebm_" + name)(*arguments) == 0, LIB.ebm_last_error().decode()


TARGET = np.random.default_rng(1).normal(size=N_PARAMS).astype(f32)
STIFFNESS = np.random.default_rng(2).uniform(0.01, 3, N_PARAMS).astype(f32)


def gradient(theta):
    """Any function of theta alone serves: both sides take its floats as they are. A few of them are 0."""
    g = STIFFNESS * np.sin(theta - TARGET)
    g[::97] = 0
    return g


def energy(n, dim, x, theta, values, grad_x, _):
    if values:
        np.ctypeslib.as_array(values, (n,))[:] = 0
    if grad_x:
        np.ctypeslib.as_array(grad_x, (n * dim,))[:] = 0
    return 0


def param_grad(n, dim, x, weight, theta, values, grad_theta, _):
    if grad_theta:
        np.ctypeslib.as_array(grad_theta, (N_PARAMS,))[:] = gradient(np.ctypeslib.as_array(theta, (N_PARAMS,)))
    return energy(n, dim, x, theta, values, None, None)


class Library:
    def __init__(self, rules):
        self.callbacks = ENERGY(energy), PARAM_GRAD(param_grad)  # kept alive
        self.model, self.sampler, self.trainer = pointer(), pointer(), pointer()
        self.theta, self.rows = np.zeros(N_PARAMS, f32), np.zeros(2, f32)
        call("model_create", None, 1, *self.callbacks, None, ctypes.byref(self.model))
        call("model_add_tensor", self.model, b"theta", 1, (i64 * 1)(N_PARAMS))
        call("model_set_params", self.model, N_PARAMS, self.theta.ctypes.data)
        call("sampler_create", None, self.model, 2, 1, ctypes.byref(self.sampler))
        call("trainer_create", None, self.model, self.sampler, ctypes.byref(self.trainer))
        call("trainer_set_mcmc_steps", self.trainer, 1)
        call("trainer_set_betas", self.trainer, *rules["betas"])
        call("trainer_set_schedule", self.trainer, LEARNING_RATE, *rules["schedule"])
        for name in ("optimizer", "learning_rate", "momentum", "epsilon", "weight_decay", "grad_clip"):
            call("trainer_set_" + name, self.trainer, rules[name])

    def step(self):
        call("trainer_step", self.trainer, 2, self.rows.ctypes.data)
        call("model_get_params", self.model, N_PARAMS, self.theta.ctypes.data)
        return self.theta

    def __enter__(self):
        return self

    def __exit__(self, *_):
        LIB.ebm_trainer_destroy(self.trainer)
        LIB.ebm_sampler_destroy(self.sampler)
        LIB.ebm_model_destroy(self.model)


def scheduled(rules, t):
    kind, warmup, n, r = rules["schedule"]
    if t < warmup:
        return (t + 1) / (warmup + 1)
    u = min((t - warmup) / n, 1)
    return {CONSTANT: lambda: 1.0, LINEAR: lambda: 1 + (r - 1) * u, EXPONENTIAL: lambda: r**u,
            COSINE: lambda: r + (1 - r) * (1 + math.cos(math.pi * u)) / 2,
            STEP: lambda: r ** ((t - warmup) // n)}[kind]()


class Numpy:
    def __init__(self, rules):
        self.rules, self.t = rules, 0
        self.theta, self.m, self.v = (np.zeros(N_PARAMS, f32) for _ in range(3))

    def step(self):
        r, kind = self.rules, self.rules["optimizer"]
        rate = r["learning_rate"] * scheduled(r, self.t)
        self.t += 1
        g = gradient(self.theta)
        norm = math.sqrt(math.fsum(float(value) ** 2 for value in g))
        if norm > r["grad_clip"]:
            g = f32(r["grad_clip"] / norm) * g
        if kind != ADAMW:
            g = g + f32(r["weight_decay"]) * self.theta
        if kind == SGD:
            self.m = f32(r["momentum"]) * self.m + g
            self.theta = self.theta - f32(rate) * self.m
            return self.theta
        beta1, beta2 = r["betas"]
        self.m = f32(beta1) * self.m + f32(1 - beta1) * g
        self.v = f32(beta2) * self.v + f32(1 - beta2) * (g * g)
        first = math.prod([beta1] * self.t)
        second = math.prod([beta2] * self.t)
        kept = f32(1 - rate * r["weight_decay"]) * self.theta if kind == ADAMW else self.theta
        root = np.sqrt(self.v) * f32(1 / math.sqrt(1 - second))
        self.theta = kept - f32(rate / (1 - first)) * self.m / (root + f32(r["epsilon"]))
        return self.theta


DEFAULTS = {"learning_rate": 0.01, "momentum": 0.0, "betas": (0.9, 0.999), "epsilon": 1e-8, "weight_decay": 0.0,
            "grad_clip": math.inf, "schedule": (CONSTANT, 0, 1, 1.0)}
VARIATIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9, "betas": (0.0, 0.99)},
    "weight decay": {"weight_decay": 0.3, "momentum": 0.5},
    "clip": {"grad_clip": 5.0, "betas": (0.5, 0.9)},
    "all": {"weight_decay": 0.1, "grad_clip": 7.5, "momentum": 0.8, "epsilon": 1e-3, "schedule": (COSINE, 7, 30, 0.05)},
    "warm-up": {"schedule": (CONSTANT, 10, 1, 1.0)},
    "linear": {"schedule": (LINEAR, 5, 40, 0.0)},
    "exponential": {"schedule": (EXPONENTIAL, 0, 33, 0.01)},
    "cosine": {"schedule": (COSINE, 3, 60, 0.1)},
    "step": {"schedule": (STEP, 4, 9, 0.5)},
}


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("optimizer", [SGD, ADAM, ADAMW], ids=["sgd", "adam", "adamw"])
def test_same_bits(optimizer, variation):
    rules = {**DEFAULTS, "optimizer": optimizer, **VARIATIONS[variation]}
    reference = Numpy(rules)
    with Library(rules) as library:
        for step in range(STEPS):
            ours, theirs = library.step(), reference.step()
            different = np.flatnonzero(ours.view(np.int32) != theirs.view(np.int32))
            assert different.size == 0, f"step {step + 1}: {different.size} floats, {different[0]}: " \
                                        f"{ours[different[0]]!r}, not {theirs[different[0]]!r}"
        assert np.abs(ours).max() > 0.01  # something has happened
