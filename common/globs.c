// SPDX-License-Identifier: Apache-2.0
#include "common/globs.h"

struct globs {
    GPtrArray *in;  /* GPatternSpec */
    GPtrArray *out; /* the same, without the '!' */
    GPtrArray *all; /* char *, as they were added */
};

static void spec_free(gpointer p)
{
    g_pattern_spec_free(p);
}

globs *globs_new(void)
{
    globs *g = g_new0(globs, 1);
    g->in = g_ptr_array_new_with_free_func(spec_free);
    g->out = g_ptr_array_new_with_free_func(spec_free);
    g->all = g_ptr_array_new_with_free_func(g_free);
    return g;
}

void globs_free(globs *g)
{
    if (g == NULL)
        return;
    g_ptr_array_unref(g->in);
    g_ptr_array_unref(g->out);
    g_ptr_array_unref(g->all);
    g_free(g);
}

bool globs_add(globs *g, const char *pattern, struct err *err)
{
    bool excludes = pattern[0] == '!';
    const char *rest = excludes ? pattern + 1 : pattern;
    if (rest[0] == '\0')
        return err_set(err, ERR_USAGE, "pattern '%s' is empty; write it like shop.* or !shop.carts", pattern);
    if (!g_utf8_validate(rest, -1, NULL))
        return err_set(err, ERR_USAGE, "pattern '%s' is not valid UTF-8", pattern);
    g_ptr_array_add(excludes ? g->out : g->in, g_pattern_spec_new(rest));
    g_ptr_array_add(g->all, g_strdup(pattern));
    return true;
}

const GPtrArray *globs_patterns(const globs *g)
{
    return g->all;
}

bool globs_empty(const globs *g)
{
    return g->in->len == 0 && g->out->len == 0;
}

static bool any_matches(const GPtrArray *specs, const char *name)
{
    for (guint i = 0; i < specs->len; i++)
        if (g_pattern_spec_match_string(specs->pdata[i], name))
            return true;
    return false;
}

bool globs_match(const globs *g, const char *name)
{
    if (g == NULL)
        return true;
    g_autofree char *valid =
        g_utf8_make_valid(name, -1); /* GPatternSpec would step over the end of anything else */
    return (g->in->len == 0 || any_matches(g->in, valid)) && !any_matches(g->out, valid);
}
