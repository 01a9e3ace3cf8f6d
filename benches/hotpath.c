/* What one iteration of a loop pays for park_progress and park_ready, beside what a user would write instead.
 *
 *   mkdir -p build/bench
 *   gcc -O2 -fPIC -shared benches/empty.c -o build/bench/libempty.so
 *   gcc -O2 -Iinclude benches/hotpath.c -o build/bench/hotpath -Ltarget/release -lpark -Lbuild/bench -lempty \
 *       -lboinc_api -lboinc -Wl,-rpath,'$ORIGIN/../../target/release' -Wl,-rpath,'$ORIGIN'
 *   build/bench/hotpath time                      # ns per iteration, all contestants interleaved
 *   valgrind --tool=callgrind --toggle-collect=loop_pair build/bench/hotpath loop_pair 100000
 *   valgrind --tool=callgrind --toggle-collect=loop_pair build/bench/hotpath loop_pair 300000
 *
 * Instructions per iteration: the difference of the two collected counts, over the difference of the loop counts, less
 * the same of the bare loop. That is all that the calls make a user's program execute: arguments, call, PLT, the
 * function, the test of what it returned. Beside it stands what lies inside of that: call, PLT, function. It is found with
 * empty functions of the same shape, whose arguments and tests are the same.
 */
#include "bench.h"
#include <park.h>
#include <unistd.h>

/* boinc_api.h is C++ by its includes. */
int boinc_init(void);
int boinc_time_to_checkpoint(void);
int boinc_checkpoint_completed(void);
int boinc_fraction_done(double fraction);

void empty_call(void);
int empty_progress(void *job, double done, double total);
int empty_ready(void *job);

#define STEPS 1000000000000.0 /* what the loops say the total is */

static park_handler *job;

/* One loop each, written as a user would. The register barrier stands for the work: without it there would be no bare loop. */
#define LOOP(name, body)                                                                                               \
    __attribute__((noinline)) void name(int64_t n)                                                                     \
    {                                                                                                                  \
        park_handler *const j = job;                                                                                   \
        (void)j;                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            __asm__ volatile("" : "+r"(i));                                                                            \
            body                                                                                                       \
        }                                                                                                              \
    }

LOOP(loop_bare, )
LOOP(loop_empty, empty_call();)
LOOP(loop_empties, empty_call(); empty_call();)
LOOP(loop_shape_ready, if (empty_ready(j)) break;)
LOOP(loop_shape_pair, empty_progress(j, (double)(i + 1), STEPS); if (empty_ready(j)) break;)
LOOP(loop_ready, if (park_ready(j)) break;)
LOOP(loop_pair, park_progress(j, (double)(i + 1), STEPS); if (park_ready(j)) break;)
LOOP(loop_boinc, boinc_fraction_done((double)(i + 1) / STEPS); if (boinc_time_to_checkpoint()) boinc_checkpoint_completed();)
LOOP(loop_clock, static int64_t due = INT64_MAX; if (now_ns() >= due) break;)

typedef struct {
    const char *name;
    void (*run)(int64_t);
} contestant;

enum { BARE, EMPTY, EMPTIES, SHAPE_READY, SHAPE_PAIR, READY, PAIR, BOINC, CLOCK, CONTESTANTS };

static const contestant all[CONTESTANTS] = {
    {"loop_bare", loop_bare},
    {"loop_empty", loop_empty},
    {"loop_empties", loop_empties},
    {"loop_shape_ready", loop_shape_ready},
    {"loop_shape_pair", loop_shape_pair},
    {"loop_ready", loop_ready},
    {"loop_pair", loop_pair},
    {"loop_boinc", loop_boinc},
    {"loop_clock", loop_clock},
};

#define ROUNDS 601
#define ITERATIONS 500000

static void time_all(void)
{
    static double ns[CONTESTANTS][ROUNDS], ratio[ROUNDS], sorted[ROUNDS];
    double least[CONTESTANTS], middle[CONTESTANTS];
    int order[CONTESTANTS];

    for (int c = 0; c < CONTESTANTS; c++)
        order[c] = c;
    for (int r = -20; r < ROUNDS; r++) {
        shuffle(order, CONTESTANTS);
        for (int k = 0; k < CONTESTANTS; k++) {
            int64_t begin = now_ns();
            all[order[k]].run(ITERATIONS);
            if (r >= 0)
                ns[order[k]][r] = (double)(now_ns() - begin) / ITERATIONS;
        }
    }
    for (int c = 0; c < CONTESTANTS; c++) {
        memcpy(sorted, ns[c], sizeof sorted);
        middle[c] = median(sorted, ROUNDS);
        least[c] = sorted[0];
    }
#define TIMES(c) text("%.2f, least %.2f", middle[c], least[c])
#define NO_TARGET -1.0, "", ""
    line("ns an iteration: bare loop", TIMES(BARE), "", NO_TARGET);
    line("ns an iteration: an empty call", TIMES(EMPTY), "", NO_TARGET);
    line("ns an iteration: a clock read", TIMES(CLOCK), "", NO_TARGET);
    line("ns an iteration: park_ready", TIMES(READY), text("an empty call: %.2f, least %.2f", middle[EMPTY], least[EMPTY]),
         least[READY] / least[EMPTY], "", "");
    /* The ratio of the least times: what the machine does when nothing else disturbs it. */
    line("ns an iteration: park_progress + park_ready", TIMES(PAIR),
         text("two empty calls: %.2f, least %.2f", middle[EMPTIES], least[EMPTIES]), least[PAIR] / least[EMPTIES], "<= 1.3",
         met(least[PAIR] <= 1.3 * least[EMPTIES]));
    for (int r = 0; r < ROUNDS; r++)
        ratio[r] = ns[PAIR][r] / ns[EMPTIES][r];
    line("  the same, median of the rounds' ratios", "", "", median(ratio, ROUNDS), "", "");
    line("  beside two empty calls with the same arguments", TIMES(PAIR),
         text("%.2f, least %.2f", middle[SHAPE_PAIR], least[SHAPE_PAIR]), least[PAIR] / least[SHAPE_PAIR], "", "");
    line("  beside BOINC's pair", TIMES(PAIR), text("%.2f, least %.2f", middle[BOINC], least[BOINC]),
         least[PAIR] / least[BOINC], "<= 1", met(least[PAIR] <= 1.005 * least[BOINC]));
    for (int r = 0; r < ROUNDS; r++)
        ratio[r] = ns[PAIR][r] / ns[BOINC][r];
    line("  the same, median of the rounds' ratios", "", "", median(ratio, ROUNDS), "", "");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    /* BOINC writes its files where it is: run.sh gives it a directory. In this order: it takes stderr. */
    if (boinc_init()) {
        puts("boinc_init failed");
        return 1;
    }
    job = park_handler_new("hotpath");
    MUST(park_attach(job));
    if (argc > 2) {
        MUST(park_set_delta(job, PARK_PROGRESS_DELTA, 3600.0)); /* valgrind is slow: no timer while it counts */
        for (int c = 0; c < CONTESTANTS; c++)
            if (strcmp(all[c].name, argv[1]) == 0)
                all[c].run(strtoll(argv[2], NULL, 10));
    } else {
        time_all();
    }
    MUST(park_detach(job));
    MUST(park_handler_free(job));
    fflush(stdout);
    _exit(0); /* BOINC's threads would have to be asked first */
}
