// SPDX-License-Identifier: Apache-2.0
#include "tests/support/html_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct reader {
    GHashTable *ids;
    GPtrArray *links, *policy_parts; /* char * */
    GString *inside;                 /* text of the style or script being read; NULL: none */
    int heading;
    bool caption_due;
    unsigned svg_depth;
};

static void fault(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void fault(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (error != NULL && *error == NULL)
        *error = g_error_new_valist(G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, format, args);
    va_end(args);
}

static const char *value_of(const char *name, const char **names, const char **values)
{
    for (; *names != NULL; names++, values++)
        if (strcmp(*names, name) == 0)
            return *values;
    return NULL;
}

static void check_attributes(struct reader *r, const char *tag, const char **names, const char **values,
                             GError **error)
{
    for (guint i = 0; names[i] != NULL; i++) {
        if (g_str_has_prefix(names[i], "on") || strcmp(names[i], "style") == 0 ||
            strcmp(names[i], "src") == 0)
            fault(error, "<%s> has %s", tag, names[i]);
        if (strcmp(names[i], "href") == 0) {
            if (*values[i] != '#')
                fault(error, "a link to %s", values[i]);
            g_ptr_array_add(r->links, g_strdup(values[i] + 1));
        }
        if (strcmp(names[i], "id") == 0 && !g_hash_table_add(r->ids, g_strdup(values[i])))
            fault(error, "two elements are called %s", values[i]);
        if (strcmp(names[i], "aria-labelledby") == 0 || strcmp(names[i], "aria-describedby") == 0)
            g_ptr_array_add(r->links, g_strdup(values[i]));
    }
}

static void check_drawing(struct reader *r, const char **names, const char **values, GError **error)
{
    const bool named =
        value_of("aria-label", names, values) != NULL || value_of("aria-labelledby", names, values) != NULL;
    if (r->svg_depth++ > 0 || g_strcmp0(value_of("aria-hidden", names, values), "true") == 0)
        return;
    if (g_strcmp0(value_of("role", names, values), "img") != 0 || !named)
        fault(error, "a drawing without a name");
}

static void check_heading(struct reader *r, int level, GError **error)
{
    if (level > r->heading + 1)
        fault(error, "h%d follows h%d", level, r->heading);
    r->heading = level;
}

static void on_start(GMarkupParseContext *context, const char *tag, const char **names, const char **values,
                     gpointer data, GError **error)
{
    static const char *const banned[] = {"iframe", "object",        "embed", "img", "link", "form",
                                         "base",   "foreignObject", "image", "use", NULL};
    struct reader *r = data;
    (void)context;
    if (g_strv_contains(banned, tag))
        fault(error, "<%s> stands in it", tag);
    if (r->caption_due && strcmp(tag, "caption") != 0)
        fault(error, "a table begins with <%s>", tag);
    r->caption_due = strcmp(tag, "table") == 0;
    check_attributes(r, tag, names, values, error);
    if (strcmp(tag, "svg") == 0)
        check_drawing(r, names, values, error);
    if (strlen(tag) == 2 && *tag == 'h' && g_ascii_isdigit(tag[1]))
        check_heading(r, tag[1] - '0', error);
    if (strcmp(tag, "th") == 0 && value_of("scope", names, values) == NULL)
        fault(error, "a <th> without scope");
    if (strcmp(tag, "style") == 0 || strcmp(tag, "script") == 0)
        r->inside = g_string_new(NULL);
    const char *policy = value_of("http-equiv", names, values);
    if (g_strcmp0(policy, "Content-Security-Policy") == 0)
        g_ptr_array_add(r->policy_parts, g_strdup(value_of("content", names, values)));
}

/* The policy lets exactly this run. */
static void check_hash(struct reader *r, const char *tag, GError **error)
{
    guint8 digest[32];
    gsize n = sizeof digest;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)r->inside->str, (gssize)r->inside->len);
    g_checksum_get_digest(sum, digest, &n);
    g_autofree char *hash = g_base64_encode(digest, n);
    g_autofree char *part = g_strdup_printf("%s-src 'sha256-%s'", tag, hash);
    const char *policy = r->policy_parts->len == 1 ? r->policy_parts->pdata[0] : "";
    if (strstr(policy, part) == NULL)
        fault(error, "the policy does not allow the <%s>", tag);
    if (strstr(policy, "default-src 'none'") == NULL)
        fault(error, "the policy allows more");
    if (strpbrk(r->inside->str, "<&") != NULL)
        fault(error, "the <%s> is no XML", tag);
    g_string_free(r->inside, TRUE);
    r->inside = NULL;
}

static void on_end(GMarkupParseContext *context, const char *tag, gpointer data, GError **error)
{
    struct reader *r = data;
    (void)context;
    if (strcmp(tag, "svg") == 0)
        r->svg_depth--;
    if (r->inside != NULL)
        check_hash(r, tag, error);
}

static void on_text(GMarkupParseContext *context, const char *text, gsize len, gpointer data, GError **error)
{
    struct reader *r = data;
    (void)context;
    if (r->inside != NULL)
        g_string_append_len(r->inside, text, (gssize)len);
    for (gsize i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f)
            fault(error, "byte 0x%02x in a text", (unsigned)(unsigned char)text[i]);
}

static char *dead_link(const struct reader *r)
{
    for (guint i = 0; i < r->links->len; i++)
        if (!g_hash_table_contains(r->ids, r->links->pdata[i]))
            return g_strdup_printf("nothing is called '%s'", (const char *)r->links->pdata[i]);
    return NULL;
}

char *html_fault(const char *html, gsize len)
{
    static const GMarkupParser parser = {.start_element = on_start, .end_element = on_end, .text = on_text};
    struct reader r = {.ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                       .links = g_ptr_array_new_with_free_func(g_free),
                       .policy_parts = g_ptr_array_new_with_free_func(g_free)};
    GError *error = NULL;
    char *wrong = NULL;
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &r, NULL);
    if (!g_utf8_validate(html, (gssize)len, NULL))
        wrong = g_strdup("it is not UTF-8");
    else if (!g_str_has_prefix(html, "<!DOCTYPE html>\n<html lang=\"en\">"))
        wrong = g_strdup("it does not begin as HTML does");
    else if (!g_markup_parse_context_parse(context, html, (gssize)len, &error) ||
             !g_markup_parse_context_end_parse(context, &error))
        wrong = g_strdup(error->message);
    else
        wrong = dead_link(&r);
    g_clear_error(&error);
    g_markup_parse_context_free(context);
    g_hash_table_unref(r.ids);
    g_ptr_array_unref(r.links);
    g_ptr_array_unref(r.policy_parts);
    if (r.inside != NULL)
        g_string_free(r.inside, TRUE);
    return wrong;
}

void html_check(const char *name, const GString *html)
{
    g_autofree char *wrong = html_fault(html->str, html->len);
    if (wrong != NULL)
        fail_msg("%s: %s", name, wrong);
}
