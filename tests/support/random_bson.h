// SPDX-License-Identifier: Apache-2.0
/* random_bson.h - random BSON values with a taste for the nasty ones.
 * Owns: the tables of awkward numbers, strings and bytes, and the odds with which they come.
 * Never: a chance of its own; everything comes from the GRand given, so that a seed repeats a failure.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>

/* Appends a value of any type under `name`; documents in it nest at most `depth` deep. */
void random_value(GRand *r, bson_t *out, const char *name, unsigned depth);

/* The same of a given BSON type. */
void random_value_of(GRand *r, bson_t *out, const char *name, bson_type_t type, unsigned depth);

/* Any of the four kinds of number. */
void random_number(GRand *r, bson_t *out, const char *name);

/* A number near to the one under `it`, or equal to it, mostly of another kind. */
void random_near(GRand *r, const bson_iter_t *it, bson_t *out, const char *name);

/* A type among all that a document can hold. */
bson_type_t random_type(GRand *r);
