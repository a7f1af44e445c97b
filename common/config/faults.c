// SPDX-License-Identifier: Apache-2.0
/* The faults of one file: collected in the order in which they are found, told in the order of their places.
 */
#include "common/config/yaml.h"

#include "common/text.h"

#include <stdarg.h>

/* A file that is no configuration at all must not drown the reader. */
enum { MAX_FAULTS = 100 };

struct fault {
    int line, column;
    bool warning;
    unsigned order;
    char *text;
};

struct faults {
    char *file;
    GArray *list; /* struct fault */
    unsigned errors;
    unsigned dropped;
};

static void clear_fault(void *p)
{
    struct fault *fault = p;
    g_free(fault->text);
}

struct faults *faults_new(const char *file)
{
    struct faults *f = g_new0(struct faults, 1);
    f->file = text_escaped(file);
    f->list = g_array_new(FALSE, FALSE, sizeof(struct fault));
    g_array_set_clear_func(f->list, clear_fault);
    return f;
}

void faults_free(struct faults *f)
{
    if (f == NULL)
        return;
    g_free(f->file);
    g_array_unref(f->list);
    g_free(f);
}

static void G_GNUC_PRINTF(5, 0)
    add(struct faults *f, bool warning, int line, int column, const char *fmt, va_list ap)
{
    if (!warning)
        f->errors++;
    if (f->list->len >= MAX_FAULTS) {
        f->dropped++;
        return;
    }
    g_autofree char *raw = g_strdup_vprintf(fmt, ap);
    struct fault fault = {line, column, warning, f->list->len, text_escaped(raw)};
    g_array_append_val(f->list, fault);
}

void faults_add(struct faults *f, int line, int column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(f, false, line, column, fmt, ap);
    va_end(ap);
}

void faults_warn(struct faults *f, int line, int column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(f, true, line, column, fmt, ap);
    va_end(ap);
}

unsigned faults_count(const struct faults *f)
{
    return f->errors;
}

/* Of two faults at one place, the one found first. */
static int by_place(const void *a, const void *b)
{
    const struct fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

GPtrArray *faults_lines(const struct faults *f)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    g_array_sort(f->list, by_place);
    for (guint i = 0; i < f->list->len; i++) {
        const struct fault *fault = &g_array_index(f->list, struct fault, i);
        const char *kind = fault->warning ? "warning" : "error";
        g_autofree char *place =
            fault->line > 0 ? g_strdup_printf(":%d:%d", fault->line, fault->column) : NULL;
        g_ptr_array_add(
            lines, g_strdup_printf("%s%s: %s: %s", f->file, place == NULL ? "" : place, kind, fault->text));
    }
    if (f->dropped > 0)
        g_ptr_array_add(lines,
                        g_strdup_printf("%s: error: %u more faults are not shown", f->file, f->dropped));
    return lines;
}
