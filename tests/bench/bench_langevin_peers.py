# SPDX-License-Identifier: MIT
"""The Langevin chains of bench_langevin.c as a user of torch or numpy would write them: in place, in preallocated
memory, gradients by hand; and with torch's autograd. One thread. Usage: bench_langevin_peers.py [quick]"""
import sys
import time

import numpy as np
import torch

CHAINS, ETA, SIGMA, WIDTH_SQUARE = 10000, 0.01, (2 * 0.01) ** 0.5, 0.25
REPETITIONS = 1 if sys.argv[1:] == ["quick"] else 40
angle = np.arange(8) * np.pi / 4
CENTRE = (2 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32)
CENTRE_T = torch.from_numpy(CENTRE)
SCALED_T = (CENTRE_T / WIDTH_SQUARE).t().contiguous()
SCALED = np.ascontiguousarray(CENTRE.T / WIDTH_SQUARE)


# Each makes a function that takes one step of gradient descent; noise is added by the caller.
def torch_gaussian(x):
    return lambda: x.mul_(1 - ETA)


def torch_double_well(x):
    g = torch.empty_like(x)

    def descend():
        torch.mul(x, x, out=g)
        g.sub_(1).mul_(x)
        x.add_(g, alpha=-4 * ETA)
    return descend


def torch_eight_gaussians(x):
    a = torch.empty(CHAINS, 8)

    def descend():
        torch.mm(x, SCALED_T, out=a)
        x.addmm_(torch.softmax(a, 1), CENTRE_T, beta=1 - ETA / WIDTH_SQUARE, alpha=ETA / WIDTH_SQUARE)
    return descend


def numpy_gaussian(x):
    return lambda: np.multiply(x, np.float32(1 - ETA), out=x)


def numpy_double_well(x):
    g = np.empty_like(x)

    def descend():
        np.multiply(x, x, out=g)
        np.subtract(g, np.float32(1), out=g)
        np.multiply(g, x, out=g)
        np.multiply(g, np.float32(4 * ETA), out=g)
        np.subtract(x, g, out=x)
    return descend


def numpy_eight_gaussians(x):
    a, g = np.empty((CHAINS, 8), np.float32), np.empty_like(x)

    def descend():
        np.matmul(x, SCALED, out=a)
        np.subtract(a, a.max(1, keepdims=True), out=a)
        np.exp(a, out=a)
        np.divide(a, a.sum(1, keepdims=True), out=a)
        np.matmul(a, CENTRE, out=g)
        np.subtract(x, g, out=g)
        np.multiply(g, np.float32(ETA / WIDTH_SQUARE), out=g)
        np.subtract(x, g, out=x)
    return descend


def energy_gaussian(x):
    return 0.5 * (x * x).sum(1)


def energy_double_well(x):
    return (x * x - 1).square().sum(1)


def energy_eight_gaussians(x):
    return (x * x).sum(1) / (2 * WIDTH_SQUARE) - torch.logsumexp(x @ SCALED_T, 1)


def run_torch(dim, make, steps):
    x, z = torch.randn(CHAINS, dim), torch.empty(CHAINS, dim)
    descend = make(x)

    def run():
        for _ in range(steps):
            descend()
            x.add_(z.normal_(), alpha=SIGMA)
    return run


def run_autograd(dim, energy, steps):
    x, z = torch.randn(CHAINS, dim, requires_grad=True), torch.empty(CHAINS, dim)

    def run():
        for _ in range(steps):
            (g,) = torch.autograd.grad(energy(x).sum(), x)
            with torch.no_grad():
                x.add_(g, alpha=-ETA).add_(z.normal_(), alpha=SIGMA)
    return run


def run_numpy(dim, make, steps):
    rng = np.random.Generator(np.random.SFC64(1))
    x, z = rng.standard_normal((CHAINS, dim), np.float32), np.empty((CHAINS, dim), np.float32)
    descend = make(x)

    def run():
        for _ in range(steps):
            descend()
            rng.standard_normal(out=z, dtype=np.float32)
            np.multiply(z, np.float32(SIGMA), out=z)
            np.add(x, z, out=x)
    return run


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    kinds = {"gaussian": (torch_gaussian, energy_gaussian, numpy_gaussian),
             "double-well": (torch_double_well, energy_double_well, numpy_double_well),
             "eight-gaussians": (torch_eight_gaussians, energy_eight_gaussians, numpy_eight_gaussians)}
    for kind, dim, steps in [("gaussian", 2, 20), ("gaussian", 10, 5), ("gaussian", 100, 1), ("double-well", 2, 20),
                             ("double-well", 100, 1), ("eight-gaussians", 2, 3)]:
        by_hand, energy, in_numpy = kinds[kind]
        runs = {"torch": run_torch(dim, by_hand, steps), "autograd": run_autograd(dim, energy, steps),
                "numpy": run_numpy(dim, in_numpy, steps)}
        least = dict.fromkeys(runs, float("inf"))
        for _ in range(REPETITIONS + 1):  # the first also warms up
            for who, run in runs.items():
                start = time.perf_counter()
                run()
                least[who] = min(least[who], time.perf_counter() - start)
        for who, seconds in least.items():
            print(f"langevin {kind}-{dim} {who} {1e-6 * CHAINS * steps / seconds:.6g} Mstep/s", flush=True)


main()
