// SPDX-License-Identifier: Apache-2.0
#include "common/log/log_messages.h"

#include <glib.h>

static const struct log_message rows[] = {
#define LOG_MESSAGE_ROW(symbol, number, level, component, message, help)                                     \
    {#symbol, (number), LOG_LEVEL_##level, #component, (message), (help)},
    LOG_MESSAGES(LOG_MESSAGE_ROW)
#undef LOG_MESSAGE_ROW
};

const struct log_message *log_message_of(enum log_id id)
{
    g_assert((unsigned)id < G_N_ELEMENTS(rows));
    return &rows[id];
}
