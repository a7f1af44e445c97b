// SPDX-License-Identifier: Apache-2.0
/* history_out.h - rows and rounds of the journal as text and CSV.
 * Owns: columns, wording and spelling of each format. Never: reads the journal or writes output. What comes
 * from the journal is made harmless for where it stands.
 */
#pragma once

#include "balancer/report/page.h"
#include "migrations/journal/history.h"

/* Text: a table, to be printed by page_table_print(). */
page_table *history_rows_table(struct page *pg);
void history_rows_table_add(page_table *t, const struct page *pg, const struct history_row *r);
page_table *history_rounds_table(struct page *pg);
void history_rounds_table_add(page_table *t, const struct page *pg, const struct history_round *r);

/* One line, for a list that grows; its time is that of the last change of state. */
void history_row_line(const struct page *pg, const struct history_row *r, GString *out);
void history_round_line(const struct page *pg, const struct history_round *r, GString *out);

/* "12 rows: 9 committed, 3 failed; 2 of them splits; 1.20 GiB moved". */
void history_totals_text(const struct history_totals *t, GString *out);

/* RFC 4180, lines end with CR LF. A cell that a spreadsheet would take for a formula begins with an
 * apostrophe. */
void history_csv_head(bool rounds, GString *out);
void history_row_csv(const struct history_row *r, GString *out);
void history_round_csv(const struct history_round *r, GString *out);
