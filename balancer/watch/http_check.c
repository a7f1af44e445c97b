// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/http_private.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const char *header(struct evhttp_request *req, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(req), name);
}

static unsigned count_header(struct evhttp_request *req, const char *name)
{
    unsigned n = 0;
    const struct evkeyval *kv;
    for (kv = evhttp_request_get_input_headers(req)->tqh_first; kv != NULL; kv = kv->next.tqe_next)
        n += g_ascii_strcasecmp(kv->key, name) == 0;
    return n;
}

static bool is_post(struct evhttp_request *req)
{
    return evhttp_request_get_command(req) == EVHTTP_REQ_POST;
}

const char *check_framing(struct evhttp_request *req)
{
    const bool before_1_1 = req->major == 1 && req->minor == 0;
    const char *length = header(req, "Content-Length");
    const char *coding = header(req, "Transfer-Encoding");
    if (count_header(req, "Content-Length") > 1 || count_header(req, "Transfer-Encoding") > 1 ||
        (length != NULL && coding != NULL))
        return "the length of the body is given more than once";
    if (length != NULL && (*length == '\0' || strspn(length, "0123456789") != strlen(length)))
        return "Content-Length is not a number";
    if (coding != NULL && g_ascii_strcasecmp(coding, "chunked") != 0)
        return "the only Transfer-Encoding is chunked";
    if (count_header(req, "Host") > 1 || (!before_1_1 && header(req, "Host") == NULL))
        return "there must be one Host header";
    if (!is_post(req) && (coding != NULL || (length != NULL && strspn(length, "0") != strlen(length))))
        return "only a POST has a body";
    return NULL;
}

/* The host of "host", "host:port", "[v6]", "[v6]:port"; NULL: none of these. The caller frees. */
static char *host_part(const char *authority)
{
    const char *end = authority + strcspn(authority, ":");
    const char *start = authority;
    if (*authority == '[') {
        start++;
        end = strchr(start, ']');
        if (end == NULL)
            return NULL;
    }
    const char *rest = *authority == '[' ? end + 1 : end;
    if (end == start || (*rest != '\0' && *rest != ':') ||
        (*rest == ':' && strspn(rest + 1, "0123456789") != strlen(rest + 1)))
        return NULL;
    return g_strndup(start, (gsize)(end - start));
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (g_ascii_strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Whether `host` is, as a literal address, the one that the client called. */
static bool is_local_address(const char *host, struct evhttp_request *req)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(req);
    const evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;
    guint8 given[16];
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
        return false;
    if (ss.ss_family == AF_INET)
        return inet_pton(AF_INET, host, given) == 1 &&
               memcmp(given, &((struct sockaddr_in *)&ss)->sin_addr, 4) == 0;
    const struct in6_addr *own = &((struct sockaddr_in6 *)&ss)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(own) && inet_pton(AF_INET, host, given) == 1)
        return memcmp(given, own->s6_addr + 12, 4) == 0;
    return inet_pton(AF_INET6, host, given) == 1 && memcmp(given, own, 16) == 0;
}

static bool is_own_name(const struct http *h, struct evhttp_request *req, const char *authority)
{
    g_autofree char *host = host_part(authority);
    return host != NULL &&
           (is_loopback(host) || g_ascii_strcasecmp(host, h->host) == 0 || is_local_address(host, req));
}

bool check_host(const struct http *h, struct evhttp_request *req)
{
    const char *host = header(req, "Host");
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *in_uri = uri == NULL ? NULL : evhttp_uri_get_host(uri);
    if (in_uri != NULL && !is_own_name(h, req, in_uri))
        return false;
    /* HTTP/1.0, which no browser speaks, may leave it out. */
    return host == NULL || is_own_name(h, req, host);
}

bool check_origin(struct evhttp_request *req)
{
    const char *origin = header(req, "Origin");
    const char *site = header(req, "Sec-Fetch-Site");
    const char *host = header(req, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    if (origin == NULL)
        return true;
    const char *authority = strstr(origin, "://");
    if (host == NULL || authority == NULL || count_header(req, "Origin") > 1)
        return false;
    return (g_str_has_prefix(origin, "http://") || g_str_has_prefix(origin, "https://")) &&
           g_ascii_strcasecmp(authority + 3, host) == 0;
}

bool check_percent(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s == '%' && (!g_ascii_isxdigit(s[1]) || !g_ascii_isxdigit(s[2]) || strncmp(s, "%00", 3) == 0))
            return false;
    return true;
}

bool check_json_type(struct evhttp_request *req)
{
    static const char json[] = "application/json";
    const char *type = header(req, "Content-Type");
    if (type == NULL || count_header(req, "Content-Type") > 1 ||
        g_ascii_strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    const char *rest = type + sizeof json - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}
