/* SPDX-License-Identifier: MIT */
#ifndef EBM_CORE_CLOCK_H
#define EBM_CORE_CLOCK_H

/* Seconds since some moment, never going back. */
double ebm__seconds(void);

#endif /* EBM_CORE_CLOCK_H */
