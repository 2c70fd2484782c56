/* SPDX-License-Identifier: MIT */
/* Quantiles of the normal and the beta distribution. */
#ifndef EBM_EVALUATE_SPECIAL_H
#define EBM_EVALUATE_SPECIAL_H

/* The p-quantile of N(0, 1), to about 1e-15, for p from 1.4e-11 to 1 - 1.4e-11. */
double ebm__normal_quantile(double p);

/*
 * The p-quantile of Beta(a, b), a and b at least 1, 0 < p < 1; to about 1e-10 of the distribution's standard
 * deviation.
 */
double ebm__beta_quantile(double p, double a, double b);

#endif /* EBM_EVALUATE_SPECIAL_H */
