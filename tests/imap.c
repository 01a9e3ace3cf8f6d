/* Imaps: a source, a function on several threads, results to one taker.
 *   cc -std=c11 -pthread -Iinclude tests/imap.c -Ltarget/release -lpark -Wl,-rpath,target/release -o imap && ./imap */
#include "maps.h"

/* A stream to play with: items are their own index, results are three times that. */
struct stream {
    int64_t n;                /* items; negative: without end */
    int64_t fails_at;         /* the source fails instead of this item; negative: never */
    double nap;               /* seconds an item */
    long spin;                /* or a little work */
    _Atomic(int64_t) fetched, ran, taken;
    atomic_int fetching, inside, most_inside, *runs;
    int (*also)(park_handler *job, int64_t index, struct stream *stream); /* what it returns is the item's status */
    struct gate gate;
    park_handler *job;
    park_imap *imap;
    atomic_int watched;
};

static int source(park_handler *job, void *item, int64_t index, void *user)
{
    struct stream *stream = user;
    (void)job;
    CHECK_EQ(atomic_fetch_add(&stream->fetching, 1), 0);
    CHECK_EQ(index, atomic_load(&stream->fetched));
    atomic_fetch_sub(&stream->fetching, 1);
    if (index == stream->n) return PARK_END;
    if (stream->fails_at >= 0 && index == stream->fails_at) return 77;
    atomic_fetch_add(&stream->fetched, 1);
    *(int64_t *)item = index;
    return 0;
}

static int work(park_handler *job, const void *item, void *result, int64_t index, void *user)
{
    struct stream *stream = user;
    volatile long spin = stream->spin;
    int status, inside = atomic_fetch_add(&stream->inside, 1) + 1;
    if (inside > atomic_load(&stream->most_inside)) atomic_store(&stream->most_inside, inside);
    if (item) CHECK_EQ(*(const int64_t *)item, index);
    while (spin > 0) spin--;
    if (stream->nap > 0) nap(stream->nap);
    if (stream->runs) atomic_fetch_add(&stream->runs[index], 1);
    status = stream->also ? stream->also(job, index, stream) : 0;
    *(int64_t *)result = 3 * index;
    atomic_fetch_sub(&stream->inside, 1);
    atomic_fetch_add(&stream->ran, 1);
    return status;
}

static struct stream stream_of(int64_t n)
{
    struct stream stream;
    memset(&stream, 0, sizeof stream);
    stream.n = n;
    stream.fails_at = -1;
    pthread_mutex_init(&stream.gate.lock, NULL);
    pthread_cond_init(&stream.gate.changed, NULL);
    return stream;
}

static park_options *options_of(int which, int64_t value, int which2, int64_t value2)
{
    park_options *options = park_options_new();
    CHECK(options != NULL);
    if (which) CHECK_EQ(park_options_set(options, which, value), PARK_OK);
    if (which2) CHECK_EQ(park_options_set(options, which2, value2), PARK_OK);
    return options;
}

static park_imap *imap_of(park_handler *job, park_options *options, struct stream *stream)
{
    park_imap *imap = park_imap_new(job, options, work, stream, source, stream, sizeof(int64_t), sizeof(int64_t));
    if (!imap) printf("%s\n", error_of(job));
    CHECK(imap != NULL);
    stream->imap = imap;
    stream->job = job;
    return imap;
}

/* Takes all; each exactly once; returns how it ended. */
static int take_all(park_imap *imap, struct stream *stream, int ordered)
{
    int64_t result = -1, index = -1;
    int status, item_status = -1;
    char *seen = stream->n > 0 ? calloc((size_t)stream->n, 1) : NULL;
    while ((status = park_imap_next(imap, LONG_TIME, &result, &index, &item_status)) == PARK_OK) {
        CHECK_EQ(item_status, 0);
        CHECK_EQ(result, 3 * index);
        if (ordered) CHECK_EQ(index, atomic_load(&stream->taken));
        if (seen) { CHECK(!seen[index]); seen[index] = 1; }
        atomic_fetch_add(&stream->taken, 1);
    }
    free(seen);
    return status;
}

static void run_all(int64_t n, double item_nap, long spin, int as_completed, int64_t in_flight, int64_t chunk)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(n);
    park_options *options = options_of(PARK_OPTION_AS_COMPLETED, as_completed, PARK_OPTION_IN_FLIGHT, in_flight);
    park_imap *imap;
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHUNK, chunk), PARK_OK);
    stream.nap = item_nap;
    stream.spin = spin;
    imap = imap_of(job, options, &stream);
    CHECK_EQ(take_all(imap, &stream, !as_completed), PARK_END);
    CHECK_EQ(atomic_load(&stream.taken), n);
    CHECK_EQ(atomic_load(&stream.ran), n);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

TEST(results_come_in_order)
{
    static const int64_t counts[] = { 0, 1, 2, 3, 100, 1023, 1024, 1025, 5000 };
    int i;
    for (i = 0; i < 9; i++) {
        run_all(counts[i], 0, 0, 0, 1024, 0);
        run_all(counts[i], 0, 500, 0, 1024, 0);
    }
    run_all(scaled(200000), 0, 0, 0, 1024, 0);
    run_all(scaled(20000), 0, 3000, 0, 1024, 0);
    run_all(scaled(200), 0.001, 0, 0, 1024, 0);
}

TEST(results_come_as_completed)
{
    run_all(0, 0, 0, 1, 1024, 0);
    run_all(1, 0, 0, 1, 1024, 0);
    run_all(scaled(200000), 0, 0, 1, 1024, 0);
    run_all(scaled(20000), 0, 3000, 1, 1024, 0);
    run_all(scaled(200), 0.001, 0, 1, 1024, 0);
}

TEST(any_bound_and_any_chunk_will_do)
{
    static const int64_t bounds[] = { 1, 2, 3, 7, 64, 100000 }, chunks[] = { 0, 1, 5, 1000 };
    int b, c;
    for (b = 0; b < 6; b++)
        for (c = 0; c < 4; c++) {
            run_all(scaled(3000), 0, 0, 0, bounds[b], chunks[c]);
            run_all(scaled(3000), 0, 2000, 0, bounds[b], chunks[c]);
            run_all(scaled(3000), 0, 2000, 1, bounds[b], chunks[c]);
        }
}

static int check_bound(park_handler *job, int64_t index, struct stream *stream)
{
    (void)job;
    (void)index;
    CHECK(atomic_load(&stream->fetched) - atomic_load(&stream->taken) <= 10);
    return 0;
}

TEST(no_more_are_in_flight_than_may_be)
{
    int as_completed;
    for (as_completed = 0; as_completed < 2; as_completed++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(scaled(5000));
        park_options *options = options_of(PARK_OPTION_IN_FLIGHT, 10, PARK_OPTION_AS_COMPLETED, as_completed);
        park_imap *imap;
        int64_t result, index;
        stream.also = check_bound;
        stream.spin = 5000;
        imap = imap_of(job, options, &stream);
        while (atomic_load(&stream.taken) < stream.n) {
            /* Counted before it is taken: what is in flight is at least what was fetched and not asked for. */
            atomic_fetch_add(&stream.taken, 1);
            CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, &index, NULL), PARK_OK);
            CHECK(atomic_load(&stream.fetched) - atomic_load(&stream.taken) <= 10);
        }
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_END);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        done(job);
    }
}

TEST(nothing_is_fetched_before_it_is_asked_for)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    park_imap *imap = imap_of(job, NULL, &stream);
    int64_t result = -1, index = -1;
    nap(0.02);
    CHECK_EQ(atomic_load(&stream.fetched), 0);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, &index, NULL), PARK_OK);
    CHECK_EQ(index, 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK(atomic_load(&stream.fetched) <= 1024);
    done(job);
}

TEST(slow_items_are_run_by_several_threads)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(30);
    park_imap *imap;
    double began = now();
    stream.nap = 0.02;
    imap = imap_of(job, NULL, &stream);
    CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
    CHECK_EQ(atomic_load(&stream.most_inside), 3);
    CHECK(now() - began < 0.02 * 30 * 0.8 || strcmp(check_under(), "") != 0);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

static int work_of_array(park_handler *job, const void *item, void *result, int64_t index, void *user)
{
    (void)job;
    *(double *)result = item ? *(const double *)item * 2 : (double)index;
    return user != NULL;
}

TEST(an_array_is_a_source)
{
    park_handler *job = attached(3);
    enum { N = 5000 };
    double *in = malloc(2 * N * sizeof *in), result;
    int64_t i, index;
    park_imap *imap;
    for (i = 0; i < N; i++) in[2 * i] = (double)i;
    imap = park_imap_array(job, NULL, work_of_array, NULL, in, 2 * sizeof *in, N, sizeof result);
    CHECK(imap != NULL);
    for (i = 0; i < N; i++) {
        CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, &index, NULL), PARK_OK);
        CHECK_EQ(index, i);
        CHECK_REAL(result, 2.0 * (double)i);
    }
    CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, &index, NULL), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    imap = park_imap_array(job, NULL, work_of_array, NULL, NULL, 0, N, sizeof result);
    CHECK(imap != NULL);
    for (i = 0; i < N; i++) {
        CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, NULL, NULL), PARK_OK);
        CHECK_REAL(result, (double)i);
    }
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    free(in);
    done(job);
}

TEST(several_results_at_once)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(scaled(50000));
    park_imap *imap = imap_of(job, NULL, &stream);
    int64_t results[100], indices[100], count = -1, next = 0, i;
    int statuses[100], status, many = 0;
    while ((status = park_imap_take(imap, LONG_TIME, 100, &count, results, indices, statuses)) == PARK_OK) {
        CHECK(count >= 1 && count <= 100);
        many += count > 1;
        for (i = 0; i < count; i++, next++) {
            CHECK_EQ(indices[i], next);
            CHECK_EQ(results[i], 3 * next);
            CHECK_EQ(statuses[i], 0);
        }
    }
    CHECK_EQ(status, PARK_END);
    CHECK_EQ(count, 0);
    CHECK_EQ(next, stream.n);
    CHECK(many > 0);
    CHECK_EQ(park_imap_take(imap, LONG_TIME, 0, &count, NULL, NULL, NULL), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_imap_take(imap, LONG_TIME, 1, NULL, NULL, NULL, NULL), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

static int big_work(park_handler *job, const void *item, void *result, int64_t index, void *user)
{
    (void)job;
    (void)user;
    CHECK((uintptr_t)item % 64 == 0 && (uintptr_t)result % 64 == 0);
    memset(result, (int)(index % 251), 4096);
    return 0;
}

static int big_source(park_handler *job, void *item, int64_t index, void *user)
{
    (void)job;
    memset(item, (int)(index % 7), 1 << 16);
    return index == *(int64_t *)user ? PARK_END : 0;
}

TEST(items_and_results_of_any_size)
{
    park_handler *job = attached(3);
    int64_t n = scaled(3000), i, index;
    unsigned char *result = malloc(4096);
    park_imap *imap = park_imap_new(job, NULL, big_work, NULL, big_source, &n, 1 << 16, 4096);
    CHECK(imap != NULL);
    for (i = 0; i < n; i++) {
        CHECK_EQ(park_imap_next(imap, LONG_TIME, result, &index, NULL), PARK_OK);
        CHECK_EQ(result[0], i % 251);
        CHECK_EQ(result[4095], i % 251);
    }
    CHECK_EQ(park_imap_next(imap, LONG_TIME, result, &index, NULL), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    free(result);
    done(job);
}

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &pages, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

TEST(a_source_without_end_runs_in_constant_memory)
{
    int as_completed;
    for (as_completed = 0; as_completed < 2; as_completed++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(-1);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, as_completed, 0, 0);
        park_imap *imap;
        int64_t result, i, n = scaled(3000000);
        long before;
        stream.spin = 20;
        imap = imap_of(job, options, &stream);
        for (i = 0; i < n / 10; i++) CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, NULL, NULL), PARK_OK);
        before = resident_kb();
        for (i = 0; i < n; i++) CHECK_EQ(park_imap_next(imap, LONG_TIME, &result, NULL, NULL), PARK_OK);
        if (strcmp(check_under(), "") == 0) CHECK(resident_kb() - before < 500);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        done(job);
    }
}

TEST(it_can_be_freed_at_any_moment)
{
    park_handler *job = attached(3);
    long round;
    unsigned seed = 1;
    for (round = 0; round < scaled(3000); round++) {
        struct stream stream = stream_of(round % 3 ? -1 : 500);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, round % 2, PARK_OPTION_IN_FLIGHT, 1 + rand_r(&seed) % 100);
        park_imap *imap;
        int takes = rand_r(&seed) % 50;
        stream.spin = rand_r(&seed) % 20000;
        imap = imap_of(job, options, &stream);
        while (takes-- > 0) CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(atomic_load(&stream.inside), 0);
        CHECK_EQ(park_imap_free(imap), PARK_INVALID_HANDLE);
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_INVALID_HANDLE);
        CHECK_EQ(park_options_free(options), PARK_OK);
    }
    done(job);
}

static void *free_it(void *user)
{
    struct stream *stream = user;
    nap(1e-6 * (double)(stream->spin % 1000));
    CHECK_EQ(park_imap_free(stream->imap), PARK_OK);
    CHECK_EQ(atomic_load(&stream->inside), 0);
    return NULL;
}

TEST(another_thread_can_free_it_while_the_taker_takes)
{
    park_handler *job = attached(3);
    long round;
    for (round = 0; round < scaled(1000); round++) {
        struct stream stream = stream_of(-1);
        pthread_t other;
        int status;
        imap_of(job, NULL, &stream);
        stream.spin = round * 37 % 5000;
        other = spawn(free_it, &stream);
        while ((status = park_imap_next(stream.imap, LONG_TIME, NULL, NULL, NULL)) == PARK_OK) {}
        CHECK(status == PARK_CLOSED || status == PARK_INVALID_HANDLE);
        join(other);
    }
    done(job);
}

static int wait_at_the_gate(park_handler *job, int64_t index, struct stream *stream)
{
    (void)job;
    if (index > 0) gate_wait(&stream->gate);
    return 0;
}

static void *open_soon(void *user)
{
    nap(0.05);
    gate_open(&((struct stream *)user)->gate);
    return NULL;
}

TEST(free_waits_for_items_that_run)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    park_imap *imap;
    pthread_t other;
    int status;
    stream.also = wait_at_the_gate;
    imap = imap_of(job, NULL, &stream);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
    /* With no time it runs no item itself, but workers do. */
    while ((status = park_imap_next(imap, 0, NULL, NULL, NULL)) == PARK_TIMEOUT && atomic_load(&stream.inside) < 2) {}
    CHECK_EQ(status, PARK_TIMEOUT);
    other = spawn(open_soon, &stream);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(atomic_load(&stream.inside), 0);
    join(other);
    done(job);
}

static int free_inside(park_handler *job, int64_t index, struct stream *stream)
{
    (void)index;
    CHECK_EQ(park_imap_free(stream->imap), PARK_REENTRANT);
    CHECK(park_handler_free(job) < 0);
    return 0;
}

static int next_inside(park_handler *job, int64_t index, struct stream *stream)
{
    int status = park_imap_next(stream->imap, 0, NULL, NULL, NULL);
    (void)job;
    (void)index;
    CHECK(status == PARK_REENTRANT || status == PARK_WRONG_THREAD);
    return 0;
}

static int ready_inside(park_handler *job, int64_t index, struct stream *stream)
{
    int status = park_ready(job);
    (void)index;
    (void)stream;
    CHECK(status == 0 || status == PARK_REENTRANT || status == PARK_WRONG_THREAD);
    CHECK(park_detach(job) < 0);
    return 0;
}

static struct stream mutual[2];
static atomic_int in_items, refused, freed;

static int free_the_other(park_handler *job, int64_t index, struct stream *stream)
{
    int status;
    (void)job;
    (void)index;
    atomic_fetch_add(&in_items, 1);
    while (atomic_load(&in_items) < 2) nap(1e-4);
    status = park_imap_free(mutual[stream == mutual].imap);
    CHECK(status == PARK_OK || status == PARK_REENTRANT);
    atomic_fetch_add(status == PARK_OK ? &freed : &refused, 1);
    return 0;
}

static void *run_one_of_two(void *argument)
{
    struct stream *stream = argument;
    int64_t index;
    int status = park_imap_next(stream->imap, PARK_FOREVER, NULL, &index, NULL);
    CHECK(status == PARK_OK || status == PARK_CLOSED || status == PARK_INVALID_HANDLE);
    return NULL;
}

static void *make_and_run_one_of_two(void *argument)
{
    struct stream *stream = argument;
    park_handler *job = attached(3);
    stream->imap = imap_of(job, NULL, stream);
    while (!mutual[stream == mutual].imap) nap(1e-4);
    run_one_of_two(stream);
    while (atomic_load(&freed) + atomic_load(&refused) < 2) nap(1e-4);
    if (park_imap_free(stream->imap) == PARK_OK) atomic_fetch_add(&freed, 1);
    done(job);
    return NULL;
}

/* Each would wait for the other: one is refused. */
TEST(two_imaps_that_free_each_other_do_not_hang)
{
    int round, i;
    for (round = 0; round < 20; round++) {
        pthread_t threads[2];
        in_items = refused = freed = 0;
        for (i = 0; i < 2; i++) {
            mutual[i] = stream_of(1);
            mutual[i].also = free_the_other;
        }
        for (i = 0; i < 2; i++) pthread_create(&threads[i], NULL, make_and_run_one_of_two, &mutual[i]);
        for (i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        CHECK_EQ(refused, 1);
        CHECK_EQ(freed, 2);
    }
}

TEST(calls_from_inside_get_their_status)
{
    int (*calls[])(park_handler *, int64_t, struct stream *) = { free_inside, next_inside, ready_inside };
    int i;
    for (i = 0; i < 3; i++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(300);
        park_imap *imap;
        stream.also = calls[i];
        stream.spin = 10000;
        imap = imap_of(job, NULL, &stream);
        CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        done(job);
    }
}

static int abort_in_the_middle(park_handler *job, int64_t index, struct stream *stream)
{
    (void)stream;
    if (index == 700) CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    return 0;
}

static int stop_in_the_middle(park_handler *job, int64_t index, struct stream *stream)
{
    (void)stream;
    if (index == 700) CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    return 0;
}

/* What is left after an early end, and with what was taken: each item that was fetched exactly once. */
static void check_rest(park_imap *imap, struct stream *stream, char *seen, int64_t n)
{
    int64_t result, index, i;
    int status, item_status;
    while ((status = park_imap_rest(imap, &result, &index, &item_status)) == PARK_OK) {
        CHECK(index >= 0 && index < n && !seen[index]);
        seen[index] = 1;
        if (item_status == 0) CHECK_EQ(result, 3 * index);
        CHECK_EQ(atomic_load(&stream->runs[index]), item_status == PARK_NOT_RUN ? 0 : 1);
    }
    CHECK_EQ(status, PARK_END);
    for (i = 0; i < n; i++) CHECK_EQ(seen[i], i < atomic_load(&stream->fetched));
}

TEST(an_abort_in_the_middle_loses_no_item_and_runs_none_twice)
{
    enum { N = 100000 };
    long round;
    for (round = 0; round < scaled(100); round++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(N);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, round % 2, 0, 0);
        park_imap *imap;
        char *seen = calloc(N, 1);
        int64_t result, index;
        int status, reason = round % 4 < 2 ? PARK_ABORTED : PARK_STOPPED;
        stream.runs = calloc(N, sizeof *stream.runs);
        stream.also = reason == PARK_ABORTED ? abort_in_the_middle : stop_in_the_middle;
        stream.spin = round * 100;
        imap = imap_of(job, options, &stream);
        CHECK_EQ(park_imap_rest(imap, NULL, NULL, NULL), PARK_BUSY);
        while ((status = park_imap_next(imap, LONG_TIME, &result, &index, NULL)) == PARK_OK) {
            CHECK(!seen[index]);
            CHECK_EQ(atomic_load(&stream.runs[index]), 1);
            seen[index] = 1;
        }
        CHECK_EQ(status, reason);
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), reason);
        CHECK_EQ(park_ready(job), reason);
        check_rest(imap, &stream, seen, N);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        free(seen);
        free(stream.runs);
        done(job);
    }
}

static void *pause_and_resume(void *user)
{
    park_handler *job = user;
    int i;
    for (i = 0; i < 10; i++) {
        CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
        nap(0.002);
        CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
        nap(0.002);
    }
    return NULL;
}

TEST(a_pause_in_the_middle_loses_no_item_and_runs_none_twice)
{
    int as_completed;
    for (as_completed = 0; as_completed < 2; as_completed++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(scaled(30000));
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, as_completed, 0, 0);
        park_imap *imap;
        pthread_t other;
        int64_t i;
        stream.runs = calloc((size_t)stream.n, sizeof *stream.runs);
        stream.spin = 2000;
        imap = imap_of(job, options, &stream);
        other = spawn(pause_and_resume, job);
        CHECK_EQ(take_all(imap, &stream, !as_completed), PARK_END);
        join(other);
        CHECK_EQ(atomic_load(&stream.taken), stream.n);
        for (i = 0; i < stream.n; i++) CHECK_EQ(atomic_load(&stream.runs[i]), 1);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        free(stream.runs);
        done(job);
    }
}

static void *watch_a_pause(void *user)
{
    struct stream *stream = user;
    int64_t ran;
    WAIT_UNTIL(atomic_load(&stream->ran) > 100);
    CHECK_EQ(park_signal(stream->job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(stream->job) == PARK_STATE_PAUSED);
    /* Paused is said when nobody is inside an item. */
    CHECK_EQ(atomic_load(&stream->inside), 0);
    ran = atomic_load(&stream->ran);
    nap(0.05);
    CHECK_EQ(atomic_load(&stream->ran), ran);
    CHECK_EQ(park_signal(stream->job, PARK_RESUME), PARK_OK);
    atomic_store(&stream->watched, 1);
    return NULL;
}

TEST(a_pause_holds_between_items)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    park_imap *imap;
    pthread_t other;
    stream.spin = 20000;
    imap = imap_of(job, NULL, &stream);
    other = spawn(watch_a_pause, &stream);
    while (!atomic_load(&stream.watched)) CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
    join(other);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

static void *abort_soon(void *user)
{
    nap(0.02);
    CHECK_EQ(park_signal((park_handler *)user, PARK_ABORT), PARK_OK);
    return NULL;
}

static int first_naps(park_handler *job, int64_t index, struct stream *stream)
{
    (void)job;
    (void)stream;
    if (index == 0) nap(0.3);
    return 0;
}

TEST(an_abort_wakes_a_taker_that_waits)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    /* The first item is run by a worker, all others fill what may be in flight: the taker sleeps. */
    park_options *options = options_of(PARK_OPTION_IN_FLIGHT, 4, 0, 0);
    park_imap *imap;
    pthread_t other;
    double began;
    stream.also = first_naps;
    imap = imap_of(job, options, &stream);
    CHECK_EQ(park_imap_next(imap, 0, NULL, NULL, NULL), PARK_TIMEOUT);
    WAIT_UNTIL(atomic_load(&stream.inside) > 0);
    other = spawn(abort_soon, job);
    began = now();
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_ABORTED);
    CHECK(now() - began < 0.2 || strcmp(check_under(), "") != 0);
    join(other);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static int fail_some(park_handler *job, int64_t index, struct stream *stream)
{
    (void)job;
    (void)stream;
    return index % 1000 == 900 ? (int)(index / 100) : 0;
}

TEST(an_item_that_fails_ends_it)
{
    enum { N = 20000 };
    long round;
    for (round = 0; round < scaled(40); round++) {
        int as_completed = round % 2;
        park_handler *job = attached(3);
        struct stream stream = stream_of(N);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, as_completed, 0, 0);
        park_imap *imap;
        char *seen = calloc(N, 1);
        int64_t result, index, taken = 0;
        int status, item_status;
        stream.runs = calloc(N, sizeof *stream.runs);
        stream.also = fail_some;
        stream.spin = round * 100;
        imap = imap_of(job, options, &stream);
        while ((status = park_imap_next(imap, LONG_TIME, &result, &index, &item_status)) == PARK_OK) {
            CHECK_EQ(item_status, 0);
            CHECK(!seen[index]);
            seen[index] = 1;
            if (!as_completed) CHECK_EQ(index, taken);
            taken++;
        }
        CHECK_EQ(status, PARK_FAILED);
        CHECK_EQ(index % 1000, 900);
        CHECK_EQ(item_status, index / 100);
        if (!as_completed) CHECK_EQ(index, 900);
        if (!as_completed) CHECK_MENTIONS(error_of(job), "item 900");
        seen[index] = 1;
        index = item_status = -1;
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, &index, &item_status), PARK_FAILED);
        CHECK_EQ(item_status, index / 100);
        while ((status = park_imap_rest(imap, &result, &index, &item_status)) == PARK_OK) {
            CHECK(!seen[index]);
            seen[index] = 1;
            CHECK_EQ(atomic_load(&stream.runs[index]), item_status == PARK_NOT_RUN ? 0 : 1);
            CHECK(item_status == 0 || item_status == PARK_NOT_RUN || item_status == index / 100);
        }
        CHECK_EQ(status, PARK_END);
        for (index = 0; index < N; index++) CHECK_EQ(seen[index], index < atomic_load(&stream.fetched));
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        free(seen);
        free(stream.runs);
        done(job);
    }
}

TEST(it_can_go_on_after_items_that_fail)
{
    int as_completed;
    for (as_completed = 0; as_completed < 2; as_completed++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(5000);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, as_completed, PARK_OPTION_GO_ON, 1);
        park_imap *imap;
        int64_t result, index, taken = 0, failed = 0;
        int status, item_status;
        stream.also = fail_some;
        stream.spin = 1000;
        imap = imap_of(job, options, &stream);
        while ((status = park_imap_next(imap, LONG_TIME, &result, &index, &item_status)) == PARK_OK) {
            CHECK_EQ(item_status, fail_some(job, index, &stream));
            if (!as_completed) CHECK_EQ(index, taken);
            taken++;
            failed += item_status != 0;
        }
        CHECK_EQ(status, PARK_FAILED);
        CHECK_EQ(taken, 5000);
        CHECK_EQ(failed, 5);
        CHECK_MENTIONS(error_of(job), "5 items");
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        done(job);
    }
}

static int fail_twice(park_handler *job, int64_t index, struct stream *stream)
{
    (void)job;
    return index % 10 == 3 && atomic_load(&stream->runs[index]) < 3;
}

TEST(items_that_fail_are_tried_again)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(5000);
    park_options *options = options_of(PARK_OPTION_RETRIES, 2, 0, 0);
    park_imap *imap;
    int64_t i;
    int status, item_status = 0;
    stream.also = fail_twice;
    stream.runs = calloc(5000, sizeof *stream.runs);
    imap = imap_of(job, options, &stream);
    CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
    for (i = 0; i < 5000; i++) CHECK_EQ(atomic_load(&stream.runs[i]), i % 10 == 3 ? 3 : 1);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    memset(stream.runs, 0, 5000 * sizeof *stream.runs);
    atomic_store(&stream.fetched, 0);
    CHECK_EQ(park_options_set(options, PARK_OPTION_RETRIES, 1), PARK_OK);
    imap = imap_of(job, options, &stream);
    while ((status = park_imap_next(imap, LONG_TIME, NULL, &i, &item_status)) == PARK_OK) {}
    CHECK_EQ(status, PARK_FAILED);
    CHECK_EQ(i, 3);
    CHECK_EQ(item_status, 1);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    free(stream.runs);
    done(job);
}

static int pause_and_fail_once(park_handler *job, int64_t index, struct stream *stream)
{
    if (index != 50 || atomic_load(&stream->runs[index]) > 1) return 0;
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    return 1;
}

static void *resume_a_pause(void *user)
{
    struct stream *stream = user;
    WAIT_UNTIL(park_state(stream->job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(stream->job, PARK_RESUME), PARK_OK);
    return NULL;
}

TEST(a_pause_takes_no_try_away)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(100);
    park_options *options = options_of(PARK_OPTION_RETRIES, 1, 0, 0);
    park_imap *imap;
    pthread_t other;
    stream.also = pause_and_fail_once;
    stream.runs = calloc(100, sizeof *stream.runs);
    imap = imap_of(job, options, &stream);
    other = spawn(resume_a_pause, &stream);
    CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
    CHECK_EQ(atomic_load(&stream.runs[50]), 2);
    join(other);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    free(stream.runs);
    done(job);
}

TEST(a_source_that_fails_ends_it_after_the_items_before)
{
    int round;
    for (round = 0; round < 4; round++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(-1);
        park_options *options = options_of(PARK_OPTION_AS_COMPLETED, round % 2, 0, 0);
        park_imap *imap;
        int64_t result, index, taken = 0;
        int status, code = 0;
        stream.fails_at = round < 2 ? 0 : 1234;
        stream.spin = 3000;
        imap = imap_of(job, options, &stream);
        while ((status = park_imap_next(imap, LONG_TIME, &result, &index, &code)) == PARK_OK) taken++;
        CHECK_EQ(status, PARK_FAILED);
        CHECK_EQ(taken, stream.fails_at);
        CHECK_EQ(index, stream.fails_at);
        CHECK_EQ(code, 77);
        CHECK_MENTIONS(error_of(job), "source");
        CHECK_EQ(park_imap_rest(imap, NULL, NULL, NULL), PARK_END);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        done(job);
    }
}

TEST(a_timeout_is_kept)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(2);
    park_imap *imap;
    double began;
    int64_t index;
    stream.also = wait_at_the_gate;
    imap = imap_of(job, NULL, &stream);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, &index, NULL), PARK_OK);
    CHECK_EQ(park_imap_next(imap, 0, NULL, NULL, NULL), PARK_TIMEOUT);
    WAIT_UNTIL(atomic_load(&stream.inside) == 1);
    began = now();
    CHECK_EQ(park_imap_next(imap, 0.05, NULL, NULL, NULL), PARK_TIMEOUT);
    CHECK(now() - began >= 0.049);
    CHECK_EQ(park_imap_next(imap, -2, NULL, NULL, NULL), PARK_INVALID_ARGUMENT);
    gate_open(&stream.gate);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, &index, NULL), PARK_OK);
    CHECK_EQ(index, 1);
    CHECK_EQ(park_imap_next(imap, 0, NULL, NULL, NULL), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    /* With no other thread, it runs items even in no time. */
    {
        park_options *options = options_of(PARK_OPTION_WORKERS, 1, 0, 0);
        struct stream alone = stream_of(100);
        int64_t taken = 0;
        int status;
        imap = imap_of(job, options, &alone);
        while ((status = park_imap_next(imap, 0, NULL, NULL, NULL)) == PARK_OK) taken++;
        CHECK_EQ(status, PARK_END);
        CHECK_EQ(taken, 100);
        CHECK_EQ(atomic_load(&alone.most_inside), 1);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
    }
    done(job);
}

TEST(nonsense_gets_a_status_and_a_sentence)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(10);
    int64_t out;
    CHECK(park_imap_new(NULL, NULL, work, &stream, source, &stream, 8, 8) == NULL);
    CHECK(park_imap_new(job, NULL, NULL, &stream, source, &stream, 8, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "fn");
    CHECK(park_imap_new(job, NULL, work, &stream, NULL, &stream, 8, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "source");
    CHECK(park_imap_new(job, NULL, work, &stream, source, &stream, -1, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "item_bytes");
    CHECK(park_imap_new(job, NULL, work, &stream, source, &stream, 8, INT64_MAX) == NULL);
    CHECK_MENTIONS(error_of(job), "result_bytes");
    CHECK(park_imap_new(job, (park_options *)job, work, &stream, source, &stream, 8, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "options");
    CHECK(park_imap_array(job, NULL, NULL, NULL, NULL, 0, 5, 8) == NULL);
    CHECK(park_imap_array(job, NULL, work, NULL, &out, 8, -1, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "n:");
    CHECK(park_imap_array(job, NULL, work, NULL, &out, -8, 1, 8) == NULL);
    CHECK_MENTIONS(error_of(job), "in_stride");
    CHECK(park_imap_array(job, NULL, work, NULL, &out, INT64_MAX, 5, 8) == NULL);
    CHECK_EQ(park_imap_next(NULL, 0, &out, NULL, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_next((park_imap *)job, 0, &out, NULL, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_next((park_imap *)&out, 0, &out, NULL, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_take(NULL, 0, 1, &out, NULL, NULL, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_rest(NULL, &out, NULL, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_free(NULL), PARK_OK);
    CHECK_EQ(park_imap_free((park_imap *)&out), PARK_INVALID_HANDLE);
    CHECK_EQ(park_imap_free((park_imap *)job), PARK_INVALID_HANDLE);
    CHECK_EQ(atomic_load(&stream.fetched), 0);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK(park_imap_new(job, NULL, work, &stream, source, &stream, 8, 8) == NULL);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(park_imap_new(job, NULL, work, &stream, source, &stream, 8, 8) == NULL);
}

static void *take_elsewhere(void *user)
{
    struct stream *stream = user;
    int64_t count;
    CHECK_EQ(park_imap_next(stream->imap, 0, NULL, NULL, NULL), PARK_WRONG_THREAD);
    CHECK_EQ(park_imap_take(stream->imap, 0, 1, &count, NULL, NULL, NULL), PARK_WRONG_THREAD);
    CHECK_EQ(park_imap_rest(stream->imap, NULL, NULL, NULL), PARK_WRONG_THREAD);
    CHECK(park_imap_new(stream->job, NULL, work, stream, source, stream, 8, 8) == NULL);
    return NULL;
}

TEST(only_the_thread_that_made_it_takes)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(100);
    park_imap *imap = imap_of(job, NULL, &stream);
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
    join(spawn(take_elsewhere, &stream));
    CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

TEST(it_outlives_its_run_and_its_handler)
{
    int round;
    for (round = 0; round < 20; round++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(-1);
        park_imap *imap;
        int i;
        stream.spin = 1000 * round;
        imap = imap_of(job, NULL, &stream);
        for (i = 0; i < round; i++) CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
        CHECK_EQ(park_detach(job), PARK_OK);
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_NOT_RUNNING);
        CHECK_EQ(park_handler_free(job), PARK_OK);
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_CLOSED);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
    }
}

TEST(two_at_once)
{
    park_handler *job = attached(3);
    struct stream a = stream_of(scaled(20000)), b = stream_of(scaled(20000));
    park_imap *ia = imap_of(job, NULL, &a), *ib = imap_of(job, NULL, &b);
    int64_t i, index;
    b.spin = 2000;
    for (i = 0; i < a.n; i++) {
        CHECK_EQ(park_imap_next(ia, LONG_TIME, NULL, &index, NULL), PARK_OK);
        CHECK_EQ(index, i);
        CHECK_EQ(park_imap_next(ib, LONG_TIME, NULL, &index, NULL), PARK_OK);
        CHECK_EQ(index, i);
    }
    CHECK_EQ(park_imap_next(ia, LONG_TIME, NULL, NULL, NULL), PARK_END);
    CHECK_EQ(park_imap_next(ib, LONG_TIME, NULL, NULL, NULL), PARK_END);
    CHECK_EQ(park_imap_free(ia), PARK_OK);
    CHECK_EQ(park_imap_free(ib), PARK_OK);
    done(job);
}

static int add_one(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job;
    (void)in;
    (void)index;
    (void)out;
    atomic_fetch_add((_Atomic(int64_t) *)user, 1);
    return 0;
}

static int map_inside(park_handler *job, int64_t index, struct stream *stream)
{
    _Atomic(int64_t) count = 0;
    (void)stream;
    CHECK_EQ(park_map(job, add_one, (void *)&count, NULL, 0, NULL, 0, index % 300), PARK_OK);
    CHECK_EQ(atomic_load(&count), index % 300);
    return 0;
}

static int imap_inside(park_handler *job, int64_t index, struct stream *outer)
{
    struct stream stream = stream_of(index % 300);
    park_imap *imap = imap_of(job, NULL, &stream);
    (void)outer;
    stream.spin = 100;
    CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
    CHECK_EQ(atomic_load(&stream.taken), index % 300);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    return 0;
}

static int imap_in_a_map(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in;
    (void)out;
    return imap_inside(job, index, user);
}

TEST(maps_and_imaps_nest)
{
    int (*inner[])(park_handler *, int64_t, struct stream *) = { map_inside, imap_inside };
    int i;
    for (i = 0; i < 2; i++) {
        park_handler *job = attached(3);
        struct stream stream = stream_of(scaled(2000));
        park_imap *imap;
        stream.also = inner[i];
        imap = imap_of(job, NULL, &stream);
        CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        done(job);
    }
    {
        park_handler *job = attached(3);
        CHECK_EQ(park_map(job, imap_in_a_map, NULL, NULL, 0, NULL, 0, scaled(1000)), PARK_OK);
        done(job);
    }
}

TEST(a_map_between_two_results_has_the_workers)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    park_imap *imap;
    int i;
    stream.spin = 3000;
    imap = imap_of(job, NULL, &stream);
    for (i = 0; i < 300; i++) {
        _Atomic(int64_t) count = 0;
        CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
        CHECK_EQ(park_map(job, add_one, (void *)&count, NULL, 0, NULL, 0, 1000), PARK_OK);
        CHECK_EQ(atomic_load(&count), 1000);
        if (i % 100 == 50) CHECK_EQ(park_set_workers(job, 2 + i / 100), PARK_OK);
    }
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

static void *ask_often(void *user)
{
    struct stream *stream = user;
    int i;
    for (i = 0; i < 20; i++) {
        park_message *request = park_message_new("look");
        CHECK(request != NULL);
        CHECK_EQ(park_ask(stream->job, PARK_INVOKE, request, LONG_TIME, NULL), PARK_OK);
        CHECK_EQ(park_message_free(request), PARK_OK);
    }
    atomic_store(&stream->watched, 1);
    return NULL;
}

static int look(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    struct stream *stream = user;
    (void)job;
    (void)request;
    (void)reply;
    CHECK_EQ(atomic_load(&stream->inside), 0);
    nap(0.0005);
    CHECK_EQ(atomic_load(&stream->inside), 0);
    return 0;
}

TEST(requests_are_served_while_no_thread_is_inside_an_item)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(-1);
    park_imap *imap;
    pthread_t other;
    stream.spin = 10000;
    CHECK_EQ(park_method(job, "look", look, &stream, NULL), PARK_OK);
    imap = imap_of(job, NULL, &stream);
    other = spawn(ask_often, &stream);
    while (!atomic_load(&stream.watched)) CHECK_EQ(park_imap_next(imap, LONG_TIME, NULL, NULL, NULL), PARK_OK);
    join(other);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

static void *enter(park_handler *job, int worker, void *user)
{
    atomic_int *entered = user;
    CHECK_EQ(park_worker(job), worker);
    CHECK_EQ(atomic_fetch_add(&entered[worker], 1), 0);
    return &entered[worker];
}

static void leave(park_handler *job, int worker, void *local, void *user)
{
    atomic_int *entered = user;
    (void)job;
    CHECK(local == &entered[worker]);
    CHECK_EQ(atomic_fetch_sub(&entered[worker], 1), 1);
}

static int has_local(park_handler *job, int64_t index, struct stream *stream)
{
    (void)index;
    (void)stream;
    CHECK_EQ(*(atomic_int *)park_worker_local(job), 1);
    return 0;
}

TEST(each_thread_has_its_local_state)
{
    park_handler *job = attached(3);
    struct stream stream = stream_of(scaled(3000));
    atomic_int entered[3];
    park_options *options = park_options_new();
    park_imap *imap;
    int i;
    for (i = 0; i < 3; i++) atomic_init(&entered[i], 0);
    CHECK_EQ(park_options_hooks(options, enter, leave, entered, NULL), PARK_OK);
    stream.also = has_local;
    stream.spin = 10000;
    imap = imap_of(job, options, &stream);
    CHECK_EQ(take_all(imap, &stream, 1), PARK_END);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    for (i = 0; i < 3; i++) CHECK_EQ(atomic_load(&entered[i]), 0);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

TEST(progress_counts_results)
{
    park_handler *job = attached(3);
    park_options *options = options_of(PARK_OPTION_PROGRESS, 1, 0, 0);
    park_client *client = park_client_new(job, PARK_EVENT_PROGRESS);
    park_imap *imap = park_imap_array(job, options, work_of_array, NULL, NULL, 0, 5000, sizeof(double));
    park_event *event;
    CHECK(client != NULL && imap != NULL);
    while (park_imap_next(imap, LONG_TIME, NULL, NULL, NULL) == PARK_OK) {}
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    event = next_of_kind(client, PARK_EVENT_PROGRESS);
    CHECK_REAL(park_event_done(event), 5000);
    CHECK_REAL(park_event_total(event), 5000);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(results_come_in_order),
    CASE(results_come_as_completed),
    CASE(any_bound_and_any_chunk_will_do),
    CASE(no_more_are_in_flight_than_may_be),
    CASE(nothing_is_fetched_before_it_is_asked_for),
    CASE(slow_items_are_run_by_several_threads),
    CASE(an_array_is_a_source),
    CASE(several_results_at_once),
    CASE(items_and_results_of_any_size),
    CASE(a_source_without_end_runs_in_constant_memory),
    CASE(it_can_be_freed_at_any_moment),
    CASE(another_thread_can_free_it_while_the_taker_takes),
    CASE(free_waits_for_items_that_run),
    CASE(two_imaps_that_free_each_other_do_not_hang),
    CASE(calls_from_inside_get_their_status),
    CASE(an_abort_in_the_middle_loses_no_item_and_runs_none_twice),
    CASE(a_pause_in_the_middle_loses_no_item_and_runs_none_twice),
    CASE(a_pause_holds_between_items),
    CASE(an_abort_wakes_a_taker_that_waits),
    CASE(an_item_that_fails_ends_it),
    CASE(it_can_go_on_after_items_that_fail),
    CASE(items_that_fail_are_tried_again),
    CASE(a_pause_takes_no_try_away),
    CASE(a_source_that_fails_ends_it_after_the_items_before),
    CASE(a_timeout_is_kept),
    CASE(nonsense_gets_a_status_and_a_sentence),
    CASE(only_the_thread_that_made_it_takes),
    CASE(it_outlives_its_run_and_its_handler),
    CASE(two_at_once),
    CASE(maps_and_imaps_nest),
    CASE(a_map_between_two_results_has_the_workers),
    CASE(requests_are_served_while_no_thread_is_inside_an_item),
    CASE(each_thread_has_its_local_state),
    CASE(progress_counts_results),
};

CHECK_MAIN(tests)
