# SPDX-License-Identifier: MIT
"""The diagnostics and distances of libebm against independent ones in numpy and scipy. EBM_LIBRARY names libebm.so.

The numpy code follows the formulas of Vehtari et al. (2021) and, where they leave a choice, the R package `posterior`.
"""
import ctypes
import os

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats")

LIB = ctypes.CDLL(os.environ["EBM_LIBRARY"])
LIB.ebm_last_error.restype = ctypes.c_char_p
P, I64, F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
SHAPE = [P, I64, I64, I64, P]
LIB.ebm_rhat.argtypes = SHAPE + [P]
LIB.ebm_ess.argtypes = SHAPE + [P, P]
LIB.ebm_mcse.argtypes = SHAPE + [P, P]
LIB.ebm_mcse_quantile.argtypes = SHAPE + [F64, P, P]
LIB.ebm_autocorrelation_time.argtypes = SHAPE + [P]
LIB.ebm_summarize.argtypes = SHAPE + [P] * 9
LIB.ebm_ebfmi.argtypes = [I64, I64, P, P]
LIB.ebm_stein_discrepancy.argtypes = [P, I64, P, F64, F64, P]
LIB.ebm_mmd.argtypes = [P, I64, P, I64, P, I64, F64, P, P]
LIB.ebm_auroc.argtypes = [P, I64, P, I64, P, P]
LIB.ebm_gaussian_create.argtypes = [P, I64, P, P, P]
LIB.ebm_model_destroy.argtypes = [P]
LIB.ebm_model_destroy.restype = None
LIB.ebm_summary_create.argtypes = [P, I64, ctypes.c_int32, P]
LIB.ebm_summary_destroy.argtypes = [P]
LIB.ebm_summary_destroy.restype = None
LIB.ebm_summary_add.argtypes = [P, I64, P]
LIB.ebm_summary_merge.argtypes = [P, P]
for name in ("mean", "variance", "covariance"):
    getattr(LIB, "ebm_summary_get_" + name).argtypes = [P, P]
LIB.ebm_summary_get_quantile.argtypes = [P, F64, P]


def ok(status):
    assert status == 0, LIB.ebm_last_error().decode()


def call(function, draws, *arguments, outputs=1):
    """Results of a function on draws (n_draws x n_chains x dim), one array an output."""
    draws = np.ascontiguousarray(draws, np.float32)
    results = [np.full(draws.shape[2], -7.0) for _ in range(outputs)]
    ok(function(None, *draws.shape, draws.ctypes.data, *arguments, *(r.ctypes.data for r in results)))
    return results[0] if outputs == 1 else results


# --- the reference: x is draws x chains, one coordinate, in float64 ------------------------------------------------------


def split(x):
    half = len(x) // 2
    return np.concatenate([x[:half], x[len(x) - half:]], axis=1)


def scores(x):
    ranks = stats.rankdata(x).reshape(x.shape)  # ties get their mean
    return stats.norm.ppf((ranks - 3 / 8) / (x.size + 1 / 4))


def plain_rhat(x):
    n = len(x)
    within = x.var(axis=0, ddof=1).mean()
    between = n * x.mean(axis=0).var(ddof=1)
    return np.sqrt((between / within + n - 1) / n)


def rhat(x):
    return max(plain_rhat(scores(split(x))), plain_rhat(scores(split(np.abs(x - np.median(x))))))


def autocovariance(x):
    n = len(x)
    centred = x - x.mean()
    return np.correlate(centred, centred, "full")[n - 1:] / n


def plain_ess(x):
    n, m = x.shape
    covariance = np.mean([autocovariance(chain) for chain in x.T], axis=0)
    within = covariance[0] * n / (n - 1)
    plus = covariance[0] + x.mean(axis=0).var(ddof=1)
    rho = 1 - (within - covariance) / plus
    rho[0] = 1
    t = 0
    while t < n - 5 and rho[t] + rho[t + 1] > 0:
        t += 2
    pairs = [rho[s] + rho[s + 1] for s in range(0, t, 2)]
    tau = -1 + 2 * np.sum(np.minimum.accumulate(pairs)) if pairs else -1
    if rho[t] > 0 or rho[t] + rho[t + 1] >= 0:
        tau += rho[t]
    return x.size / max(tau, 1 / np.log10(x.size))


def ess_below(x, p):
    return plain_ess(split((x <= np.quantile(x, p)).astype(float)))


def mcse_quantile(x, p):
    ess = ess_below(x, p)
    low, high = stats.beta.ppf(stats.norm.cdf([-1, 1]), ess * p + 1, ess * (1 - p) + 1)
    ordered = np.sort(x.ravel())
    first, second = max(int(np.floor(low * x.size)), 1), min(int(np.ceil(high * x.size)), x.size)
    return (ordered[second - 1] - ordered[first - 1]) / 2


def mcse_sd(x):
    square = (x - x.mean()) ** 2
    ess = plain_ess(split(square))
    return np.sqrt((np.mean(square ** 2) - square.mean() ** 2) / ess / square.mean() / 4)


REFERENCE = {
    "mean": np.mean,
    "sd": lambda x: x.std(ddof=1),
    "mcse": lambda x: x.std(ddof=1) / np.sqrt(plain_ess(split(x))),
    "q5": lambda x: np.quantile(x, 0.05),
    "q50": lambda x: np.quantile(x, 0.5),
    "q95": lambda x: np.quantile(x, 0.95),
    "ess_bulk": lambda x: plain_ess(scores(split(x))),
    "ess_tail": lambda x: min(ess_below(x, 0.05), ess_below(x, 0.95)),
    "rhat": rhat,
}


def autoregression(rng, n_draws, n_chains, dim, phi):
    x = np.empty((n_draws, n_chains, dim))
    x[0] = rng.normal(size=(n_chains, dim)) / np.sqrt(1 - phi ** 2)
    for t in range(1, n_draws):
        x[t] = phi * x[t - 1] + rng.normal(size=(n_chains, dim))
    return x


def cases():
    rng = np.random.default_rng(1)
    yield "independent", rng.normal(size=(100, 4, 3))
    yield "one chain, odd", rng.normal(size=(1001, 1, 2))
    yield "fewest", rng.normal(size=(12, 2, 5))
    yield "few, odd", rng.normal(size=(13, 3, 9))
    yield "slow: the transform is needed", autoregression(rng, 1200, 3, 2, 0.995)
    yield "slow and odd", autoregression(rng, 701, 2, 17, 0.97)
    yield "antithetic", autoregression(rng, 500, 4, 2, -0.7)
    yield "almost alternating", autoregression(rng, 300, 2, 2, -0.999)
    yield "heavy tails", rng.standard_cauchy(size=(400, 4, 2))
    yield "ties", np.round(rng.normal(size=(201, 4, 3)) * 2)
    yield "zeros of both signs", np.where(rng.random((60, 2, 2)) < 0.4, np.where(rng.random((60, 2, 2)) < 0.5, 0.0, -0.0),
                                          rng.normal(size=(60, 2, 2)))
    shifted = rng.normal(size=(200, 4, 2))
    shifted[:, 0] += 3
    shifted[:, 1] *= 5
    yield "chains that differ", shifted
    yield "far from 0", rng.normal(size=(200, 4, 2)) + 1000
    yield "stuck chain", np.where(np.arange(4)[None, :, None] == 2, 0.25, rng.normal(size=(150, 4, 1)))
    yield "trend", rng.normal(size=(300, 2, 1)) + np.linspace(0, 4, 300)[:, None, None]


CASES = dict(cases())


@pytest.mark.parametrize("case", CASES)
def test_summarize_is_numpys(case):
    draws = CASES[case].astype(np.float32)
    results = call(LIB.ebm_summarize, draws, outputs=9)
    for given, (name, function) in zip(results, REFERENCE.items()):
        expected = [function(draws[:, :, d].astype(float)) for d in range(draws.shape[2])]
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_single_functions_are_numpys(case):
    draws = CASES[case].astype(np.float32)
    columns = [draws[:, :, d].astype(float) for d in range(draws.shape[2])]
    results = dict(zip(REFERENCE, call(LIB.ebm_summarize, draws, outputs=9)))
    np.testing.assert_array_equal(call(LIB.ebm_rhat, draws), results["rhat"])
    bulk, tail = call(LIB.ebm_ess, draws, outputs=2)
    np.testing.assert_array_equal(bulk, results["ess_bulk"])
    np.testing.assert_array_equal(tail, results["ess_tail"])
    mean, sd = call(LIB.ebm_mcse, draws, outputs=2)
    np.testing.assert_array_equal(mean, results["mcse"])
    np.testing.assert_allclose(sd, [mcse_sd(x) for x in columns], rtol=1e-9)
    time = call(LIB.ebm_autocorrelation_time, draws)
    np.testing.assert_allclose(time, [split(x).size / plain_ess(split(x)) for x in columns], rtol=1e-9)
    for p in (0.001, 0.1, 0.5, 0.77):
        quantile, mcse = call(LIB.ebm_mcse_quantile, draws, p, outputs=2)
        np.testing.assert_allclose(quantile, [np.quantile(x, p) for x in columns], rtol=1e-9, atol=1e-12)
        below = [split(x) <= np.quantile(x, p) for x in columns]  # all alike: nothing is known
        expected = [np.nan if i.all() or not i.any() else mcse_quantile(x, p) for x, i in zip(columns, below)]
        np.testing.assert_allclose(mcse, expected, rtol=1e-7, atol=1e-12)


def test_quantities_of_one_sided_ties():
    """Where one tail is empty, the other tells alone; distances that are all equal say nothing against the bulk."""
    rng = np.random.default_rng(2)
    signs = np.where(rng.permutation(400) < 200, 1.0, -1.0).reshape(100, 4, 1)
    x = signs[:, :, 0]
    assert call(LIB.ebm_rhat, signs)[0] == pytest.approx(plain_rhat(scores(split(x))), rel=1e-12)
    bulk, tail = call(LIB.ebm_ess, signs, outputs=2)
    assert tail[0] == pytest.approx(ess_below(x, 0.05), rel=1e-12)
    assert bulk[0] == pytest.approx(plain_ess(scores(split(x))), rel=1e-12)


def test_ebfmi():
    rng = np.random.default_rng(3)
    energy = np.cumsum(rng.normal(size=(50, 3)), axis=0) + 1e6
    energy[:, 2] = 4.5
    given = np.empty(3)
    ok(LIB.ebm_ebfmi(50, 3, energy.ctypes.data, given.ctypes.data))
    square = np.sum((energy - energy.mean(axis=0)) ** 2, axis=0)
    np.testing.assert_allclose(given[:2], (np.sum(np.diff(energy, axis=0) ** 2, axis=0) / square)[:2], rtol=1e-9)
    assert np.isnan(given[2])


# --- distances ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 3, 8, 21])
@pytest.mark.parametrize("scale, exponent", [(1.0, -0.5), (0.7, -0.3)])
def test_stein_discrepancy(dim, scale, exponent):
    """The kernel's derivatives by automatic differentiation would be an oracle too; here each is written down on its own."""
    rng = np.random.default_rng(dim)
    root = rng.normal(size=(dim, dim)) / np.sqrt(dim)
    precision = (root @ root.T + np.eye(dim)).astype(np.float32)
    precision = ((precision + precision.T) / 2).astype(np.float32)
    mean = rng.normal(size=dim).astype(np.float32)
    x = rng.normal(size=(70, dim)).astype(np.float32)
    model, given = ctypes.c_void_p(), np.empty(1)
    ok(LIB.ebm_gaussian_create(None, dim, mean.ctypes.data, precision.ctypes.data, ctypes.byref(model)))
    ok(LIB.ebm_stein_discrepancy(model, len(x), x.ctypes.data, scale, exponent, given.ctypes.data))
    LIB.ebm_model_destroy(model)
    z = x.astype(float)
    score = -(z - mean) @ precision.astype(float)
    total = 0.0
    for a, b in np.ndindex(len(z), len(z)):
        d = z[a] - z[b]
        u = scale ** 2 + d @ d
        grad_first = 2 * exponent * u ** (exponent - 1) * d
        hessian = -2 * exponent * u ** (exponent - 1) * np.eye(dim) \
            - 4 * exponent * (exponent - 1) * u ** (exponent - 2) * np.outer(d, d)  # d^2 k / dx dy
        total += score[a] @ score[b] * u ** exponent - score[a] @ grad_first + score[b] @ grad_first + np.trace(hessian)
    assert given[0] == pytest.approx(np.sqrt(total) / len(z), rel=1e-5)  # the model's gradients are float32


@pytest.mark.parametrize("n_x, n_y, dim", [(2, 2, 1), (40, 61, 3), (700, 500, 17)])
@pytest.mark.parametrize("width", [0.8, -1.0])
def test_mmd(n_x, n_y, dim, width):
    rng = np.random.default_rng(n_x)
    x = rng.normal(size=(n_x, dim)).astype(np.float32)
    y = (1.3 * rng.normal(size=(n_y, dim)) + 0.2).astype(np.float32)
    given, used = np.empty(1), np.empty(1)
    ok(LIB.ebm_mmd(None, n_x, x.ctypes.data, n_y, y.ctypes.data, dim, width, given.ctypes.data, used.ctypes.data))
    both = np.concatenate([x, y]).astype(float)
    square = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    if width < 0:
        rows = np.arange(min(len(both), 1000)) * max(len(both) / 1000, 1)
        some = square[np.ix_(rows.astype(int), rows.astype(int))]
        width = np.median(np.sqrt(some[np.triu_indices(len(some), 1)]))
    assert used[0] == pytest.approx(width, rel=1e-12)
    kernel = np.exp(-square / (2 * width ** 2))
    own_x, own_y = kernel[:n_x, :n_x], kernel[n_x:, n_x:]
    expected = (own_x.sum() - n_x) / (n_x * (n_x - 1)) + (own_y.sum() - n_y) / (n_y * (n_y - 1)) \
        - 2 * kernel[:n_x, n_x:].mean()
    assert given[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_auroc():
    rng = np.random.default_rng(5)
    for n_negative, n_positive, digits in [(1, 1, 1), (50, 30, 0), (200, 333, 1), (400, 100, 9)]:
        negative = np.round(rng.normal(size=n_negative), digits)
        positive = np.round(rng.normal(size=n_positive) + 0.4, digits)
        if n_negative > 100:
            negative[:3], positive[:2] = np.inf, [np.inf, -np.inf]
        given = np.empty(1)
        ok(LIB.ebm_auroc(None, n_negative, negative.ctypes.data, n_positive, positive.ctypes.data, given.ctypes.data))
        wins = (positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2
        assert given[0] == pytest.approx(wins, rel=1e-12)


# --- running summary -----------------------------------------------------------------------------------------------------------


class Summary:
    def __init__(self, dim):
        self.dim, self.handle = dim, ctypes.c_void_p()
        ok(LIB.ebm_summary_create(None, dim, 3, ctypes.byref(self.handle)))

    def __del__(self):
        LIB.ebm_summary_destroy(self.handle)

    def add(self, x):
        x = np.ascontiguousarray(x, np.float32)
        ok(LIB.ebm_summary_add(self.handle, len(x), x.ctypes.data))

    def get(self, name, *shape):
        out = np.empty(shape or self.dim)
        ok(getattr(LIB, "ebm_summary_get_" + name)(self.handle, out.ctypes.data))
        return out

    def quantile(self, p):
        out = np.empty(self.dim)
        ok(LIB.ebm_summary_get_quantile(self.handle, p, out.ctypes.data))
        return out


@pytest.mark.parametrize("sizes", [[1], [2, 3], [500, 1, 700], [2047], [2048], [5000, 4321]])
@pytest.mark.parametrize("merged", [False, True])
def test_summary(sizes, merged):
    dim, rng = 5, np.random.default_rng(sum(sizes))
    parts = [(rng.normal(size=(n, dim)) * [1, 10, 0.1, 1, 5] + [0, 100, -3, 1e4, 0]).astype(np.float32) for n in sizes]
    whole = Summary(dim)
    for part in parts:
        if merged:
            other = Summary(dim)
            other.add(part)
            ok(LIB.ebm_summary_merge(whole.handle, other.handle))
        else:
            whole.add(part)
    x = np.concatenate(parts).astype(float)
    np.testing.assert_allclose(whole.get("mean"), x.mean(axis=0), rtol=1e-12)
    if len(x) > 1:
        np.testing.assert_allclose(whole.get("variance"), x.var(axis=0, ddof=1), rtol=1e-9)
        covariance = np.cov(x.T)
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        np.testing.assert_allclose(whole.get("covariance", dim, dim) / scale, covariance / scale, atol=1e-10)
    for p in (0, 0.01, 0.25, 0.5, 0.9, 0.999, 1):
        given = whole.quantile(p)
        if len(x) < 2048 or p in (0, 1):
            np.testing.assert_allclose(given, np.quantile(x, p, axis=0), rtol=1e-12)
        else:
            assert np.all(np.abs((x <= given).mean(axis=0) - p) < 0.004)
