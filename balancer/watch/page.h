// SPDX-License-Identifier: Apache-2.0
/* page.h - the status page: one HTML document that reads well without JavaScript, its style and its script.
 * Owns: what of a view is shown to people in a browser, and how. Never: loads anything from elsewhere; lets a
 * character of a foreign name become markup. page/ holds the parts that do not depend on a view.
 */
#pragma once

#include "balancer/watch/view.h"

struct page_facts {
    bool may_act; /* there is a token with which things can be changed over HTTP */
};

/* Appends the whole document, of a bounded length: long lists end in a count of what is left out. */
void status_page_html(const service_view *v, const struct page_facts *facts, GString *out);

/* Of the build; the caller unrefs. */
GBytes *status_page_css(void);
GBytes *status_page_js(void);
