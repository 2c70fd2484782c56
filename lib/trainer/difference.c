/* SPDX-License-Identifier: MIT */
#include "trainer/difference.h"

#include <math.h>

static const double LEAST_SPREAD = 0.01; /* of the root mean square */
static const double MOST_PEAK = 4;       /* of the root mean square of a move, in one coordinate */
static const double LEAST_SIZE = 1e-30;  /* of r, of the length: below, h would leave the range of float */

double ebm__difference_scale(int64_t n, int64_t dim, const float *x) {
    double square = 0;
    double change = 0; /* neighbours differ by twice the variance, without a pass for the means */
    for (int64_t i = 0; i < n * dim; i++) {
        square += (double)x[i] * (double)x[i];
    }
    for (int64_t i = dim; i < n * dim; i++) {
        double difference = (double)x[i] - (double)x[i - dim];
        change += difference * difference;
    }
    double size = sqrt(square / (double)(n * dim));
    double spread = n > 1 ? sqrt(change / (2 * (double)((n - 1) * dim))) : 0;
    spread = fmax(spread, LEAST_SPREAD * size);
    return size > 0 ? cbrt(size * spread * spread) : 1;
}

float ebm__difference_step(int64_t dim, const float *r, double length) {
    double square = 0;
    double largest = 0;
    for (int64_t j = 0; j < dim; j++) {
        square += (double)r[j] * (double)r[j];
        largest = fmax(largest, fabs((double)r[j]));
    }
    double size = fmax(sqrt(square / (double)dim), largest / MOST_PEAK);
    if (!isfinite(square)) {
        return NAN;
    }
    return size > LEAST_SIZE * length ? (float)(length / size) : 0.0F;
}

void ebm__difference_move(int64_t dim, const float *x, float h, const float *r, float *moved) {
    for (int64_t j = 0; j < dim; j++) {
        moved[j] = x[j] + h * r[j];
    }
}

float ebm__difference_pair(int64_t dim, const float *x, const float *r, double length, double factor, float *plus,
                           float *minus) {
    float h = ebm__difference_step(dim, r, length);
    ebm__difference_move(dim, x, h, r, plus);
    ebm__difference_move(dim, x, -h, r, minus);
    return h == 0 ? 0.0F : (float)(factor / (2 * (double)h));
}
