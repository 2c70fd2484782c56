# SPDX-License-Identifier: MIT
"""Fits a mixture of 50 Gaussians with full covariances to the points that `toys2d` has written, as the thing to beat.

Usage: python3 toys2d_mixture.py <output folder of toys2d>
Prints a table of the mean log density of the test points, of all fits in toys2d.csv and of the mixture.
"""
import collections
import csv
import sys
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

N_COMPONENTS, N_STARTS = 50, 5


def read_points(folder, name, part):
    return np.loadtxt(f"{folder}/{name}-{part}.csv", delimiter=",")


def fit_mixture(points):
    """The best of N_STARTS by the likelihood of the training points, which is how scikit-learn chooses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(N_COMPONENTS, covariance_type="full", n_init=N_STARTS, max_iter=500,
                               random_state=0).fit(points)


def main(folder):
    table = collections.defaultdict(dict)
    with open(f"{folder}/toys2d.csv", newline="") as file:
        for row in csv.DictReader(file):
            table[row["set"]][row["objective"]] = float(row["test"])
    for name, row in table.items():
        log_density = fit_mixture(read_points(folder, name, "train")).score_samples(read_points(folder, name, "test"))
        row["mixture"] = log_density.mean()
    columns = list(next(iter(table.values())))
    print(f"{'':16}" + "".join(f"{column:>13}" for column in columns))
    for name, row in table.items():
        print(f"{name:16}" + "".join(f"{row[column]:13.3f}" for column in columns))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
