#include "item.h"
#include <time.h>

int item_busy(struct park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    uint64_t x = (uint64_t)index;
    (void)job, (void)user;
    for (uint32_t steps = *(const uint32_t *)in; steps > 0; steps--) {
        x ^= x >> 29;
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    }
    *(uint64_t *)out = x;
    return 0;
}

int item_empty(struct park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job, (void)in, (void)out, (void)index, (void)user;
    return 0;
}

int item_count(struct park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job, (void)in, (void)out;
    __atomic_fetch_add((uint8_t *)user + index, 1, __ATOMIC_RELAXED);
    return 0;
}

int item_stamp(struct park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ((int64_t *)user)[index] = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
    return item_busy(job, in, out, index, user);
}
