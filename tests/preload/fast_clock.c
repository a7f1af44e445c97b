// SPDX-License-Identifier: Apache-2.0
/* Gives the processes it is preloaded into one simulated clock. EVENKEEL_CLOCK names a file, mapped by all of
 * them, in which simulated time is kept; without it nothing changes. Time goes slowly while any of their
 * threads runs, or a message went from one to another a moment ago, and fast while all of them wait: what
 * takes computing time in reality takes next to none in the simulation, and hours in which nothing happens
 * pass in a moment.
 *
 * Every clock is answered from the file, and every wait that libevent, GLib, libmongoc and SQLite use ends
 * when simulated time says so: waits are slept through in slices. tests/soak/soak.py lays the file out, and
 * starts, speeds up and slows down the clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 16, SPINS = 10000 };
#define NS INT64_C(1000000000)
#define UNDER_WAY_MAX INT64_C(50000000)
#define SLICE_MIN INT64_C(1000000)
#define SLICE_MAX INT64_C(50000000)

/* Nanoseconds; real ones are CLOCK_MONOTONIC. */
struct shared {
    _Atomic int32_t owner;          /* who is changing it; 0: nobody */
    _Atomic int32_t ready;          /* the file is laid out */
    int64_t start_mono, start_real; /* what the two clocks say when no time has passed */
    _Atomic int64_t elapsed;        /* simulated time that has passed */
    _Atomic int64_t at;             /* real time of that */
    _Atomic int64_t linger_until;   /* real time until which a message counts as under way */
    int32_t sender;                 /* slot of who sent the last one */
    _Atomic int64_t fast;           /* how much faster than real it goes while all wait */
    int64_t slow, fastest, linger;
    struct {
        _Atomic int32_t pid;     /* 0: free */
        _Atomic int32_t running; /* its threads that do not wait */
    } slots[SLOTS];
};

void *fast_clock_make(const char *path, int64_t slow, int64_t fastest, int64_t linger_us);
int64_t fast_clock_ms(struct shared *s);
void fast_clock_pace(struct shared *s, int64_t fast);
void fast_clock_settle(struct shared *s);
void fast_clock_forget(struct shared *s, int pid);

static struct shared *shared; /* NULL: real time */
static int slot = -1;
static pthread_key_t counted; /* of threads that are counted: at their end they are not */

static int (*next_clock_gettime)(clockid_t, struct timespec *);
static int (*next_poll)(struct pollfd *, nfds_t, int);
static int (*next_epoll_wait)(int, struct epoll_event *, int, int);
static int (*next_cond_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*next_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*next_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*next_join)(pthread_t, void **);
static int (*next_nanosleep)(const struct timespec *, struct timespec *);
static ssize_t (*next_send)(int, const void *, size_t, int);
static ssize_t (*next_sendmsg)(int, const struct msghdr *, int);
static ssize_t (*next_writev)(int, const struct iovec *, int);
static ssize_t (*next_recv)(int, void *, size_t, int);
static ssize_t (*next_readv)(int, const struct iovec *, int);
static long (*next_syscall)(long, ...);

/* A name that is not found would be told in memory of the heap, which may be what asks for the time. */
static void find(void *function, const char *name)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
}

/* The plain symbol is that of an older kind of condition variables, where there was one. */
static void find_newer(void *function, const char *name)
{
#ifdef __x86_64__
    *(void **)function = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
#else
    find(function, name);
#endif
}

static void find_all(void)
{
    if (next_syscall != NULL)
        return;
    find(&next_clock_gettime, "clock_gettime");
    find(&next_poll, "poll");
    find(&next_epoll_wait, "epoll_wait");
    find_newer(&next_cond_wait, "pthread_cond_wait");
    find_newer(&next_cond_timedwait, "pthread_cond_timedwait");
    find(&next_create, "pthread_create");
    find(&next_join, "pthread_join");
    find(&next_nanosleep, "nanosleep");
    find(&next_send, "send");
    find(&next_sendmsg, "sendmsg");
    find(&next_writev, "writev");
    find(&next_recv, "recv");
    find(&next_readv, "readv");
    find(&next_syscall, "syscall");
}

/* --- the clock --- */

static int64_t ns_of(const struct timespec *t)
{
    return t->tv_sec * NS + t->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ns / NS, ns % NS};
}

static int64_t real_now(clockid_t id)
{
    struct timespec t;
    next_clock_gettime(id, &t);
    return ns_of(&t);
}

/* Whoever was killed inside holds it no more. */
static void lock(struct shared *s)
{
    for (unsigned n = 1;; n++) {
        int32_t owner = 0;
        if (atomic_compare_exchange_weak(&s->owner, &owner, (int32_t)getpid()))
            return;
        if (n % SPINS == 0 && owner != 0 && kill(owner, 0) != 0 && errno == ESRCH)
            atomic_compare_exchange_strong(&s->owner, &owner, 0);
        else if (n % 100 == 0)
            sched_yield();
    }
}

static void unlock(struct shared *s)
{
    atomic_store(&s->owner, 0);
}

static bool somebody_runs(const struct shared *s)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&s->slots[i].pid) != 0 && atomic_load(&s->slots[i].running) > 0)
            return true;
    return false;
}

/* Time up to now has passed as what went on since it was last asked says. Locked. */
static int64_t advance(struct shared *s)
{
    int64_t now = real_now(CLOCK_MONOTONIC), passed = now - s->at;
    if (passed <= 0)
        return s->elapsed;
    int64_t slow = somebody_runs(s) ? passed : s->linger_until - s->at;
    slow = slow < 0 ? 0 : slow > passed ? passed : slow;
    s->elapsed += slow * (s->fast < s->slow ? s->fast : s->slow) + (passed - slow) * s->fast;
    s->at = now;
    return s->elapsed;
}

static int64_t elapsed(void)
{
    lock(shared);
    int64_t t = advance(shared);
    unlock(shared);
    return t;
}

enum what { NOTHING, SENT, ARRIVED };

/* This thread runs (+1) or waits (-1) from now on; it is about to send a message, or was woken by one or took
 * one in. A message counts as under way until it arrived somewhere else; who is woken may be a while in
 * coming. */
static void note(int change, enum what what)
{
    int error = errno;
    lock(shared);
    int64_t until = shared->linger_until;
    advance(shared);
    if (slot >= 0)
        shared->slots[slot].running += change;
    if (what == SENT) {
        shared->sender = slot;
        shared->linger_until = shared->at + UNDER_WAY_MAX;
    } else if (what == ARRIVED && (slot != shared->sender || until < shared->at + shared->linger)) {
        shared->linger_until = shared->at + shared->linger;
    }
    unlock(shared);
    errno = error;
}

static void thread_ends(void *unused)
{
    (void)unused;
    note(-1, NOTHING);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("EVENKEEL_CLOCK");
    find_all();
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED || !((struct shared *)map)->ready || pthread_key_create(&counted, thread_ends) != 0)
        return;
    shared = map;
    lock(shared);
    for (int i = 0; i < SLOTS && slot < 0; i++) {
        if (shared->slots[i].pid != 0)
            continue;
        slot = i;
        shared->slots[i].running = 1;
        shared->slots[i].pid = (int32_t)getpid();
    }
    unlock(shared);
}

__attribute__((destructor)) static void end(void)
{
    if (shared != NULL && slot >= 0)
        shared->slots[slot].pid = 0;
}

static bool is_real_time(clockid_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    find_all();
    if (shared == NULL || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID)
        return next_clock_gettime(id, t);
    *t = timespec_of((is_real_time(id) ? shared->start_real : shared->start_mono) + elapsed());
    return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    *tv = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (ret != NULL)
        *ret = t.tv_sec;
    return t.tv_sec;
}

/* --- whoever steers --- */

/* Lays the file out. It goes `slow` times as fast as reality at most while somebody runs, and never more than
 * `fastest` times; a message counts as under way for `linger_us`. NULL: errno says why not. */
void *fast_clock_make(const char *path, int64_t slow, int64_t fastest, int64_t linger_us)
{
    find_all();
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    bool sized = ftruncate(fd, sizeof(struct shared)) == 0;
    struct shared *s = !sized ? MAP_FAILED : mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (s == MAP_FAILED)
        return NULL;
    s->start_mono = real_now(CLOCK_MONOTONIC);
    s->at = s->start_mono;
    s->start_real = real_now(CLOCK_REALTIME);
    s->slow = slow;
    s->fast = slow;
    s->fastest = fastest;
    s->linger = linger_us * 1000;
    s->sender = -1;
    s->ready = 1;
    return s;
}

/* Simulated milliseconds since 1970. */
int64_t fast_clock_ms(struct shared *s)
{
    lock(s);
    int64_t t = s->start_real + advance(s);
    unlock(s);
    return t / 1000000;
}

/* From now on it goes so much faster than reality while all wait. */
void fast_clock_pace(struct shared *s, int64_t fast)
{
    lock(s);
    advance(s);
    s->fast = fast > s->fastest ? s->fastest : fast;
    unlock(s);
}

/* Who steers has got all its answers: nothing is under way to it. */
void fast_clock_settle(struct shared *s)
{
    lock(s);
    advance(s);
    if (s->linger_until > s->at + s->linger)
        s->linger_until = s->at + s->linger;
    unlock(s);
}

/* A process that was killed runs no more. */
void fast_clock_forget(struct shared *s, int pid)
{
    for (int i = 0; i < SLOTS; i++)
        if (s->slots[i].pid == pid)
            s->slots[i].pid = 0;
}

/* --- waits --- */

/* How long to sleep, in reality, so as not to oversleep that simulated moment. */
static int64_t slice(int64_t until)
{
    int64_t real = (until - elapsed()) / shared->fastest;
    return real < SLICE_MIN ? SLICE_MIN : real > SLICE_MAX ? SLICE_MAX : real;
}

static int64_t in_ms(int ms)
{
    return elapsed() + ms * INT64_C(1000000);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    find_all();
    if (shared == NULL || timeout == 0)
        return next_poll(fds, n, timeout);
    int64_t until = timeout < 0 ? 0 : in_ms(timeout);
    int got;
    note(-1, NOTHING);
    do
        got = next_poll(fds, n, timeout < 0 ? -1 : (int)(slice(until) / 1000000));
    while (got == 0 && elapsed() < until);
    note(1, got > 0 ? ARRIVED : NOTHING);
    return got;
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    find_all();
    if (shared == NULL || timeout == 0)
        return next_epoll_wait(fd, events, n, timeout);
    int64_t until = timeout < 0 ? 0 : in_ms(timeout);
    int got;
    note(-1, NOTHING);
    do
        got = next_epoll_wait(fd, events, n, timeout < 0 ? -1 : (int)(slice(until) / 1000000));
    while (got == 0 && elapsed() < until);
    note(1, got > 0 ? ARRIVED : NOTHING);
    return got;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    find_all();
    if (shared == NULL)
        return next_cond_wait(cond, mutex);
    note(-1, NOTHING);
    int result = next_cond_wait(cond, mutex);
    note(1, NOTHING);
    return result;
}

/* After a slice it wakes for no reason, as condition variables may: a signal between two waits would be lost.
 */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline)
{
    find_all();
    if (shared == NULL)
        return next_cond_timedwait(cond, mutex, deadline);
    int64_t until = ns_of(deadline) - shared->start_real;
    const struct timespec real = timespec_of(real_now(CLOCK_REALTIME) + slice(until));
    note(-1, NOTHING);
    int result = next_cond_timedwait(cond, mutex, &real);
    note(1, NOTHING);
    return result == ETIMEDOUT && elapsed() < until ? 0 : result;
}

/* GLib's mutexes and conditions. */
static long wait_futex(const long *a)
{
    const struct timespec *timeout = (const struct timespec *)a[3];
    int64_t until = timeout == NULL ? 0 : elapsed() + ns_of(timeout);
    long result;
    note(-1, NOTHING);
    do {
        const struct timespec real = timespec_of(timeout == NULL ? 0 : slice(until));
        result = next_syscall(SYS_futex, a[0], a[1], a[2], timeout == NULL ? NULL : &real, a[4], a[5]);
    } while (timeout != NULL && result != 0 && errno == ETIMEDOUT && elapsed() < until);
    note(1, NOTHING);
    return result;
}

long syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    find_all();
    if (shared != NULL && number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT)
        return wait_futex(a);
    return next_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    find_all();
    if (shared == NULL)
        return next_nanosleep(wanted, left);
    int64_t until = elapsed() + ns_of(wanted);
    int result = 0;
    note(-1, NOTHING);
    while (result == 0 && elapsed() < until) {
        const struct timespec real = timespec_of(slice(until));
        result = next_nanosleep(&real, NULL);
    }
    note(1, NOTHING);
    if (result != 0 && left != NULL)
        *left = timespec_of(until > elapsed() ? until - elapsed() : 0);
    return result;
}

int usleep(useconds_t us)
{
    const struct timespec t = timespec_of(us * INT64_C(1000));
    return nanosleep(&t, NULL);
}

unsigned sleep(unsigned seconds)
{
    const struct timespec t = {seconds, 0};
    struct timespec left = {0};
    return nanosleep(&t, &left) == 0 ? 0 : (unsigned)left.tv_sec;
}

/* --- threads, and messages between processes --- */

struct beginning {
    void *(*run)(void *);
    void *data;
};

static void *begin(void *data)
{
    struct beginning b = *(struct beginning *)data;
    free(data);
    pthread_setspecific(counted, shared);
    return b.run(b.data);
}

/* It runs from the moment on at which it is made. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*run)(void *),
                   void *restrict data)
{
    find_all();
    struct beginning *b = shared == NULL ? NULL : malloc(sizeof *b);
    if (b == NULL)
        return next_create(thread, attr, run, data);
    *b = (struct beginning){run, data};
    note(1, NOTHING);
    int result = next_create(thread, attr, begin, b);
    if (result != 0) {
        note(-1, NOTHING);
        free(b);
    }
    return result;
}

int pthread_join(pthread_t thread, void **ret)
{
    find_all();
    if (shared == NULL)
        return next_join(thread, ret);
    note(-1, NOTHING);
    int result = next_join(thread, ret);
    note(1, NOTHING);
    return result;
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
    find_all();
    if (shared != NULL)
        note(0, SENT);
    return next_send(fd, data, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    find_all();
    if (shared != NULL)
        note(0, SENT);
    return next_sendmsg(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    find_all();
    if (shared != NULL)
        note(0, SENT);
    return next_writev(fd, parts, n);
}

ssize_t recv(int fd, void *data, size_t n, int flags)
{
    find_all();
    ssize_t got = next_recv(fd, data, n, flags);
    if (shared != NULL && got > 0)
        note(0, ARRIVED);
    return got;
}

ssize_t readv(int fd, const struct iovec *parts, int n)
{
    find_all();
    ssize_t got = next_readv(fd, parts, n);
    if (shared != NULL && got > 0)
        note(0, ARRIVED);
    return got;
}
