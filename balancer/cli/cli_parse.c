// SPDX-License-Identifier: Apache-2.0
/* argp's own messages take two lines and name no remedy, so argp runs silently here; where it stops without
 * a parser having said why, the words are looked through again for the one that it stopped at. */
#include "balancer/cli/cli.h"

#include "common/nearest.h"

#include <errno.h>
#include <string.h>

/* One option as getopt sees it. */
struct known {
    const char *name; /* NULL: short only */
    int key;
    bool takes;    /* an argument ... */
    bool optional; /* ... only when joined to it */
};

static bool is_end(const struct argp_option *o)
{
    return o->name == NULL && o->key == 0 && o->doc == NULL && o->group == 0;
}

static void collect(const struct argp *argp, GArray *ret)
{
    const struct argp_option *real = NULL; /* that aliases stand for */
    for (const struct argp_option *o = argp->options; o != NULL && !is_end(o); o++) {
        if (o->flags & OPTION_DOC)
            continue;
        if (real == NULL || !(o->flags & OPTION_ALIAS))
            real = o;
        struct known k = {.name = o->name,
                          .key = o->key,
                          .takes = real->arg != NULL,
                          .optional = (real->flags & OPTION_ARG_OPTIONAL) != 0};
        g_array_append_val(ret, k);
    }
    for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++)
        collect(c->argp, ret);
}

static const struct known *find_short(const GArray *known, char key)
{
    for (guint i = 0; i < known->len; i++) {
        const struct known *k = &g_array_index(known, struct known, i);
        if (k->key == key)
            return k;
    }
    return NULL;
}

static bool refuse_unknown_long(const GArray *known, const char *name, struct err *err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < known->len; i++) {
        const char *n = g_array_index(known, struct known, i).name;
        if (n != NULL)
            g_ptr_array_add(names, (gpointer)n);
    }
    const char *nearest = nearest_word(name, (const char *const *)names->pdata, names->len);
    if (nearest != NULL)
        return err_set(err, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?", name, nearest);
    return err_set(err, ERR_USAGE, "unknown option '--%s'; --help lists the options", name);
}

/* The option that `name` names or abbreviates; NULL sets `err`. */
static const struct known *find_long(const GArray *known, const char *name, struct err *err)
{
    const struct known *found = NULL;
    for (guint i = 0; i < known->len; i++) {
        const struct known *k = &g_array_index(known, struct known, i);
        if (k->name == NULL || !g_str_has_prefix(k->name, name))
            continue;
        if (strcmp(k->name, name) == 0)
            return k;
        if (found != NULL) {
            err_set(err, ERR_USAGE, "option '--%s' is ambiguous; it may mean '--%s' or '--%s'", name,
                    found->name, k->name);
            return NULL;
        }
        found = k;
    }
    if (found == NULL)
        refuse_unknown_long(known, name, err);
    return found;
}

/* Checks "--name" or "--name=value"; *ret_next: its argument is the next word. */
static bool check_long(const GArray *known, const char *word, bool *ret_next, struct err *err)
{
    size_t len = strcspn(word + 2, "=");
    bool joined = word[2 + len] == '=';
    g_autofree char *name = g_strndup(word + 2, len);
    const struct known *k = find_long(known, name, err);
    if (k == NULL)
        return false;
    if (joined && !k->takes)
        return err_set(err, ERR_USAGE, "option '--%s' takes no argument", k->name);
    *ret_next = k->takes && !k->optional && !joined;
    return true;
}

/* Checks "-a", or several in one word; *ret_next: the last one's argument is the next word. */
static bool check_short(const GArray *known, const char *word, bool *ret_next, struct err *err)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        const struct known *k = find_short(known, *c);
        if (k == NULL)
            return err_set(err, ERR_USAGE, "unknown option '-%c'; --help lists the options", *c);
        if (k->takes) {
            *ret_next = !k->optional && c[1] == '\0';
            return true;
        }
    }
    return true;
}

/* Tells the first word that getopt would refuse, in the order in which it goes through them. */
static void find_fault(const struct argp *argp, int argc, char **argv, struct err *err)
{
    g_autoptr(GArray) known = g_array_new(FALSE, FALSE, sizeof(struct known));
    collect(argp, known);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *word = argv[i];
        bool next = false;
        if (word[0] != '-' || word[1] == '\0')
            continue;
        bool sound =
            word[1] == '-' ? check_long(known, word, &next, err) : check_short(known, word, &next, err);
        if (!sound)
            return;
        if (next && ++i == argc) {
            err_set(err, ERR_USAGE, "option '%s' needs an argument", word);
            return;
        }
    }
    err_set(err, ERR_USAGE, "the arguments cannot be understood; see --help");
}

bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, struct err *err)
{
    int end = argc;
    error_t rc = argp_parse(argp, argc, argv, ARGP_SILENT | ARGP_IN_ORDER, &end, input);
    if (err->cls != ERR_NONE)
        return false;
    if (rc != 0) {
        find_fault(argp, argc, argv, err);
        return false;
    }
    if (end < argc)
        return err_set(err, ERR_USAGE, "unexpected argument '%s'; see --help", argv[end]);
    return true;
}

error_t cli_bad_value(struct err *err, const char *option)
{
    err_wrap(err, "%s", option);
    return EINVAL;
}
