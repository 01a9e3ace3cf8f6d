/* The storm over maps and imaps: two jobs at once, random aborts, stops, pauses, failures, retries, nesting, chunks, workers and
 * frees at any moment. Every item must be done once, or be told as not begun, and results must come in order.
 *   storm_maps COUNT          as many maps and imaps
 *   storm_maps COUNT FAULT    with a planted fault that must be found: lose, twice (in maps), again (in imaps), swap, stay */
#include "job.h"
#include <sys/resource.h>

enum { JOBS = 2, MOST = 600, CODE = 77 };

static const char *fault = "";
static atomic_int over;
static _Atomic(park_handler *) jobs[JOBS];

/* What one of the two does. */
struct storm {
    int number;
    long rounds;
    uint64_t random;
    park_handler *job;
    park_options *options;
    int64_t n, fails, nests;
    int retries, ordered;
    int64_t yielded;          /* by the source of the imap at hand */
    atomic_int inside, runs[MOST], inner;
    int statuses[MOST];
    long maps, loops, imaps, items, aborted, stopped, failed, freed_early, handlers;
};

static unsigned roll(uint64_t *random, unsigned below)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*random >> 33) % below;
}

static int is(const char *name) { return strcmp(fault, name) == 0; }

/* ---- items ---------------------------------------------------------------------------------------- */

static int inner_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)out; (void)index;
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

static int do_item(park_handler *job, struct storm *storm, int64_t index)
{
    volatile int spin = index % 61 == 0 ? 5000 : 0;
    int status = 0;
    atomic_fetch_add(&storm->inside, 1);
    if (!(is("lose") && index == 99)) atomic_fetch_add(&storm->runs[index], 1);
    while (spin > 0) spin--;
    if (index == storm->fails) status = CODE;
    else if (index == storm->nests) status = park_map(job, inner_item, &storm->inner, NULL, 0, NULL, 0, 20);
    if (!(is("stay") && index == 99)) atomic_fetch_sub(&storm->inside, 1); /* as if it were still inside after the end */
    return status;
}

static int map_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct storm *storm = user;
    (void)in; (void)out;
    if (is("twice") && index == 99) atomic_fetch_add(&storm->runs[index], 1);
    return do_item(job, storm, index);
}

static int for_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    struct storm *storm = user;
    int64_t i;
    (void)job;
    for (i = begin; i < end; i++) atomic_fetch_add(&storm->runs[i], 1);
    return 0;
}

static int source(park_handler *job, void *item, int64_t index, void *user)
{
    struct storm *storm = user;
    (void)job;
    CHECK_EQ(index, storm->yielded);
    if (index == storm->n) return PARK_END;
    storm->yielded++;
    *(int64_t *)item = index;
    return 0;
}

static int imap_item(park_handler *job, const void *item, void *result, int64_t index, void *user)
{
    struct storm *storm = user;
    CHECK_EQ(*(const int64_t *)item, index);
    *(int64_t *)result = 3 * index;
    if (is("again") && index == 99) atomic_fetch_add(&storm->runs[index], 1);
    return do_item(job, storm, index);
}

/* ---- rounds --------------------------------------------------------------------------------------- */

static void count_end(struct storm *storm, int status)
{
    CHECK(status == PARK_OK || status == PARK_END || status == PARK_ABORTED || status == PARK_STOPPED || status == PARK_FAILED);
    storm->aborted += status == PARK_ABORTED;
    storm->stopped += status == PARK_STOPPED;
    storm->failed += status == PARK_FAILED;
}

/* How often an item ran that was begun: again and again, when it failed. */
static int runs_of(const struct storm *storm, int64_t index, int status)
{
    return status == CODE && index == storm->fails ? 1 + storm->retries : 1;
}

static int run_map(struct storm *storm)
{
    int status;
    int64_t i;
    storm->maps++;
    CHECK_EQ(park_options_statuses(storm->options, storm->statuses, storm->n), PARK_OK);
    status = park_map_with(storm->job, storm->options, map_item, storm, NULL, 0, NULL, 0, storm->n);
    CHECK_EQ(atomic_load(&storm->inside), 0);
    for (i = 0; i < storm->n; i++) {
        int begun = storm->statuses[i] != PARK_NOT_RUN, runs = storm->runs[i];
        /* Broken off by an abort, it may not have been tried again. */
        CHECK(begun ? runs >= 1 && runs <= runs_of(storm, i, storm->statuses[i]) : runs == 0);
        CHECK(status != PARK_OK || storm->statuses[i] == 0);
        storm->items += begun;
    }
    CHECK_EQ(park_options_statuses(storm->options, NULL, 0), PARK_OK);
    return status;
}

static int run_for(struct storm *storm)
{
    int64_t i, begin, end;
    int status, left[MOST] = {0};
    storm->loops++;
    status = park_for_with(storm->job, storm->options, 0, storm->n, for_stretch, storm);
    for (i = 0; park_map_items(storm->job, PARK_ITEMS_LEFT, i, &begin, &end) == PARK_OK; i++)
        for (; begin < end; begin++) left[begin]++;
    for (i = 0; i < storm->n; i++) CHECK_EQ(storm->runs[i] + left[i], 1);
    storm->items += storm->n;
    return status;
}

static int run_imap(struct storm *storm)
{
    int64_t most = roll(&storm->random, 4) == 0 ? (int64_t)roll(&storm->random, 20) : MOST, taken = 0, index, result = 0, told = 0;
    int status = PARK_OK, seen[MOST] = {0}, item_status;
    park_imap *imap;
    storm->imaps++;
    storm->yielded = 0;
    imap = park_imap_new(storm->job, storm->options, imap_item, storm, source, storm, sizeof(int64_t), sizeof(int64_t));
    CHECK(imap != NULL);
    while (taken < most && (status = park_imap_next(imap, PARK_FOREVER, &result, &index, &item_status)) == PARK_OK) {
        if (is("swap") && taken == 99) index++;
        CHECK(index >= 0 && index < storm->n && result == 3 * index);
        CHECK(!storm->ordered || index == taken);
        CHECK_EQ(seen[index]++, 0);
        taken++;
    }
    if (status != PARK_OK && status != PARK_END && roll(&storm->random, 2) == 0) {
        /* Ended early: the rest, told one by one; the failed item that ended it is among neither. */
        while (park_imap_rest(imap, NULL, &index, NULL) == PARK_OK) {
            CHECK_EQ(seen[index]++, 0);
            told++;
        }
        CHECK(taken + told == storm->yielded || (status == PARK_FAILED && taken + told + 1 == storm->yielded));
    }
    storm->freed_early += status == PARK_OK;
    CHECK_EQ(park_imap_free(imap), PARK_OK);
    CHECK_EQ(atomic_load(&storm->inside), 0);
    for (index = 0; index < storm->n; index++) {
        CHECK(storm->runs[index] <= 1 + (index == storm->fails ? storm->retries : 0));
        CHECK(seen[index] <= 1);
        storm->items += storm->runs[index] > 0;
    }
    CHECK(status != PARK_END || taken == storm->n);
    return status == PARK_OK ? PARK_END : status;
}

static void choose(struct storm *storm)
{
    uint64_t *random = &storm->random;
    int i;
    storm->n = roll(random, MOST);
    storm->fails = roll(random, 5) == 0 ? (int64_t)roll(random, MOST) : -1;
    storm->nests = roll(random, 5) == 0 ? (int64_t)roll(random, MOST) : -1;
    storm->retries = (int)roll(random, 3);
    storm->ordered = (int)roll(random, 2);
    for (i = 0; i < MOST; i++) storm->runs[i] = 0;
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_GO_ON, roll(random, 2)), PARK_OK);
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_RETRIES, storm->retries), PARK_OK);
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_AS_COMPLETED, !storm->ordered), PARK_OK);
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_IN_FLIGHT, 1 + roll(random, 200)), PARK_OK);
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_CHUNK, roll(random, 4) == 0 ? roll(random, 100) : 0), PARK_OK);
    CHECK_EQ(park_options_set(storm->options, PARK_OPTION_WORKERS, roll(random, 4)), PARK_OK);
}

static void *run_storm(void *argument)
{
    struct storm *storm = argument;
    long round;
    storm->options = park_options_new();
    for (round = 0; round < storm->rounds; round++) {
        int status, kind;
        if (!storm->job) {
            storm->job = park_handler_new("storm");
            CHECK(storm->job != NULL);
            CHECK_EQ(park_set_workers(storm->job, 1 + roll(&storm->random, 4)), PARK_OK);
            CHECK_EQ(park_attach(storm->job), PARK_OK);
            jobs[storm->number] = storm->job;
            storm->handlers++;
        }
        choose(storm);
        kind = (int)roll(&storm->random, 5);
        status = kind < 2 ? run_map(storm) : kind == 2 ? run_for(storm) : run_imap(storm);
        count_end(storm, status);
        if (status == PARK_ABORTED || status == PARK_STOPPED || roll(&storm->random, 100) == 0) {
            CHECK_EQ(park_detach(storm->job), PARK_OK);
            if (roll(&storm->random, 4) == 0) {
                jobs[storm->number] = NULL;
                CHECK_EQ(park_handler_free(storm->job), PARK_OK);
                storm->job = NULL;
            } else {
                CHECK_EQ(park_attach(storm->job), PARK_OK);
            }
        }
    }
    jobs[storm->number] = NULL;
    if (storm->job) {
        CHECK_EQ(park_detach(storm->job), PARK_OK);
        CHECK_EQ(park_handler_free(storm->job), PARK_OK);
    }
    CHECK_EQ(park_options_free(storm->options), PARK_OK);
    return NULL;
}

static void *send_signals(void *unused)
{
    uint64_t random = 12345;
    while (!over) {
        park_handler *job = jobs[roll(&random, JOBS)];
        unsigned choice = roll(&random, 40);
        if (job) {
            park_signal(job, choice == 0 ? PARK_ABORT : choice == 1 ? PARK_STOP : choice < 6 ? PARK_PAUSE : PARK_RESUME);
            if (choice < 6) park_signal(job, PARK_RESUME);
        }
        if (choice % 8 == 0) nap(1e-5);
    }
    return unused;
}

static long memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
    static struct storm storms[JOBS];
    long count = argc > 1 ? atol(argv[1]) : 1000, maps = 0, loops = 0, imaps = 0, items = 0, aborted = 0, stopped = 0, failed = 0;
    long freed_early = 0, handlers = 0, warm;
    pthread_t signals, threads[JOBS];
    int i, part;
    double began = now();
    if (argc > 2) fault = argv[2];
    signals = spawn(send_signals, NULL);
    for (part = 0, warm = 0; part < 2; part++) { /* a tenth to warm up, then the rest */
        for (i = 0; i < JOBS; i++) {
            storms[i].number = i;
            storms[i].job = NULL;
            storms[i].random = 1000 + 10 * (uint64_t)i + (uint64_t)part;
            storms[i].rounds = (part ? count - count / 10 : count / 10) / JOBS;
            threads[i] = spawn(run_storm, &storms[i]);
        }
        for (i = 0; i < JOBS; i++) join(threads[i]);
        if (part == 0) warm = memory();
    }
    over = 1;
    join(signals);
    for (i = 0; i < JOBS; i++) {
        maps += storms[i].maps, loops += storms[i].loops, imaps += storms[i].imaps, items += storms[i].items;
        aborted += storms[i].aborted, stopped += storms[i].stopped, failed += storms[i].failed;
        freed_early += storms[i].freed_early, handlers += storms[i].handlers;
    }
    printf("%ld maps, %ld loops and %ld imaps of %ld items in %.1f s, of %ld handlers, two at once\n", maps, loops, imaps, items,
           now() - began, handlers);
    printf("aborted %ld, stopped %ld, failed %ld; imaps freed early %ld\n", aborted, stopped, failed, freed_early);
    if (strcmp(check_under(), "") == 0) {
        printf("most memory after the warm-up %ld KiB, at the end %ld KiB\n", warm, memory());
        CHECK(count < 10000 || memory() < warm + 16384);
    }
    printf("failures 0\n");
    return 0;
}
