/* What a contestant of the streams is. Each runtime's file defines `streams`; stream.c measures them. */
#ifndef STREAM_H
#define STREAM_H

#include "contest.h"
#include <time.h>

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

#ifdef __cplusplus
extern "C" {
#endif

#define BOUND 1024 /* in flight at most */

typedef struct {
    const char *name;
    /* Runs task->fn for 0 .. n, whose out is a uint64_t, and takes every result with its index on the calling thread: the sum of
     * both. *first: when the first result was there, if that can be told. threads: that run items. */
    uint64_t (*run)(const task *t, int64_t bound, int64_t threads, int64_t *first);
} stream;

extern const stream streams[];
extern const int streams_count;

#ifdef __cplusplus
}
#endif
#endif
