/* SPDX-License-Identifier: MIT */
/*
 * Convolution as a matrix product ("im2col": Chellapilla, Puri, Simard 2006). Row r of `columns` is the patch of pixels
 * that output place r of a layer sees, in the order kernel row, kernel column, channel, with zeros beyond the edges.
 * Places count through all images.
 */
#ifndef EBM_ENERGIES_CONV_COLUMNS_H
#define EBM_ENERGIES_CONV_COLUMNS_H

#include <stdint.h>

#include "energies/conv.h"

/* Floats behind the last column that are written too, with no meaning. */
enum { EBM__COLUMNS_SLACK = 8 };

/* The columns of places first .. first + count - 1, from images that end at x_end. */
void ebm__conv_columns(const ebm__conv_layer *layer, const float *x, const float *x_end, int64_t first, int64_t count,
                       float *columns);

/* The transpose of that: adds each column to the pixels that it came from. */
void ebm__conv_add_columns(const ebm__conv_layer *layer, const float *columns, int64_t first, int64_t count, float *x);

/* n matrices of rows x columns, each transposed into `out`. */
void ebm__conv_transpose(int64_t n, int64_t rows, int64_t columns, const float *matrices, float *out);

#endif /* EBM_ENERGIES_CONV_COLUMNS_H */
