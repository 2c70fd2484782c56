/* SPDX-License-Identifier: MIT */
/* The energy that mnist.c trains: a convolutional network on top of a fixed Gaussian. */
#ifndef EXAMPLES_MNIST_ENERGY_H
#define EXAMPLES_MNIST_ENERGY_H

#include <ebm/ebm.h>

enum { MNIST_SIDE = 28, MNIST_DIM = MNIST_SIDE * MNIST_SIDE };

/* Pixels are scaled to [-1, 1]: -1 is paper, 1 is ink. */
#define MNIST_PAPER (-1.0F)
#define MNIST_INK 1.0F

/* Standard deviation of the noise that the data get in training. */
#define MNIST_NOISE 0.3

/*
 * E(x) = |x - paper|^2 / (2 NOISE^2) + f(x). The density of the data with noise, the mean over data d of
 * exp(-|x - d|^2 / (2 NOISE^2)), has this form: with y = x - paper, c = d - paper, f = -log of the mean of
 * exp(y c / NOISE^2 - c^2 / (2 NOISE^2)). So f need not learn the quadratic part, and as its slope is bounded, E grows
 * far from all data. Only f, the network, has parameters.
 */
ebm_status mnist_energy_create(ebm_context *context, ebm_model **out);

/*
 * The mean of the images that noise may have turned into x: x - NOISE^2 dE/dx (Robbins 1956; Miyasawa 1961), for E the
 * energy of the data with the noise. n rows; `cleaned` may not be x.
 */
ebm_status mnist_clean(ebm_model *model, int64_t n, const float *x, float *cleaned);

/* Processor time of this process, all threads together. */
double mnist_processor_seconds(void);

#endif /* EXAMPLES_MNIST_ENERGY_H */
