// SPDX-License-Identifier: Apache-2.0
/* notify.h - tells the service manager how the service is (sd_notify).
 * Owns: the words of each notification, its text on one harmless line, the watchdog's interval.
 * Never: decides when; keeps state. Without NOTIFY_SOCKET every notification succeeds and does nothing.
 * ERR_UNAVAILABLE: the manager did not take it. That is worth a log line, not an end.
 */
#pragma once

#include "common/err.h"

#include <stdint.h>

/* `status` is for people: "moving 3 of 128, 41 GB left, done about 03:20"; NULL leaves what was told last. */
bool notify_ready(const char *status, struct err *err);
bool notify_status(const char *status, struct err *err);

/* A reload begins; notify_ready() ends it. */
bool notify_reloading(struct err *err);

/* The service ends, and needs up to `ms` for it before the manager may lose patience; 0: as configured there.
 */
bool notify_stopping(const char *status, int64_t ms, struct err *err);

/* A sign of life, for the event loop to give. */
bool notify_watchdog(struct err *err);

/* How often notify_watchdog() is due: half of what the manager waits, in milliseconds; 0: it does not watch
 * this process. ERR_CONFIG: WATCHDOG_USEC or WATCHDOG_PID cannot be read. */
bool notify_watchdog_every(int64_t *ret_ms, struct err *err);
