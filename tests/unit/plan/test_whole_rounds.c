// SPDX-License-Identifier: Apache-2.0
/* Rounds of a list of moves: no shard twice in one, busy shards not in the first, parts in order; and chunks
 * that are taken from anywhere in a placement against one that is told the same in key order. */
#include "balancer/plan/planner_private.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name;
    const char
        *moves;       /* "ab ac": from, to; of a chunk each; "ab=1": of that chunk; bytes count from 100 up */
    const char *busy; /* shards, "ab" */
    uint32_t rounds, first; /* how many rounds; how many moves are in the first */
};

static const struct row rows[] = {
    {"nothing", "", "", 0, 0},
    {"apart", "ab cd", "", 1, 2},
    {"one donor", "ab ac ad", "", 3, 1},
    {"a busy shard waits", "ab", "a", 2, 0},
    {"only what is busy waits", "ab cd", "a", 2, 1},
    {"a busy recipient waits", "ab cd", "d", 2, 1},
    {"another round is the first where all of it is busy", "ab ab cd ac", "a", 4, 1},
    {"all busy: the first is empty", "ab ac ad", "a", 4, 0},
    {"parts", "ab=7 ac=7 ad=7", "", 3, 1},
    {"parts among others", "ef ab=7 ac=7 ab=7 cb db", "", 4, 3},
    {"parts of a busy shard", "ab=7 ac=7 cd", "a", 3, 1},
};

static const cluster six = {.n_shards = 6};

static GArray *read_moves(const char *text)
{
    GArray *moves = g_array_new(FALSE, TRUE, sizeof(struct whole_move));
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (uint32_t i = 0; words[i] != NULL && words[i][0] != '\0'; i++) {
        struct whole_move w = {.move = {.entry = 1000 + i,
                                        .from = (uint16_t)(words[i][0] - 'a'),
                                        .to = (uint16_t)(words[i][1] - 'a'),
                                        .bytes = 100 + i}};
        if (words[i][2] == '=')
            w.move.entry = (uint32_t)g_ascii_strtoull(words[i] + 3, NULL, 10);
        g_array_append_val(moves, w);
    }
    return moves;
}

static const struct move *move_at(const GArray *moves, guint i)
{
    return &g_array_index(moves, struct whole_move, i).move;
}

static void check_rounds(const GArray *moves, const bool *busy, const uint32_t *round, uint32_t n_rounds)
{
    bool idle = false, begun = false;
    for (guint i = 0; i < moves->len; i++) {
        const struct move *m = move_at(moves, i);
        idle = idle || (!busy[m->from] && !busy[m->to]);
        begun = begun || round[i] == 1;
        assert_in_range(round[i], 1, n_rounds);
        assert_false(round[i] == 1 && (busy[m->from] || busy[m->to]));
        for (guint k = 0; k < i; k++) {
            const struct move *b = move_at(moves, k);
            if (round[k] == round[i])
                assert_true(b->from != m->from && b->from != m->to && b->to != m->from && b->to != m->to);
            /* Bytes tell which part it is: they were given in order, and go in the order of rounds. */
            if (b->entry == m->entry)
                assert_int_equal(b->bytes < m->bytes, round[k] < round[i]);
        }
    }
    assert_int_equal(begun, idle);
}

static void run_row(void **state)
{
    const struct row *r = *state;
    bool busy[6] = {false};
    uint32_t round[16], first = 0;
    g_autoptr(GArray) moves = read_moves(r->moves);
    for (const char *b = r->busy; *b != '\0'; b++)
        busy[*b - 'a'] = true;
    const uint32_t n = whole_rounds(&six, moves, busy, round);
    check_rounds(moves, busy, round, n);
    for (guint i = 0; i < moves->len; i++)
        first += round[i] == 1 ? 1 : 0;
    assert_int_equal(n, r->rounds);
    assert_int_equal(first, r->first);
    assert_true(whole_rounds_bound(&six, moves) <= n);
}

static void test_random(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 500; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(GArray) moves = g_array_new(FALSE, TRUE, sizeof(struct whole_move));
        bool busy[6];
        uint16_t owner[5];
        for (int s = 0; s < 6; s++)
            busy[s] = g_rand_int_range(rand, 0, 5) == 0;
        for (int k = 0; k < 5; k++)
            owner[k] = (uint16_t)g_rand_int_range(rand, 0, 6);
        const gint32 n = g_rand_int_range(rand, 0, 40);
        for (gint32 i = 0; i < n; i++) {
            const uint32_t chunk = (uint32_t)g_rand_int_range(rand, 0, 5);
            const uint16_t from = owner[chunk];
            struct whole_move w = {.move = {.entry = chunk,
                                            .from = from,
                                            .to = (uint16_t)((from + g_rand_int_range(rand, 1, 6)) % 6),
                                            .bytes = 100 + i}};
            g_array_append_val(moves, w);
        }
        g_autofree uint32_t *round = g_new0(uint32_t, (gsize)n + 1);
        check_rounds(moves, busy, round, whole_rounds(&six, moves, busy, round));
    }
}

/* --- placement_relocate() and placement_sort() --- */

static char *random_layout(GRand *rand, gint32 chunks)
{
    GString *s = g_string_new(NULL);
    for (gint32 i = 0; i < chunks; i++) {
        g_string_append_printf(s, "%s%c%s", i > 0 ? " " : "", 'a' + g_rand_int_range(rand, 0, 3),
                               g_rand_int_range(rand, 0, 6) == 0 ? "*" : "");
        if (i + 1 < chunks)
            g_string_append_printf(s, " %d", i + 1);
    }
    return g_string_free(s, FALSE);
}

static void assert_same(const placement *a, const placement *b, uint32_t seed)
{
    const size_t cells = (size_t)a->n_slots * a->cl->n_shards;
    const bool same =
        memcmp(a->shard_chunks, b->shard_chunks, a->cl->n_shards * sizeof *a->shard_chunks) == 0 &&
        memcmp(a->shard_bytes, b->shard_bytes, a->cl->n_shards * sizeof *a->shard_bytes) == 0 &&
        memcmp(a->slot_chunks, b->slot_chunks, cells * sizeof *a->slot_chunks) == 0 &&
        memcmp(a->slot_bytes, b->slot_bytes, cells * sizeof *a->slot_bytes) == 0 &&
        memcmp(a->slot_jumbo, b->slot_jumbo, cells * sizeof *a->slot_jumbo) == 0 &&
        memcmp(a->shard_of, b->shard_of, a->chunks->n * sizeof *a->shard_of) == 0;
    if (!same)
        fail_msg("seed %u: loads differ", seed);
    for (uint32_t z = 0; z < a->n_slots; z++)
        for (uint16_t s = 0; s < a->cl->n_shards; s++) {
            const uint32_t x = placement_first(a, z, s), y = placement_first(b, z, s);
            if (x != y)
                fail_msg("seed %u: the first of slot %u on shard %u is %u, not %u", seed, z, s, x, y);
        }
}

/* Chunks are moved from anywhere; a fresh placement of the cluster as it is then says the same. */
static void test_relocate(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        const gint32 chunks = g_rand_int_range(rand, 1, 30);
        g_autofree char *before = random_layout(rand, chunks);
        struct layout l = {"a/E b/E c", before, .zones = "E:min..5", .sizes = NULL};
        g_autoptr(cluster) cl = layout_cluster(&l);
        g_autoptr(placement) moved = placement_new(cl, &cl->collections[0], true, NULL, 0, 1000);
        for (int k = g_rand_int_range(rand, 0, 40); k > 0; k--) {
            const uint32_t entry = (uint32_t)g_rand_int_range(rand, 0, chunks);
            const uint16_t to =
                (uint16_t)((placement_shard(moved, entry) + g_rand_int_range(rand, 1, 3)) % 3);
            if ((moved->chunks->flags[entry] & CHUNK_JUMBO) != 0)
                continue;
            assert_int_equal(placement_relocate(moved, entry, to, placement_bytes(moved, entry)), entry);
        }
        placement_sort(moved);
        g_auto(GStrv) words = g_strsplit(before, " ", -1);
        for (gint32 i = 0; i < chunks; i++)
            words[2 * i][0] = (char)('a' + moved->shard_of[i]);
        g_autofree char *after = g_strjoinv(" ", words);
        l.chunks = after;
        g_autoptr(cluster) then = layout_cluster(&l);
        g_autoptr(placement) fresh = placement_new(then, &then->collections[0], true, NULL, 0, 1000);
        assert_same(moved, fresh, seed);
    }
}

/* A part off the lower end becomes an entry of its own, wherever the chunk stands. */
static void test_relocate_parts(void **state)
{
    (void)state;
    static const struct layout l = {"a b", "a 1 a 2 b", .sizes = NULL};
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(placement) p = placement_new(cl, &cl->collections[0], true, NULL, 0, 1000);
    const uint32_t piece = placement_relocate(p, 1, 1, 300); /* not the first of its shard */
    assert_true(placement_is_piece(p, piece));
    assert_int_equal(placement_chunk_of(p, piece), 1);
    assert_int_equal(placement_bytes(p, piece), 300);
    assert_int_equal(placement_bytes(p, 1), 700);
    assert_true(placement_was_cut(p, 1));
    assert_int_equal(placement_relocate(p, 1, 1, 700), 1);
    placement_sort(p);
    assert_int_equal(p->shard_bytes[0], 1000);
    assert_int_equal(p->shard_bytes[1], 2000);
    assert_int_equal(placement_first(p, 0, 0), 0);
    assert_int_equal(placement_first(p, 0, 1), piece);
    assert_true(placement_order(p, piece, 1) < 0);
    assert_int_equal(placement_move(p, piece, 0, 300), piece);
    assert_int_equal(placement_first(p, 0, 1), 1);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_relocate),
        cmocka_unit_test(test_relocate_parts),
    };
    struct CMUnitTest tests[G_N_ELEMENTS(rows) + G_N_ELEMENTS(others)];
    memcpy(tests, others, sizeof others);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[G_N_ELEMENTS(others) + i] =
            (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)&rows[i]};
    return _cmocka_run_group_tests("whole_rounds", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
