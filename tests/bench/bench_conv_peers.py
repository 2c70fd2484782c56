# SPDX-License-Identifier: MIT
"""The gradients of bench_conv.c through torch autograd, milliseconds: dE/dx with frozen parameters, and the gradient in
theta of a weighted sum of energies, and 20 of the first with one of the second; images as torch likes them best of
contiguous and channels_last. Processor time per thread, as there.
Usage: OMP_WAIT_POLICY=passive bench_conv_peers.py threads [quick]"""
import sys
import time

import torch
from torch import nn

BATCH, SIDE, DENSE = 128, 28, 128
NETWORKS = [("28x28-32-64-128", [(32, 5, 2), (64, 3, 2)]),
            ("28x28-32-64-64-128", [(32, 3, 1), (64, 3, 2), (64, 3, 2)])]
QUICK = sys.argv[2:] == ["quick"]


def network(layers):
    modules, channels, side = [], 1, SIDE
    for filters, kernel, stride in layers:
        pad = (kernel - 1) // 2
        modules += [nn.Conv2d(channels, filters, kernel, stride, pad), nn.SiLU()]
        channels, side = filters, (side + 2 * pad - kernel) // stride + 1
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(channels * side * side, DENSE), nn.SiLU(), nn.Linear(DENSE, 1))


def gradient_x(net, x, weight):
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(net(x).sum(), x)[0]


def gradient_theta(net, x, weight):
    net.zero_grad(set_to_none=False)
    (net(x) * weight).sum().backward()


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    images = BATCH * threads
    for name, layers in NETWORKS:
        step = 0
        for what, gradient in (("x", gradient_x), ("theta", gradient_theta)):
            least = float("inf")
            for memory_format in (torch.contiguous_format, torch.channels_last):
                net = network(layers).to(memory_format=memory_format)
                net.requires_grad_(what == "theta")
                x = torch.rand(images, 1, SIDE, SIDE).contiguous(memory_format=memory_format)
                weight = torch.randn(images, 1)
                for _ in range(1 if QUICK else 15):
                    start = time.process_time()
                    gradient(net, x, weight)
                    least = min(least, (time.process_time() - start) / threads)
            step += least * (20 if what == "x" else 1)
            print(f"conv {name},{what}/{threads}T autograd {1e3 * least:.6g} ms", flush=True)
        print(f"conv {name},step/{threads}T autograd {1e3 * step:.6g} ms", flush=True)


main()
