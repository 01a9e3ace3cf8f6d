/* Fits a NIST reference problem by differential evolution, as a job of park. From the root of the repository:
 *
 *   $ make
 *   $ mkdir -p build
 *   $ cc -O2 -std=c99 -Wall -Wextra -pedantic -Iinclude examples-c/fit.c -o build/fit \
 *        -Ltarget/release -lpark -lm -Wl,-rpath,$PWD/target/release
 *   $ build/fit examples-c/nist/ENSO.dat
 *
 * Gauss1, Thurber and MGH09 are beside it. While it runs, Ctrl-C stops it; run it again and it goes on where it was:
 * an interrupted run ends with the same bits as one that was left alone. Exit codes: 0 found what NIST certifies,
 * 1 something else, 2 bad input, 85 stopped with a checkpoint (run me again), 86 aborted.
 *
 * The computation, down to fit(), runs on a thread of park's, which shares each generation with its workers. The main
 * thread draws what it hears about.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <park.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "nist.h"

#define MEMBERS_LEAST 10
#define MEMBERS_MOST 1000

struct member {
    long double chi_square;
    double b[NIST_PARAMETERS];
};

struct options {
    int64_t members, generations, workers, stop_after, abort_after;
    uint64_t seed;
    double checkpoint_delta;
    int quiet, start_anew;
    const char *dataset_path, *checkpoint_path;
};

struct search {
    const struct nist_problem *problem;
    const struct options *options;
    int logarithmic[NIST_PARAMETERS];
    double low[NIST_PARAMETERS], high[NIST_PARAMETERS];
    struct member trials[MEMBERS_MOST];
    int ranking[MEMBERS_MOST];
    long double reported;

    /* What changes from one generation to the next, and so all that a checkpoint has to hold: see protect(). */
    int64_t generation; /* 0: there is no population yet */
    uint64_t random;
    struct member population[MEMBERS_MOST];
};

/* ---- differential evolution ------------------------------------------------------------------- */

/* splitmix64: its whole state is one word, which makes it easy to checkpoint. */
static double uniform(struct search *search)
{
    uint64_t bits = search->random += UINT64_C(0x9e3779b97f4a7c15);

    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    bits ^= bits >> 31;
    return (double)(bits >> 11) / 9007199254740992.0; /* 2 to the 53rd */
}

static int below(struct search *search, int64_t count)
{
    return (int)(uniform(search) * (double)count);
}

/* The box comes from the two starting values alone, widened by twice their distance and half their size.
 * Where they differ tenfold they only say an order of magnitude, and the search goes over orders of magnitude. */
static void make_box(struct search *search)
{
    int j;

    for (j = 0; j < search->problem->parameters; j++) {
        double one = search->problem->start[0][j], other = search->problem->start[1][j];
        double least = fmin(one, other), most = fmax(one, other);

        search->logarithmic[j] = least > 0 && most >= 10 * least;
        if (search->logarithmic[j]) {
            search->low[j] = log(least / 10);
            search->high[j] = log(most * 10);
        } else {
            double margin = 2 * (most - least) + 0.5 * fmax(fabs(least), fabs(most));
            search->low[j] = least - margin;
            search->high[j] = most + margin;
        }
    }
}

static double to_axis(const struct search *search, int j, const struct member *member)
{
    return search->logarithmic[j] ? log(member->b[j]) : member->b[j];
}

static double from_axis(const struct search *search, int j, double place)
{
    return search->logarithmic[j] ? exp(place) : place;
}

/* Parameters that may be exchanged without changing the curve are put in order: one minimum, not several. */
static void put_in_order(const struct search *search, struct member *member)
{
    if (search->problem->model->order) search->problem->model->order(member->b);
}

/* An item of the map, on any worker: reads one member's parameters, writes its chi-square. */
static int cost(park_handler *job, const void *b, void *chi_square, int64_t index, void *user)
{
    const struct search *search = user;

    (void)job;
    (void)index;
    *(long double *)chi_square = nist_chi_square(search->problem, b);
    return PARK_OK;
}

/* All that is random is drawn before, on the computation thread: so the bits do not depend on the workers. */
static int evaluate(park_handler *job, struct search *search, struct member *members)
{
    return park_map(job, cost, search, members->b, sizeof *members, &members->chi_square, sizeof *members, search->options->members);
}

static int first_generation(park_handler *job, struct search *search)
{
    int64_t i;
    int j, status;

    search->random = search->options->seed;
    for (i = 0; i < search->options->members; i++) {
        struct member *member = &search->population[i];
        for (j = 0; j < search->problem->parameters; j++) {
            double place = search->low[j] + uniform(search) * (search->high[j] - search->low[j]);
            member->b[j] = from_axis(search, j, place);
        }
        put_in_order(search, member);
    }
    if ((status = evaluate(job, search, search->population))) return status;
    search->generation = 1;
    return PARK_OK;
}

static void rank(struct search *search)
{
    int i, place;

    for (i = 0; i < search->options->members; i++) {
        for (place = i; place > 0; place--) {
            if (search->population[search->ranking[place - 1]].chi_square <= search->population[i].chi_square) break;
            search->ranking[place] = search->ranking[place - 1];
        }
        search->ranking[place] = i;
    }
}

/* current-to-pbest/1 (Zhang and Sanderson, JADE, 2009): each member steps towards one of the best tenth and along the
 * difference of two others. All differences shrink and turn with the population, which is what lets plain DE reach the
 * last digits of strongly correlated parameters. */
static void make_trial(struct search *search, int i)
{
    const int64_t members = search->options->members;
    const int dimension = search->problem->parameters;
    const struct member *own = &search->population[i], *better, *one, *other;
    struct member *trial = &search->trials[i];
    double step = 0.5 + 0.4 * uniform(search);
    int always = below(search, dimension), first, second, j;

    better = &search->population[search->ranking[below(search, members / 10)]];
    do first = below(search, members); while (first == i);
    do second = below(search, members); while (second == i || second == first);
    one = &search->population[first];
    other = &search->population[second];

    for (j = 0; j < dimension; j++) {
        double here = to_axis(search, j, own), place;

        trial->b[j] = own->b[j];
        if (uniform(search) >= 0.9 && j != always) continue;
        place = here + step * (to_axis(search, j, better) - here + to_axis(search, j, one) - to_axis(search, j, other));
        if (place < search->low[j]) place = (search->low[j] + here) / 2;
        if (place > search->high[j]) place = (search->high[j] + here) / 2;
        trial->b[j] = from_axis(search, j, place);
    }
    put_in_order(search, trial);
}

/* The population changes when all trials are known, so that an abort among them leaves it whole. */
static int next_generation(park_handler *job, struct search *search)
{
    int i, status;

    rank(search);
    for (i = 0; i < search->options->members; i++) make_trial(search, i);
    if ((status = evaluate(job, search, search->trials))) return status;
    for (i = 0; i < search->options->members; i++)
        if (search->trials[i].chi_square <= search->population[i].chi_square) search->population[i] = search->trials[i];
    search->generation++;
    return PARK_OK;
}

static const struct member *best_member(const struct search *search)
{
    const struct member *best = search->population;
    int64_t i;

    for (i = 1; i < search->options->members; i++)
        if (search->population[i].chi_square < best->chi_square) best = &search->population[i];
    return best;
}

/* ---- the computation, on park's thread -------------------------------------------------------- */

static void report(park_handler *job, struct search *search)
{
    const struct member *best = best_member(search);

    if (best->chi_square < search->reported) {
        search->reported = best->chi_square;
        park_improved(job, (double)best->chi_square, best->b, search->problem->parameters * (int64_t)sizeof(double));
    }
    park_progress(job, (double)search->generation, (double)search->options->generations);
}

static int fit(park_handler *job, void *request)
{
    struct search *search = request;
    int status;

    if (search->generation == 0 && (status = first_generation(job, search))) return status;
    for (;;) {
        report(job, search);
        if ((status = park_ready(job))) return status;
        if (search->generation >= search->options->generations) break;
        if ((status = next_generation(job, search))) return status;
        if (search->generation == search->options->stop_after) park_signal(job, PARK_STOP);
        if (search->generation == search->options->abort_after) park_signal(job, PARK_ABORT);
    }
    return park_set_result(job, best_member(search)->b, search->problem->parameters * (int64_t)sizeof(double));
}

/* ---- the checkpoint ----------------------------------------------------------------------------- */

/* Not an array that changes, but what must be as it was: a run that was begun with another seed is not gone on with. */
static int save_seed(park_handler *job, park_sink *sink, void *user)
{
    const struct search *search = user;

    (void)job;
    return park_sink_put(sink, &search->options->seed, sizeof search->options->seed);
}

static int check_seed(park_handler *job, const void *bytes, int64_t length, void *user)
{
    const struct search *search = user;

    if (length == sizeof search->options->seed && !memcmp(bytes, &search->options->seed, (size_t)length)) return PARK_OK;
    park_fail(job, "the checkpoint was begun with another seed: --new starts afresh, -c takes another directory");
    return PARK_FAILED;
}

/* Everything that next_generation() goes on from. A long double has no type of its own in the file: bytes, as they are on
 * this kind of machine. */
static int protect(park_handler *job, struct search *search)
{
    const int64_t shape[] = {search->options->members, sizeof *search->population};

    park_protect(job, "generation", &search->generation, PARK_I64, 1);
    park_protect(job, "random", &search->random, PARK_U64, 1);
    park_protect_shape(job, "population", search->population, PARK_U8, 2, shape);
    park_protect_custom(job, "seed", save_seed, check_seed, search, NULL);
    return park_checkpoint_dir(job, search->options->checkpoint_path, 2);
}

/* ---- what the main thread shows --------------------------------------------------------------- */

struct display {
    const char *dataset;
    int quiet, terminal, blocks, line_open, tenths_shown;
    double done, total, seconds_left, best;
};

static void time_left(double seconds, char *text, size_t length)
{
    if (seconds < 0) snprintf(text, length, "%s", "");
    else if (seconds < 99.5) snprintf(text, length, "%.0f s left", ceil(seconds));
    else if (seconds < 5940) snprintf(text, length, "%.0f min left", ceil(seconds / 60));
    else snprintf(text, length, "%.1f h left", seconds / 3600);
}

/* A cell is drawn in eighths where the terminal has the characters. */
static void bar(const struct display *display, double fraction, char *text, size_t length)
{
    static const char *const eighths[] = {" ", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589", "\u2588"};
    int cell, filled = (int)(fraction * 8 * 20);
    size_t used = 0;

    *text = '\0';
    for (cell = 0; cell < 20 && used < length; cell++, filled -= 8) {
        const char *drawn = display->blocks ? eighths[filled < 0 ? 0 : filled > 8 ? 8 : filled] : filled >= 8 ? "#" : ".";
        used += (size_t)snprintf(text + used, length - used, "%s", drawn);
    }
}

/* One line that is redrawn in place on a terminal; elsewhere a line for each tenth of the way. */
static void draw(struct display *display)
{
    double fraction = display->total > 0 ? fmin(display->done / display->total, 1) : 0;
    char left[32], cells[128], best[64] = "";

    if (display->quiet) return;
    if (!display->terminal && (int)(10 * fraction) <= display->tenths_shown) return;
    display->tenths_shown = (int)(10 * fraction);
    time_left(display->seconds_left, left, sizeof left);
    bar(display, fraction, cells, sizeof cells);
    if (isfinite(display->best)) snprintf(best, sizeof best, "chi-square %.12g", display->best);
    if (display->terminal)
        fprintf(stderr, "\r%s [%s] %3.0f%%  %-11s  %s\033[K", display->dataset, cells, 100 * fraction, left, best);
    else
        fprintf(stderr, "%s %3.0f%%  generation %.0f of %.0f  %s  %s\n", display->dataset, 100 * fraction, display->done, display->total, left, best);
    display->line_open = display->terminal;
}

static void end_line(struct display *display)
{
    if (display->line_open) fputc('\n', stderr);
    display->line_open = 0;
}

static void show(struct display *display, const park_event *event)
{
    char text[4400];

    switch (park_event_kind(event)) {
    case PARK_EVENT_PROGRESS:
        display->done = park_event_done(event);
        display->total = park_event_total(event);
        display->seconds_left = park_event_seconds_left(event);
        draw(display);
        break;
    case PARK_EVENT_IMPROVED:
        display->best = park_event_value(event);
        if (display->terminal) draw(display);
        break;
    case PARK_EVENT_LOG:
        park_event_text(event, text, sizeof text);
        end_line(display);
        fprintf(stderr, "%s\n", text);
        break;
    default:
        break;
    }
}

static int is_final(const park_event *event)
{
    return park_event_kind(event) & (PARK_EVENT_COMPLETE | PARK_EVENT_ABORT | PARK_EVENT_ERROR);
}

/* Returns how the run ended: PARK_OK, PARK_STOPPED, PARK_ABORTED, PARK_FAILED. */
static int watch(park_handler *job, park_client *client, struct display *display)
{
    park_event *event;
    int ended = 0;

    while (!ended && park_next_event(client, PARK_FOREVER, &event) == PARK_OK) {
        show(display, event);
        ended = is_final(event);
        park_event_free(event);
    }
    end_line(display);
    return park_wait(job, PARK_FOREVER);
}

static void print_text(FILE *stream, int64_t (*text_of)(park_handler *, char *, int64_t), park_handler *job)
{
    char text[4400];

    text_of(job, text, sizeof text);
    fprintf(stream, "%s\n", text);
}

static void print_best(park_handler *job, const struct nist_problem *problem)
{
    double value, b[NIST_PARAMETERS];
    int j;

    if (park_best(job, &value, b, sizeof b) <= 0) {
        printf("Nothing found yet.\n");
        return;
    }
    printf("%s, best so far: chi-square %.12g\n", problem->model->dataset, value);
    for (j = 0; j < problem->parameters; j++) printf("b%d %21.12g\n", j + 1, b[j]);
}

/* ---- the command line --------------------------------------------------------------------------- */

static const char usage[] =
    "usage: fit [options] DATASET.dat\n"
    "  -p, --population N     members (default: 15 for each parameter)\n"
    "  -g, --generations N    default: 500\n"
    "  -s, --seed N           default: 1\n"
    "  -w, --workers N        threads that share a generation (default: as many as processors)\n"
    "  -c, --checkpoint DIR   default: fit-DATASET.ckpt\n"
    "  -k, --every SECONDS    between checkpoints (default: 2)\n"
    "  -n, --new              remove older checkpoints, and begin afresh\n"
    "  -q, --quiet            no bar\n"
    "      --stop-after N     stop, with a checkpoint, at generation N\n"
    "      --abort-after N    abort at generation N\n";

static int integer(const char *option, const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end != text && !*end && !errno && *value >= least && *value <= most) return 0;
    fprintf(stderr, "fit: %s takes a whole number from %lld to %lld, not \"%s\"\n", option, (long long)least, (long long)most, text);
    return -1;
}

static int seconds(const char *option, const char *text, double *value)
{
    char *end;

    *value = strtod(text, &end);
    if (end != text && !*end && isfinite(*value) && *value >= 0) return 0;
    fprintf(stderr, "fit: %s takes seconds, 0 or more, not \"%s\"\n", option, text);
    return -1;
}

static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"population", 1, NULL, 'p'}, {"generations", 1, NULL, 'g'}, {"seed", 1, NULL, 's'}, {"workers", 1, NULL, 'w'}, {"checkpoint", 1, NULL, 'c'},
        {"every", 1, NULL, 'k'}, {"new", 0, NULL, 'n'}, {"quiet", 0, NULL, 'q'}, {"help", 0, NULL, 'h'},
        {"stop-after", 1, NULL, 'S'}, {"abort-after", 1, NULL, 'A'}, {NULL, 0, NULL, 0}};
    int64_t seed;
    int option, bad = 0;

    memset(options, 0, sizeof *options);
    options->generations = 500;
    options->seed = 1;
    options->checkpoint_delta = 2;
    while (!bad && (option = getopt_long(argc, argv, "p:g:s:w:c:k:nqh", names, NULL)) != -1) {
        switch (option) {
        case 'p': bad = integer("--population", optarg, MEMBERS_LEAST, MEMBERS_MOST, &options->members); break;
        case 'g': bad = integer("--generations", optarg, 1, INT64_C(1000000000), &options->generations); break;
        case 's': bad = integer("--seed", optarg, 0, INT64_MAX, &seed); options->seed = (uint64_t)seed; break;
        case 'w': bad = integer("--workers", optarg, 1, 256, &options->workers); break;
        case 'c': options->checkpoint_path = optarg; break;
        case 'k': bad = seconds("--every", optarg, &options->checkpoint_delta); break;
        case 'n': options->start_anew = 1; break;
        case 'q': options->quiet = 1; break;
        case 'S': bad = integer("--stop-after", optarg, 2, INT64_MAX, &options->stop_after); break;
        case 'A': bad = integer("--abort-after", optarg, 2, INT64_MAX, &options->abort_after); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: return -1;
        }
    }
    if (bad) return -1;
    if (optind != argc - 1) {
        fputs(usage, stderr);
        return -1;
    }
    options->dataset_path = argv[optind];
    return 0;
}

/* ---- all together ------------------------------------------------------------------------------- */

static int run(const struct nist_problem *problem, const struct options *options)
{
    static struct search search; /* static, so that the padding in a checkpoint is zero and the same each time */
    char name[64];
    struct display display;
    park_handler *job;
    park_client *client;
    int ended, code;

    snprintf(name, sizeof name, "fit-%s", problem->model->dataset);
    if (!(job = park_handler_new(name))) {
        print_text(stderr, park_last_error, NULL);
        return 1;
    }
    search.problem = problem;
    search.options = options;
    search.reported = INFINITY;
    make_box(&search);

    memset(&display, 0, sizeof display);
    display.dataset = problem->model->dataset;
    display.quiet = options->quiet;
    display.terminal = isatty(STDERR_FILENO);
    display.blocks = !strcmp(nl_langinfo(CODESET), "UTF-8");
    display.best = NAN;
    display.seconds_left = -1;

    park_set_units(job, "generations");
    park_listen(job, NULL); /* in another terminal: park watch fit-ENSO */
    park_set_workers(job, options->workers); /* 0: park's own count */
    park_set_delta(job, PARK_PROGRESS_DELTA, 0.1);
    park_set_delta(job, PARK_CHECKPOINT_DELTA, options->checkpoint_delta);
    client = park_client_new(job, PARK_EVENT_ALL);
    if (!client || protect(job, &search) || (options->start_anew && park_checkpoint_clear(job)) ||
        park_start(job, fit, &search, NULL, !options->start_anew)) {
        print_text(stderr, park_last_error, job);
        park_client_free(client);
        park_handler_free(job);
        return 1;
    }
    park_catch(job, 0, PARK_CATCH_INTERACTIVE); /* Ctrl-C: stop with a checkpoint; again: abort */
    park_catch(job, 0, PARK_CATCH_SLURM);       /* SIGTERM */
    ended = watch(job, client, &display);
    code = park_exit_code(job);

    if (ended == PARK_OK) {
        park_checkpoint_clear(job);
        code = nist_compare(problem, best_member(&search)->b) > 0;
    } else if (ended == PARK_FAILED) {
        print_text(stderr, park_reason, job);
    } else {
        print_best(job, problem);
        printf("%s at generation %lld of %lld. ", ended == PARK_STOPPED ? "Stopped" : "Aborted", (long long)search.generation,
               (long long)options->generations);
        if (park_checkpoint_count(job) == 0) printf("There is no checkpoint.\n");
        else printf("The same command%s goes on from %s.\n", options->start_anew ? " without --new" : "", options->checkpoint_path);
    }
    park_client_free(client);
    park_handler_free(job);
    return code;
}

int main(int argc, char **argv)
{
    static struct nist_problem problem;
    struct options options;
    char checkpoint_path[64];

    setlocale(LC_CTYPE, "");
    if (read_options(argc, argv, &options) || nist_read(options.dataset_path, &problem)) return 2;
    snprintf(checkpoint_path, sizeof checkpoint_path, "fit-%s.ckpt", problem.model->dataset);
    if (!options.checkpoint_path) options.checkpoint_path = checkpoint_path;
    if (!options.members) options.members = 15 * problem.parameters;
    return run(&problem, &options);
}
