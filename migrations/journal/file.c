// SPDX-License-Identifier: Apache-2.0
/* The journal's path, its lock file, and making the empty file. The journal itself is opened by SQLite only:
 * closing any other descriptor of it would drop the locks that SQLite holds on it in this process. */
#include "migrations/journal/journal_private.h"

#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(const char *path, int why, enum journal_mode mode, struct err *err)
{
    bool denied = why == EACCES || why == EPERM;
    enum err_class cls = denied ? ERR_NO_PERMISSION : mode == JOURNAL_READ ? ERR_NO_INPUT : ERR_CANT_CREATE;
    const char *remedy = denied           ? "give this user the right to its folder and files"
                         : why == EROFS   ? "mount its file system writable, or name another file"
                         : why == ENOSPC  ? "free space on its file system"
                         : why == ENOTDIR ? "a part of the path is no folder; name another file"
                                          : "name another file";
    return err_set(err, cls, "cannot open journal '%s': %s; %s (journal.path)", path, g_strerror(why),
                   remedy);
}

static bool absent(const char *path, enum journal_mode mode, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return err_set(err, mode == JOURNAL_READ ? ERR_NO_INPUT : ERR_CANT_CREATE,
                       "cannot open journal '%s': it is a symbolic link to nothing; mend it, or remove it",
                       path);
    if (mode == JOURNAL_READ)
        return err_set(
            err, ERR_NO_INPUT,
            "there is no journal '%s'; name the file that the service or 'apply' writes (journal.path)",
            path);
    return true;
}

/* The place of a file that is not there: its folder must be, and be writable. */
static bool locate_new(const char *path, char **ret_real, struct err *err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    char *real = realpath(folder, NULL);
    if (real == NULL)
        return errno == ENOENT ? err_set(err, ERR_CANT_CREATE,
                                         "cannot open journal '%s': its folder '%s' is not there; create it, "
                                         "or name another file (journal.path)",
                                         path, folder)
                               : refuse(path, errno, JOURNAL_WRITE, err);
    bool writable = faccessat(AT_FDCWD, real, W_OK | X_OK, AT_EACCESS) == 0;
    int why = errno;
    if (writable)
        *ret_real = g_build_filename(real, name, NULL);
    free(real);
    return writable || refuse(path, why, JOURNAL_WRITE, err);
}

static bool check_there(const char *path, const char *real, enum journal_mode mode, struct err *err)
{
    struct stat st;
    if (stat(real, &st) != 0)
        return refuse(path, errno, mode, err);
    if (!S_ISREG(st.st_mode))
        return err_set(err, mode == JOURNAL_READ ? ERR_NO_INPUT : ERR_CANT_CREATE,
                       "cannot open journal '%s': it is %s; name a file (journal.path)", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    int need = mode == JOURNAL_READ ? R_OK : R_OK | W_OK;
    return faccessat(AT_FDCWD, real, need, AT_EACCESS) == 0 || refuse(path, errno, mode, err);
}

bool journal_locate(const char *path, enum journal_mode mode, char **ret_real, bool *ret_new, struct err *err)
{
    size_t len = strlen(path);
    if (len == 0 || path[len - 1] == '/')
        return err_set(err, mode == JOURNAL_READ ? ERR_NO_INPUT : ERR_CANT_CREATE,
                       "cannot open journal '%s': that names no file (journal.path)", path);
    char *resolved = realpath(path, NULL);
    if (resolved == NULL && errno != ENOENT)
        return refuse(path, errno, mode, err);
    *ret_new = resolved == NULL;
    if (resolved == NULL)
        return absent(path, mode, err) && locate_new(path, ret_real, err);
    g_autofree char *real = g_strdup(resolved);
    free(resolved);
    if (!check_there(path, real, mode, err))
        return false;
    *ret_real = g_steal_pointer(&real);
    return true;
}

/* What root makes in the folder of the service's user (a command before the service's first start) must be
 * the service's. SQLite gives its side files to the journal's owner by itself. */
static void give_to_owner_of_folder(const char *real, int fd)
{
    struct stat folder;
    g_autofree char *dir = g_path_get_dirname(real);
    if (geteuid() == 0 && stat(dir, &folder) == 0 && folder.st_uid != 0 &&
        fchown(fd, folder.st_uid, folder.st_gid) != 0)
        g_debug("'%s' stays root's: %s", real, g_strerror(errno));
}

bool journal_create(const char *path, const char *real, struct err *err)
{
    int fd = open(real, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return errno == EEXIST || refuse(path, errno, JOURNAL_WRITE, err);
    give_to_owner_of_folder(real, fd);
    close(fd);
    return true;
}

/* The holder writes its number as soon as it has the lock; before that there may be none. */
static bool refuse_held(const char *path, int fd, struct err *err)
{
    char text[32] = "";
    int64_t pid;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[strcspn(text, "\n")] = '\0';
    if (n > 0 && text_parse_int(text, 1, G_MAXINT32, &pid, NULL))
        return err_set(err, ERR_RETRY_LATER,
                       "journal '%s' is in use by process %" G_GINT64_FORMAT
                       "; stop that one or wait for its end, then try again",
                       path, pid);
    return err_set(err, ERR_RETRY_LATER,
                   "journal '%s' is in use by another process; wait for its end, then try again", path);
}

bool journal_lock(const char *path, const char *real, int *ret_fd, struct err *err)
{
    g_autofree char *lock = g_strconcat(real, ".lock", NULL);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), rc;
    if (fd < 0) {
        refuse(lock, errno, JOURNAL_WRITE, err);
        return err_wrap(err, "its lock");
    }
    give_to_owner_of_folder(real, fd);
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        if (errno == EWOULDBLOCK)
            refuse_held(path, fd, err);
        else
            refuse(lock, errno, JOURNAL_WRITE, err);
        close(fd);
        return false;
    }
    /* The number serves a message only; on a full disk the lock holds without it. */
    g_autofree char *pid = g_strdup_printf("%ld\n", (long)getpid());
    bool told = ftruncate(fd, 0) == 0 && pwrite(fd, pid, strlen(pid), 0) > 0;
    (void)told;
    *ret_fd = fd;
    return true;
}
