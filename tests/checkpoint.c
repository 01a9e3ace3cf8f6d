/* Checkpoints that park saves by itself: when, where, and that all comes back. What fits and what does not: restore.c. */
#include "directory.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>

#define MANY 1000

/* What a job has: some of everything. */
struct state {
    int64_t step;
    double u[4][MANY];
    float f;
    uint8_t bytes[3];
    double alpha;
    char word[32];
};

static void fill(struct state *state, int64_t step)
{
    int i, j;
    state->step = step;
    for (i = 0; i < 4; i++)
        for (j = 0; j < MANY; j++) state->u[i][j] = sin((double)(step + i * MANY + j));
    state->f = (float)step / 3;
    state->bytes[0] = (uint8_t)step;
    state->bytes[2] = 255;
    state->alpha = 1.0 / (double)(step + 3);
    snprintf(state->word, sizeof state->word, "step %ld", (long)step);
}

static int same(const struct state *one, const struct state *other)
{
    return one->step == other->step && !memcmp(one->u, other->u, sizeof one->u) && !memcmp(&one->f, &other->f, sizeof one->f)
        && !memcmp(one->bytes, other->bytes, 3) && !memcmp(&one->alpha, &other->alpha, sizeof one->alpha) && !strcmp(one->word, other->word);
}

static int save_word(park_handler *job, park_sink *sink, void *user)
{
    const struct state *state = user;
    (void)job;
    CHECK_EQ(park_sink_put(sink, state->word, 2), PARK_OK);
    return park_sink_put(sink, state->word + 2, (int64_t)strlen(state->word) - 2);
}

static int load_word(park_handler *job, const void *bytes, int64_t length, void *user)
{
    struct state *state = user;
    (void)job;
    CHECK(length < (int64_t)sizeof state->word);
    memcpy(state->word, bytes, (size_t)length);
    state->word[length] = '\0';
    return PARK_OK;
}

static void protect_all(park_handler *job, struct state *state)
{
    static const int64_t shape[] = {4, MANY};
    CHECK_EQ(park_protect(job, "step", &state->step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_protect_shape(job, "u", state->u, PARK_F64, 2, shape), PARK_OK);
    CHECK_EQ(park_protect_shape(job, "f", &state->f, PARK_F32, 0, NULL), PARK_OK);
    CHECK_EQ(park_protect(job, "bytes", state->bytes, PARK_U8, 3), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "word", save_word, load_word, state, NULL), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "alpha", &state->alpha, -INFINITY, INFINITY), PARK_OK);
}

static park_handler *job_with(struct state *state, const char *directory)
{
    park_handler *job = new_job();
    protect_all(job, state);
    CHECK_EQ(park_checkpoint_dir(job, directory, 2), PARK_OK);
    return job;
}

static void end(park_handler *job)
{
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* In a job that was just made, all is as it was at `step`. */
static void expect_restored(const char *directory, int64_t step)
{
    struct state state, expected;
    park_handler *job;
    memset(&state, 0, sizeof state);
    memset(&expected, 0, sizeof expected);
    fill(&expected, step);
    job = job_with(&state, directory);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(state.step, step);
    CHECK(same(&state, &expected));
    end(job);
}

static void everything_comes_back(int mode)
{
    const char *directory = new_directory();
    struct state state;
    double value;
    char best[8];
    park_event *event;
    park_client *client;
    park_handler *job = job_with(&state, directory);
    CHECK_EQ(park_checkpoint_mode(job, mode), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);
    CHECK_EQ(park_checkpoint_count(job), 0);
    fill(&state, 7);
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    CHECK_EQ(park_progress(job, 7, 20), PARK_OK);
    CHECK_EQ(park_improved(job, 0.125, "found", 6), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK(is_there(manifest(directory, 1)));                     /* and not a moment later */
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);

    expect_restored(directory, 7);
    memset(&state, 0, sizeof state);
    job = job_with(&state, directory);
    CHECK_EQ(park_checkpoint_mode(job, mode), PARK_OK);
    client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(park_best(job, &value, best, sizeof best), 6);
    CHECK_REAL(value, 0.125);
    CHECK_TEXT(best, "found");
    event = next_of_kind(client, PARK_EVENT_LOG);
    CHECK_EQ(park_event_level(event), PARK_LOG_INFO);
    CHECK_MENTIONS(text_of(event), "000001.safetensors");
    CHECK_MENTIONS(text_of(event), "at 7 of 20 steps");
    CHECK_REAL(park_event_done(event), 7);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    end(job);
    remove_directory(directory);
}

TEST(everything_that_is_protected_comes_back) { everything_comes_back(PARK_CHECKPOINT_COPY); }
TEST(everything_comes_back_that_was_saved_in_place) { everything_comes_back(PARK_CHECKPOINT_IN_PLACE); }

TEST(the_copy_is_of_the_moment_and_the_loop_goes_on)
{
    enum { COUNT = 4 << 20 };
    const char *directory = new_directory();
    double *u = calloc(COUNT, sizeof *u);
    long i;
    park_handler *job = new_job();
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, COUNT), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < COUNT; i++) u[i] = (double)i;
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    for (i = 0; i < COUNT; i++) u[i] = -1;                       /* while it is on its way */
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK(is_there(manifest(directory, 1)));
    CHECK_EQ(park_restore(job), PARK_OK);
    for (i = 0; i < COUNT; i++) CHECK(u[i] == (double)i);
    for (i = 0; i < COUNT; i++) u[i] = (double)(2 * i);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);                 /* freed at once: it comes through all the same */
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    job = new_job();
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, COUNT), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < COUNT; i++) u[i] = 0;
    CHECK_EQ(park_restore(job), PARK_OK);
    for (i = 0; i < COUNT; i++) CHECK(u[i] == (double)(2 * i));
    end(job);
    free(u);
    remove_directory(directory);
}

TEST(who_asks_is_answered_when_it_is_on_the_medium)
{
    const char *directory = new_directory();
    struct loop loop = { 0 };
    int64_t generation = 0;
    char file[256];
    park_message *reply = park_message_new(NULL);
    park_event *event;
    park_client *client;
    park_handler *job = new_job();
    static double u[MANY];
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, MANY), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 3), PARK_OK);
    client = park_client_new(job, PARK_EVENT_CHECKPOINT);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, reply), PARK_OK);
    CHECK(is_there(manifest(directory, 1)));
    CHECK_EQ(park_message_get_i64(reply, "generation", &generation), PARK_OK);
    CHECK_EQ(generation, 1);
    CHECK(park_message_get_text(reply, "file", file, sizeof file) > 0);
    CHECK_MENTIONS(file, manifest(directory, 1));
    event = next_event(client);
    CHECK_EQ(park_event_status(event), PARK_OK);
    CHECK_TEXT(text_of(event), file);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);     /* also while it is paused */
    CHECK(is_there(manifest(directory, 2)));
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(park_ask(job, PARK_STOP, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK(is_there(manifest(directory, 3)));
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    remove_directory(directory);
}

TEST(it_saves_as_often_as_the_delta_says_and_keeps_the_newest)
{
    const char *directory = new_directory();
    struct state state;
    park_handler *job = job_with(&state, directory);
    park_client *client = park_client_new(job, PARK_EVENT_CHECKPOINT);
    int64_t step = 0, saved = 0;
    double began = now();
    park_event *event;
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0.05), PARK_OK);
    while (saved < 5) {
        fill(&state, ++step);
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK(now() - began < check_patience());
        nap(0.001);
        while (park_next_event(client, 0, &event) == PARK_OK) {
            CHECK_EQ(park_event_status(event), PARK_OK);
            CHECK_EQ(park_event_free(event), PARK_OK);
            saved++;
        }
    }
    CHECK(now() - began > 0.2);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0), PARK_OK);     /* at every ready point, but one at a time */
    while (saved < 10) {
        fill(&state, ++step);
        CHECK_EQ(park_ready(job), PARK_OK);
        while (park_next_event(client, 0, &event) == PARK_OK) {
            CHECK_EQ(park_event_free(event), PARK_OK);
            saved++;
        }
    }
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 3600), PARK_OK);
    fill(&state, 1000);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    WAIT_UNTIL(park_checkpoint_count(job) == 2);
    end(job);
    CHECK_EQ(park_client_free(client), PARK_OK);
    expect_restored(directory, 1000);
    remove_directory(directory);
}

static int save_slowly(park_handler *job, park_sink *sink, void *user)
{
    (void)job;
    (void)sink;
    atomic_fetch_add((atomic_int *)user, 1);
    nap(0.02);
    return 0;
}

static int load_nothing(park_handler *job, const void *bytes, int64_t length, void *user)
{
    (void)job; (void)bytes; (void)length; (void)user;
    return 0;
}

TEST(saves_in_time_have_their_share_and_no_more)
{
    const char *directory = new_directory();
    atomic_int saves = 0;
    double began, spent;
    int asked;
    park_handler *job = new_job();
    CHECK_EQ(park_protect_custom(job, "slow", save_slowly, load_nothing, &saves, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_share(job, 0.1), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    began = now();
    while (now() - began < 1.0) CHECK_EQ(park_ready(job), PARK_OK);
    spent = 0.02 * (atomic_load(&saves) - 1);                             /* what the first costs nobody knows */
    if (spent > 0.1 * (now() - began)) check_fail(__FILE__, __LINE__, "%g s of %g s", spent, now() - began);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0.01), PARK_OK);  /* the service thread keeps it, too */
    while (now() - began < 2.0) CHECK_EQ(park_ready(job), PARK_OK);
    spent = 0.02 * (atomic_load(&saves) - 1);
    if (spent > 0.1 * (now() - began)) check_fail(__FILE__, __LINE__, "%g s of %g s", spent, now() - began);
    CHECK(atomic_load(&saves) > 1);
    asked = atomic_load(&saves);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);                          /* who asks is not made to wait */
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(atomic_load(&saves), asked + 2);
    end(job);
    remove_directory(directory);
}

/* ---- a stop in time ----------------------------------------------------------------------------- */

static double unix_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* How long a loop ran until the deadline stopped it, with a checkpoint. */
static double stopped_after(double deadline, double margin)
{
    const char *directory = new_directory();
    struct state state;
    double began = now(), took;
    park_handler *job = job_with(&state, directory);
    fill(&state, 1);
    CHECK_EQ(park_set_deadline(job, deadline, margin), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    while (park_ready(job) == PARK_OK) {
        CHECK(now() - began < check_patience());
        nap(0.001);
    }
    took = now() - began;
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    remove_directory(directory);
    return took;
}

TEST(before_the_deadline_the_job_stops_with_a_checkpoint)
{
    char text[32];
    double took = stopped_after(unix_now() + 10, 9.7);
    if (took < 0.2) check_fail(__FILE__, __LINE__, "after %g s", took);
    stopped_after(unix_now() - 100, 0);                                   /* too late: at once */
    took = stopped_after(unix_now() + 5.5, -1);                           /* by itself: 5 s and what it takes */
    CHECK(took < 5.0);
    snprintf(text, sizeof text, "%.0f", unix_now() + 20);
    CHECK_EQ(setenv("SLURM_JOB_END_TIME", text, 1), 0);
    took = stopped_after(0, 19);
    CHECK(took < 15.0);
}

TEST(a_deadline_that_is_none_is_refused)
{
    park_handler *job = new_job();
    CHECK_EQ(unsetenv("SLURM_JOB_END_TIME"), 0);
    CHECK_EQ(park_set_deadline(job, 0, 0), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "SLURM_JOB_END_TIME");
    CHECK_EQ(setenv("SLURM_JOB_END_TIME", "soon", 1), 0);
    CHECK_EQ(park_set_deadline(job, 0, 0), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "soon");
    CHECK_EQ(park_set_deadline(job, NAN, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_set_deadline(job, -2, 0), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "unix_time");
    CHECK_EQ(park_set_deadline(job, 1e9, NAN), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "margin");
    CHECK_EQ(park_set_deadline(job, 1, 0), PARK_OK);                      /* long ago */
    CHECK_EQ(park_set_deadline(job, PARK_FOREVER, 0), PARK_OK);           /* and taken away */
    CHECK_EQ(park_attach(job), PARK_OK);
    nap(0.05);
    CHECK_EQ(park_ready(job), PARK_OK);
    end(job);
}

/* ---- when it cannot be saved -------------------------------------------------------------------- */

static void a_save_fails(int mode)
{
    const char *directory = new_directory();
    struct state state;
    park_event *event;
    park_handler *job = job_with(&state, directory);
    park_client *client = park_client_new(job, PARK_EVENT_CHECKPOINT | PARK_EVENT_LOG);
    CHECK_EQ(park_checkpoint_mode(job, mode), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    fill(&state, 1);
    remove_directory(directory);                                          /* somebody tidied up */
    CHECK_EQ(park_checkpoint_now(job), mode == PARK_CHECKPOINT_COPY ? PARK_OK : PARK_SYSTEM);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), directory);
    event = next_of_kind(client, PARK_EVENT_LOG);
    CHECK_EQ(park_event_level(event), PARK_LOG_ERROR);
    CHECK_MENTIONS(text_of(event), directory);
    CHECK_MENTIONS(text_of(event), strerror(ENOENT));
    CHECK_EQ(park_event_free(event), PARK_OK);
    event = next_of_kind(client, PARK_EVENT_CHECKPOINT);
    CHECK_EQ(park_event_status(event), PARK_FAILED);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_ABORTED);                     /* it is not said to be saved */
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_save_that_fails_is_told_and_the_job_goes_on)
{
    a_save_fails(PARK_CHECKPOINT_COPY);
    a_save_fails(PARK_CHECKPOINT_IN_PLACE);
}

static int fail_to_save(park_handler *job, park_sink *sink, void *user)
{
    (void)job; (void)sink; (void)user;
    return -5;
}

TEST(a_save_function_that_fails_leaves_the_older_checkpoint)
{
    const char *directory = new_directory();
    struct state state;
    park_handler *job = job_with(&state, directory);
    CHECK_EQ(park_attach(job), PARK_OK);
    fill(&state, 1);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "bad", fail_to_save, load_nothing, NULL, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_now(job), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), "'bad'");
    CHECK_MENTIONS(error_of(job), "-5");
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_EQ(park_checkpoint_count(job), 1);
    end(job);
    expect_restored(directory, 1);
    remove_directory(directory);
}

TEST(a_job_without_a_way_to_save_says_so)
{
    struct state state;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_checkpoint_wait(job, 0), PARK_OK);
    CHECK_EQ(park_checkpoint_now(job), PARK_NOT_RUNNING);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_checkpoint_now(job), PARK_REFUSED);
    CHECK_EQ(park_checkpoint_count(job), PARK_UNKNOWN);
    CHECK_EQ(park_checkpoint_clear(job), PARK_UNKNOWN);
    CHECK_EQ(park_checkpoint_path(job, NULL, 0), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "park_checkpoint_dir");
    protect_all(job, &state);                                             /* without a directory it goes nowhere */
    CHECK_EQ(park_checkpoint_now(job), PARK_REFUSED);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_ABORTED);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_REFUSED);
    end_loop(job, &loop);
}

/* ---- in maps ------------------------------------------------------------------------------------ */

struct torn { atomic_int saved_in_map; int inside; };

static int ask_in_map(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)in; (void)out; (void)user;
    if (index == 0) CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    nap(0.002);
    return 0;
}

static int save_in_map(park_handler *job, park_sink *sink, void *user)
{
    struct torn *torn = user;
    (void)job;
    if (torn->inside) atomic_fetch_add(&torn->saved_in_map, 1);
    return park_sink_put(sink, "x", 1);
}

TEST(a_map_is_saved_at_its_end_or_between_items_where_that_is_fit)
{
    const char *directory = new_directory();
    struct torn torn = { 0 };
    park_options *options = park_options_new();
    park_handler *job = new_job();
    CHECK_EQ(park_protect_custom(job, "torn", save_in_map, load_nothing, &torn, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_set_workers(job, 3), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    torn.inside = 1;
    CHECK_EQ(park_map(job, ask_in_map, &torn, NULL, 0, NULL, 0, 60), PARK_OK);
    torn.inside = 0;
    CHECK_EQ(atomic_load(&torn.saved_in_map), 0);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_checkpoint_count(job), 1);
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHECKPOINTS, 1), PARK_OK);
    torn.inside = 1;
    CHECK_EQ(park_map_with(job, options, ask_in_map, &torn, NULL, 0, NULL, 0, 60), PARK_OK);
    torn.inside = 0;
    CHECK(atomic_load(&torn.saved_in_map) >= 1);
    CHECK_EQ(park_options_free(options), PARK_OK);
    end(job);
    remove_directory(directory);
}

static park_message *look_message;

static void no_reply_wanted(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)job; (void)status; (void)reply; (void)user;
}

/* Each item leaves its two numbers different for a while: who sees them differ has seen an item at work. */
struct pairs { int64_t one[64], other[64]; atomic_int seen; };

static int count_up(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    struct pairs *pairs = user;
    (void)in; (void)out;
    if (index % 8 == 0) {
        CHECK_EQ(park_ask_later(job, PARK_CHECKPOINT, NULL, no_reply_wanted, NULL, NULL), PARK_OK);
        CHECK_EQ(park_ask_later(job, PARK_MESSAGE, look_message, no_reply_wanted, NULL, NULL), PARK_OK);
    }
    pairs->one[index]++;
    nap(0.001);
    pairs->other[index]++;
    return 0;
}

static int look(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    struct pairs *pairs = user;
    (void)job; (void)request; (void)reply;
    CHECK(!memcmp(pairs->one, pairs->other, sizeof pairs->one));
    atomic_fetch_add(&pairs->seen, 1);
    return 0;
}

TEST(a_save_in_a_map_is_of_one_moment)
{
    const char *directory = new_directory();
    static struct pairs pairs;
    int round;
    park_options *options = park_options_new();
    park_handler *job = new_job();
    look_message = park_message_new("look");
    CHECK_EQ(park_protect(job, "one", pairs.one, PARK_I64, 64), PARK_OK);
    CHECK_EQ(park_protect(job, "other", pairs.other, PARK_I64, 64), PARK_OK);
    CHECK_EQ(park_on_ready(job, "look", look, &pairs, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_options_set(options, PARK_OPTION_CHECKPOINTS, 1), PARK_OK);
    CHECK_EQ(park_set_workers(job, 4), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (round = 0; round < 5; round++)
        CHECK_EQ(park_map_with(job, options, count_up, &pairs, NULL, 0, NULL, 0, 64), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&pairs.seen), 40);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK(!memcmp(pairs.one, pairs.other, sizeof pairs.one));
    CHECK_EQ(park_options_free(options), PARK_OK);
    end(job);
    CHECK_EQ(park_message_free(look_message), PARK_OK);
    remove_directory(directory);
}

/* ---- files of the user's own -------------------------------------------------------------------- */

static void write_file(park_handler *job, const char *name, const char *text)
{
    char path[512];
    FILE *file;
    int64_t length = park_checkpoint_path(job, path, sizeof path);
    CHECK(length > 0 && length < 400);
    snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static void expect_file(park_handler *job, const char *name, const char *text)
{
    char path[512], found[64] = "";
    FILE *file;
    int64_t length = park_checkpoint_path(job, path, sizeof path);
    CHECK(length > 0 && length < 400);
    snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    file = fopen(path, "r");
    CHECK(file != NULL);
    CHECK(fgets(found, sizeof found, file) != NULL);
    CHECK_EQ(fclose(file), 0);
    CHECK_TEXT(found, text);
}

struct own { int64_t step; int fails, restored; };

static int own_files(park_handler *job, int operation, void *user)
{
    struct own *own = user;
    char text[32];
    snprintf(text, sizeof text, "of step %ld", (long)own->step);
    if (operation == PARK_SAVE) {
        write_file(job, "notes", text);
        return own->fails;
    }
    expect_file(job, "notes", "of step 3");
    own->restored++;
    return own->fails;
}

TEST(files_of_the_callback_are_part_of_the_checkpoint)
{
    const char *directory = new_directory();
    struct own own = { 3, 0, 0 };
    char files[128];
    park_handler *job = new_job();
    CHECK_EQ(park_protect(job, "step", &own.step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, own_files, &own, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 2), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_checkpoint_path(job, NULL, 0), PARK_REFUSED);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    snprintf(files, sizeof files, "%s/000001.files/notes", directory);
    CHECK(is_there(files));
    own.step = 4;
    own.fails = 9;
    CHECK_EQ(park_checkpoint_now(job), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), "9");
    snprintf(files, sizeof files, "%s/000002.files", directory);
    CHECK(!is_there(files));                                              /* what failed leaves nothing */
    CHECK_EQ(park_restore(job), PARK_FAILED);                             /* it refuses: nothing is written */
    CHECK_EQ(own.step, 4);
    own.fails = 0;
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(own.step, 3);
    CHECK_EQ(own.restored, 2);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);                          /* one to clear away */
    CHECK_EQ(park_checkpoint_clear(job), PARK_OK);
    snprintf(files, sizeof files, "%s/000003.files", directory);
    CHECK(!is_there(files) && park_checkpoint_count(job) == 0);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    end(job);
    snprintf(files, sizeof files, "%s/000004.files/notes", directory);    /* they are verified like the rest */
    damage(files, 1);
    job = new_job();
    CHECK_EQ(park_protect(job, "step", &own.step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 2), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);
    end(job);
    remove_directory(directory);
}

TEST(files_of_a_loop_that_saves_by_itself_are_part_of_the_checkpoint)
{
    const char *directory = new_directory();
    struct own own = { 3, 0, 0 };
    park_event *event;
    park_client *client;
    park_handler *job = new_job();
    CHECK_EQ(park_protect(job, "step", &own.step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 2), PARK_OK);
    client = park_client_new(job, PARK_EVENT_CHECKPOINT);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    CHECK_EQ(park_checkpoint_path(job, NULL, 0), PARK_REFUSED);
    CHECK_EQ(park_checkpoint_now(job), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "park_checkpoint_done");
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);
    write_file(job, "notes", "of step 3");
    CHECK(!is_there(manifest(directory, 1)));
    CHECK_EQ(park_checkpoint_done(job, 1), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK(is_there(manifest(directory, 1)));
    event = next_event(client);
    CHECK_EQ(park_event_status(event), PARK_OK);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);

    own.step = 0;
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(own.step, 3);
    expect_file(job, "notes", "of step 3");
    CHECK_EQ(park_checkpoint_due(job), 0);
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);
    write_file(job, "notes", "thrown away");
    CHECK_EQ(park_checkpoint_done(job, 0), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_status(event), PARK_FAILED);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_checkpoint_count(job), 1);
    end(job);
    CHECK_EQ(park_client_free(client), PARK_OK);
    remove_directory(directory);
}

/* ---- what is there ------------------------------------------------------------------------------ */

TEST(it_is_told_what_is_there)
{
    const char *directory = new_directory();
    struct state state;
    int64_t number;
    double real;
    int whole;
    char word[256];
    park_message *info = park_message_new(NULL);
    park_handler *job = job_with(&state, directory);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    for (number = 1; number <= 2; number++) {
        fill(&state, number);
        CHECK_EQ(park_progress(job, (double)number, 9), PARK_OK);
        CHECK_EQ(park_checkpoint_now(job), PARK_OK);
        CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    }
    CHECK_EQ(park_checkpoint_count(job), 2);
    end(job);
    damage(manifest(directory, 1), 1);
    job = job_with(&state, directory);
    CHECK_EQ(park_checkpoint_count(job), 2);
    CHECK_EQ(park_checkpoint_info(job, 0, info), PARK_OK);
    CHECK_EQ(park_message_get_i64(info, "generation", &number), PARK_OK);
    CHECK_EQ(number, 2);
    CHECK_EQ(park_message_get_bool(info, "whole", &whole), PARK_OK);
    CHECK_EQ(whole, 1);
    CHECK_EQ(park_message_get_f64(info, "saved_at", &real), PARK_OK);
    CHECK(fabs(real - unix_now()) < 100);
    CHECK_EQ(park_message_get_f64(info, "done", &real), PARK_OK);
    CHECK_REAL(real, 2);
    CHECK_EQ(park_message_get_f64(info, "total", &real), PARK_OK);
    CHECK_REAL(real, 9);
    CHECK_EQ(park_message_get_i64(info, "bytes", &number), PARK_OK);
    CHECK(number > (int64_t)sizeof state.u);
    CHECK(park_message_get_text(info, "job", word, sizeof word) > 0);
    CHECK_TEXT(word, "job");
    CHECK(park_message_get_text(info, "file", word, sizeof word) > 0);
    CHECK_MENTIONS(word, manifest(directory, 2));
    CHECK(park_message_get_text(info, "park", word, sizeof word) > 0);
    CHECK_TEXT(word, park_version());
    CHECK_EQ(park_checkpoint_info(job, 1, info), PARK_OK);
    CHECK_EQ(park_message_get_bool(info, "whole", &whole), PARK_OK);
    CHECK_EQ(whole, 0);
    CHECK(park_message_get_text(info, "reason", word, sizeof word) > 0);
    CHECK_EQ(park_checkpoint_info(job, 2, info), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "index");
    CHECK_EQ(park_checkpoint_info(job, -1, info), PARK_UNKNOWN);
    CHECK_EQ(park_checkpoint_info(job, 0, NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_checkpoint_clear(job), PARK_OK);
    CHECK_EQ(park_checkpoint_count(job), 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK(is_there(manifest(directory, 3)));                              /* a number is never used again */
    end(job);
    CHECK_EQ(park_message_free(info), PARK_OK);
    remove_directory(directory);
}

/* ---- the directory ------------------------------------------------------------------------------ */

TEST(a_directory_belongs_to_one_handler)
{
    const char *directory = new_directory();
    char pid[32];
    int ready[2], go[2], status;
    char byte;
    pid_t child;
    park_handler *job, *other;
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    fflush(NULL);
    if ((child = fork()) == 0) {                                          /* another process, without any handler yet */
        job = new_job();
        CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
        CHECK(write(ready[1], "r", 1) == 1);
        CHECK(read(go[0], &byte, 1) == 1);
        CHECK_EQ(park_handler_free(job), PARK_OK);
        check_leave();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    job = new_job();
    other = new_job();
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_BUSY);
    snprintf(pid, sizeof pid, "%ld", (long)child);
    CHECK_MENTIONS(error_of(job), pid);
    CHECK_MENTIONS(error_of(job), directory);
    CHECK(write(go[1], "g", 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(other, directory, 1), PARK_BUSY);
    CHECK_EQ(park_checkpoint_dir(job, directory, 5), PARK_OK);            /* anew, for itself */
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(other, directory, 1), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_handler_free(other), PARK_OK);
    remove_directory(directory);
}

TEST(a_forked_child_neither_saves_nor_lets_the_directory_go)
{
    const char *directory = new_directory();
    struct state state;
    int status;
    pid_t child;
    park_handler *job = job_with(&state, directory);
    CHECK_EQ(park_attach(job), PARK_OK);
    fill(&state, 5);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    fflush(NULL);
    if ((child = fork()) == 0) {
        CHECK_EQ(park_checkpoint_now(job), PARK_FORKED);
        CHECK_EQ(park_protect(job, "more", &state.step, PARK_I64, 1), PARK_FORKED);
        CHECK_EQ(park_checkpoint_wait(job, 1), PARK_FORKED);
        CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_FORKED);
        check_leave();
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fill(&state, 6);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    end(job);
    expect_restored(directory, 6);
    remove_directory(directory);
}

TEST(a_directory_that_will_not_do_is_refused)
{
    const char *directory = new_directory();
    char path[128];
    struct stat about;
    FILE *file;
    park_handler *job = new_job();
    CHECK_EQ(park_checkpoint_dir(job, directory, 0), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "keep");
    CHECK_EQ(park_checkpoint_dir(job, directory, -1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_checkpoint_dir(job, "", 1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "directory");
    CHECK_EQ(park_checkpoint_dir(job, "\xff", 1), PARK_INVALID_ARGUMENT);
    snprintf(path, sizeof path, "%s/file", directory);
    CHECK((file = fopen(path, "w")) != NULL);
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(park_checkpoint_dir(job, path, 1), PARK_SYSTEM);
    CHECK_MENTIONS(error_of(job), path);
    snprintf(path, sizeof path, "%s/no/where", directory);
    CHECK_EQ(park_checkpoint_dir(job, path, 1), PARK_SYSTEM);
    CHECK_MENTIONS(error_of(job), path);
    CHECK_EQ(park_checkpoint_dir(job, "/proc/self", 1), PARK_SYSTEM);     /* where nobody can write */
    CHECK_MENTIONS(error_of(job), "directory: /proc/");
    snprintf(path, sizeof path, "%s/new", directory);
    CHECK_EQ(park_checkpoint_dir(job, path, 1), PARK_OK);
    CHECK(stat(path, &about) == 0);
    CHECK_EQ(about.st_mode & 0777, 0700);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    remove_directory(directory);
}

TEST(a_relative_directory_stays_where_it_was)
{
    const char *directory = new_directory();
    char back[4096];
    struct state state;
    park_handler *job = job_with(&state, directory);
    CHECK(getcwd(back, sizeof back) != NULL);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(chdir("/"), 0);
    fill(&state, 2);
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(chdir(back), 0);
    end(job);
    expect_restored(directory, 2);
    remove_directory(directory);
}

static const struct check_test tests[] = {
    CASE(everything_that_is_protected_comes_back), CASE(everything_comes_back_that_was_saved_in_place),
    CASE(the_copy_is_of_the_moment_and_the_loop_goes_on), CASE(who_asks_is_answered_when_it_is_on_the_medium),
    CASE(it_saves_as_often_as_the_delta_says_and_keeps_the_newest), CASE(saves_in_time_have_their_share_and_no_more),
    CASE(before_the_deadline_the_job_stops_with_a_checkpoint), CASE(a_deadline_that_is_none_is_refused),
    CASE(a_save_that_fails_is_told_and_the_job_goes_on), CASE(a_save_function_that_fails_leaves_the_older_checkpoint),
    CASE(a_job_without_a_way_to_save_says_so), CASE(a_map_is_saved_at_its_end_or_between_items_where_that_is_fit),
    CASE(a_save_in_a_map_is_of_one_moment), CASE(files_of_the_callback_are_part_of_the_checkpoint),
    CASE(files_of_a_loop_that_saves_by_itself_are_part_of_the_checkpoint), CASE(it_is_told_what_is_there),
    CASE(a_directory_belongs_to_one_handler), CASE(a_forked_child_neither_saves_nor_lets_the_directory_go),
    CASE(a_directory_that_will_not_do_is_refused), CASE(a_relative_directory_stays_where_it_was),
};
CHECK_MAIN(tests)
