/* park itself. */
#include "contest.h"
#include <park.h>
#include <stdio.h>
#include <stdlib.h>

static park_handler *job;
static park_options *spinning;

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        int64_t status_ = (int64_t)(call);                                                                             \
        if (status_ < 0) {                                                                                             \
            fprintf(stderr, "%s: %s\n", #call, park_status_string((int)status_));                                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void begin(int64_t unused)
{
    (void)unused;
    job = park_handler_new("map");
    MUST(park_attach(job));
}

static void begin_spinning(int64_t unused)
{
    begin(unused);
    spinning = park_options_new();
    MUST(park_options_set(spinning, PARK_OPTION_SPIN, 100000));
}

static int ended(int status)
{
    MUST(status);
    return status != PARK_OK;
}

static int map(const task *t)
{
    return ended(park_map(job, (park_map_fn)t->fn, t->user, t->in, t->in_stride, t->out, t->out_stride, t->n));
}

static int map_spinning(const task *t)
{
    return ended(park_map_with(job, spinning, (park_map_fn)t->fn, t->user, t->in, t->in_stride, t->out, t->out_stride, t->n));
}

static int stretch(park_handler *handler, int64_t from, int64_t to, void *user)
{
    (void)handler;
    const task t = *(const task *)user;
    for (int64_t i = from; i < to; i++)
        run_item(&t, i);
    return 0;
}

static int loop(const task *t) { return ended(park_for(job, 0, t->n, stretch, (void *)t)); }

static void stop(void) { park_signal(job, PARK_ABORT); }

static void again(void)
{
    MUST(park_detach(job));
    MUST(park_attach(job));
}

const way ways[] = {
    {"park_map", map, begin, stop, again},
    {"park_for", loop, begin, stop, again},
    {"park_map, spinning", map_spinning, begin_spinning, stop, again},
};
const int ways_count = 3;
