/* Streams through a crossbeam channel and through rings, from the cdylib in rayon/. Their threads are made anew for each stream. */
#include "stream.h"
#include <stddef.h>

#define STREAM(name)                                                                                                   \
    void *name##_open(const task *t, int64_t bound, int64_t threads);                                                  \
    int name##_next(void *stream, int64_t *index, uint64_t *result);                                                   \
    void name##_close(void *stream);                                                                                   \
    static uint64_t name(const task *t, int64_t bound, int64_t threads, int64_t *first)                                \
    {                                                                                                                  \
        void *stream = name##_open(t, bound, threads);                                                                 \
        int64_t index;                                                                                                 \
        uint64_t result, sum = 0;                                                                                      \
        while (name##_next(stream, &index, &result) == 0) {                                                            \
            if (*first == 0)                                                                                           \
                *first = now_ns();                                                                                     \
            sum += result + (uint64_t)index;                                                                           \
        }                                                                                                              \
        name##_close(stream);                                                                                          \
        return sum;                                                                                                    \
    }

STREAM(channel_64)
STREAM(channel_1)
STREAM(rings)

const stream streams[] = {
    {"channel of 64", channel_64},
    {"channel of 1", channel_1},
    {"rings", rings},
};
const int streams_count = 3;
