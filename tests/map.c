/* Maps: every item once, the same bits, a ready point all along.
 *   cc -std=c11 -pthread -Iinclude tests/map.c -Ltarget/release -lpark -lm -Wl,-rpath,target/release -o map && ./map */
#include "maps.h"
#include <errno.h>
#include <fenv.h>
#include <math.h>

static int count_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)index; (void)user;
    atomic_fetch_add((atomic_int *)out, 1);
    return 0;
}

static int count_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    int64_t i;
    (void)job;
    for (i = begin; i < end; i++) atomic_fetch_add((atomic_int *)user + i, 1);
    return 0;
}

TEST(every_item_is_done_once_and_no_other)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, 100003};
    int workers, size;
    for (workers = 1; workers <= 5; workers++) {
        park_handler *job = attached(workers);
        for (size = 0; size < 8; size++) {
            int64_t i, n = sizes[size];
            atomic_int *counts = calloc((size_t)n + 1, sizeof *counts);
            CHECK_EQ(park_map(job, count_item, NULL, NULL, 0, counts, sizeof *counts, n), PARK_OK);
            CHECK_EQ(park_for(job, 0, n, count_stretch, counts), PARK_OK);
            for (i = 0; i < n; i++) CHECK_EQ(counts[i], 2);
            CHECK_EQ(counts[n], 0);
            free(counts);
        }
        done(job);
    }
}

static int stretch_from_minus_five(park_handler *job, int64_t begin, int64_t end, void *user)
{
    int64_t i;
    (void)job;
    for (i = begin; i < end; i++) atomic_fetch_add((atomic_int *)user + (i + 5), 1);
    return 0;
}

TEST(a_loop_may_begin_below_zero)
{
    atomic_int counts[11] = {0};
    int i;
    park_handler *job = attached(2);
    CHECK_EQ(park_for(job, -5, 5, stretch_from_minus_five, counts), PARK_OK);
    for (i = 0; i < 10; i++) CHECK_EQ(counts[i], 1);
    CHECK_EQ(counts[10], 0);
    done(job);
}

struct stretches { _Atomic int64_t items, stretches, below, beyond; };

static int measure_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    struct stretches *seen = user;
    (void)job;
    atomic_fetch_add(&seen->stretches, 1);
    atomic_fetch_add(&seen->items, end - begin);
    if (begin < -7 || end <= begin) atomic_fetch_add(&seen->below, 1);
    if (end > INT64_C(5000000000) - 7) atomic_fetch_add(&seen->beyond, 1);
    return begin <= INT64_C(4800000000) && end > INT64_C(4800000000) ? 9 : 0;
}

/* More items than 32 bits can count; one behind that fails. */
TEST(a_loop_may_have_billions_of_items)
{
    struct stretches seen = {0, 0, 0, 0};
    int64_t begin, end, left = 0, i;
    park_handler *job = attached(2);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHUNK, 1 << 20), PARK_OK);
    CHECK_EQ(park_options_set(options, PARK_OPTION_GO_ON, 1), PARK_OK);
    CHECK_EQ(park_for_with(job, options, -7, INT64_C(5000000000) - 7, measure_stretch, &seen), PARK_FAILED);
    CHECK_EQ(seen.items, INT64_C(5000000000));
    CHECK(seen.stretches < 5100);
    CHECK_EQ(seen.below, 0);
    CHECK_EQ(seen.beyond, 0);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_FAILED, 0, &begin, &end), PARK_OK);
    CHECK(begin <= INT64_C(4800000007) && INT64_C(4800000007) < end);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_LEFT, 0, &begin, &end), PARK_UNKNOWN);
    seen.items = 0;
    CHECK_EQ(park_options_set(options, PARK_OPTION_GO_ON, 0), PARK_OK);
    CHECK_EQ(park_for_with(job, options, -7, INT64_C(5000000000) - 7, measure_stretch, &seen), PARK_FAILED);
    for (i = 0; park_map_items(job, PARK_ITEMS_LEFT, i, &begin, &end) == PARK_OK; i++) left += end - begin;
    CHECK(left > 0);
    CHECK_EQ(seen.items + left, INT64_C(5000000000));
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static int chaotic(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    double x = *(const double *)in;
    int64_t k, steps = 1 + (index * 7919) % 200;
    (void)job; (void)user;
    for (k = 0; k < steps; k++) x = 3.9999 * x * (1 - x) + 1e-9 * sin(x);
    *(double *)out = x;
    return 0;
}

TEST(the_results_are_the_same_bits_with_any_number_of_threads)
{
    enum { N = 20000 };
    static double in[N], first[N], out[N];
    int i, workers;
    for (i = 0; i < N; i++) in[i] = (i + 1.0) / (N + 2);
    for (workers = 1; workers <= 8; workers++) {
        park_handler *job = attached(workers);
        CHECK_EQ(park_map(job, chaotic, NULL, in, sizeof *in, out, sizeof *out, N), PARK_OK);
        if (workers == 1) memcpy(first, out, sizeof out);
        CHECK(memcmp(first, out, sizeof out) == 0);
        done(job);
    }
}

struct slow { double seconds; atomic_int begun, threads; };

static int slow_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct slow *slow = user;
    (void)in; (void)out; (void)index;
    atomic_fetch_or(&slow->threads, 1 << park_worker(job));
    atomic_fetch_add(&slow->begun, 1);
    busy(slow->seconds);
    return 0;
}

TEST(all_threads_take_part)
{
    struct slow slow = {1e-3, 0, 0};
    park_handler *job = attached(3);
    CHECK_EQ(park_workers(job), 3);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 200), PARK_OK);
    CHECK_EQ(slow.threads, 7);
    CHECK_EQ(park_worker(job), 0);
    done(job);
}

static int fails_at(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in;
    if (index % *(int *)user == *(int *)user - 1) return 40 + (int)(index % 7);
    *(int *)out += 1;
    return 0;
}

TEST(the_first_failure_ends_the_map_unless_it_is_to_go_on)
{
    enum { N = 5000 };
    static int out[N], statuses[N];
    int64_t begin, end, at, failed = 0, left = 0;
    int i, every = 100;
    park_handler *job = attached(2);
    park_options *options = park_options_new();
    CHECK(options != NULL);
    CHECK_EQ(park_options_statuses(options, statuses, N), PARK_OK);
    CHECK_EQ(park_map_with(job, options, fails_at, &every, NULL, 0, out, sizeof *out, N), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), "item");
    for (at = 0; park_map_items(job, PARK_ITEMS_LEFT, at, &begin, &end) == PARK_OK; at++) left += end - begin;
    for (at = 0; park_map_items(job, PARK_ITEMS_FAILED, at, &begin, &end) == PARK_OK; at++) failed += end - begin;
    CHECK(failed >= 1 && failed <= 2);
    for (i = 0; i < N; i++) {
        CHECK(statuses[i] == 0 ? out[i] == 1 : out[i] == 0);
        left -= statuses[i] == PARK_NOT_RUN;
        failed -= statuses[i] >= 40;
    }
    CHECK_EQ(left, 0);
    CHECK_EQ(failed, 0);

    memset(out, 0, sizeof out);
    CHECK_EQ(park_options_set(options, PARK_OPTION_GO_ON, 1), PARK_OK);
    CHECK_EQ(park_map_with(job, options, fails_at, &every, NULL, 0, out, sizeof *out, N), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), "item 99:");
    for (i = 0; i < N; i++) {
        CHECK_EQ(out[i], i % 100 != 99);
        CHECK_EQ(statuses[i], i % 100 != 99 ? 0 : 40 + i % 7);
    }
    for (at = 0; park_map_items(job, PARK_ITEMS_FAILED, at, &begin, &end) == PARK_OK; at++) {
        CHECK_EQ(begin, 100 * at + 99);
        CHECK_EQ(end, begin + 1);
    }
    CHECK_EQ(at, 50);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_LEFT, 0, &begin, &end), PARK_UNKNOWN);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static int fails_twice(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)index; (void)user;
    return ++*(int *)out < 3;
}

TEST(an_item_that_fails_is_tried_again)
{
    enum { N = 1000 };
    static int tries[N];
    int i;
    park_handler *job = attached(2);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_set(options, PARK_OPTION_RETRIES, 2), PARK_OK);
    CHECK_EQ(park_map_with(job, options, fails_twice, NULL, NULL, 0, tries, sizeof *tries, N), PARK_OK);
    for (i = 0; i < N; i++) CHECK_EQ(tries[i], 3);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

struct signal_later { park_handler *job; int after, signal; struct slow *slow; int begun_then; };

static void *signals_later(void *argument)
{
    struct signal_later *later = argument;
    WAIT_UNTIL(later->slow->begun > later->after);
    CHECK_EQ(park_signal(later->job, later->signal), PARK_OK);
    later->begun_then = later->slow->begun;
    return NULL;
}

static void ends_early(int signal, int expected)
{
    enum { N = 100000 };
    static int statuses[N];
    struct slow slow = {1e-3, 0, 0};
    struct signal_later later;
    int64_t begin, end, at, left = 0, i;
    pthread_t thread;
    park_handler *job = attached(2);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_statuses(options, statuses, N), PARK_OK);
    later.job = job; later.after = 50; later.signal = signal; later.slow = &slow;
    thread = spawn(signals_later, &later);
    CHECK_EQ(park_map_with(job, options, slow_item, &slow, NULL, 0, NULL, 0, N), expected);
    join(thread);
    CHECK(slow.begun <= later.begun_then + 2);
    for (at = 0; park_map_items(job, PARK_ITEMS_LEFT, at, &begin, &end) == PARK_OK; at++) {
        left += end - begin;
        for (i = begin; i < end; i++) CHECK_EQ(statuses[i], PARK_NOT_RUN);
    }
    CHECK_EQ(left + slow.begun, N);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 10), expected);   /* it is sticky */
    CHECK_EQ(park_ready(job), expected);
    CHECK_EQ(park_options_free(options), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), expected);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(an_abort_ends_a_map_within_two_items) { ends_early(PARK_ABORT, PARK_ABORTED); }
TEST(a_stop_ends_a_map_too) { ends_early(PARK_STOP, PARK_STOPPED); }

static int saves;
static int save(park_handler *job, int operation, void *user)
{
    (void)job;
    if (operation == PARK_SAVE) saves = ((struct slow *)user)->begun;
    return PARK_OK;
}

TEST(a_stop_does_not_tear_a_map_of_a_job_that_saves)
{
    struct slow slow = {1e-3, 0, 0};
    struct signal_later later;
    pthread_t thread;
    park_handler *job = attached(2);
    CHECK_EQ(park_on_checkpoint(job, save, &slow, NULL), PARK_OK);
    later.job = job; later.after = 10; later.signal = PARK_STOP; later.slow = &slow;
    thread = spawn(signals_later, &later);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 100), PARK_OK);
    join(thread);
    CHECK_EQ(saves, 0);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(saves, 100);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(unless_it_is_fit_for_a_checkpoint_between_its_items)
{
    struct slow slow = {1e-3, 0, 0};
    struct signal_later later;
    pthread_t thread;
    park_handler *job = attached(2);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHECKPOINTS, 1), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, save, &slow, NULL), PARK_OK);
    later.job = job; later.after = 10; later.signal = PARK_STOP; later.slow = &slow;
    thread = spawn(signals_later, &later);
    CHECK_EQ(park_map_with(job, options, slow_item, &slow, NULL, 0, NULL, 0, 100000), PARK_STOPPED);
    join(thread);
    CHECK(saves > 0 && saves == slow.begun);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_options_free(options), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static void *saves_in_a_pause(void *argument)
{
    struct signal_later *later = argument;
    WAIT_UNTIL(later->slow->begun > later->after);
    CHECK_EQ(park_ask(later->job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(saves, 0);
    CHECK_EQ(park_ask(later->job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(saves, 100);
    WAIT_UNTIL(park_state(later->job) == PARK_STATE_PAUSED);
    later->begun_then = later->slow->begun;
    CHECK_EQ(park_ask(later->job, PARK_RESUME, NULL, LONG_TIME, NULL), PARK_OK);
    return NULL;
}

/* The map goes on to its end for it, and the job halts again after it. */
TEST(a_checkpoint_in_a_pause_need_not_wait_for_the_resume)
{
    struct slow slow = {1e-3, 0, 0};
    struct signal_later later;
    pthread_t thread;
    park_handler *job = attached(2);
    saves = 0;
    CHECK_EQ(park_on_checkpoint(job, save, &slow, NULL), PARK_OK);
    later.job = job; later.after = 10; later.signal = 0; later.slow = &slow;
    thread = spawn(saves_in_a_pause, &later);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 100), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);                       /* saves, halts, is let go */
    join(thread);
    CHECK_EQ(later.begun_then, 100);
    CHECK_EQ(saves, 100);
    done(job);
}

struct paused { park_handler *job; struct slow *slow; double seen; };

static void *pauses(void *argument)
{
    struct paused *paused = argument;
    int begun, again;
    for (again = 0; again < 5; again++) {
        int from = paused->slow->begun;
        WAIT_UNTIL(paused->slow->begun > from + 3);
        CHECK_EQ(park_signal(paused->job, PARK_PAUSE), PARK_OK);
        WAIT_UNTIL(park_state(paused->job) == PARK_STATE_PAUSED);
        begun = paused->slow->begun;
        nap(0.02);
        CHECK_EQ(paused->slow->begun, begun);
        CHECK_EQ(park_set_f64(paused->job, "x", begun, LONG_TIME), PARK_OK);
        CHECK_EQ(park_signal(paused->job, PARK_RESUME), PARK_OK);
    }
    return NULL;
}

TEST(a_pause_holds_between_items_and_loses_none)
{
    enum { N = 400 };
    struct slow slow = {1e-3, 0, 0};
    struct paused paused;
    double x = 0;
    pthread_t thread;
    park_handler *job = attached(2);
    CHECK_EQ(park_expose_f64(job, "x", &x, -INFINITY, INFINITY), PARK_OK);
    paused.job = job; paused.slow = &slow;
    thread = spawn(pauses, &paused);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, N), PARK_OK);
    join(thread);
    CHECK_EQ(slow.begun, N);
    CHECK(x > 0);
    done(job);
}

struct steered { atomic_int inside, torn; double x; };

static int reads_x(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct steered *steered = user;
    double before;
    (void)job; (void)in; (void)out; (void)index;
    before = steered->x;                      /* a race, if it were written meanwhile: the sanitizers would see it */
    busy(2e-4);
    if (steered->x != before) atomic_store(&steered->torn, 1);
    return 0;
}

static void *steers(void *argument)
{
    park_handler *job = argument;
    int k;
    for (k = 1; k <= 20; k++) CHECK_EQ(park_set_f64(job, "x", k, LONG_TIME), PARK_OK);
    return NULL;
}

TEST(requests_are_served_while_no_thread_is_inside_an_item)
{
    struct steered steered = {0};
    pthread_t thread;
    park_handler *job = attached(2);
    CHECK_EQ(park_expose_f64(job, "x", &steered.x, -INFINITY, INFINITY), PARK_OK);
    thread = spawn(steers, job);
    while (steered.x < 20) CHECK_EQ(park_map(job, reads_x, &steered, NULL, 0, NULL, 0, 100), PARK_OK);
    join(thread);
    CHECK_EQ(steered.torn, 0);
    done(job);
}

static pthread_t caller;
static atomic_int heard;
static int on_progress(park_handler *job, double finished, double total, double left, void *user)
{
    (void)job; (void)left; (void)user;
    CHECK(pthread_equal(pthread_self(), caller));
    CHECK(finished >= 0 && finished <= total && total == 300);
    atomic_fetch_add(&heard, 1);
    return 0;
}

static int improves(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    double value = 1000.0 - (double)index;
    (void)in; (void)out; (void)user;
    busy(1e-3);
    CHECK_EQ(park_improved(job, value, &index, sizeof index), PARK_OK);
    return 0;
}

TEST(progress_is_counted_and_events_come_on_the_calling_thread_while_it_runs)
{
    double best;
    park_handler *job = attached(2);
    park_client *client = park_client_new(job, PARK_EVENT_IMPROVED);
    park_options *options = park_options_new();
    int improved = 0;
    park_event *event;
    caller = pthread_self();
    CHECK(park_on_progress(job, on_progress, NULL, NULL) > 0);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0.01), PARK_OK);
    CHECK_EQ(park_options_set(options, PARK_OPTION_PROGRESS, 1), PARK_OK);
    CHECK_EQ(park_map_with(job, options, improves, NULL, NULL, 0, NULL, 0, 300), PARK_OK);
    CHECK(heard >= 2);
    CHECK(park_best(job, &best, NULL, 0) > 0);
    while (park_next_event(client, 0, &event) == PARK_OK) { improved++; park_event_free(event); }
    CHECK_EQ(improved, 300);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static int inner_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)index; (void)job;
    atomic_fetch_add((atomic_int *)user, 1);
    if (index % 16 == 0) busy(2e-5);
    return 0;
}

static int middle_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out;
    return park_map(job, inner_item, user, NULL, 0, NULL, 0, 50 + index % 3);
}

static int outer_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)index;
    return park_map(job, middle_item, user, NULL, 0, NULL, 0, 9);
}

TEST(maps_in_maps_end)
{
    atomic_int count = 0;
    int again;
    park_handler *job = attached(4);
    for (again = 0; again < 20; again++) {
        count = 0;
        CHECK_EQ(park_map(job, outer_item, &count, NULL, 0, NULL, 0, 20), PARK_OK);
        CHECK_EQ(count, 20 * 3 * (50 + 51 + 52));
    }
    done(job);
}

static int calls_back(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    int status = *(int *)user;
    (void)in; (void)out; (void)index;
    CHECK(park_handler_free(job) == (park_worker(job) ? PARK_BUSY : PARK_REENTRANT));
    CHECK(park_detach(job) == (park_worker(job) ? PARK_WRONG_THREAD : PARK_REENTRANT));
    CHECK_EQ(park_wait(job, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK_EQ(park_set_f64(job, "x", 1, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK(park_attach(job) < 0);
    park_ready(job);                          /* 0, or PARK_REENTRANT, PARK_WRONG_THREAD when something is pending */
    busy(1e-4);
    return status;
}

TEST(an_item_that_calls_back_gets_a_status)
{
    int code = 0;
    park_handler *job = attached(3);
    CHECK_EQ(park_map(job, calls_back, &code, NULL, 0, NULL, 0, 200), PARK_OK);
    done(job);
}

TEST(what_is_not_right_is_refused_with_a_sentence)
{
    int64_t begin, end;
    int out[4];
    park_handler *job = new_job();
    park_options *options = park_options_new();
    CHECK_EQ(park_map(job, count_item, NULL, NULL, 0, NULL, 0, 1), PARK_NOT_RUNNING);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_map(job, NULL, NULL, NULL, 0, NULL, 0, 1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "fn");
    CHECK_EQ(park_map(job, count_item, NULL, NULL, 0, out, 4, -1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "n:");
    CHECK_EQ(park_map(job, count_item, NULL, out, -4, out, 4, 1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "in_stride");
    CHECK_EQ(park_map(job, count_item, NULL, NULL, 0, out, INT64_MAX, 2), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_for(job, 1, 0, count_stretch, NULL), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_map_with(job, (park_options *)out, count_item, NULL, NULL, 0, out, 4, 4), PARK_INVALID_HANDLE);
    CHECK_EQ(park_options_set(options, 99, 1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_options_set(options, PARK_OPTION_GO_ON, 2), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHUNK, -1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_options_statuses(options, out, 3), PARK_OK);
    CHECK_EQ(park_map_with(job, options, count_item, NULL, NULL, 0, out, 4, 4), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "statuses");
    CHECK_EQ(park_set_workers(job, -1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_map_items(job, 4, 0, &begin, &end), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_LEFT, -1, &begin, &end), PARK_UNKNOWN);
    CHECK_EQ(park_options_free(options), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_INVALID_HANDLE);
    CHECK_EQ(park_options_free(NULL), PARK_OK);
    done(job);
}

struct local { atomic_int entered, left, destroyed, sum; };

static void *enter(park_handler *job, int worker, void *user)
{
    CHECK_EQ(worker, park_worker(job));
    atomic_fetch_add(&((struct local *)user)->entered, 1);
    return calloc(1, sizeof(int));
}

static void leave(park_handler *job, int worker, void *local, void *user)
{
    (void)job; (void)worker;
    atomic_fetch_add(&((struct local *)user)->sum, *(int *)local);
    atomic_fetch_add(&((struct local *)user)->left, 1);
    free(local);
}

static void destroy_local(void *user) { atomic_fetch_add(&((struct local *)user)->destroyed, 1); }

static int adds_locally(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)index; (void)user;
    *(int *)park_worker_local(job) += 1;
    busy(1e-5);
    return 0;
}

TEST(hooks_give_each_thread_a_state_of_its_own)
{
    struct local local = {0};
    park_handler *job = attached(3);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_hooks(options, enter, leave, &local, destroy_local), PARK_OK);
    CHECK_EQ(park_map_with(job, options, adds_locally, NULL, NULL, 0, NULL, 0, 5000), PARK_OK);
    CHECK_EQ(local.sum, 5000);
    CHECK_EQ(local.entered, local.left);
    CHECK(park_worker_local(job) == NULL);
    CHECK_EQ(local.destroyed, 0);
    CHECK_EQ(park_options_free(options), PARK_OK);
    CHECK_EQ(local.destroyed, 1);
    done(job);
}

static int rounding_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)index; (void)user;
    *(int *)out = fegetround();
    busy(1e-5);
    return 0;
}

TEST(workers_round_as_the_caller_does)
{
    enum { N = 2000 };
    static int out[N];
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    int mode, i;
    park_handler *job = attached(2);
    for (mode = 0; mode < 4; mode++) {
        fesetround(modes[mode]);
        CHECK_EQ(park_map(job, rounding_item, NULL, NULL, 0, out, sizeof *out, N), PARK_OK);
        fesetround(FE_TONEAREST);
        for (i = 0; i < N; i++) CHECK_EQ(out[i], modes[mode]);
    }
    done(job);
}

static int uses_stack(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    volatile char big[16 << 20];
    size_t i;
    (void)job; (void)in; (void)user;
    for (i = 0; i < sizeof big; i += 4096) big[i] = (char)index;
    *(int *)out = big[4096 * (index % 100)];
    return 0;
}

static int deep_map(park_handler *job, void *request)
{
    return park_map(job, uses_stack, NULL, NULL, 0, request, sizeof(int), 50);
}

TEST(workers_have_room_for_large_local_arrays)
{
    static int out[50];
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_set_workers(job, 3), PARK_OK);
    CHECK_EQ(park_start(job, deep_map, out, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    for (i = 0; i < 50; i++) CHECK_EQ(out[i], i);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int shared_scratch[64];
static int races(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    int i, sum = 0;
    (void)job; (void)in; (void)user;
    for (i = 0; i < 64; i++) __atomic_store_n(&shared_scratch[i], (int)index, __ATOMIC_RELAXED);
    busy(2e-5);
    for (i = 0; i < 64; i++) sum += __atomic_load_n(&shared_scratch[i], __ATOMIC_RELAXED);
    *(int *)out = sum;
    return 0;
}

TEST(the_checking_mode_finds_memory_that_threads_share)
{
    enum { N = 3000 };
    static int out[N];
    int64_t begin, end;
    int i;
    park_event *event;
    park_handler *job = attached(2);
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    park_options *options = park_options_new();
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHECK, 1), PARK_OK);
    CHECK_EQ(park_map_with(job, options, races, NULL, NULL, 0, out, sizeof *out, N), PARK_DIFFERS);
    CHECK_MENTIONS(error_of(job), "came out differently");
    event = next_event(client);
    CHECK_MENTIONS(text_of(event), "came out differently");
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_DIFFER, 0, &begin, &end), PARK_OK);
    CHECK(begin >= 0 && begin < end && end <= N);
    for (i = 0; i < N; i++) CHECK_EQ(out[i], 64 * i);         /* what stays is right */
    CHECK_EQ(park_map_with(job, options, rounding_item, NULL, NULL, 0, out, sizeof *out, N), PARK_OK);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_DIFFER, 0, &begin, &end), PARK_UNKNOWN);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static void *maps_alone(void *argument)
{
    enum { N = 3000 };
    atomic_int counts[N];
    int again, i;
    park_handler *job = attached(3);
    (void)argument;
    memset(counts, 0, sizeof counts);
    for (again = 1; again <= 50; again++) {
        CHECK_EQ(park_map(job, count_item, NULL, NULL, 0, counts, sizeof *counts, N), PARK_OK);
        for (i = 0; i < N; i++) CHECK_EQ(counts[i], again);
    }
    done(job);
    return NULL;
}

TEST(maps_of_several_jobs_go_on_at_once)
{
    pthread_t threads[4];
    int i;
    for (i = 0; i < 4; i++) threads[i] = spawn(maps_alone, NULL);
    for (i = 0; i < 4; i++) join(threads[i]);
}

static int handle_signal_seen;
static void on_user_signal(int number) { (void)number; handle_signal_seen = pthread_equal(pthread_self(), caller) ? 1 : 2; }

TEST(workers_take_no_signal)
{
    struct slow slow = {1e-3, 0, 0};
    struct sigaction action;
    park_handler *job = attached(3);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_user_signal;
    sigaction(SIGUSR1, &action, NULL);
    caller = pthread_self();
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 20), PARK_OK);
    kill(getpid(), SIGUSR1);
    WAIT_UNTIL(handle_signal_seen);
    CHECK_EQ(handle_signal_seen, 1);
    done(job);
}

TEST(a_forked_child_is_refused)
{
    struct slow slow = {1e-4, 0, 0};
    int status;
    pid_t child;
    park_handler *job;
    if (strcmp(check_under(), "valgrind") == 0) return;       /* it would count the child's copy as leaked */
    job = attached(2);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 100), PARK_OK);
    fflush(NULL);
    child = fork();
    if (child == 0) _exit(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 100) == PARK_FORKED ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_EQ(park_map(job, slow_item, &slow, NULL, 0, NULL, 0, 100), PARK_OK);
    done(job);
}

static const struct check_test tests[] = {
    CASE(every_item_is_done_once_and_no_other), CASE(a_loop_may_begin_below_zero), CASE(a_loop_may_have_billions_of_items),
    CASE(the_results_are_the_same_bits_with_any_number_of_threads), CASE(all_threads_take_part),
    CASE(the_first_failure_ends_the_map_unless_it_is_to_go_on), CASE(an_item_that_fails_is_tried_again),
    CASE(an_abort_ends_a_map_within_two_items), CASE(a_stop_ends_a_map_too),
    CASE(a_stop_does_not_tear_a_map_of_a_job_that_saves), CASE(unless_it_is_fit_for_a_checkpoint_between_its_items),
    CASE(a_checkpoint_in_a_pause_need_not_wait_for_the_resume), CASE(a_pause_holds_between_items_and_loses_none), CASE(requests_are_served_while_no_thread_is_inside_an_item),
    CASE(progress_is_counted_and_events_come_on_the_calling_thread_while_it_runs), CASE(maps_in_maps_end),
    CASE(an_item_that_calls_back_gets_a_status), CASE(what_is_not_right_is_refused_with_a_sentence),
    CASE(hooks_give_each_thread_a_state_of_its_own), CASE(workers_round_as_the_caller_does),
    CASE(workers_have_room_for_large_local_arrays), CASE(the_checking_mode_finds_memory_that_threads_share),
    CASE(maps_of_several_jobs_go_on_at_once), CASE(workers_take_no_signal), CASE(a_forked_child_is_refused),
};
CHECK_MAIN(tests)
