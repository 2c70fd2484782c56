# SPDX-License-Identifier: MIT
"""Draws what the examples `posterior`, `double_well` and `kernels` have left in a folder, as PNG beside it.

Usage: python3 plots.py <folder>
"""
import csv
import math
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

SCHOOLS = "ABCDEFGH"


def read(path):
    """Columns of a csv file by name: floats, or text where they are none."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    columns = {}
    for i, name in enumerate(rows[0]):
        values = [row[i] for row in rows[1:]]
        try:
            columns[name] = np.array([float(v) for v in values])
        except ValueError:
            columns[name] = np.array(values)
    return columns


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(os.path.join(folder, name), dpi=110)
    plt.close(figure)
    print(os.path.join(folder, name))


def posterior(folder):
    x = read(os.path.join(folder, "posterior.csv"))
    figure, (joint, effects) = plt.subplots(1, 2, figsize=(10, 4.2))
    joint.scatter(x["mu"], x["tau"], s=3, alpha=0.25, color="tab:blue", edgecolors="none")
    joint.set_yscale("log")
    joint.set_ylim(0.05, 40)
    joint.set_xlabel("mu, mean effect")
    joint.set_ylabel("tau, spread between schools")
    joint.set_title(f"joint posterior: mean mu {x['mu'].mean():.2f}, mean tau {x['tau'].mean():.2f}")
    for j, school in enumerate(SCHOOLS):
        theta = x[f"theta{j + 1}"]
        low, left, mid, right, high = np.quantile(theta, [0.05, 0.25, 0.5, 0.75, 0.95])
        effects.plot([low, high], [j, j], color="tab:blue", lw=1)
        effects.plot([left, right], [j, j], color="tab:blue", lw=4)
        effects.plot(mid, j, "o", color="white", markeredgecolor="tab:blue")
    effects.set_yticks(range(len(SCHOOLS)), SCHOOLS)
    effects.invert_yaxis()
    effects.set_xlabel("effect theta: median, 50 % and 90 % intervals")
    effects.set_title("eight schools")
    save(figure, folder, "posterior.png")


def double_well(folder):
    density = read(os.path.join(folder, "double_well_density.csv"))
    trace = read(os.path.join(folder, "double_well_trace.csv"))
    figure = plt.figure(figsize=(10, 5))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.1, 1])
    bias = figure.add_subplot(grid[:, 0])
    bias.plot(density["x"], density["exact"], color="black", lw=1.5, label="exp(-E) / Z")
    bias.step(density["x"], density["langevin"], where="mid", color="tab:red", label="Langevin: biased")
    bias.step(density["x"], density["mala"], where="mid", color="tab:blue", label="MALA, same step size: exact")
    bias.set_xlabel("x")
    bias.set_ylabel("density")
    bias.legend(loc="upper center")
    bias.set_ylim(0, 1.35 * max(density["exact"].max(), density["langevin"].max()))
    bias.set_title("the bias of a large step")
    for row, (name, title) in enumerate([("alone", "high barrier: MALA alone stays in one well"),
                                         ("tempered", "the same kernel with hotter replicas crosses")]):
        axes = figure.add_subplot(grid[row, 1])
        axes.plot(trace["step"], trace[name], ".", ms=1.5, color="tab:blue")
        axes.set_ylim(-1.7, 1.7)
        axes.set_ylabel("x")
        axes.set_title(title)
        if row == 1:
            axes.set_xlabel("step")
    save(figure, folder, "double_well.png")


def kernels(folder):
    x = read(os.path.join(folder, "kernels.csv"))
    names = list(dict.fromkeys(x["kernel"]))
    columns = 4
    figure, panels = plt.subplots(math.ceil(len(names) / columns), columns, figsize=(12, 6.4), sharex=True, sharey=True)
    a, b = np.meshgrid(np.linspace(-2.8, 2.8, 200), np.linspace(-1.5, 6, 200))
    energy = a ** 2 / 2 + (b - a ** 2) ** 2 / (2 * 0.3 ** 2)
    for axes, name in zip(panels.flat, names):
        rows = x["kernel"] == name
        axes.contour(a, b, np.exp(-energy), levels=[0.01, 0.1, 0.3, 0.6], colors="0.7", linewidths=0.8)
        axes.plot(x["x0"][rows], x["x1"][rows], "-", lw=0.4, color="tab:blue")
        axes.plot(x["x0"][rows], x["x1"][rows], ".", ms=3, color="tab:blue")
        axes.plot(x["x0"][rows][0], x["x1"][rows][0], "o", ms=4, color="tab:red")
        axes.set_title(f"{name} ({x['evaluations'][rows][0]:.0f} evaluation{'s' if x['evaluations'][rows][0] > 1.5 else ''} a step)", fontsize=9)
    for axes in panels.flat[len(names):]:
        axes.axis("off")
    figure.suptitle("150 steps of one chain of each kernel, from the same start (red)")
    save(figure, folder, "kernels.png")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    for name, draw, needed in [("posterior", posterior, "posterior.csv"),
                               ("double_well", double_well, "double_well_trace.csv"),
                               ("kernels", kernels, "kernels.csv")]:
        if os.path.exists(os.path.join(folder, needed)):
            draw(folder)
        else:
            print(f"no {needed} in {folder}: run the example {name} first")


if __name__ == "__main__":
    main()
