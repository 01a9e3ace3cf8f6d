/* What a contestant is: a name and a parallel loop. Each runtime's file defines `ways`; contest.c measures them. */
#ifndef CONTEST_H
#define CONTEST_H

#include "item.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    item_fn fn;
    void *user;
    const char *in;
    char *out;
    int64_t in_stride, out_stride, n;
} task;

typedef struct {
    const char *name;
    int (*map)(const task *t);   /* 0: all were run; 1: broken off */
    void (*begin)(int64_t param); /* on the thread that will call map; may be NULL */
    void (*abort)(void);         /* from any thread: the map that runs ends early; may be NULL */
    void (*again)(void);         /* after an abort; may be NULL */
} way;

extern const way ways[];
extern const int ways_count;

static inline int run_item(const task *t, int64_t i)
{
    return t->fn(0, t->in + i * t->in_stride, t->out + i * t->out_stride, i, t->user);
}

#ifdef __cplusplus
}
#endif
#endif
