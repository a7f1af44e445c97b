// SPDX-License-Identifier: Apache-2.0
/* Measures how long the event loop of the process it is preloaded into is away: from epoll_wait() returning
 * on the main thread until it is called again. Into the file EVENKEEL_LOOP_STOPS, which another process may
 * read and clear meanwhile, go the number of stops, their longest by the clock, the longest less the time
 * that the thread was ready to run and got no processor (so that a busy machine is not taken for a slow
 * loop), the most CPU and the most waiting for the disk in one, and how many took 1, 2, 4, ... ms. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 12 };

struct seen { /* microseconds */
    int64_t stops, longest, longest_own, most_cpu, most_disk, own_by_ms[BUCKETS];
};

static struct seen *seen;
static int schedstat = -1;
static int64_t began, began_cpu, began_waited, disk;

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("EVENKEEL_LOOP_STOPS");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct seen)) != 0)
        return;
    void *at = mmap(NULL, sizeof(struct seen), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    seen = at == MAP_FAILED ? NULL : at;
}

static int64_t microseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* How long this thread has waited for a processor so far. */
static int64_t waited(void)
{
    char text[128];
    long long ran, ready;
    if (schedstat < 0) {
        snprintf(text, sizeof(text), "/proc/self/task/%d/schedstat", (int)getpid());
        schedstat = open(text, O_RDONLY | O_CLOEXEC);
    }
    const ssize_t n = pread(schedstat, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%lld %lld", &ran, &ready) == 2 ? ready / 1000 : 0;
}

static void note_stop(void)
{
    const int64_t took = microseconds(CLOCK_MONOTONIC) - began;
    const int64_t cpu = microseconds(CLOCK_THREAD_CPUTIME_ID) - began_cpu;
    int64_t own = took - (waited() - began_waited);
    own = own < cpu ? cpu : own;
    int bucket = 0;
    while (bucket < BUCKETS - 1 && own >= (INT64_C(1000) << bucket))
        bucket++;
    seen->stops++;
    seen->own_by_ms[bucket]++;
    seen->longest = took > seen->longest ? took : seen->longest;
    seen->longest_own = own > seen->longest_own ? own : seen->longest_own;
    seen->most_disk = disk > seen->most_disk ? disk : seen->most_disk;
    seen->most_cpu = cpu > seen->most_cpu ? cpu : seen->most_cpu;
}

/* Of that, what the disk took to make the journal's commits durable. */
int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const int64_t from = microseconds(CLOCK_MONOTONIC);
    const int result = real(fd);
    if (gettid() == getpid())
        disk += microseconds(CLOCK_MONOTONIC) - from;
    return result;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);
    if (real == NULL)
        real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    const int is_loop = seen != NULL && gettid() == getpid();
    if (is_loop && began != 0)
        note_stop();
    const int n = real(fd, events, max, timeout);
    if (is_loop) {
        began_waited = waited();
        began_cpu = microseconds(CLOCK_THREAD_CPUTIME_ID);
        began = microseconds(CLOCK_MONOTONIC);
        disk = 0;
    }
    return n;
}
