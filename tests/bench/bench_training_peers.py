# SPDX-License-Identifier: MIT
"""The training step of bench_training.c as a user of torch would write it, milliseconds: with autograd, and with
forward and backward passes by hand into preallocated memory.
Usage: OMP_WAIT_POLICY=passive bench_training_peers.py threads [quick]"""
import sys
import time

import torch
import torch.nn.functional as F

BATCH, STEPS, ETA, SIGMA = 256, 20, 0.01, (2 * 0.01) ** 0.5
QUICK = sys.argv[2:] == ["quick"]


def autograd_step(dim, width, data):
    net = torch.nn.Sequential(torch.nn.Linear(dim, width), torch.nn.SiLU(), torch.nn.Linear(width, width),
                              torch.nn.SiLU(), torch.nn.Linear(width, 1))
    adam = torch.optim.Adam(net.parameters(), lr=1e-5)
    noise = torch.empty_like(data)

    def step():
        for p in net.parameters():
            p.requires_grad_(False)
        x = data.clone()
        for _ in range(STEPS):
            x.requires_grad_(True)
            (g,) = torch.autograd.grad(net(x).sum(), x)
            x = x.detach().add_(g, alpha=-ETA).add_(noise.normal_(), alpha=SIGMA)
        for p in net.parameters():
            p.requires_grad_(True)
        energy = net(torch.cat([data, x])).squeeze(1)
        loss = energy[:BATCH].mean() - energy[BATCH:].mean()
        adam.zero_grad(set_to_none=False)
        loss.backward()
        adam.step()
        return loss.item()
    return step


class ByHand:
    """Two hidden layers; silu and its backward are torch's own fused kernels."""

    def __init__(self, dim, width, rows):
        w = lambda *shape: torch.nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5)
        self.w1, self.w2, self.w3 = w(width, dim), w(width, width), w(1, width)
        self.b1, self.b2, self.b3 = (torch.nn.Parameter(torch.zeros(n)) for n in (width, width, 1))
        self.params = [self.w1, self.b1, self.w2, self.b2, self.w3, self.b3]
        for p in self.params:
            p.grad = torch.zeros_like(p)
        self.z1, self.h1, self.d1, self.z2, self.h2, self.d2 = (torch.empty(rows, width) for _ in range(6))
        self.energy, self.grad_x = torch.empty(rows, 1), torch.empty(rows, dim)

    def forward(self, x):
        torch.addmm(self.b1, x, self.w1.t(), out=self.z1)
        torch.ops.aten.silu.out(self.z1, out=self.h1)
        torch.addmm(self.b2, self.h1, self.w2.t(), out=self.z2)
        torch.ops.aten.silu.out(self.z2, out=self.h2)
        torch.addmm(self.b3, self.h2, self.w3.t(), out=self.energy)

    def backward(self, delta):
        torch.ops.aten.silu_backward.grad_input(delta, self.z2, grad_input=self.d2)
        torch.mm(self.d2, self.w2, out=self.d1)

    def gradient_x(self, x):
        self.forward(x)
        self.backward(self.w3.expand(x.shape[0], -1))
        torch.ops.aten.silu_backward.grad_input(self.d1, self.z1, grad_input=self.d1)
        return torch.mm(self.d1, self.w1, out=self.grad_x)

    def gradient_theta(self, x, weight):
        self.forward(x)
        torch.mm(weight.t(), self.h2, out=self.w3.grad)
        torch.sum(weight, 0, out=self.b3.grad)
        self.backward(weight * self.w3)
        torch.mm(self.d2.t(), self.h1, out=self.w2.grad)
        torch.sum(self.d2, 0, out=self.b2.grad)
        torch.ops.aten.silu_backward.grad_input(self.d1, self.z1, grad_input=self.d1)
        torch.mm(self.d1.t(), x, out=self.w1.grad)
        torch.sum(self.d1, 0, out=self.b1.grad)


def hand_step(dim, width, data):
    few, many = ByHand(dim, width, BATCH), ByHand(dim, width, 2 * BATCH)
    for name in ("w1", "w2", "w3", "b1", "b2", "b3"):
        setattr(few, name, getattr(many, name))
    adam = torch.optim.Adam(many.params, lr=1e-5)
    noise, rows = torch.empty_like(data), torch.empty(2 * BATCH, dim)
    weight = torch.cat([torch.full((BATCH, 1), 1 / BATCH), torch.full((BATCH, 1), -1 / BATCH)])

    @torch.no_grad()
    def step():
        rows[:BATCH], rows[BATCH:] = data, data
        x = rows[BATCH:]
        for _ in range(STEPS):
            x.add_(few.gradient_x(x), alpha=-ETA).add_(noise.normal_(), alpha=SIGMA)
        many.gradient_theta(rows, weight)
        adam.step()
        return (many.energy * weight).sum().item()
    return step


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    for dim, width, repetitions in [(784, 256, 15), (2, 128, 100)]:
        data = torch.rand(BATCH, dim) * 2 - 1
        steps = {"torch": hand_step(dim, width, data), "autograd": autograd_step(dim, width, data)}
        least = dict.fromkeys(steps, float("inf"))
        for _ in range(2 if QUICK else repetitions):
            for who, step in steps.items():
                start = time.perf_counter()
                step()
                least[who] = min(least[who], time.perf_counter() - start)
        for who, seconds in least.items():
            print(f"training {dim}-{width}-{width}-1/{threads}T {who} {1e3 * seconds:.6g} ms", flush=True)


main()
