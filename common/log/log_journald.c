// SPDX-License-Identifier: Apache-2.0
/* Entries for systemd-journald in its native protocol: "NAME=value\n", or where the value has a newline,
 * "NAME\n", its length in 8 bytes little-endian, the value, "\n". A datagram holds one entry; one too large
 * for that goes as an empty datagram with a sealed memory file. sd_journal_sendv() does the same, but waits
 * without bound for a journal that does not read, and drops the entry without a word where there is no
 * socket: the balancer must neither hang nor fall silent with its journal. */
#define _GNU_SOURCE /* memfd_create, seals */

#include "common/log/log_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIELD_NAME_MAX = 64 };

static void put(GString *out, const char *name, const char *value)
{
    gsize len = strlen(value);
    if (strchr(value, '\n') == NULL) {
        g_string_append_printf(out, "%s=%s\n", name, value);
        return;
    }
    guint64 size = GUINT64_TO_LE((guint64)len);
    g_string_append_printf(out, "%s\n", name);
    g_string_append_len(out, (const char *)&size, sizeof size);
    g_string_append_len(out, value, (gssize)len);
    g_string_append_c(out, '\n');
}

/* "maxBytes" is EVENKEEL_MAX_BYTES: journald takes capitals, digits and underscores, 64 of them. */
static void field_name(char ret[FIELD_NAME_MAX + 1], const char *name)
{
    size_t n = g_strlcpy(ret, "EVENKEEL_", FIELD_NAME_MAX + 1);
    for (const char *p = name; *p != '\0' && n < FIELD_NAME_MAX; p++) {
        if (g_ascii_isupper(*p) && p != name && n < FIELD_NAME_MAX - 1)
            ret[n++] = '_';
        ret[n++] = g_ascii_isalnum(*p) ? g_ascii_toupper(*p) : '_';
    }
    ret[n] = '\0';
}

static void put_field(GString *out, const struct log_field *f)
{
    char name[FIELD_NAME_MAX + 1];
    field_name(name, f->name);
    if (f->type == LOG_FIELD_STRING) {
        put(out, name, f->string);
        return;
    }
    g_autoptr(GString) value = g_string_new(NULL);
    log_append_number(value, f);
    put(out, name, value->str);
}

void log_format_journald(GString *out, const struct log_entry *e)
{
    static const char *const priorities[] = {"3", "4", "6", "7"};
    g_autoptr(GString) text = g_string_new(NULL);
    log_append_logfmt(text, e);
    put(out, "MESSAGE", text->str);
    put(out, "PRIORITY", priorities[e->message->level]);
    put(out, "SYSLOG_IDENTIFIER", "evenkeel");
    g_string_append_printf(out, "EVENKEEL_ID=%d\n", e->message->number);
    put(out, "EVENKEEL_EVENT", e->message->text);
    put(out, "EVENKEEL_COMPONENT", e->message->component);
    put(out, "EVENKEEL_CONTEXT", LOG_CONTEXT);
    for (size_t i = 0; i < e->n; i++)
        if (log_field_counts(&e->fields[i]))
            put_field(out, &e->fields[i]);
}

void log_journal_open(struct log_journal *j, const char *path)
{
    static const struct timeval wait = {.tv_usec = LOG_WAIT_MS * 1000L};
    *j = (struct log_journal){.fd = -1, .address.sun_family = AF_UNIX};
    if (g_strlcpy(j->address.sun_path, path, sizeof j->address.sun_path) >= sizeof j->address.sun_path)
        return;
    j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (j->fd >= 0 && setsockopt(j->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
        log_journal_close(j);
}

void log_journal_close(struct log_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

/* The address is looked up anew for every entry, so that a journal which comes back is found. */
static bool send_to(struct log_journal *j, struct msghdr *message)
{
    message->msg_name = &j->address;
    message->msg_namelen = sizeof j->address;
    ssize_t sent;
    do
        sent = sendmsg(j->fd, message, MSG_NOSIGNAL | (j->stuck ? MSG_DONTWAIT : 0));
    while (sent < 0 && errno == EINTR);
    j->stuck = sent < 0 && errno == EAGAIN;
    return sent >= 0;
}

/* A memory file of these bytes that nobody can change any more, as the journal asks; -1: not to be had. */
static int sealed_file(const char *bytes, size_t len)
{
    int fd = memfd_create("evenkeel-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n < 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_as_file(struct log_journal *j, const char *bytes, size_t len)
{
    int file = sealed_file(bytes, len);
    if (file < 0)
        return false;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(c), &file, sizeof file);
    bool sent = send_to(j, &message);
    close(file);
    return sent;
}

bool log_journal_send(struct log_journal *j, const char *bytes, size_t len)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (send_to(j, &message))
        return true;
    return (errno == EMSGSIZE || errno == ENOBUFS) && send_as_file(j, bytes, len);
}

bool log_is_journal_stream(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (stream == NULL || fstat(fd, &st) != 0)
        return false;
    g_autofree char *own =
        g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)st.st_dev, (guint64)st.st_ino);
    return strcmp(own, stream) == 0;
}
