// SPDX-License-Identifier: Apache-2.0
/* html_check.h - reads an HTML report as strictly as XML is read, and checks what holds of every one.
 * Owns: the rules: well-formed; ids once and links that lead somewhere inside; nothing that runs or loads;
 * style and script as the policy's hashes have them; headings in order; tables with captions and scopes;
 * drawings with a name. Never: looks at what is said.
 */
#pragma once

#include <glib.h>

/* NULL, or what is wrong; the caller frees. */
char *html_fault(const char *html, gsize len);

/* Fails the test on a fault. */
void html_check(const char *name, const GString *html);
