// SPDX-License-Identifier: Apache-2.0
/* Kills the process it is preloaded into, as kill -9 would, at one call of a function of libc:
 * EVENKEEL_KILL_AT is "CALL:N:before" or "CALL:N:after", CALL one of fdatasync (a commit of the journal
 * reaches the disk), sendmsg (a message leaves for the cluster), recv (a reply arrives). With
 * EVENKEEL_KILL_STOPS it is only stopped, as by SIGSTOP. With EVENKEEL_KILL_COUNT=FILE nothing is killed; the
 * number of calls of each is written there at exit. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum call { CALL_FDATASYNC, CALL_SENDMSG, CALL_RECV, CALL_COUNT };
static const char *const names[CALL_COUNT] = {"fdatasync", "sendmsg", "recv"};

static atomic_long counts[CALL_COUNT];
static long kill_number = -1;
static int kill_call = -1;
static int kill_after;
static int kill_signal = SIGKILL;

__attribute__((constructor)) static void read_wish(void)
{
    const char *wish = getenv("EVENKEEL_KILL_AT");
    char name[16], when[8];
    if (wish == NULL || sscanf(wish, "%15[a-z]:%ld:%7[a-z]", name, &kill_number, when) != 3)
        return;
    kill_after = strcmp(when, "after") == 0;
    if (getenv("EVENKEEL_KILL_STOPS") != NULL)
        kill_signal = SIGSTOP;
    for (int i = 0; i < CALL_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            kill_call = i;
}

__attribute__((destructor)) static void write_counts(void)
{
    const char *path = getenv("EVENKEEL_KILL_COUNT");
    FILE *out = path == NULL ? NULL : fopen(path, "w");
    if (out == NULL)
        return;
    for (int i = 0; i < CALL_COUNT; i++)
        fprintf(out, "%s %ld\n", names[i], atomic_load(&counts[i]));
    fclose(out);
}

/* Whether this is the call; kills at once where it is to be before. */
static int is_last(enum call call)
{
    long n = atomic_fetch_add(&counts[call], 1) + 1;
    if ((int)call != kill_call || n != kill_number)
        return 0;
    if (!kill_after)
        kill(getpid(), kill_signal);
    return 1;
}

static void end_if(int last)
{
    if (last)
        kill(getpid(), kill_signal);
}

int fdatasync(int fd)
{
    static int (*next)(int);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "fdatasync");
    int last = is_last(CALL_FDATASYNC), result = next(fd);
    end_if(last);
    return result;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
    int last = is_last(CALL_SENDMSG);
    ssize_t result = next(fd, message, flags);
    end_if(last);
    return result;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    static ssize_t (*next)(int, void *, size_t, int);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "recv");
    int last = is_last(CALL_RECV);
    ssize_t result = next(fd, buffer, size, flags);
    end_if(last);
    return result;
}
