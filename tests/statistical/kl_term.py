#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the KL term of improved contrastive divergence (Du et al. 2021) would bring, by quadrature in one dimension.

CD-k from data: q_k is the density of chains that start from the data p and make k Langevin steps with step size eta.
    likelihood   G+ - G-        with G- = E_q [dE/dtheta]
    CD-k         G+ - G-_k      with G-_k = E_q_k [dE/dtheta]
    + KL         the same + d/dphi KL(q_k,phi || q_theta) at phi = theta: the loss that Du et al. add, energy and entropy
                 of the samples, through all k steps
    - KL         the same - that: the whole gradient of the contrastive divergence (Hinton 2002, eq. 5)
All are exact here: densities stand on a grid, the derivative in phi is a central difference. Prints, for energies
E = a x^2 / 2 + b x^4 / 4 + c x and two data densities: the relative error of each gradient against the likelihood's,
away from the optimum; and the KL divergence of the data from the model where training ends that starts at the
likelihood's optimum.
"""
import numpy as np

X = np.linspace(-4, 4, 321)
D = X[1] - X[0]
FEATURES = np.array([X**2 / 2, X**4 / 4, X])  # dE/dtheta


def energy(theta):
    return theta @ FEATURES


def density(theta):
    e = energy(theta)
    q = np.exp(-(e - e.min()))
    return q / (q.sum() * D)


def chains(theta, p, k, eta):
    """The density after k Langevin steps from p."""
    drift = X - eta * (theta[0] * X + theta[1] * X**3 + theta[2])
    step = np.exp(-((X[:, None] - np.clip(drift, -4, 4)[None, :]) ** 2) / (4 * eta))
    step /= step.sum(axis=0, keepdims=True) * D
    for _ in range(k):
        p = step @ p * D
    return p


def mean(q, f):
    return (f * q).sum(axis=-1) * D


def cd(theta, p, k, eta):
    return mean(p, FEATURES) - mean(chains(theta, p, k, eta), FEATURES)


def kl_term(theta, p, k, eta):
    q = chains(theta, p, k, eta)
    cost = energy(theta) + np.log(np.maximum(q, 1e-300))
    h = 1e-4
    return np.array([mean((chains(theta + h * e, p, k, eta) - chains(theta - h * e, p, k, eta)) / (2 * h), cost)
                     for e in np.eye(3)])


def likelihood(theta, p):
    return mean(p, FEATURES) - mean(density(theta), FEATURES)


def divergence(p, theta):
    return mean(p, np.log(np.maximum(p, 1e-300) / density(theta)))


def end_of(gradient, theta, steps):
    rate = np.array([0.2, 0.05, 0.2])
    for _ in range(steps):
        theta = theta - rate * np.clip(gradient(theta), -1, 1)
        theta[1] = max(theta[1], 1e-3)
    return theta


def main():
    normal = np.exp(-((X - 1.2) ** 2) / 0.32) + 0.5 * np.exp(-((X + 1.2) ** 2) / 0.18)
    data = {"of the model's family": density(np.array([0.5, 0.25, 0.3])), "two uneven modes": normal / (normal.sum() * D)}
    start = np.array([1.5, 0.05, 0.0])
    eta = 0.05
    print("| data | k | error of the gradient: CD | + KL | - KL | KL(data, model) at the end: likelihood | CD | + KL | - KL |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, p in data.items():
        exact = likelihood(start, p)
        optimum = end_of(lambda t: likelihood(t, p), start, 20000)
        for k in (1, 5, 20):
            def gradient(theta, sign, k=k, p=p):
                return cd(theta, p, k, eta) + (sign * kl_term(theta, p, k, eta) if sign else 0)
            error = [np.linalg.norm(gradient(start, s) - exact) / np.linalg.norm(exact) for s in (0, 1, -1)]
            ends = [divergence(p, end_of(lambda t, s=s: gradient(t, s), optimum, 400)) for s in (0, 1, -1)]
            numbers = [f"{e:.2f}" for e in error] + [f"{divergence(p, optimum):.4f}"] + [f"{e:.4f}" for e in ends]
            print(f"| {name} | {k} | " + " | ".join(numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
