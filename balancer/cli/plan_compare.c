// SPDX-License-Identifier: Apache-2.0
#include "balancer/cli/plan_compare.h"

#include "balancer/report/compare.h"

#include <string.h>

const char *const compared_formats[] = {"text", "json", NULL};

static bool add_name(struct compared *c, const char *name, struct err *err)
{
    if (name[0] == '\0')
        return err_set(err, ERR_USAGE,
                       "the name of a policy is empty; give names with commas between, like "
                       "count,size");
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->names[i], name) == 0)
            return err_set(err, ERR_USAGE, "policy '%s' is named twice", name);
    if (c->n == COMPARED_MAX)
        return err_set(err, ERR_USAGE, "more than %d policies", COMPARED_MAX);
    if (!cli_parse_policy(name, &c->policies[c->n], err))
        return false;
    c->n++;
    return true;
}

bool compared_parse(const char *arg, struct compared *ret, struct err *err)
{
    struct compared c = {.names = g_strsplit(arg, ",", -1)};
    bool ok = true;
    for (char **name = c.names; ok && *name != NULL; name++)
        ok = add_name(&c, *name, err);
    if (ok && c.n < 2)
        ok =
            err_set(err, ERR_USAGE,
                    "'%s' is not two policies or more; give names with commas between, like count,size", arg);
    if (!ok) {
        compared_clear(&c);
        return false;
    }
    compared_clear(ret);
    *ret = c;
    return true;
}

void compared_clear(struct compared *c)
{
    g_strfreev(c->names);
    *c = (struct compared){0};
}

bool compared_report(const struct compared *c, const cluster *cl, const struct plan_options *opt,
                     const struct report_source *src, const struct report_style *style, const char *format,
                     GString *out, bool *ret_changes, struct err *err)
{
    g_autoptr(comparison) made = NULL;
    if (!comparison_make(cl, opt, (const char *const *)c->names, c->policies, c->n, &made, err))
        return false;
    for (guint i = 0; i < made->plans->len; i++) {
        const struct plan_summary *s = &g_array_index(made->plans, struct compared_plan, i).plan->summary;
        *ret_changes |= s->n_migrations > 0 || s->n_splits > 0;
    }
    if (strcmp(format, "json") == 0)
        report_compare_json(made, src, out);
    else
        report_compare_text(made, src, style, out);
    return true;
}
