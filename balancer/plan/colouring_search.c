// SPDX-License-Identifier: Apache-2.0
/* One more edge, by recolouring others. Where both ends have a free colour, but none in common, two colours
 * are exchanged on the path that they form from one end; in a bipartite graph that always helps. Where the
 * path leads to the other end, the edge is coloured all the same and a neighbour left out in its stead, again
 * and again: another edge may have more luck. */
#include "balancer/plan/colouring_private.h"

enum {
    EXCHANGES = 4, /* tried for an edge at each place it comes to */
    STIR = 4,      /* before one move in so many, any two colours are exchanged on a path from there */
    TURN = 16,     /* one move in so many is not straight on */
};

static uint32_t draw(struct search *s, uint32_t n)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (uint32_t)(((s->random >> 32) * n) >> 32);
}

/* u has no edge of `a`. Exchanges a and b on the path from u of colours b, a, b...; not where it ends at
 * `not_to`. */
static bool exchange(struct search *s, uint32_t u, uint32_t b, uint32_t a, uint32_t not_to)
{
    struct mates *m = &s->m;
    uint32_t x = u, c = b, other = a;
    for (uint16_t y; (y = mates_get(m, x, c)) != MATE_NONE; s->work--) {
        x = y;
        uint32_t swap = c;
        c = other;
        other = swap;
    }
    if (x == not_to)
        return false;
    x = u;
    c = b;
    while (x != MATE_NONE) {
        uint16_t at_a = mates_get(m, x, a), at_b = mates_get(m, x, b);
        mates_put(m, x, a, at_b);
        mates_put(m, x, b, at_a);
        x = c == a ? at_a : at_b;
        c = c == a ? b : a;
    }
    return true;
}

/* Where it can be coloured after one exchange at most. */
static bool place_here(struct search *s, uint32_t u, uint32_t v)
{
    struct mates *m = &s->m;
    uint32_t both = mates_common(m, u, v), from_a = 0, from_b = 0;
    if (both < m->colours) {
        mates_colour(m, u, v, both);
        return true;
    }
    for (int i = 0; i < EXCHANGES; i++) {
        uint32_t a = mates_free_from(m, u, from_a), b = mates_free_from(m, v, from_b);
        if (exchange(s, u, b, a, v)) {
            mates_colour(m, u, v, b);
            return true;
        }
        from_a = draw(s, m->colours);
        from_b = draw(s, m->colours);
    }
    return false;
}

/* Colours the edge u-v and leaves out another one of u in its stead, which it becomes. False where v has no
 * free colour. */
static void move_on(struct search *s, uint32_t *u, uint32_t *v)
{
    struct mates *m = &s->m;
    if (draw(s, TURN) != 0) {
        uint32_t swap = *u;
        *u = *v;
        *v = swap;
    }
    if (draw(s, STIR) == 0) {
        uint32_t a = mates_free_from(m, *u, draw(s, m->colours)), b = draw(s, m->colours);
        exchange(s, *u, b, a, MATE_NONE);
    }
    uint32_t c = mates_free_from(m, *v, draw(s, m->colours));
    uint16_t w = mates_get(m, *u, c);
    if (w == MATE_NONE)
        return; /* the exchange has made c free at both */
    mates_put(m, w, c, MATE_NONE);
    mates_colour(m, *u, *v, c);
    *v = w;
}

bool search_place(struct search *s, uint32_t *u, uint32_t *v)
{
    const int64_t work = s->work;
    bool placed = place_here(s, *u, *v);
    if (placed)
        s->work = work; /* allowed for those that resist */
    while (!placed && s->work > 0) {
        move_on(s, u, v);
        s->work -= 16 + s->m.colours / 256;
        placed = place_here(s, *u, *v);
    }
    return placed;
}
