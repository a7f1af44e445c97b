// SPDX-License-Identifier: Apache-2.0
/* bench_read - how fast a dump becomes a model, against a floor measured in the same run: libbson reading the
 * same files, checking every document's UTF-8 (bson_validate) and walking every element, keeping nothing. */
#include "balancer/source/source.h"
#include "common/text.h"
#include "tests/support/gen_options.h"
#include "tests/support/measure.h"

#include <string.h>
#include <unistd.h>

enum { REPEAT_MAX = 99 };

static uint64_t walk(bson_iter_t *it)
{
    uint64_t n = 0;
    bson_iter_t inner;
    while (bson_iter_next(it)) {
        n++;
        if ((BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it)) && bson_iter_recurse(it, &inner))
            n += walk(&inner);
    }
    return n;
}

struct floor_sums {
    uint64_t bytes, documents, elements;
};

static void walk_file(const char *path, bool validate, struct floor_sums *sums)
{
    bson_reader_t *reader = bson_reader_new_from_file(path, NULL);
    const bson_t *doc;
    bool eof;
    bson_iter_t it;
    if (reader == NULL)
        return; /* a dump need not have all of them */
    while ((doc = bson_reader_read(reader, &eof)) != NULL) {
        if (validate && !bson_validate(doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL))
            g_error("%s: invalid", path);
        bson_iter_init(&it, doc);
        sums->elements += walk(&it);
        sums->bytes += doc->len;
        sums->documents++;
    }
    bson_reader_destroy(reader);
}

static double time_floor(const char *dir, bool validate, struct floor_sums *sums)
{
    *sums = (struct floor_sums){0};
    double start = measure_now();
    for (int kind = 0; kind < DOC_KIND_COUNT; kind++) {
        g_autofree char *path = g_strdup_printf("%s/%s.bson", dir, doc_kind_name((enum doc_kind)kind));
        walk_file(path, validate, sums);
    }
    return measure_now() - start;
}

static double time_read(const char *dir, cluster **ret)
{
    struct err err = {0};
    double start = measure_now();
    g_autoptr(builder) b = builder_new();
    if (!source_read_dump(dir, b, &err) || !builder_finish(b, ret, &err))
        g_error("%s", err.msg);
    return measure_now() - start;
}

static uint64_t count_chunks(const cluster *cl)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < cl->n_collections; i++)
        n += cl->collections[i].chunks.n;
    return n;
}

static void print_memory(const char *dir)
{
    const int per_chunk = (int)(2 * sizeof(uint32_t) + sizeof(uint16_t) + sizeof(uint8_t) + sizeof(uint64_t) +
                                sizeof(int64_t)); /* the columns of struct chunks */
    cluster *cl = NULL;
    int64_t rss = measure_peak_reset(), heap = measure_heap();
    time_read(dir, &cl);
    int64_t peak = measure_peak();
    double n = (double)MAX(count_chunks(cl), 1);
    printf("memory per chunk: %.1f bytes in the model's columns (%d and keys), %.1f of the heap",
           per_chunk + (double)cl->key_bytes / n, per_chunk, (double)(measure_heap() - heap) / n);
    if (rss >= 0 && peak >= 0)
        printf(", %.1f at the peak of reading (resident)", (double)(peak - rss) / n);
    printf("\n");
    cluster_free(cl);
}

static void measure(const char *dir, unsigned repeat)
{
    double read[REPEAT_MAX], both[REPEAT_MAX], bare[REPEAT_MAX];
    struct floor_sums sums;
    cluster *cl;
    print_memory(dir);            /* first, while the heap is small */
    time_floor(dir, true, &sums); /* warms the page cache */
    for (unsigned i = 0; i < repeat; i++) {
        both[i] = time_floor(dir, true, &sums);
        read[i] = time_read(dir, &cl);
        cluster_free(cl);
        bare[i] = time_floor(dir, false, &sums);
    }
    double r = measure_median(read, repeat), f = measure_median(both, repeat),
           w = measure_median(bare, repeat);
    double mib = (double)sums.bytes / 0x1p20;
    printf("%.1f MiB, %" G_GUINT64_FORMAT " documents, %" G_GUINT64_FORMAT " elements; medians of %u\n", mib,
           sums.documents, sums.elements, repeat);
    printf("read into a model     %8.1f ms  %7.0f MiB/s  %6.0f ns a document\n", r * 1e3, mib / r,
           r * 1e9 / (double)sums.documents);
    printf("floor: validate, walk %8.1f ms  %7.0f MiB/s\n", f * 1e3, mib / f);
    printf("       walk only      %8.1f ms  %7.0f MiB/s\n", w * 1e3, mib / w);
    printf("speed against the floor: %.2f (walk only: %.2f)\n", f / r, w / r);
}

static int usage(FILE *out)
{
    fputs("usage: bench_read [--repeat N] [--dump DIR | NAME=VALUE ...]\n"
          "Without --dump, a dump of 200,000 chunks is generated in the temporary folder:\n",
          out);
    gen_options_help(out);
    return out == stdout ? 0 : err_exit_code(ERR_USAGE);
}

static void remove_dump(const char *dir)
{
    for (int kind = 0; kind < DOC_KIND_COUNT; kind++) {
        g_autofree char *path = g_strdup_printf("%s/%s.bson", dir, doc_kind_name((enum doc_kind)kind));
        unlink(path);
    }
    rmdir(dir);
}

static bool read_arguments(int argc, char **argv, struct gen_params *params, int64_t *repeat,
                           const char **dump, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--repeat") == 0) {
            if (!text_parse_int(value, 1, REPEAT_MAX, repeat, err))
                return false;
            i++;
        } else if (strcmp(argv[i], "--dump") == 0) {
            *dump = value;
            i++;
        } else if (!gen_option(argv[i], params, err)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct gen_params params = gen_params_default();
    params.chunks = 200000;
    params.shards = 100;
    params.collections = 50;
    params.zones = 4;
    struct err err = {0};
    const char *dump = NULL;
    int64_t repeat = 5;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_arguments(argc, argv, &params, &repeat, &dump, &err)) {
        fprintf(stderr, "bench_read: %s\n", err.msg);
        return usage(stderr);
    }
    if (dump != NULL) {
        measure(dump, (unsigned)repeat);
        return 0;
    }
    g_autofree char *dir = g_dir_make_tmp("evenkeel-bench-XXXXXX", NULL);
    if (dir == NULL || !generate_dump(&params, dir, &err))
        g_error("cannot generate a dump: %s", err.msg);
    printf("%u chunks, %u shards, %u collections, %u zone ranges each, key %s%s\n", params.chunks,
           params.shards, params.collections, params.zones, params.any_key ? "any" : gen_key_name(params.key),
           params.shuffled ? ", shuffled" : "");
    measure(dir, (unsigned)repeat);
    remove_dump(dir);
    return 0;
}
