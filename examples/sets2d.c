/* SPDX-License-Identifier: MIT */
#include "sets2d.h"

#include <math.h>
#include <stddef.h>

static const double PI = 3.14159265358979323846;

/* splitmix64 (Steele, Lea, Flood 2014), and normals by Box and Muller. */
static double next_uniform(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double next_normal(uint64_t *state) {
    double radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(2 * PI * next_uniform(state));
}

/*
 * Four of the sets are curves c(u), u uniform on [0, 1], one for each mode, with normal noise around them.
 */
static void point_of_eight(int mode, double u, double *c) {
    (void)u;
    c[0] = 1.4 * cos(PI * mode / 4);
    c[1] = 1.4 * sin(PI * mode / 4);
}

static void point_of_moon(int mode, double u, double *c) {
    double sign = mode == 0 ? 1 : -1; /* the second is the first, turned by half a turn */
    c[0] = sign * 1.3 * (cos(PI * u) - 0.5);
    c[1] = sign * 1.3 * (sin(PI * u) - 0.25);
}

static void point_of_ring(int mode, double u, double *c) {
    c[0] = 0.6 * (mode + 1) * cos(2 * PI * u);
    c[1] = 0.6 * (mode + 1) * sin(2 * PI * u);
}

static void point_of_spiral(int mode, double u, double *c) {
    double angle = 3 * PI * sqrt(u); /* so that points are as dense outside as inside */
    double radius = (mode == 0 ? angle : -angle) / 4.5;
    c[0] = radius * cos(angle);
    c[1] = radius * sin(angle);
}

/* Pinwheel: arms along a ray, normal in both directions, then turned by an angle that grows with the radius. */
static const double ARM_AT = 1.3, ARM_LENGTH = 0.4, ARM_WIDTH = 0.13, ARM_TWIST = 1.1;

/* Checkerboard: 8 of the 16 unit squares of [-2, 2] x [-2, 2]. */
enum { SQUARES = 4 };

typedef struct set2d {
    const char *name;
    int n_modes;
    double noise;  /* around curves */
    int n_points;  /* of the quadrature over u, closer together than the noise */
    void (*curve)(int mode, double u, double *c); /* NULL: not of this kind */
} set2d;

static const set2d SETS[SETS2D_COUNT] = {
    [EIGHT_GAUSSIANS] = {"eight-gaussians", 8, 0.175, 1, point_of_eight},
    [MOONS] = {"moons", 2, 0.13, 128, point_of_moon},
    [RINGS] = {"rings", 3, 0.08, 256, point_of_ring},
    [CHECKERBOARD] = {"checkerboard", SQUARES * SQUARES / 2, 0, 0, NULL},
    [PINWHEEL] = {"pinwheel", 5, 0, 0, NULL},
    [TWO_SPIRALS] = {"two-spirals", 2, 0.08, 256, point_of_spiral},
};

const char *sets2d_name(int set) {
    return SETS[set].name;
}

int sets2d_mode_count(int set) {
    return SETS[set].n_modes;
}

static void turn(double angle, double a, double b, double *x) {
    x[0] = a * cos(angle) - b * sin(angle);
    x[1] = a * sin(angle) + b * cos(angle);
}

static void draw_point(int set, uint64_t *state, double *x) {
    const set2d *s = &SETS[set];
    int mode = (int)(next_uniform(state) * s->n_modes);
    if (s->curve != NULL) {
        s->curve(mode, next_uniform(state), x);
        x[0] += s->noise * next_normal(state);
        x[1] += s->noise * next_normal(state);
    } else if (set == CHECKERBOARD) {
        int row = mode / 2;
        x[0] = 2 * (mode % 2) + row % 2 + next_uniform(state) - SQUARES / 2;
        x[1] = row + next_uniform(state) - SQUARES / 2;
    } else {
        double along = ARM_AT + ARM_LENGTH * next_normal(state);
        double across = ARM_WIDTH * next_normal(state);
        turn(2 * PI * mode / s->n_modes + ARM_TWIST * hypot(along, across), along, across, x);
    }
}

void sets2d_draw(int set, uint64_t seed, int64_t n, float *x) {
    uint64_t state = seed;
    for (int64_t i = 0; i < n; i++) {
        double point[2];
        draw_point(set, &state, point);
        x[2 * i] = (float)point[0];
        x[2 * i + 1] = (float)point[1];
    }
}

static double normal_density(double a, double b, double std_a, double std_b) {
    return exp(-0.5 * (a * a / (std_a * std_a) + b * b / (std_b * std_b))) / (2 * PI * std_a * std_b);
}

static double density_of_mode(int set, int mode, double x, double y) {
    const set2d *s = &SETS[set];
    double point[2];
    double sum = 0;
    if (set == CHECKERBOARD) {
        int row = mode / 2;
        double left = 2 * (mode % 2) + row % 2 - SQUARES / 2;
        double low = row - SQUARES / 2;
        return x >= left && x < left + 1 && y >= low && y < low + 1 ? 1 : 0;
    }
    if (set == PINWHEEL) { /* turning by an angle that depends on the radius alone keeps areas */
        turn(-2 * PI * mode / s->n_modes - ARM_TWIST * hypot(x, y), x, y, point);
        return normal_density(point[0] - ARM_AT, point[1], ARM_LENGTH, ARM_WIDTH);
    }
    for (int i = 0; i < s->n_points; i++) {
        s->curve(mode, (i + 0.5) / s->n_points, point);
        sum += normal_density(x - point[0], y - point[1], s->noise, s->noise);
    }
    return sum / s->n_points;
}

double sets2d_log_density(int set, const float *x, int *mode) {
    double sum = 0;
    double most = 0;
    *mode = -1;
    for (int m = 0; m < SETS[set].n_modes; m++) {
        double density = density_of_mode(set, m, (double)x[0], (double)x[1]);
        sum += density;
        if (density > most) {
            most = density;
            *mode = m;
        }
    }
    return log(sum / SETS[set].n_modes);
}
