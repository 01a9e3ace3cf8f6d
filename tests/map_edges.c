/* Maps at their edges: what is large, what fails, who calls too early or too late, and a child made by fork in an item.
 *   cc -std=c11 -pthread -Iinclude tests/map_edges.c -Ltarget/release -lpark -lm -Wl,-rpath,target/release -o edges && ./edges */
#include "maps.h"
#include <fenv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static park_options *with_option(int which, int64_t value)
{
    park_options *options = park_options_new();
    CHECK_EQ(park_options_set(options, which, value), PARK_OK);
    return options;
}

static int short_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)out; (void)index; (void)user;
    busy(5e-5);
    return 0;
}

static int abort_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    (void)begin; (void)end; (void)user;
    return park_signal(job, PARK_ABORT);
}

TEST(a_loop_that_is_to_go_on_until_an_abort_ends_at_once)
{
    double began;
    int64_t begin, end;
    park_handler *job = attached(2);
    began = now();
    CHECK_EQ(park_for(job, 0, INT64_MAX, abort_stretch, NULL), PARK_ABORTED);
    CHECK(now() - began < 1);
    CHECK_EQ(park_map_items(job, PARK_ITEMS_LEFT, 0, &begin, &end), PARK_OK);
    CHECK(begin < end);
    done(job);
}

static int fail_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    (void)job; (void)begin; (void)end; (void)user;
    return 9;
}

TEST(items_that_no_number_can_count_are_refused)
{
    int64_t begin = -1, end = -1, at = 0;
    park_handler *job = attached(2);
    CHECK_EQ(park_for(job, INT64_MIN, INT64_MAX, fail_stretch, NULL), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "end");
    CHECK_EQ(park_for(job, INT64_MIN, 0, fail_stretch, NULL), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_for(job, INT64_MIN, -1, fail_stretch, NULL), PARK_FAILED);
    /* What failed may be a stretch in the middle. */
    while (park_map_items(job, PARK_ITEMS_LEFT, at, &begin, &end) == PARK_OK && end < INT64_MAX) at++;
    CHECK_EQ(end, INT64_MAX);
    done(job);
}

struct failing { atomic_int aborted; atomic_long calls, begun_after; };

/* Short items at first, so that many are taken at once; then long ones, all of which fail. */
static int fail_late(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct failing *failing = user;
    (void)in; (void)out;
    if (index < 200000) return 0;
    if (atomic_load(&failing->aborted)) atomic_fetch_add(&failing->begun_after, 1);
    busy(1e-3);
    if (!atomic_exchange(&failing->aborted, 1)) park_signal(job, PARK_ABORT);
    return 5;
}

TEST(an_abort_is_seen_among_items_that_fail)
{
    struct failing failing = {0, 0, 0};
    park_handler *job = attached(1);
    park_options *options = with_option(PARK_OPTION_GO_ON, 1);
    CHECK_EQ(park_map_with(job, options, fail_late, &failing, NULL, 0, NULL, 0, 400000), PARK_ABORTED);
    CHECK(failing.begun_after <= 2);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static int never_done(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)index;
    if (atomic_fetch_add(&((struct failing *)user)->calls, 1) == 2) park_signal(job, PARK_ABORT);
    return 5;
}

TEST(an_abort_ends_the_tries_of_an_item)
{
    struct failing failing = {0, 0, 0};
    park_handler *job = attached(1);
    park_options *options = with_option(PARK_OPTION_RETRIES, 1000000);
    park_map_with(job, options, never_done, &failing, NULL, 0, NULL, 0, 4);
    CHECK(failing.calls <= 5);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static park_options *shared_options;

static void *call_from_a_wrong_thread(void *job)
{
    CHECK_EQ(park_map_with(job, shared_options, short_item, NULL, NULL, 0, NULL, 0, 4), PARK_WRONG_THREAD);
    return NULL;
}

TEST(a_call_that_is_refused_leaves_the_statuses_alone)
{
    int statuses[4], i;
    park_handler *job = attached(2);
    shared_options = park_options_new();
    CHECK_EQ(park_options_statuses(shared_options, statuses, 4), PARK_OK);
    CHECK_EQ(park_map_with(job, shared_options, short_item, NULL, NULL, 0, NULL, 0, 4), PARK_OK);
    join(spawn(call_from_a_wrong_thread, job));
    for (i = 0; i < 4; i++) CHECK_EQ(statuses[i], 0);
    CHECK_EQ(park_options_free(shared_options), PARK_OK);
    done(job);
}

static int check_worker(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)index;
    if (park_worker(job) >= park_workers(job)) atomic_fetch_add((atomic_int *)user, 1);
    busy(2e-5);
    return 0;
}

TEST(no_worker_has_a_number_beyond_how_many_there_are)
{
    atomic_int beyond = 0;
    int i;
    park_handler *job = attached(4);
    park_imap *imap = park_imap_array(job, NULL, short_item, NULL, NULL, 0, 100000, 0);
    for (i = 0; i < 200; i++) CHECK_EQ(park_imap_next(imap, PARK_FOREVER, NULL, NULL, NULL), PARK_OK);
    for (i = 0; i < scaled(100); i++) {
        CHECK_EQ(park_set_workers(job, i % 2 ? 4 : 1), PARK_OK);
        CHECK_EQ(park_map(job, check_worker, &beyond, NULL, 0, NULL, 0, 50), PARK_OK);
        CHECK_EQ(park_imap_next(imap, PARK_FOREVER, NULL, NULL, NULL), PARK_OK);
    }
    CHECK_EQ(beyond, 0);
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    done(job);
}

/* Two items, of which the caller's ends and the worker's calls another map: the caller helps with that one. */
struct nested { atomic_int worker_is_there, caller_is_inside; atomic_long by_caller, by_worker; double before; long items; };

static int inner_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct nested *nested = user;
    (void)in; (void)out; (void)index;
    busy(5e-4);
    if (park_worker(job) == 0) {
        atomic_fetch_add(&nested->by_caller, 1);
        atomic_store(&nested->caller_is_inside, 1);
    } else {
        atomic_fetch_add(&nested->by_worker, 1);
    }
    return 0;
}

static int outer_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct nested *nested = user;
    int status;
    (void)in; (void)out; (void)index;
    if (park_worker(job) == 0) {
        WAIT_UNTIL(atomic_load(&nested->worker_is_there));
        return 0;
    }
    atomic_store(&nested->worker_is_there, 1);
    nap(nested->before);
    fesetround(FE_UPWARD);
    status = park_map(job, inner_item, nested, NULL, 0, NULL, 0, nested->items);
    fesetround(FE_TONEAREST);
    return status;
}

TEST(a_caller_that_sleeps_wakes_for_a_map_inside_and_keeps_its_rounding)
{
    struct nested nested = {0, 0, 0, 0, 0.02, 400};
    park_handler *job = attached(2);
    CHECK_EQ(park_map(job, outer_item, &nested, NULL, 0, NULL, 0, 2), PARK_OK);
    CHECK(nested.by_caller > 20);
    CHECK_EQ(nested.by_caller + nested.by_worker, 400);
    CHECK_EQ(fegetround(), FE_TONEAREST);
    done(job);
}

struct pauser { park_handler *job; struct nested *nested; };

static void *pause_and_resume(void *argument)
{
    struct pauser *pauser = argument;
    int i;
    for (i = 0; i < 5; i++) {
        long before;
        WAIT_UNTIL(atomic_load(&pauser->nested->caller_is_inside));
        CHECK_EQ(park_signal(pauser->job, PARK_PAUSE), PARK_OK);
        WAIT_UNTIL(park_state(pauser->job) == PARK_STATE_PAUSED);
        before = pauser->nested->by_caller + pauser->nested->by_worker;
        nap(0.01);
        CHECK_EQ(pauser->nested->by_caller + pauser->nested->by_worker, before);
        atomic_store(&pauser->nested->caller_is_inside, 0);
        CHECK_EQ(park_signal(pauser->job, PARK_RESUME), PARK_OK);
    }
    return NULL;
}

TEST(a_pause_halts_a_caller_that_helps_with_a_map_inside)
{
    struct nested nested = {0, 0, 0, 0, 0.0, 1000};
    struct pauser pauser = {attached(2), &nested};
    pthread_t thread = spawn(pause_and_resume, &pauser);
    CHECK_EQ(park_map(pauser.job, outer_item, &nested, NULL, 0, NULL, 0, 2), PARK_OK);
    join(thread);
    CHECK_EQ(nested.by_caller + nested.by_worker, 1000);
    done(pauser.job);
}

struct forking { pid_t parent; _Atomic pid_t child; atomic_int forked; };

/* The child goes back to park out of the item, as a library that forks deep inside would. */
static int fork_in_an_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct forking *forking = user;
    (void)job; (void)in; (void)out;
    if (index == 3 && !atomic_exchange(&forking->forked, 1)) {
        pid_t child = fork();
        if (child > 0) atomic_store(&forking->child, child);
    }
    busy(1e-4);
    return 0;
}

static void fork_in(int imap)
{
    int round;
    park_handler *job;
    if (strcmp(check_under(), "") != 0) check_not_run("the child's copy would count as leaked");
    job = attached(2);
    for (round = 0; round < 20; round++) {
        struct forking forking = {getpid(), 0, 0};
        int status = PARK_OK, wait_status = -1;
        fflush(NULL);
        if (imap) {
            park_imap *results = park_imap_array(job, NULL, fork_in_an_item, &forking, NULL, 0, 200, 0);
            while ((status = park_imap_next(results, PARK_FOREVER, NULL, NULL, NULL)) == PARK_OK) {}
            if (getpid() != forking.parent) _exit(status == PARK_FORKED ? 0 : 1);
            CHECK_EQ(status, PARK_END);
            CHECK_EQ(park_imap_free(results), PARK_OK);
        } else {
            status = park_map(job, fork_in_an_item, &forking, NULL, 0, NULL, 0, 200);
            if (getpid() != forking.parent) _exit(status == PARK_FORKED ? 0 : 1);
            CHECK_EQ(status, PARK_OK);
        }
        CHECK(forking.child > 0);
        WAIT_UNTIL(waitpid(forking.child, &wait_status, WNOHANG) == forking.child);
        CHECK_EQ(wait_status, 0);
    }
    done(job);
}

TEST(a_child_made_in_an_item_of_a_map_does_not_hang) { fork_in(0); }
TEST(a_child_made_in_an_item_of_an_imap_does_not_hang) { fork_in(1); }

TEST(hooks_are_destroyed_when_the_imap_is_freed)
{
    long round;
    park_handler *job = attached(2);
    for (round = 0; round < scaled(500); round++) {
        atomic_int destroyed = 0;
        park_options *options = park_options_new();
        park_imap *imap;
        CHECK_EQ(park_options_hooks(options, NULL, NULL, &destroyed, count_destroy), PARK_OK);
        imap = park_imap_array(job, options, short_item, NULL, NULL, 0, 20, 0);
        CHECK_EQ(park_imap_next(imap, PARK_FOREVER, NULL, NULL, NULL), PARK_OK);
        CHECK_EQ(park_options_free(options), PARK_OK);
        CHECK_EQ(destroyed, 0);
        CHECK_EQ(park_imap_free(imap), PARK_OK);
        CHECK_EQ(destroyed, 1);
    }
    done(job);
}

TEST(the_checking_mode_says_when_it_has_no_memory)
{
    enum { GIGABYTES = 16 };
    size_t bytes = (size_t)GIGABYTES << 30;
    struct rlimit limit = {(size_t)18 << 30, (size_t)18 << 30};
    park_handler *job;
    park_options *options;
    char *memory;
    if (*check_under()) check_not_run("the address space is not ours");
    job = attached(1);
    options = with_option(PARK_OPTION_CHECK, 1);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || setrlimit(RLIMIT_AS, &limit) != 0) check_not_run("no such address space");
    CHECK_EQ(park_map_with(job, options, short_item, NULL, NULL, 0, memory, INT64_C(1) << 30, GIGABYTES), PARK_NO_MEMORY);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static double processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

TEST(workers_spin_after_maps_that_ask_for_it_and_no_others)
{
    double before;
    park_handler *job = attached(2);
    park_options *options = with_option(PARK_OPTION_SPIN, 5000000);
    CHECK_EQ(park_map_with(job, options, short_item, NULL, NULL, 0, NULL, 0, 400), PARK_OK);
    CHECK_EQ(park_map(job, short_item, NULL, NULL, 0, NULL, 0, 400), PARK_OK);
    nap(0.1);
    before = processor_time();
    nap(0.3);
    CHECK(processor_time() - before < 0.1);
    CHECK_EQ(park_options_free(options), PARK_OK);
    done(job);
}

static const struct check_test tests[] = {
    CASE(a_loop_that_is_to_go_on_until_an_abort_ends_at_once), CASE(items_that_no_number_can_count_are_refused),
    CASE(an_abort_is_seen_among_items_that_fail), CASE(an_abort_ends_the_tries_of_an_item),
    CASE(a_call_that_is_refused_leaves_the_statuses_alone), CASE(no_worker_has_a_number_beyond_how_many_there_are),
    CASE(a_caller_that_sleeps_wakes_for_a_map_inside_and_keeps_its_rounding),
    CASE(a_pause_halts_a_caller_that_helps_with_a_map_inside), CASE(a_child_made_in_an_item_of_a_map_does_not_hang),
    CASE(a_child_made_in_an_item_of_an_imap_does_not_hang), CASE(hooks_are_destroyed_when_the_imap_is_freed),
    CASE(the_checking_mode_says_when_it_has_no_memory), CASE(workers_spin_after_maps_that_ask_for_it_and_no_others),
};
CHECK_MAIN(tests)
