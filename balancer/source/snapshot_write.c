// SPDX-License-Identifier: Apache-2.0
/* One section at a time is open: an array of documents, or the document of sizes. BSON begins documents and
 * arrays with their length, which is known only behind them: it is put in afterwards, and the file is
 * therefore compressed only when it is complete. */
#include "balancer/source/snapshot_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { SECTION_SIZES = DOC_KIND_COUNT, SECTION_COUNT, SECTION_NONE = -1 };

struct snapshot_writer {
    struct snapshot_format format;
    char *path, *temporary; /* temporary is NULL when there is no such file any more */
    FILE *out;
    bool any;    /* a member was written */
    int section; /* the open one */
    bool seen[SECTION_COUNT];
    uint64_t n;                          /* elements in it */
    off_t start;                         /* where its length goes */
    GPtrArray *texts[INTAKE_TEXT_COUNT]; /* char *, written at the end */
};

static bool cannot_write(const snapshot_writer *w, int why, struct err *err)
{
    return err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", w->path, g_strerror(why));
}

static bool put(snapshot_writer *w, const void *data, size_t len, struct err *err)
{
    return fwrite(data, 1, len, w->out) == len || cannot_write(w, errno, err);
}

static bool put_text(snapshot_writer *w, const char *text, struct err *err)
{
    return put(w, text, strlen(text), err);
}

/* Keeps the place of a length. */
static bool begin_length(snapshot_writer *w, off_t *ret, struct err *err)
{
    static const uint8_t zero[4];
    *ret = ftello(w->out);
    return put(w, zero, sizeof zero, err);
}

/* Ends a document of BSON and writes its length to its place. */
static bool end_length(snapshot_writer *w, off_t start, struct err *err)
{
    if (!put(w, "", 1, err))
        return false;
    off_t end = ftello(w->out);
    if (end - start > INT32_MAX)
        return err_set(err, ERR_FAILED, "'%s' would be over 2 GiB, too large for BSON; use --format json",
                       w->path);
    uint32_t len = GUINT32_TO_LE((uint32_t)(end - start));
    if (fseeko(w->out, start, SEEK_SET) != 0 || fwrite(&len, 1, sizeof len, w->out) != sizeof len ||
        fseeko(w->out, end, SEEK_SET) != 0)
        return cannot_write(w, errno, err);
    return true;
}

/* Extended JSON of a document; NULL sets err. The caller frees with bson_free(). */
static char *to_json(const bson_t *doc, struct err *err)
{
    char *json = bson_as_canonical_extended_json(doc, NULL);
    if (json == NULL)
        err_set(err, ERR_DATA,
                "a document cannot be written as JSON: it is damaged, or has text that is not "
                "UTF-8; --format bson keeps it as it is");
    return json;
}

/* Writes the members of `doc` as members of what is open. */
static bool put_members(snapshot_writer *w, const bson_t *doc, bool first, struct err *err)
{
    if (w->format.bson)
        return put(w, bson_get_data(doc) + 4, doc->len - 5, err);
    char *json = to_json(doc, err);
    if (json == NULL)
        return false;
    char *end = strrchr(json, '}');
    bool done = put_text(w, first ? "\n" : ",\n", err) && put(w, json + 1, (size_t)(end - json - 1), err);
    bson_free(json);
    return done;
}

static bool close_section(snapshot_writer *w, struct err *err)
{
    int was = w->section;
    w->section = SECTION_NONE;
    if (was == SECTION_NONE)
        return true;
    if (w->format.bson)
        return end_length(w, w->start, err);
    return put_text(w, was == SECTION_SIZES ? "\n}" : "\n]", err);
}

static const char *section_name(int section)
{
    return section == SECTION_SIZES ? "sizes" : doc_kind_name((enum doc_kind)section);
}

static bool open_section(snapshot_writer *w, int section, struct err *err)
{
    const char *name = section_name(section);
    bool is_array = section != SECTION_SIZES;
    if (w->section == section)
        return true;
    if (w->seen[section])
        return err_set(err, ERR_DATA, "the source's %s do not come all together", name);
    if (!close_section(w, err))
        return false;
    w->section = section;
    w->seen[section] = true;
    w->n = 0;
    if (w->format.bson)
        return put(w, is_array ? "\x04" : "\x03", 1, err) && put(w, name, strlen(name) + 1, err) &&
               begin_length(w, &w->start, err);
    g_autofree char *head = g_strdup_printf("%s\n\"%s\" : %c", w->any ? "," : "", name, is_array ? '[' : '{');
    w->any = true;
    return put_text(w, head, err);
}

static bool on_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                        struct err *err)
{
    (void)index;
    snapshot_writer *w = data;
    bson_t bson;
    char number[24];
    if (!open_section(w, (int)kind, err))
        return false;
    if (!bson_init_static(&bson, doc, len))
        return err_set(err, ERR_DATA, "a document of %s is damaged", doc_kind_name(kind));
    uint64_t n = w->n++;
    if (w->format.bson) {
        int digits = snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, n);
        return put(w, "\x03", 1, err) && put(w, number, (size_t)digits + 1, err) && put(w, doc, len, err);
    }
    char *json = to_json(&bson, err);
    if (json == NULL)
        return err_wrap(err, "%s[%" G_GUINT64_FORMAT "]", doc_kind_name(kind), n);
    bool done = put_text(w, n == 0 ? "\n" : ",\n", err) && put_text(w, json, err);
    bson_free(json);
    return done;
}

static bool on_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    snapshot_writer *w = data;
    bson_t bson, member = BSON_INITIALIZER;
    if (!bson_init_static(&bson, doc, len))
        return err_set(err, ERR_DATA, "the sizes of '%s' are damaged", ns);
    bson_append_document(&member, ns, -1, &bson);
    bool done = open_section(w, SECTION_SIZES, err) && put_members(w, &member, w->n++ == 0, err);
    bson_destroy(&member);
    return done;
}

static bool put_top(snapshot_writer *w, const bson_t *member, struct err *err)
{
    if (!close_section(w, err) || !put_members(w, member, !w->any, err))
        return false;
    w->any = true;
    return true;
}

static bool on_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    (void)err;
    snapshot_writer *w = data;
    g_ptr_array_add(w->texts[what], g_strdup(text));
    return true;
}

static bool on_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    bson_t *member = BCON_NEW("takenAt", BCON_DATE_TIME(unix_ms));
    bool done = put_top(data, member, err);
    bson_destroy(member);
    return done;
}

static void on_warn(void *data, const char *code, const char *ns, const char *message)
{
    (void)data;
    (void)code;
    (void)ns;
    (void)message;
}

struct intake snapshot_writer_intake(snapshot_writer *w)
{
    return (struct intake){w, on_document, on_sizes, on_text, on_taken_at, on_warn};
}

/* The texts, which may have come between documents: one, or an array of them. */
static bool put_texts(snapshot_writer *w, struct err *err)
{
    static const char *const names[INTAKE_TEXT_COUNT] = {
        [INTAKE_SERVER_VERSION] = "serverVersion",
        [INTAKE_FCV] = "featureCompatibilityVersion",
        [INTAKE_USED_SHARD] = "usedShards",
        [INTAKE_FIRST_NS] = "imbalanced_cache",
    };
    bool done = true;
    for (int what = 0; done && what < INTAKE_TEXT_COUNT; what++) {
        const GPtrArray *texts = w->texts[what];
        bool single = what == INTAKE_SERVER_VERSION || what == INTAKE_FCV;
        bson_t member = BSON_INITIALIZER, array;
        if (texts->len == 0)
            continue;
        if (single) {
            BSON_APPEND_UTF8(&member, names[what], texts->pdata[texts->len - 1]);
        } else {
            bson_append_array_begin(&member, names[what], -1, &array);
            for (guint i = 0; i < texts->len; i++) {
                char number[24];
                snprintf(number, sizeof number, "%u", i);
                BSON_APPEND_UTF8(&array, number, texts->pdata[i]);
            }
            bson_append_array_end(&member, &array);
        }
        done = put_top(w, &member, err);
        bson_destroy(&member);
    }
    return done;
}

/* A device or a pipe must not be replaced by a file, and cannot be written here and there. */
static FILE *open_temporary(snapshot_writer *w, struct err *err)
{
    struct stat there;
    if (stat(w->path, &there) == 0 && !S_ISREG(there.st_mode)) {
        err_set(err, ERR_CANT_CREATE, "cannot write '%s': it is not a file; name one with -o", w->path);
        return NULL;
    }
    w->temporary = g_strdup_printf("%s.XXXXXX", w->path);
    int fd = g_mkstemp_full(w->temporary, O_RDWR | O_CLOEXEC, 0600);
    int why = errno;
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w+b");
    if (out != NULL)
        return out;
    if (fd < 0)
        g_clear_pointer(&w->temporary, g_free);
    else
        close(fd);
    cannot_write(w, why, err);
    return NULL;
}

snapshot_writer *snapshot_writer_new(const char *path, const struct snapshot_format *format, struct err *err)
{
    snapshot_writer *w = g_new0(snapshot_writer, 1);
    char *resolved = realpath(path, NULL); /* so that a symbolic link is kept; NULL: not there yet */
    w->path = g_strdup(resolved != NULL ? resolved : path);
    free(resolved);
    w->format = *format;
    w->section = SECTION_NONE;
    for (int i = 0; i < INTAKE_TEXT_COUNT; i++)
        w->texts[i] = g_ptr_array_new_with_free_func(g_free);
    off_t start;
    bson_t *head = BCON_NEW("evenkeelSnapshot", BCON_INT32(SNAPSHOT_FORMAT));
    w->out = open_temporary(w, err);
    bool begun = w->out != NULL && (format->bson ? begin_length(w, &start, err) : put_text(w, "{", err)) &&
                 put_top(w, head, err);
    bson_destroy(head);
    if (begun)
        return w;
    snapshot_writer_free(w);
    return NULL;
}

void snapshot_writer_free(snapshot_writer *w)
{
    if (w == NULL)
        return;
    if (w->out != NULL)
        fclose(w->out);
    if (w->temporary != NULL)
        unlink(w->temporary);
    for (int i = 0; i < INTAKE_TEXT_COUNT; i++)
        g_ptr_array_unref(w->texts[i]);
    g_free(w->temporary);
    g_free(w->path);
    g_free(w);
}

/* Makes sure that the bytes are on the disk before the name is. */
static bool close_out(snapshot_writer *w, struct err *err)
{
    FILE *out = g_steal_pointer(&w->out);
    int why = fflush(out) != 0 || fsync(fileno(out)) != 0 ? errno : 0;
    if (fclose(out) != 0 && why == 0)
        why = errno;
    return why == 0 || cannot_write(w, why, err);
}

static bool copy_gzip(FILE *from, FILE *to)
{
    char block[1 << 14];
    int fd = dup(fileno(to));
    gzFile gz = fd < 0 ? NULL : gzdopen(fd, "wb");
    if (gz == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool done = true;
    for (size_t n; done && (n = fread(block, 1, sizeof block, from)) > 0;)
        done = gzwrite(gz, block, (unsigned)n) == (int)n;
    return gzclose(gz) == Z_OK && done && !ferror(from);
}

/* Replaces the temporary file by a compressed one. */
static bool compress_out(snapshot_writer *w, struct err *err)
{
    FILE *plain = g_steal_pointer(&w->out);
    char *plain_path = g_steal_pointer(&w->temporary);
    bool done = fflush(plain) == 0 && fseeko(plain, 0, SEEK_SET) == 0;
    if (!done)
        cannot_write(w, errno, err);
    else if ((w->out = open_temporary(w, err)) == NULL)
        done = false;
    else if (!copy_gzip(plain, w->out))
        done = cannot_write(w, errno, err);
    fclose(plain);
    unlink(plain_path);
    g_free(plain_path);
    return done;
}

bool snapshot_writer_finish(snapshot_writer *w, struct err *err)
{
    static const enum doc_kind required[] = {DOC_SHARD, DOC_COLLECTION};
    for (size_t i = 0; i < G_N_ELEMENTS(required); i++)
        if (!w->seen[required[i]] && !open_section(w, (int)required[i], err))
            return false;
    if (!close_section(w, err) || !put_texts(w, err) ||
        !(w->format.bson ? end_length(w, 0, err) : put_text(w, "\n}\n", err)) ||
        (w->format.gzip && !compress_out(w, err)) || !close_out(w, err))
        return false;
    if (rename(w->temporary, w->path) != 0)
        return cannot_write(w, errno, err);
    g_clear_pointer(&w->temporary, g_free);
    return true;
}
