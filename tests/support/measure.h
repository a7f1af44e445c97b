// SPDX-License-Identifier: Apache-2.0
/* measure.h - time and memory of this process, and medians.
 * Owns: how they are asked of the system. Never: prints.
 */
#pragma once

#include <stdint.h>

/* Seconds of a clock that only goes forward. */
double measure_now(void);

/* Bytes that malloc has given out. */
int64_t measure_heap(void);

/* Resets the peak of resident memory to what is resident now, and tells that; -1 where the system cannot. */
int64_t measure_peak_reset(void);
/* The peak of resident memory, bytes; -1 where the system does not tell. */
int64_t measure_peak(void);

/* The median of `n` values; sorts them. n > 0. */
double measure_median(double *values, unsigned n);
