/* What the benches share: a clock, order statistics, and one line of the table.
 *
 * A line: what | value | beside | ratio | target | verdict, separated by '|'. run.sh makes the table of it. */
#ifndef BENCH_H
#define BENCH_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline void compute_for(int64_t ns) /* a loop that works, not one that sleeps */
{
    for (int64_t end = now_ns() + ns; now_ns() < end;)
        ;
}

static inline uint64_t random_below(uint64_t limit)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x % limit;
}

static inline void shuffle(int *order, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)random_below((uint64_t)i + 1), t = order[i];
        order[i] = order[j], order[j] = t;
    }
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* p = 0: the least, 0.5: the median, 1: the greatest. Sorts. */
static inline double quantile(double *values, int64_t n, double p)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[(int64_t)((double)(n - 1) * p + 0.5)];
}

static inline double median(double *values, int64_t n) { return quantile(values, n, 0.5); }

/* The verdict of a line is one of these, or "" when there is no target. */
static inline const char *met(int is_met) { return is_met ? "met" : "NOT met"; }

static inline void line(const char *what, const char *value, const char *beside, double ratio, const char *target,
                        const char *verdict)
{
    char text[32] = "";
    if (ratio >= 0)
        snprintf(text, sizeof text, "%.2f", ratio);
    printf("%s|%s|%s|%s|%s|%s\n", what, value, beside, text, target, verdict);
    fflush(stdout);
}

/* A number as text; four of them can be alive at once. */
static inline const char *text(const char *format, ...)
{
    static char ring[4][128];
    static int next;
    char *buffer = ring[next++ % 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof ring[0], format, arguments);
    va_end(arguments);
    return buffer;
}

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        int64_t status_ = (int64_t)(call);                                                                             \
        if (status_ < 0) {                                                                                             \
            printf("%s: %s\n", #call, park_status_string((int)status_));                                               \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
