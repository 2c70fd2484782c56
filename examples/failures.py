# SPDX-License-Identifier: MIT
"""Draws what the example `failures` has left in a folder, in one sheet, failures.png beside it.

Usage: python3 failures.py <folder>
"""
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

NAMES = ["healthy", "too_cold", "too_hot", "stuck", "collapsed", "drifting", "diverging"]
VERDICT = dict(zip(NAMES, range(1, 8)))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    figure, panels = plt.subplots(2, len(NAMES), figsize=(15, 4.6))
    for column, name in enumerate(NAMES):
        states = np.genfromtxt(os.path.join(folder, f"failure_{name}_states.csv"), delimiter=",", names=True)
        log = np.genfromtxt(os.path.join(folder, f"failure_{name}.csv"), delimiter=",", names=True)
        top, bottom = panels[0, column], panels[1, column]
        of_data = states["data"] == 1
        top.plot(states["x0"][of_data], states["x1"][of_data], ".", ms=1, color="0.7")
        top.plot(states["x0"][~of_data], states["x1"][~of_data], ".", ms=3, color="tab:red")
        reach = np.quantile(np.abs(np.stack([states["x0"], states["x1"]])), 0.97)
        limit = 4 if reach < 4 else 1.2 * reach
        top.set_xlim(-limit, limit)
        top.set_ylim(-limit, limit)
        top.set_xlabel(f"{2 * limit:.0f} wide", fontsize=7, labelpad=2)
        top.set_aspect("equal")
        top.set_xticks([])
        top.set_yticks([])
        top.set_title(name.replace("_", " "), fontsize=11)
        for of, color in [("data", "0.45"), ("model", "tab:red")]:
            bottom.plot(log["step"], log[f"energy_{of}"], color=color, lw=1, label="E of data" if of == "data" else "E of negatives")
        told = log["step"][log["verdict"] == VERDICT[name]]
        if len(told) > 0 and name != "healthy":
            bottom.axvline(told[0], color="tab:blue", lw=1, ls="--")
            bottom.set_title(f"told at step {told[0]:.0f}", fontsize=9, color="tab:blue")
        bottom.tick_params(labelsize=7)
    panels[0, 0].set_ylabel("data, negatives")
    panels[1, 0].legend(fontsize=7, frameon=False)
    panels[1, 0].set_ylabel("energy, by step")
    figure.tight_layout()
    path = os.path.join(folder, "failures.png")
    figure.savefig(path, dpi=64)
    print(path)


if __name__ == "__main__":
    main()
