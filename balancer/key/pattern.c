// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/pattern.h"

#include "balancer/key/number.h"
#include "balancer/key/raw.h"

#include <string.h>

/* The sign of a numeric value; 0 also for NaN and for what is no number. */
static int sign_of(struct raw v)
{
    double d = 0;
    switch (v.type) {
    case BSON_TYPE_INT32:
        d = (int32_t)raw_u32(v.data);
        break;
    case BSON_TYPE_INT64:
        d = (double)(int64_t)raw_u64(v.data);
        break;
    case BSON_TYPE_DOUBLE:
        d = raw_double(v.data);
        break;
    case BSON_TYPE_DECIMAL128: {
        struct number n = number_of_decimal(v.data);
        bool nothing = n.kind == NUMBER_NAN || (n.kind == NUMBER_FINITE && n.n_digits == 0);
        return nothing ? 0 : n.negative ? -1 : 1;
    }
    default:
        break;
    }
    return (d > 0) - (d < 0);
}

static bool is_hashed(struct raw v)
{
    struct raw_text t;
    return v.type == BSON_TYPE_UTF8 && raw_text(v, &t) && t.len == 6 && memcmp(t.text, "hashed", 6) == 0;
}

/* Adds one field, its name only to the blob: where the names begin is known when the blob is whole. */
static bool add_field(key_pattern *p, const bson_iter_t *it, struct err *err)
{
    const char *name = bson_iter_key(it);
    struct raw v = raw_of(it);
    int sign = sign_of(v);
    bool hashed = is_hashed(v);
    if (p->n_fields == KEY_FIELDS_MAX)
        return err_set(err, ERR_DATA, "the shard key has more than %d fields", (int)KEY_FIELDS_MAX);
    if (*name == '\0')
        return err_set(err, ERR_DATA, "the shard key has a field without a name");
    if (!raw_is_utf8(name, bson_iter_key_len(it)))
        return err_set(err, ERR_DATA, "the shard key has a field '%s' whose name is not UTF-8", name);
    if (sign == 0 && !hashed)
        return err_set(err, ERR_DATA, "shard key field '%s' is neither 1 nor -1 nor \"hashed\"", name);
    p->fields[p->n_fields++] = (struct key_field){.hashed = hashed, .descending = sign < 0};
    g_string_append_len(p->names, name, (gssize)strlen(name) + 1);
    return true;
}

static bool check_fields(const key_pattern *p, struct err *err)
{
    int hashed = 0;
    if (p->n_fields == 0)
        return err_set(err, ERR_DATA, "the shard key has no fields");
    for (uint32_t i = 0; i < p->n_fields; i++) {
        hashed += p->fields[i].hashed ? 1 : 0;
        if (key_pattern_find(p, p->fields[i].name) != (int)i)
            return err_set(err, ERR_DATA, "the shard key has field '%s' twice", p->fields[i].name);
    }
    return hashed <= 1 || err_set(err, ERR_DATA, "the shard key has more than one hashed field");
}

bool key_pattern_parse(const bson_t *doc, key_pattern **ret, struct err *err)
{
    g_autoptr(key_pattern) p = g_new0(key_pattern, 1);
    bson_iter_t it;
    p->names = g_string_new(NULL);
    bson_init(&p->doc);
    if (!raw_open(&it, bson_get_data(doc), doc->len))
        return err_set(err, ERR_DATA, "the shard key is corrupt BSON");
    while (bson_iter_next(&it)) {
        if (!add_field(p, &it, err))
            return false;
    }
    if (raw_broken(&it))
        return err_set(err, ERR_DATA, "the shard key is corrupt BSON");
    const char *name = p->names->str;
    for (uint32_t i = 0; i < p->n_fields; i++, name += strlen(name) + 1)
        p->fields[i].name = name;
    if (!check_fields(p, err))
        return false;
    bson_concat(&p->doc, doc);
    *ret = g_steal_pointer(&p);
    return true;
}

void key_pattern_free(key_pattern *p)
{
    if (p == NULL)
        return;
    g_string_free(p->names, TRUE);
    bson_destroy(&p->doc);
    g_free(p);
}

int key_pattern_find(const key_pattern *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_fields; i++) {
        if (strcmp(p->fields[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

int key_pattern_hashed_field(const key_pattern *p)
{
    for (uint32_t i = 0; i < p->n_fields; i++) {
        if (p->fields[i].hashed)
            return (int)i;
    }
    return -1;
}

static void append_end(bson_t *out, const char *name, bool max)
{
    if (max)
        bson_append_maxkey(out, name, -1);
    else
        bson_append_minkey(out, name, -1);
}

void key_pattern_global(const key_pattern *p, bool max, bson_t *out)
{
    for (uint32_t i = 0; i < p->n_fields; i++)
        append_end(out, p->fields[i].name, max != p->fields[i].descending);
}

/* What a zone bound gives: how many fields, and whether they are MaxKeys followed by nothing but MinKeys. */
struct given {
    uint32_t n;
    uint32_t n_max; /* leading MaxKeys */
    bool only_ends; /* all others are MinKey */
};

static bool read_given(const key_pattern *p, const bson_t *bound, struct given *ret, struct err *err)
{
    struct given g = {.only_ends = true};
    bson_iter_t it;
    if (!raw_open(&it, bson_get_data(bound), bound->len))
        return err_set(err, ERR_DATA, "corrupt BSON");
    for (; bson_iter_next(&it); g.n++) {
        const char *name = bson_iter_key(&it);
        if (g.n >= p->n_fields)
            return err_set(err, ERR_DATA, "more fields than the shard key has (%u)", p->n_fields);
        if (strcmp(name, p->fields[g.n].name) != 0)
            return err_set(err, ERR_DATA, "field %u is '%s' but the shard key has '%s' there", g.n + 1, name,
                           p->fields[g.n].name);
        if (bson_iter_type(&it) == BSON_TYPE_MAXKEY && g.n_max == g.n)
            g.n_max++;
        else if (bson_iter_type(&it) != BSON_TYPE_MINKEY)
            g.only_ends = false;
    }
    if (raw_broken(&it))
        return err_set(err, ERR_DATA, "corrupt BSON");
    if (g.n == 0)
        return err_set(err, ERR_DATA, "no fields");
    *ret = g;
    return true;
}

/* Whether plain extension leaves a MinKey behind the leading MaxKeys, though the global maximum is meant. */
static bool is_trap(const key_pattern *p, const struct given *g)
{
    if (g->n_max == 0 || !g->only_ends)
        return false;
    bool falls_short = g->n > g->n_max;
    for (uint32_t i = g->n; i < p->n_fields; i++)
        falls_short = falls_short || !p->fields[i].descending;
    return falls_short;
}

bool key_pattern_extend(const key_pattern *p, const bson_t *bound, bool is_max, bson_t *out,
                        bool *ret_extended, bool *ret_trap, struct err *err)
{
    struct given g = {0};
    if (!read_given(p, bound, &g, err))
        return false;
    bool trap = is_max && is_trap(p, &g);
    uint32_t kept = trap ? 0 : g.n;
    if (!trap)
        bson_concat(out, bound); /* its bytes as they are */
    for (uint32_t i = kept; i < p->n_fields; i++)
        append_end(out, p->fields[i].name, trap || p->fields[i].descending);
    *ret_extended = g.n < p->n_fields;
    *ret_trap = trap;
    return true;
}
