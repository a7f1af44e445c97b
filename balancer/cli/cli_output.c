// SPDX-License-Identifier: Apache-2.0
/* Where results go: standard output, or a file that is there completely or not at all. */
#include "balancer/cli/cli.h"

#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool to_stdout(const struct cli_common *c)
{
    return c->output == NULL || strcmp(c->output, "-") == 0;
}

static bool write_fd(int fd, const GString *text)
{
    for (gsize done = 0; done < text->len;) {
        ssize_t n = write(fd, text->str + done, text->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (gsize)n;
    }
    return true;
}

static bool write_stdout(const GString *text, struct err *err)
{
    if (!write_fd(STDOUT_FILENO, text))
        return err_set(err, ERR_CANT_CREATE, "cannot write to standard output: %s", g_strerror(errno));
    return true;
}

/* A device or a pipe cannot be replaced by a file, and must not be. */
static bool write_in_place(const char *path, const GString *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    bool written = fd >= 0 && write_fd(fd, text);
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && written) {
        written = false;
        why = errno;
    }
    return written || err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, g_strerror(why));
}

/* GLib's message names its temporary file; what the reader needs of it is the reason at its end. */
static const char *reason_of(const GError *error)
{
    const char *colon = strrchr(error->message, ':');
    return colon != NULL && colon[1] == ' ' ? colon + 2 : error->message;
}

/* Replaces the file that `path` (a symbolic link or not) leads to. A file that is there keeps its
 * permissions, a new one has what the umask leaves. */
static bool replace_file(const char *path, int mode, const GString *text, struct err *err)
{
    g_autoptr(GError) error = NULL;
    char *resolved = realpath(path, NULL); /* NULL: not there yet */
    bool done =
        g_file_set_contents_full(resolved != NULL ? resolved : path, text->str, (gssize)text->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, mode, &error);
    free(resolved);
    return done || err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, reason_of(error));
}

bool cli_write(const struct cli_common *c, const GString *text, struct err *err)
{
    if (to_stdout(c))
        return write_stdout(text, err);
    struct stat st;
    if (stat(c->output, &st) != 0)
        return replace_file(c->output, 0666, text, err);
    if (!S_ISREG(st.st_mode))
        return write_in_place(c->output, text, err);
    return replace_file(c->output, (int)(st.st_mode & 0777), text, err);
}

bool cli_color(const struct cli_common *c)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return !c->no_color && to_stdout(c) && isatty(STDOUT_FILENO) &&
           (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

unsigned cli_width(const struct cli_common *c)
{
    enum { WIDTH_MIN = 40, WIDTH_MAX = 1000, WIDTH_DEFAULT = 80 };
    struct winsize size;
    int64_t columns = 0;
    const char *given = getenv("COLUMNS");
    if (to_stdout(c) && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns == 0 && (given == NULL || !text_parse_int(given, 1, G_MAXINT, &columns, NULL)))
        columns = WIDTH_DEFAULT;
    return (unsigned)CLAMP(columns, WIDTH_MIN, WIDTH_MAX);
}
