// SPDX-License-Identifier: Apache-2.0
#include "balancer/draw/draw.h"
#include "balancer/draw/markup.h"

#include <math.h>

enum { WIDE = 1000, HIGH = 20 };

static int on_bar(double share)
{
    return !(share > 0) ? 0 : share >= 1 ? WIDE : (int)lround(share * WIDE);
}

/* Up to the target in the one class, what goes beyond it in the other. */
static void put_amount(GString *out, const char *cls, double amount, double target, int y, int height)
{
    const int filled = on_bar(amount), tick = target < 0 ? WIDE : on_bar(target);
    putf(out, "<rect class=\"%s\" y=\"%d\" width=\"%d\" height=\"%d\"/>", cls, y, MIN(filled, tick), height);
    if (filled > tick)
        putf(out, "<rect class=\"%s over\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", cls, tick, y,
             filled - tick, height);
}

void draw_bar(GString *out, const struct draw_bar *bar)
{
    const bool pair = bar->after >= 0;
    const int tick = MIN(on_bar(bar->target), WIDE - 2);
    putf(out,
         "<svg class=\"bar %s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
         "aria-label=\"",
         bar->cls, WIDE, HIGH);
    put_text(out, bar->label);
    put(out, "\">");
    putf(out, "<rect class=\"track\" width=\"%d\" height=\"%d\"/>", WIDE, HIGH);
    if (pair)
        put_amount(out, "was", bar->now, bar->target, 2, 6);
    put_amount(out, "fill", pair ? bar->after : bar->now, bar->target, pair ? 9 : 0, pair ? 9 : HIGH);
    if (bar->target >= 0)
        putf(out, "<line class=\"tick\" x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%d\"/>", tick, tick, HIGH);
    put(out, "</svg>");
}
