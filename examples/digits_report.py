# SPDX-License-Identifier: MIT
"""Measures what `digits` has made, beside two densities fitted to the same images: a Gaussian, and a mixture of 40 Gaussians.

Usage: python3 digits_report.py <data folder> <output folder> <libebm.so>
Prints a table and draws <output folder>/energies.png.
"""
import ctypes
import struct
import sys

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

N_TRAIN, DIM, HIDDEN, ACT_SILU = 1400, 64, [512, 256], 1


def read_images(folder):
    with open(f"{folder}/digits-images-idx3-ubyte", "rb") as file:
        _, n, height, width = struct.unpack(">iiii", file.read(16))
        pixels = np.frombuffer(file.read(), dtype=np.uint8).reshape(n, height * width)
    with open(f"{folder}/digits-labels-idx1-ubyte", "rb") as file:
        labels = np.frombuffer(file.read()[8:], dtype=np.uint8)
    return (pixels / 8.0 - 1.0).astype(np.float32), labels


class Energy:
    """The trained energy, loaded from its file through the C interface."""

    def __init__(self, library, path):
        self.ebm = ctypes.CDLL(library)
        self.ebm.ebm_last_error.restype = ctypes.c_char_p
        self.model = ctypes.c_void_p()
        widths = (ctypes.c_int64 * len(HIDDEN))(*HIDDEN)
        self._check(self.ebm.ebm_mlp_create(None, ctypes.c_int64(DIM), len(HIDDEN), widths, ACT_SILU,
                                            ctypes.byref(self.model)))
        self._check(self.ebm.ebm_model_load(self.model, path.encode()))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self.ebm.ebm_last_error().decode())

    def __call__(self, x):
        x = np.ascontiguousarray(x, dtype=np.float32)
        energy = np.empty(len(x))
        self._check(self.ebm.ebm_model_energy(self.model, ctypes.c_int64(len(x)), x.ctypes.data_as(ctypes.c_void_p),
                                              energy.ctypes.data_as(ctypes.c_void_p)))
        return energy


class Gaussian:
    """One Gaussian with the mean and covariance of the training images (and a ridge for the pixels that never change)."""

    def __init__(self, train):
        train = train.astype(np.float64)
        self.mean = train.mean(axis=0)
        self.covariance = np.cov(train.T) + 1e-4 * np.eye(DIM)
        self.precision = np.linalg.inv(self.covariance)

    def __call__(self, x):
        d = x - self.mean
        return 0.5 * np.sum(d @ self.precision * d, axis=1)

    def draw(self, n, rng):
        return rng.multivariate_normal(self.mean, self.covariance, size=n).clip(-1, 1).astype(np.float32)


class Mixture:
    """Forty Gaussians with full covariances, fitted by scikit-learn, with the ridge that serves them best (by default: 0.55, 0.61)."""

    def __init__(self, train):
        self.fitted = GaussianMixture(40, reg_covar=0.03, random_state=0).fit(train.astype(np.float64))

    def __call__(self, x):
        return -self.fitted.score_samples(x.astype(np.float64))

    def draw(self, n):
        return self.fitted.sample(n)[0].clip(-1, 1).astype(np.float32)


def square_distances(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.maximum(np.sum(a * a, 1)[:, None] + np.sum(b * b, 1)[None, :] - 2 * a @ b.T, 0)


def mmd2(a, b, width):
    """Squared maximum mean discrepancy, unbiased, Gaussian kernel (Gretton et al. 2012, eq. 3)."""
    def kernel(x, y):
        return np.exp(-square_distances(x, y) / (2 * width * width))
    n, m = len(a), len(b)
    kaa, kbb = kernel(a, a), kernel(b, b)
    return ((kaa.sum() - np.trace(kaa)) / (n * (n - 1)) + (kbb.sum() - np.trace(kbb)) / (m * (m - 1))
            - 2 * kernel(a, b).mean())


def nearest_neighbour_accuracy(a, b):
    """How often the nearest other image tells drawn from real; 0.5 is perfect (Lopez-Paz and Oquab 2017)."""
    x = np.concatenate([a, b])
    label = np.arange(len(x)) < len(a)
    distances = square_distances(x, x)
    np.fill_diagonal(distances, np.inf)
    return np.mean(label[distances.argmin(axis=1)] == label)


def draw_energies(path, energy, sets):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    energies = {name: energy(x) for name, x in sets}
    low = min(e.min() for e in energies.values())
    high = max(np.quantile(energies[name], 0.97) for name in energies if "digits" in name)
    bins = np.linspace(low, high, 80)
    figure, axes = plt.subplots(len(sets), 1, figsize=(8, 1.0 * len(sets) + 0.8), sharex=True)
    for axis, (name, e) in zip(axes, energies.items()):
        axis.hist(e, bins=bins, color="tab:blue" if "data" in name else "tab:orange")
        axis.set_yticks([])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        beyond = np.mean(e > high)
        if beyond > 0:
            axis.text(0.99, 0.7, f"{100 * beyond:.0f} % beyond, to {e.max():.0f} \u2192", transform=axis.transAxes, ha="right")
        for side in ("left", "right", "top"):
            axis.spines[side].set_visible(False)
    axes[-1].set_xlabel("E(x)   (lower is likelier)")
    figure.suptitle("The trained energy of 8 x 8 images")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    data_folder, folder, library = sys.argv[1:4]
    rng = np.random.default_rng(0)
    images, labels = read_images(data_folder)
    train, held_out = images[:N_TRAIN], images[N_TRAIN:]
    samples = np.load(f"{folder}/samples.npy")
    energy, gaussian, mixture = Energy(library, f"{folder}/digits.safetensors"), Gaussian(train), Mixture(train)

    square = held_out.reshape(-1, 8, 8)
    outliers = {
        "upside-down digits": square[:, ::-1].reshape(-1, DIM),
        "mirrored digits": square[:, :, ::-1].reshape(-1, DIM),
        "samples of the Gaussian": gaussian.draw(397, rng),
        "uniform noise": rng.uniform(-1, 1, size=(397, DIM)).astype(np.float32),
        "blank images": np.full((397, DIM), -1, dtype=np.float32),
    }
    print("\nTelling held-out digits from others by their energy (AUROC: 1 is perfect, 0.5 is chance)")
    print(f"  {'':26}{'libebm':>10}{'Gaussian':>10}{'mixture':>10}")
    truth = np.repeat([0, 1], [len(held_out), 397])
    for name, other in outliers.items():
        both = np.concatenate([held_out, other])
        scores = [roc_auc_score(truth, density(both)) for density in (energy, gaussian, mixture)]
        print(f"  {name:26}" + "".join(f"{score:10.3f}" for score in scores))

    n = len(held_out)
    width = 0.5 * np.median(np.sqrt(square_distances(held_out, held_out)[np.triu_indices(n, 1)]))
    drawn = {"libebm": samples[:n], "Gaussian": gaussian.draw(n, rng), "mixture": mixture.draw(n),
             "training data": train[rng.permutation(N_TRAIN)[:n]]}
    print(f"\nHow near {n} drawn images are to the {n} held-out ones")
    print(f"  {'':26}{'MMD^2':>10}{'1-NN':>10}   images nearest to each digit, 0 to 9")
    for name, x in drawn.items():
        nearest = labels[:N_TRAIN][square_distances(x, train).argmin(axis=1)] if name != "training data" else []
        counts = " ".join(f"{c:3d}" for c in np.bincount(nearest, minlength=10)) if len(nearest) else ""
        print(f"  {name:26}{mmd2(x, held_out, width):10.4f}{nearest_neighbour_accuracy(x, held_out):10.3f}   {counts}")
    print("  (MMD^2: 0 is perfect; 1-NN: leave-one-out accuracy of telling drawn from real, 0.5 is perfect)")

    draw_energies(f"{folder}/energies.png", energy,
                  [("training data", train), ("held-out data", held_out), ("samples", samples),
                   ("upside-down digits", outliers["upside-down digits"]), ("mirrored digits", outliers["mirrored digits"]),
                   ("uniform noise", outliers["uniform noise"]), ("blank image", outliers["blank images"])])
    print(f"\n{folder}/energies.png: histograms of the energy")


main()
