# SPDX-License-Identifier: MIT
# Stan's NUTS on the two posteriors of bench_nuts.c, in the same lines. Usage: Rscript nuts_stan.R seeds
suppressMessages(library(rstan))
rstan_options(boost_lib = "/usr/include") # Debian has the headers there
options(warn = -1)

schools <- stan_model(model_code = "
data { int<lower=0> J; vector[J] y; vector<lower=0>[J] sigma; }
parameters { real mu; real<lower=0> tau; vector[J] eta; }
model { mu ~ normal(0, 5); tau ~ cauchy(0, 5); eta ~ normal(0, 1); y ~ normal(mu + tau * eta, sigma); }")
schools_data <- list(J = 8, y = c(28, 8, -3, 7, -1, 1, 18, 12), sigma = c(15, 10, 16, 11, 9, 11, 10, 18))
wide <- stan_model(model_code = "
data { int<lower=0> N; vector<lower=0>[N] sd; }
parameters { vector[N] x; }
model { x ~ normal(0, sd); }")
wide_data <- list(N = 100, sd = 1:100)

measure <- function(name, model, data, seed) {
    start <- proc.time()[["elapsed"]]
    fit <- sampling(model, data = data, chains = 4, iter = 2000, warmup = 1000, seed = seed, refresh = 0)
    seconds <- proc.time()[["elapsed"]] - start
    parameters <- get_sampler_params(fit, inc_warmup = TRUE)
    leaps <- function(rows) sum(sapply(parameters, function(p) sum(p[rows, "n_leapfrog__"])))
    draws <- as.array(fit)
    coordinates <- dimnames(draws)[[3]] != "lp__"
    bulk <- min(apply(draws[, , coordinates], 3, ess_bulk))
    tail <- min(apply(draws[, , coordinates], 3, ess_tail))
    after <- leaps(1001:2000)
    cat(sprintf("%s stan %d %d %d %.0f %.0f %.5f %.3f\n", name, seed, leaps(1:1000), after, bulk, tail, bulk / after,
                seconds))
}

for (seed in seq_len(as.integer(commandArgs(trailingOnly = TRUE)[1]))) {
    measure("eight-schools", schools, schools_data, seed)
    measure("gaussian-100", wide, wide_data, seed)
}
