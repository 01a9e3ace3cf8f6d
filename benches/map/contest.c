/* One contestant in a process of its own, asked over stdin by compare.py: contest WAY STEPS_PER_US. Each answer is one line.
 *
 *   columns                    names, separated by '|'
 *   map COLUMN                 ns of a map, ns that its threads waited for a processor meanwhile
 *   empty MS                   ns of a map of two empty items, in a row for MS ms; ns waited
 *   after COUNT                us of processor time beyond the work, a time; then COUNT times: ns beyond the ideal of two 50 us
 *                              items after 2 ms of serial work
 *   uneven COUNT               the same after 1 to 3 ms, at random
 *   idle                       us of processor time in the 200 ms after a map
 *   abort                      1 ms items that began after the abort had returned; ns from it to the map's end
 *   check                      0, or how many of the items were not run exactly once
 *
 * What each map computed is compared with what a serial loop computed. Between questions compare.py stops the process, so
 * that a thread that spins does so at nobody's expense; hence the short map before each measurement, which wakes all.
 */
#define _GNU_SOURCE
#include "columns.h"
#include "contest.h"
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MOST 200000
#define THREADS sysconf(_SC_NPROCESSORS_ONLN)

static double steps_per_us;
static const way *me;
static uint32_t costs[MOST], few[MOST];
static uint64_t results[MOST], expected[COLUMNS][MOST];
static item_fn volatile busy = item_busy, nothing = item_empty, count = item_count, stamp = item_stamp;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t random_bits(void)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x;
}

/* How long this process's threads have been ready to run and did not: the kernel's own account. */
static int64_t waited_ns(void)
{
    int64_t sum = 0;
    DIR *threads = opendir("/proc/self/task");
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        char path[300];
        long long ran, waited;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file && fscanf(file, "%lld %lld", &ran, &waited) == 2)
            sum += waited;
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return sum;
}

static uint32_t steps(double ns)
{
    double s = ns / 1000 * steps_per_us;
    return s < 1 ? 1 : (uint32_t)(s + 0.5);
}

static void fill(uint32_t *in, const column *c)
{
    double sum = 0;
    uint64_t x = 12345;
    static double weight[MOST];
    for (int64_t i = 0; i < c->n; i++) {
        double along = (double)i / (double)(c->n - 1);
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        if (c->shape == RANDOM)
            along = (double)(x >> 11) / 9007199254740992.0;
        if (c->shape == FALLING)
            along = 1 - along;
        weight[i] = c->shape == UNIFORM ? 1 : pow(100, along);
        sum += weight[i];
    }
    for (int64_t i = 0; i < c->n; i++)
        in[i] = steps(weight[i] * c->ns * (double)c->n / sum);
}

static task busy_task(const uint32_t *in, int64_t n)
{
    return (task){busy, NULL, (const char *)in, (char *)results, sizeof *in, sizeof *results, n};
}

static task empty_task(int64_t n) { return (task){nothing, NULL, NULL, NULL, 0, 0, n}; }

static void warm(void) /* half a millisecond of 1 us items */
{
    for (int i = 0; i < 500; i++)
        few[i] = steps(1000);
    task t = busy_task(few, 500);
    me->map(&t);
}

static void serial(const task *t)
{
    for (int64_t i = 0; i < t->n; i++)
        run_item(t, i);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", me->name, what);
    exit(1);
}

static void ask_map(int which)
{
    static int filled = -1;
    static char known[COLUMNS];
    const column *c = &columns[which];
    task t = empty_task(c->n);
    if (c->shape != EMPTY) {
        t = busy_task(costs, c->n);
        if (filled != which)
            fill(costs, c);
        filled = which;
        if (!known[which]) {
            serial(&t);
            memcpy(expected[which], results, (size_t)c->n * sizeof *results);
            known[which] = 1;
        }
    }
    warm();
    memset(results, 0, (size_t)(c->n < MOST ? c->n : MOST) * sizeof *results);
    int64_t waited = waited_ns(), begin = now_ns();
    me->map(&t);
    int64_t took = now_ns() - begin;
    waited = waited_ns() - waited;
    if (c->shape != EMPTY && memcmp(results, expected[which], (size_t)c->n * sizeof *results))
        fail("wrong results");
    printf("%lld %lld\n", (long long)took, (long long)waited);
}

static void ask_empty(int ms)
{
    task t = empty_task(2);
    warm();
    int64_t maps = 0, waited = waited_ns(), begin = now_ns(), now;
    do {
        for (int i = 0; i < 20; i++)
            me->map(&t);
        maps += 20;
        now = now_ns();
    } while (now < begin + ms * INT64_C(1000000));
    waited = waited_ns() - waited;
    printf("%.1f %lld\n", (double)(now - begin) / (double)maps, (long long)waited);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t used_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void ask_after(int repetitions, int even)
{
    uint32_t two[2] = {steps(50000), steps(50000)}, long_one = steps(2000000);
    uint64_t sink;
    int64_t ideal[15];
    for (int i = 0; i < 15; i++) {
        int64_t begin = now_ns();
        busy(NULL, &two[0], &sink, 0, NULL);
        ideal[i] = now_ns() - begin;
    }
    qsort(ideal, 15, sizeof *ideal, by_value);
    warm();
    task t = busy_task(two, 2);
    int64_t beyond[100], serial_ns = 0, used = used_us();
    repetitions = repetitions < 100 ? repetitions : 100;
    for (int i = 0; i < repetitions; i++) {
        uint32_t before = even ? long_one : long_one / 2 + (uint32_t)(random_bits() % long_one);
        int64_t start = now_ns();
        busy(NULL, &before, &sink, 0, NULL);
        int64_t begin = now_ns();
        me->map(&t);
        beyond[i] = now_ns() - begin - ideal[7];
        serial_ns += begin - start;
    }
    used = used_us() - used;
    printf("%.1f", ((double)used - (double)serial_ns / 1000) / repetitions - 2 * (double)ideal[7] / 1000);
    for (int i = 0; i < repetitions; i++)
        printf(" %lld", (long long)beyond[i]);
    printf("\n");
}

static void ask_idle(void)
{
    struct timespec pause = {0, 200000000};
    warm();
    int64_t used = used_us();
    nanosleep(&pause, NULL);
    printf("%lld\n", (long long)(used_us() - used));
}

static int64_t aborted_at;

static void *aborter(void *after_ns)
{
    struct timespec pause = {0, *(const long *)after_ns};
    nanosleep(&pause, NULL);
    me->abort();
    __atomic_store_n(&aborted_at, now_ns(), __ATOMIC_SEQ_CST);
    return NULL;
}

static void ask_abort(void)
{
    enum { ITEMS = 400 };
    static int64_t began[ITEMS];
    pthread_t thread;
    long after = 5000000 + (long)(random_bits() % 5000000);
    for (int i = 0; i < ITEMS; i++)
        few[i] = steps(1000000), began[i] = 0;
    task t = busy_task(few, ITEMS);
    t.fn = stamp, t.user = began;
    pthread_create(&thread, NULL, aborter, &after);
    int broken_off = me->map(&t);
    int64_t end = now_ns();
    pthread_join(thread, NULL);
    if (!broken_off)
        fail("the abort did not end the map");
    me->again();
    int late = 0;
    for (int i = 0; i < ITEMS; i++)
        late += began[i] > aborted_at;
    printf("%d %lld\n", late, (long long)(end - aborted_at));
}

static void ask_check(void)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 64, 1000, 12345, 1000003};
    int64_t wrong = 0;
    uint8_t *times = malloc(1000003);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        task t = {count, times, NULL, NULL, 0, 0, sizes[s]};
        memset(times, 0, 1000003);
        me->map(&t);
        for (int64_t i = 0; i < sizes[s]; i++)
            wrong += times[i] != 1;
    }
    free(times);
    printf("%lld\n", (long long)wrong);
}

/* Steps of the chain in a microsecond: the least of many, so that it says what the processor does undisturbed. */
static double calibrate(void)
{
    enum { STEPS = 400000 };
    uint32_t in = STEPS;
    uint64_t out;
    int64_t least = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        int64_t begin = now_ns();
        busy(NULL, &in, &out, 0, NULL);
        int64_t took = now_ns() - begin;
        least = took < least ? took : least;
    }
    return STEPS * 1000.0 / (double)least;
}

int main(int argc, char **argv)
{
    char line[64];
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "calibrate") == 0) {
        printf("%.6f\n", calibrate());
        return 0;
    }
    for (int i = 0; i < ways_count; i++)
        if (strcmp(ways[i].name, argv[1]) == 0)
            me = &ways[i];
    if (!me || argc < 3)
        return 2;
    steps_per_us = strtod(argv[2], NULL);
    if (me->begin)
        me->begin(THREADS);
    while (fgets(line, sizeof line, stdin)) {
        int number = 0;
        char what[16] = "";
        sscanf(line, "%15s %d", what, &number);
        if (strcmp(what, "columns") == 0) {
            for (int i = 0; i < COLUMNS; i++)
                printf("%s%s", i ? "|" : "", columns[i].name);
            printf("\n");
        } else if (strcmp(what, "map") == 0) {
            ask_map(number);
        } else if (strcmp(what, "empty") == 0) {
            ask_empty(number);
        } else if (strcmp(what, "after") == 0) {
            ask_after(number, 1);
        } else if (strcmp(what, "uneven") == 0) {
            ask_after(number, 0);
        } else if (strcmp(what, "idle") == 0) {
            ask_idle();
        } else if (strcmp(what, "abort") == 0) {
            ask_abort();
        } else if (strcmp(what, "check") == 0) {
            ask_check();
        } else {
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
