/* park's streams. */
#include "stream.h"
#include <park.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        int64_t status_ = (int64_t)(call);                                                                             \
        if (status_ < 0) {                                                                                             \
            fprintf(stderr, "%s: %s\n", #call, park_status_string((int)status_));                                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint64_t run(const task *t, int64_t bound, int as_completed, int64_t *first)
{
    static park_handler *job;
    static park_options *options;
    if (!job) {
        job = park_handler_new("stream");
        MUST(park_attach(job));
        options = park_options_new();
        MUST(park_options_set(options, PARK_OPTION_IN_FLIGHT, bound));
        MUST(park_options_set(options, PARK_OPTION_AS_COMPLETED, as_completed));
    }
    park_imap *imap = park_imap_array(job, options, (park_map_fn)t->fn, t->user, t->in, t->in_stride, t->n, sizeof(uint64_t));
    int64_t index;
    uint64_t result = 0, sum = 0;
    int status;
    while ((status = park_imap_next(imap, PARK_FOREVER, &result, &index, NULL)) == PARK_OK) {
        if (*first == 0)
            *first = now_ns();
        sum += result + (uint64_t)index;
    }
    MUST(status);
    MUST(park_imap_free(imap));
    return sum;
}

static uint64_t as_completed(const task *t, int64_t bound, int64_t threads, int64_t *first)
{
    (void)threads;
    return run(t, bound, 1, first);
}

static uint64_t ordered(const task *t, int64_t bound, int64_t threads, int64_t *first)
{
    (void)threads;
    return run(t, bound, 0, first);
}

const stream streams[] = {
    {"park_imap, as completed", as_completed},
    {"park_imap, ordered", ordered},
};
const int streams_count = 2;
