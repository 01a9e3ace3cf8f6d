/* One contestant of the streams in a process of its own, asked over stdin by compare.py: stream NAME STEPS_PER_US. Each answer is one line.
 *
 *   stream NS N THREADS        items of NS ns (0: empty), N of them: ns an item, ns that threads waited for a processor
 *   first N                    ns to the first result of N empty items (0: not known)
 *   memory N                   how many kB the resident memory grew by during N empty items, after a first N / 10
 */
#define _GNU_SOURCE
#include "stream.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static item_fn volatile busy = item_busy, nothing = item_empty;
static const stream *me;
static double steps_per_us;

static long resident_kb(void) /* the most so far: threads that have ended do not hide it */
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static uint64_t expected(const task *t)
{
    static task last;
    static uint64_t sum;
    if (memcmp(&last, t, sizeof last) == 0)
        return sum;
    sum = 0;
    for (int64_t i = 0; i < t->n; i++) {
        uint64_t result = 0;
        t->fn(NULL, t->in, &result, i, t->user);
        sum += result + (uint64_t)i;
    }
    last = *t;
    return sum;
}

static int64_t take(const task *t, int64_t threads, int64_t *first)
{
    *first = 0;
    int64_t begin = now_ns();
    uint64_t sum = me->run(t, BOUND, threads, first);
    int64_t took = now_ns() - begin;
    if (sum != expected(t)) {
        fprintf(stderr, "%s: wrong results\n", me->name);
        exit(1);
    }
    if (*first)
        *first -= begin;
    return took;
}

int main(int argc, char **argv)
{
    char line[64];
    uint32_t steps;
    int64_t first;
    if (argc < 3)
        return 2;
    for (int i = 0; i < streams_count; i++)
        if (strcmp(streams[i].name, argv[1]) == 0)
            me = &streams[i];
    if (!me)
        return 2;
    steps_per_us = strtod(argv[2], NULL);
    while (fgets(line, sizeof line, stdin)) {
        double ns;
        long long n, threads;
        task t = {nothing, NULL, NULL, NULL, 0, 0, 0};
        if (sscanf(line, "stream %lf %lld %lld", &ns, &n, &threads) == 3) {
            steps = (uint32_t)(ns / 1000 * steps_per_us + 0.5);
            t.n = n;
            if (ns > 0)
                t.fn = busy, t.in = (const char *)&steps;
            take(&t, threads, &first);
            printf("%.2f 0\n", (double)take(&t, threads, &first) / (double)n);
        } else if (sscanf(line, "first %lld", &n) == 1) {
            t.n = 1000;
            take(&t, 2, &first);
            t.n = n;
            take(&t, 2, &first);
            printf("%lld\n", (long long)first);
        } else if (sscanf(line, "memory %lld", &n) == 1) {
            t.n = n / 10;
            take(&t, 2, &first);
            long before = resident_kb();
            t.n = n;
            take(&t, 2, &first);
            printf("%ld\n", resident_kb() - before);
        } else {
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
