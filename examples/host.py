# SPDX-License-Identifier: MIT
"""The same from Python, through ctypes and numpy alone: callbacks see the library's memory as arrays, nothing is copied.

E(x; P) = x' P x / 2 in two dimensions learns the precision matrix of correlated data. Usage: python3 host.py [libebm.so]
"""
import ctypes
import ctypes.util
import os
import signal
import sys

import numpy as np
from numpy.ctypeslib import as_array

path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EBM_LIBRARY") or ctypes.util.find_library("ebm")
ebm = ctypes.CDLL(path)
i32, i64, u64, f64, ptr = ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_double, ctypes.c_void_p
floats, doubles = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_double)
ENERGY = ctypes.CFUNCTYPE(i32, i64, i64, floats, floats, doubles, floats, ptr)
PARAM_GRAD = ctypes.CFUNCTYPE(i32, i64, i64, floats, floats, floats, doubles, floats, ptr)
CB_OK, CB_FAILED = 0, -1
KERNEL_MALA, SCHEDULED_LEARNING_RATE, SCHEDULE_LINEAR = 2, 1, 1

# Without argtypes ctypes passes every number as a C int, which cuts off 64-bit sizes.
ebm.ebm_last_error.restype = ctypes.c_char_p
for name, *argtypes in [
    ("model_create", ptr, i64, ENERGY, PARAM_GRAD, ptr, ptr),
    ("model_add_tensor", ptr, ctypes.c_char_p, i32, ctypes.POINTER(i64)),
    ("model_bind_params", ptr, i64, floats),
    ("sampler_create", ptr, ptr, i64, u64, ptr),
    ("sampler_set_kernel", ptr, i32),
    ("sampler_set_step_size", ptr, f64),
    ("sampler_draw", ptr, i64, i64, floats),
    ("trainer_create", ptr, ptr, ptr, ptr),
    ("trainer_set_learning_rate", ptr, f64),
    ("trainer_set_schedule", ptr, i32, i32, i64, i64, f64),
    ("trainer_fit", ptr, i64, floats, i64),
    ("trainer_request_stop", ptr),
    ("model_destroy", ptr),
    ("sampler_destroy", ptr),
    ("trainer_destroy", ptr),
]:
    getattr(ebm, "ebm_" + name).argtypes = argtypes

raised = []  # what a callback raised; ctypes itself would print it and go on with a return value of 0


def call(name, *arguments):
    status = getattr(ebm, "ebm_" + name)(*arguments)
    if raised:
        raise raised.pop()
    if status != 0:
        raise RuntimeError(ebm.ebm_last_error().decode())


def guarded(body):
    """Trap 1: an exception must not be lost on its way through C. It is kept, and the library is told."""
    def callback(*arguments):
        try:
            body(*arguments)
            return CB_OK
        except BaseException as error:
            raised.append(error)
            return CB_FAILED
    return callback


@ENERGY
@guarded
def energy(n, dim, x, theta, e, grad_x, _):
    x, precision = as_array(x, (n, dim)), as_array(theta, (dim, dim))
    slope = x @ (precision + precision.T) / 2
    if e:
        as_array(e, (n,))[:] = 0.5 * np.sum(x * slope, axis=1, dtype=np.float64)
    if grad_x:
        as_array(grad_x, (n, dim))[:] = slope


@PARAM_GRAD
@guarded
def param_grad(n, dim, x, weight, theta, e, grad_theta, _):
    x, w, precision = as_array(x, (n, dim)), as_array(weight, (n,)), as_array(theta, (dim, dim))
    if e:
        as_array(e, (n,))[:] = 0.5 * np.sum(x * (x @ precision), axis=1, dtype=np.float64)
    if grad_theta:
        as_array(grad_theta, (dim, dim))[:] = 0.5 * (w[:, None] * x).T @ x


def view(array):
    return array.ctypes.data_as(floats)


covariance = np.array([[1.0, 0.6], [0.6, 0.8]])
data = np.random.default_rng(1).multivariate_normal([0, 0], covariance, size=4000).astype(np.float32)
data = np.ascontiguousarray(data)
precision = np.eye(2, dtype=np.float32)  # the parameters live here, in numpy's memory

model, sampler, trainer = ptr(), ptr(), ptr()
call("model_create", None, 2, energy, param_grad, None, ctypes.byref(model))
call("model_add_tensor", model, b"precision", 2, (i64 * 2)(2, 2))
call("model_bind_params", model, 4, view(precision))
call("sampler_create", None, model, 1000, 1, ctypes.byref(sampler))
call("sampler_set_kernel", sampler, KERNEL_MALA)
call("sampler_set_step_size", sampler, 0.3)
call("trainer_create", None, model, sampler, ctypes.byref(trainer))
call("trainer_set_learning_rate", trainer, 0.05)
call("trainer_set_schedule", trainer, SCHEDULED_LEARNING_RATE, SCHEDULE_LINEAR, 0, 20 * 32, 0.0)  # 20 epochs of 32

# Trap 2: Python's own handler of Ctrl-C would raise inside a callback. Ours only asks the library to stop; the call then
# returns an error, and KeyboardInterrupt is raised here, outside of it.
interrupted = []
signal.signal(signal.SIGINT, lambda *_: (interrupted.append(True), ebm.ebm_trainer_request_stop(trainer)))
try:
    call("trainer_fit", trainer, len(data), view(data), 20)
except RuntimeError:
    if not interrupted:
        raise
finally:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if interrupted:  # also when it came too late to stop the call
    raise KeyboardInterrupt

draws = np.empty((20, 1000, 2), dtype=np.float32)
call("sampler_draw", sampler, 20, 20, view(draws))
for title, x in [("data", data), ("draws", draws.reshape(-1, 2))]:
    c = np.cov(x.T)
    print(f"covariance of the {title}: {c[0, 0]:.2f} {c[0, 1]:.2f} {c[1, 1]:.2f}")
for name, handle in [("trainer", trainer), ("sampler", sampler), ("model", model)]:
    getattr(ebm, f"ebm_{name}_destroy")(handle)
