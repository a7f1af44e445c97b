// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fault_vfs.h"

#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

enum { SECTOR = 512 };

/* A write since the last sync; no data: the file was cut there. */
struct pending {
    gint64 offset;
    GByteArray *data;
};

/* What the disk has of a file, whoever has it open. */
struct disk_file {
    GByteArray *synced;
    GPtrArray *pending;
};

typedef struct {
    sqlite3_file base;
    struct disk_file *disk; /* NULL: not one that must survive */
    sqlite3_file *real;     /* behind this struct */
} fault_file;

static struct {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods;
    GHashTable *disk; /* path -> struct disk_file */
    unsigned countdown, struck;
    int left;
    bool syncs_only;
    enum fault_kind kind;
} fault;

static void free_pending(gpointer p)
{
    struct pending *w = p;
    if (w->data != NULL)
        g_byte_array_unref(w->data);
    g_free(w);
}

static void free_disk(gpointer p)
{
    struct disk_file *d = p;
    g_byte_array_unref(d->synced);
    g_ptr_array_unref(d->pending);
    g_free(d);
}

/* Whether this one fails. */
static bool strikes(bool is_sync)
{
    if ((fault.syncs_only && !is_sync) || fault.left == 0)
        return false;
    if (fault.countdown > 1) {
        fault.countdown--;
        return false;
    }
    if (fault.left > 0)
        fault.left--;
    fault.struck++;
    return true;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((fault_file *)f)->real;
}

static void remember(sqlite3_file *f, gint64 offset, const void *data, int len)
{
    struct disk_file *disk = ((fault_file *)f)->disk;
    if (disk == NULL)
        return;
    struct pending *w = g_new0(struct pending, 1);
    w->offset = offset;
    if (data != NULL)
        w->data = g_byte_array_append(g_byte_array_new(), data, (guint)len);
    g_ptr_array_add(disk->pending, w);
}

static void reach(GByteArray *file, gint64 size)
{
    guint before = file->len;
    if (size <= before)
        return;
    g_byte_array_set_size(file, (guint)size);
    memset(file->data + before, 0, (gsize)size - before);
}

/* `keep` NULL: all of it; else each sector by chance. */
static void apply(GByteArray *file, const struct pending *w, GRand *keep)
{
    if (w->data == NULL) {
        if ((keep == NULL || g_rand_boolean(keep)) && w->offset < file->len)
            g_byte_array_set_size(file, (guint)w->offset);
        return;
    }
    for (guint at = 0; at < w->data->len; at += SECTOR) {
        guint len = MIN(SECTOR, w->data->len - at);
        if (keep != NULL && g_rand_boolean(keep))
            continue;
        reach(file, w->offset + at + len);
        memcpy(file->data + w->offset + at, w->data->data + at, len);
    }
}

static int on_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
    if (strikes(false)) {
        /* As a disk does that fills up: a part is written. */
        int part = len / 2;
        real_of(f)->pMethods->xWrite(real_of(f), data, part, offset);
        remember(f, offset, data, part);
        return fault.kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    remember(f, offset, data, len);
    return real_of(f)->pMethods->xWrite(real_of(f), data, len, offset);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (strikes(false))
        return SQLITE_IOERR_TRUNCATE;
    remember(f, size, NULL, 0);
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    struct disk_file *disk = ((fault_file *)f)->disk;
    if (strikes(true))
        return SQLITE_IOERR_FSYNC;
    if (disk != NULL) {
        for (guint i = 0; i < disk->pending->len; i++)
            apply(disk->synced, disk->pending->pdata[i], NULL);
        g_ptr_array_set_size(disk->pending, 0);
    }
    (void)flags; /* the system's sync is spared: nobody pulls its plug */
    return SQLITE_OK;
}

static int on_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int on_read(sqlite3_file *f, void *buf, int len, sqlite3_int64 offset)
{
    return real_of(f)->pMethods->xRead(real_of(f), buf, len, offset);
}
static int on_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}
static int on_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}
static int on_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}
static int on_check(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}
static int on_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int on_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}
/* A plain disk: a sector is not promised to be written whole beside others, nor appends to be safe. */
static int on_device(sqlite3_file *f)
{
    (void)f;
    return 0;
}
static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}
static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void on_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int on_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

/* The state on the disk of a file that is opened, which is as it was left. */
static struct disk_file *disk_of(const char *path)
{
    struct disk_file *disk = g_hash_table_lookup(fault.disk, path);
    if (disk == NULL) {
        char *data = NULL;
        gsize len = 0;
        disk = g_new0(struct disk_file, 1);
        g_file_get_contents(path, &data, &len, NULL);
        disk->synced = data == NULL ? g_byte_array_new() : g_byte_array_new_take((guint8 *)data, len);
        disk->pending = g_ptr_array_new_with_free_func(free_pending);
        g_hash_table_insert(fault.disk, g_strdup(path), disk);
    }
    return disk;
}

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    fault_file *file = (fault_file *)f;
    (void)vfs;
    memset(file, 0, sizeof(*file));
    file->real = (sqlite3_file *)(file + 1);
    int rc = fault.real->xOpen(fault.real, name, file->real, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0 && name != NULL)
        file->disk = disk_of(name);
    file->base.pMethods = &fault.methods;
    return SQLITE_OK;
}

void fault_vfs_install(void)
{
    fault.real = sqlite3_vfs_find("unix");
    fault.vfs = *fault.real;
    fault.vfs.zName = "fault";
    fault.vfs.szOsFile = (int)sizeof(fault_file) + fault.real->szOsFile;
    fault.vfs.xOpen = on_open;
    fault.methods = (sqlite3_io_methods){
        .iVersion = 2, /* no memory maps: they would pass by */
        .xClose = on_close,
        .xRead = on_read,
        .xWrite = on_write,
        .xTruncate = on_truncate,
        .xSync = on_sync,
        .xFileSize = on_size,
        .xLock = on_lock,
        .xUnlock = on_unlock,
        .xCheckReservedLock = on_check,
        .xFileControl = on_control,
        .xSectorSize = on_sector,
        .xDeviceCharacteristics = on_device,
        .xShmMap = on_shm_map,
        .xShmLock = on_shm_lock,
        .xShmBarrier = on_shm_barrier,
        .xShmUnmap = on_shm_unmap,
    };
    fault.disk = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_disk);
    fault_vfs_fail(0, 0, FAULT_IO);
    if (sqlite3_vfs_register(&fault.vfs, 1) != SQLITE_OK)
        g_error("cannot register the VFS");
}

void fault_vfs_remove(void)
{
    sqlite3_vfs_unregister(&fault.vfs);
    sqlite3_vfs_register(fault.real, 1);
    g_clear_pointer(&fault.disk, g_hash_table_unref);
}

static void arm(unsigned n, int more, enum fault_kind kind, bool syncs_only)
{
    fault.countdown = n;
    fault.left = n == 0 ? 0 : more == FAULT_FOREVER ? FAULT_FOREVER : more + 1;
    fault.kind = kind;
    fault.syncs_only = syncs_only;
    fault.struck = 0;
}

void fault_vfs_fail(unsigned n, int more, enum fault_kind kind)
{
    arm(n, more, kind, false);
}

void fault_vfs_fail_syncs(unsigned n, int more)
{
    arm(n, more, FAULT_IO, true);
}

unsigned fault_vfs_struck(void)
{
    return fault.struck;
}

static void lose_power(const char *path, const char *to, GRand *r)
{
    const struct disk_file *disk = g_hash_table_lookup(fault.disk, path);
    if (disk == NULL)
        return;
    GByteArray *file = g_byte_array_new();
    g_byte_array_append(file, disk->synced->data, disk->synced->len);
    for (guint i = 0; i < disk->pending->len; i++)
        apply(file, disk->pending->pdata[i], r);
    if (!g_file_set_contents(to, (const char *)file->data, (gssize)file->len, NULL))
        g_error("cannot write '%s'", to);
    g_byte_array_unref(file);
}

void fault_vfs_power_loss(const char *path, const char *to, GRand *r)
{
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    g_autofree char *to_log = g_strconcat(to, "-wal", NULL);
    lose_power(path, to, r);
    lose_power(log, to_log, r);
}
