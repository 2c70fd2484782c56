/* SPDX-License-Identifier: MIT */
#include "evaluate/special.h"

#include <math.h>

enum { TERMS = 8 };

static double polynomial(const double coefficient[TERMS], double x) {
    double value = coefficient[TERMS - 1];
    for (int i = TERMS - 2; i >= 0; i--) {
        value = value * x + coefficient[i];
    }
    return value;
}

/*
 * Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (1988), PPND16, without its third
 * interval, which begins at 1.4e-11.
 */
double ebm__normal_quantile(double p) {
    static const double middle_above[TERMS] = {
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double middle_below[TERMS] = {
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3};
    static const double tail_above[TERMS] = {
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double tail_below[TERMS] = {
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9};
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(middle_above, r) / polynomial(middle_below, r);
    }
    double r = sqrt(-log(q < 0 ? p : 1 - p)) - 1.6;
    double x = polynomial(tail_above, r) / polynomial(tail_below, r);
    return q < 0 ? -x : x;
}

/*
 * The continued fraction of the incomplete beta function, DLMF 8.17.22, by the method of Lentz (1976) as Thompson and
 * Barnett (1986) changed it. For x < (a + 1) / (a + b + 2) it needs about sqrt(max(a, b)) terms.
 */
static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    enum { MOST = 10000000 };
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m < MOST; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + even / c;
        c = fabs(c) < tiny ? tiny : c;
        value *= c * d;
        d = 1 + odd * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + odd / c;
        c = fabs(c) < tiny ? tiny : c;
        value *= c * d;
        if (fabs(c * d - 1) < 1e-15) {
            break;
        }
    }
    return value;
}

/* lgamma writes to a variable of the whole process; lgamma_r does not. */
static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* I_x(a, b), DLMF 8.17.2, for 0 < x < 1. */
static double beta_distribution(double x, double a, double b) {
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) {
        return front * beta_fraction(x, a, b) / a;
    }
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double ebm__beta_quantile(double p, double a, double b) {
    enum { HALVINGS = 50 };
    double low = 0;
    double high = 1;
    double mean = a / (a + b);
    double std = sqrt(mean * (1 - mean) / (a + b + 1));
    for (double reach = 8 * std; reach < 1; reach *= 2) { /* nearer limits, where the quantile is between them */
        double lower = mean - reach;
        double upper = mean + reach;
        if ((lower <= 0 || beta_distribution(lower, a, b) < p) && (upper >= 1 || beta_distribution(upper, a, b) > p)) {
            low = fmax(lower, 0);
            high = fmin(upper, 1);
            break;
        }
    }
    for (int i = 0; i < HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (beta_distribution(middle, a, b) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}
