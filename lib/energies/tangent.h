/* SPDX-License-Identifier: MIT */
/*
 * The derivative of an energy along a direction r, D = r . dE/dx, and its gradient in theta: a pass of tangents beside
 * the forward pass, and the chain rule back through both (Pearlmutter 1994). For z = W h + b with h = act(z) after it,
 *   forward:  z. = W h.,  h. = act'(z) z.,
 *   back:     from tau = dD/dh. and eta = dD/dh:  alpha = dD/dz. = act'(z) tau,
 *             beta = dD/dz = act'(z) eta + act''(z) z. tau,  dD/dW = beta h' + alpha h.', dD/db = beta,
 *             and W' beta and W' alpha are eta and tau of the layer below.
 * So all products are those of the usual pass with two rows for each point: first the points' rows (h, beta, eta), then,
 * in the same order, their tangents' (h., alpha, tau).
 */
#ifndef EBM_ENERGIES_TANGENT_H
#define EBM_ENERGIES_TANGENT_H

#include <stdint.h>

/*
 * rows x width elements. z, without its bias, becomes h, z_dot becomes h.; bend receives act''(z) z., slope act'(z).
 * `work` has room for twice as many floats.
 */
void ebm__tangent_forward(int32_t activation, int64_t rows, int64_t width, const float *bias, float *z, float *z_dot,
                          float *bend, float *slope, float *work);

/* bend becomes beta, slope alpha. */
void ebm__tangent_back(int64_t count, const float *eta, const float *tau, float *bend, float *slope);

#endif /* EBM_ENERGIES_TANGENT_H */
