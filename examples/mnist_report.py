# SPDX-License-Identifier: MIT
"""What `mnist` is compared with: a Gaussian and a mixture of 50 Gaussians on 50 principal components, fitted to the same images;
and how near its drawn digits are to real ones.

Usage: python3 mnist_report.py <training images> <test images> <other images> [<output folder of mnist>]
The files are idx, unpacked or gzip.
"""
import gzip
import struct
import sys

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

SIDE, DIM, N_DRAWN = 28, 784, 1000


def read_images(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        _, n, height, width = struct.unpack(">iiii", file.read(16))
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(n, height * width) / 127.5 - 1


class Gaussian:
    """One Gaussian; `ridge` is added to every variance, as pixels that never change have none."""

    def __init__(self, train, ridge):
        self.mean = train.mean(axis=0)
        self.covariance = np.cov(train.T) + ridge * np.eye(DIM)
        self.precision = np.linalg.inv(self.covariance)

    def __call__(self, x):
        d = x - self.mean
        return 0.5 * np.sum(d @ self.precision * d, axis=1)

    def draw(self, n):
        return np.random.default_rng(0).multivariate_normal(self.mean, self.covariance, size=n, method="cholesky").clip(-1, 1)


class Mixture:
    """Fifty Gaussians with full covariances on fifty principal components."""

    def __init__(self, train, ridge):
        self.components = PCA(50, random_state=0).fit(train)
        self.fitted = GaussianMixture(50, reg_covar=ridge, random_state=0).fit(self.components.transform(train))

    def __call__(self, x):
        return -self.fitted.score_samples(self.components.transform(x))

    def draw(self, n):
        return self.components.inverse_transform(self.fitted.sample(n)[0]).clip(-1, 1)


def square_distances(a, b):
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


def main():
    train, test, other = (read_images(path) for path in sys.argv[1:4])
    square = test.reshape(-1, SIDE, SIDE)
    outliers = {
        "upside-down digits": square[:, ::-1].reshape(-1, DIM),
        "mirrored digits": square[:, :, ::-1].reshape(-1, DIM),
        "blank images": np.full((100, DIM), -1.0),
        "uniform noise": np.random.default_rng(0).uniform(-1, 1, size=test.shape),
        "the other images": other,
    }
    gaussian, mixture = Gaussian(train, 0.04), Mixture(train, 1e-6)
    densities = {"Gaussian, ridge 0.04": gaussian, "Gaussian, ridge 0.0004": Gaussian(train, 4e-4), "mixture": mixture,
                 "mixture, ridge 0.3": Mixture(train, 0.3)}
    print("Telling test digits from others (AUROC: 1 is always, 0.5 is chance)")
    print(f"  {'':26}" + "".join(f"{name:>24}" for name in densities))
    real = {name: density(test) for name, density in densities.items()}
    for kind, images in outliers.items():
        truth = np.repeat([0, 1], [len(test), len(images)])
        scores = [roc_auc_score(truth, np.concatenate([real[name], density(images)])) for name, density in densities.items()]
        print(f"  {kind:26}" + "".join(f"{score:24.4f}" for score in scores))

    # MNIST's test images are not in random order: the first half is cleaner.
    held = test[np.random.default_rng(0).permutation(len(test))[:N_DRAWN]]
    width = 0.5 * np.median(np.sqrt(square_distances(held, held)[np.triu_indices(N_DRAWN, 1)]))
    drawn = {"Gaussian": gaussian.draw(N_DRAWN), "mixture": mixture.draw(N_DRAWN), "training data": train[:N_DRAWN]}
    if len(sys.argv) > 4:
        drawn["libebm"] = np.fromfile(f"{sys.argv[4]}/samples.f32", dtype=np.float32).reshape(-1, DIM).clip(-1, 1).astype(np.float64)
    print(f"\nHow near {N_DRAWN} drawn images are to {N_DRAWN} test images")
    print(f"  {'':26}{'MMD^2':>10}{'1-NN':>10}")
    for name, x in drawn.items():
        print(f"  {name:26}{mmd2(x, held, width):10.4f}{nearest_neighbour_accuracy(x, held):10.3f}")
    print("  (MMD^2: 0 is perfect; 1-NN: leave-one-out accuracy of telling drawn from real, 0.5 is perfect)")


main()
