// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MIN = 16, TOKEN_MAX = 512, DIGEST = 32, BUCKETS = 64, BURST = 5, REFILL_US = 1000000 };

/* Bad tokens that an address may still send before it must wait; one more each second. */
struct bucket {
    int spent;
    int64_t since_us;
};

/* The token itself is not kept, and digests compare in the same time wherever they differ. */
struct http_token {
    bool set;
    guint8 digest[DIGEST];
    struct bucket buckets[BUCKETS]; /* by hash of the address: who shares one, shares its limit */
};

static void digest_of(const char *s, size_t len, guint8 ret[DIGEST])
{
    gsize n = DIGEST;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)s, (gssize)len);
    g_checksum_get_digest(sum, ret, &n);
}

static bool same_digest(const guint8 *a, const guint8 *b)
{
    volatile guint8 diff = 0;
    for (size_t i = 0; i < DIGEST; i++)
        diff |= (guint8)(a[i] ^ b[i]);
    return diff == 0;
}

/* Opens what can only be a plain file that others than owner and group have no part in. */
static int open_secret(const char *path, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        err_set(err, ERR_CONFIG, "cannot read http.tokenFile '%s': %s", path, g_strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err_set(err, ERR_CONFIG, "http.tokenFile '%s' is not a file", path);
    else if ((st.st_mode & S_IRWXO) != 0)
        err_set(
            err, ERR_CONFIG,
            "http.tokenFile '%s' has mode %04o: others than its owner and group must have no access to it; "
            "run chmod o= on it",
            path, (unsigned)(st.st_mode & 07777));
    else
        return fd;
    close(fd);
    return -1;
}

/* The token without the line end behind it; its length, 0: none. */
static size_t token_length(const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isgraph(text[i]))
            return 0;
    return len >= TOKEN_MIN && len <= TOKEN_MAX ? len : 0;
}

static bool read_token(const char *path, guint8 ret[DIGEST], struct err *err)
{
    char text[TOKEN_MAX + 3];
    size_t len = 0;
    ssize_t n = 0;
    int fd = open_secret(path, err);
    if (fd < 0)
        return false;
    while (len < sizeof text && (n = read(fd, text + len, sizeof text - len)) > 0)
        len += (size_t)n;
    close(fd);
    if (n < 0)
        return err_set(err, ERR_CONFIG, "cannot read http.tokenFile '%s': %s", path, g_strerror(errno));
    len = token_length(text, len);
    if (len > 0)
        digest_of(text, len, ret);
    explicit_bzero(text, sizeof text);
    return len > 0 || err_set(err, ERR_CONFIG,
                              "http.tokenFile '%s' must hold one token of %d to %d visible ASCII characters, "
                              "for example what 'openssl rand -hex 32' prints",
                              path, TOKEN_MIN, TOKEN_MAX);
}

bool http_token_new(const char *path, struct http_token **ret, struct err *err)
{
    struct http_token *t = g_new0(struct http_token, 1);
    t->set = path != NULL && *path != '\0';
    if (t->set && !read_token(path, t->digest, err)) {
        http_token_free(t);
        return false;
    }
    *ret = t;
    return true;
}

void http_token_free(struct http_token *t)
{
    g_free(t);
}

bool http_token_is_set(const struct http_token *t)
{
    return t->set;
}

static struct bucket *bucket_of(struct http_token *t, const char *peer, int64_t now_us)
{
    struct bucket *b = &t->buckets[g_str_hash(peer) % BUCKETS];
    const int64_t refilled = (now_us - b->since_us) / REFILL_US;
    b->spent = refilled >= b->spent ? 0 : b->spent - (int)refilled;
    b->since_us = b->spent == 0 ? now_us : b->since_us + refilled * REFILL_US;
    return b;
}

/* The token behind "Bearer "; NULL: another scheme, or nothing. */
static const char *bearer(const char *authorization)
{
    static const char scheme[] = "bearer ";
    if (authorization == NULL || g_ascii_strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *token = authorization + sizeof scheme - 1;
    token += strspn(token, " ");
    return *token == '\0' ? NULL : token;
}

enum token_verdict http_token_check(struct http_token *t, const char *authorization, const char *peer,
                                    int64_t now_us)
{
    guint8 digest[DIGEST];
    const char *token = bearer(authorization);
    if (!t->set)
        return TOKEN_NONE_SET;
    if (token == NULL)
        return TOKEN_MISSING;
    struct bucket *b = bucket_of(t, peer, now_us);
    if (b->spent >= BURST)
        return TOKEN_TOO_OFTEN;
    digest_of(token, strlen(token), digest);
    if (same_digest(digest, t->digest))
        return TOKEN_GOOD;
    b->spent++;
    return TOKEN_BAD;
}
