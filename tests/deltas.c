/* The deltas: how often progress and best are told and checkpoints are made, and that the last best is never lost. */
#include "job.h"
#include <math.h>

TEST(the_defaults_are_those_of_the_service_handler)
{
    park_handler *job = new_job();
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 1);
    CHECK_REAL(park_delta(job, PARK_CHECKPOINT_DELTA), 3600);
    CHECK_REAL(park_delta(job, PARK_IMPROVED_DELTA), 0);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0.125), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_IMPROVED_DELTA, 1e9), PARK_OK);
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 0.125);
    CHECK_REAL(park_delta(job, PARK_CHECKPOINT_DELTA), 0);
    CHECK_REAL(park_delta(job, PARK_IMPROVED_DELTA), 1e9);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_delta_that_is_no_time_is_refused)
{
    static const double bad[] = { -1, -1e-300, NAN, INFINITY, -INFINITY };
    static const int no_delta[] = { 0, 4, -1, INT32_MAX, INT32_MIN };
    int which;
    unsigned i;
    park_handler *job = new_job();
    for (which = PARK_PROGRESS_DELTA; which <= PARK_IMPROVED_DELTA; which++) {
        for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            CHECK_EQ(park_set_delta(job, which, bad[i]), PARK_INVALID_ARGUMENT);
            CHECK_MENTIONS(error_of(job), "_delta");
        }
    }
    for (i = 0; i < sizeof no_delta / sizeof no_delta[0]; i++) {
        CHECK_EQ(park_set_delta(job, no_delta[i], 1), PARK_INVALID_ARGUMENT);
        CHECK_MENTIONS(error_of(job), "which");
        CHECK_REAL(park_delta(job, no_delta[i]), PARK_INVALID_ARGUMENT);
    }
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 1);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 1e300), PARK_OK);       /* so long is for ever, not an overflow */
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 1e300), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_IMPROVED_DELTA, 1e300), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
    CHECK_EQ(park_improved(job, 0, NULL, 0), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int count_progress(park_handler *job, double done, double total, double seconds_left, void *user)
{
    (void)job;
    (void)done;
    (void)total;
    (void)seconds_left;
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(progress_delta_0_tells_at_every_ready_point)
{
    atomic_int told = 0;
    int i;
    park_handler *job = new_job();
    CHECK(park_on_progress(job, count_progress, &told, NULL) > 0);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 1; i <= 100; i++) {
        CHECK_EQ(park_progress(job, i, 100), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(atomic_load(&told), i);
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_long_progress_delta_tells_only_at_the_end)
{
    atomic_int told = 0;
    int i;
    park_handler *job = new_job();
    CHECK(park_on_progress(job, count_progress, &told, NULL) > 0);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 10000), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 1; i <= 1000; i++) {
        CHECK_EQ(park_progress(job, i, 1000), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    CHECK_EQ(atomic_load(&told), 0);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK(atomic_load(&told) <= 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_short_progress_delta_tells_again_and_again)
{
    atomic_int told = 0;
    double steps = 0, began = now();
    park_handler *job = new_job();
    CHECK(park_on_progress(job, count_progress, &told, NULL) > 0);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 10000), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0.01), PARK_OK);          /* counts from now on */
    while (atomic_load(&told) < 5) {
        CHECK_EQ(park_progress(job, steps += 1, 0), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK(now() - began < check_patience());
    }
    CHECK(now() - began >= 0.04);                                               /* and not much oftener */
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* Reports values 10, 9, ... 1 at once, with states, and fetches what a client is told of them. */
struct told_values { double values[32]; int count, final; };

static void fetch(park_client *client, struct told_values *told)
{
    park_event *event;
    told->count = told->final = 0;
    while (park_next_event(client, 0, &event) == PARK_OK) {
        if (park_event_kind(event) == PARK_EVENT_IMPROVED) {
            CHECK_EQ(told->final, 0);
            CHECK(told->count < 32);
            told->values[told->count++] = park_event_value(event);
        } else {
            told->final = park_event_kind(event);
        }
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
}

static void report(park_handler *job)
{
    int value;
    for (value = 10; value >= 1; value--) {
        char state[16];
        int64_t bytes = snprintf(state, sizeof state, "state %d", value);
        CHECK_EQ(park_improved(job, value, state, bytes), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
}

#define ENDS (PARK_EVENT_IMPROVED | PARK_EVENT_COMPLETE | PARK_EVENT_ABORT | PARK_EVENT_ERROR)

TEST(improved_delta_0_tells_each)
{
    int i;
    struct told_values told;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, ENDS);
    CHECK_EQ(park_attach(job), PARK_OK);
    report(job);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    fetch(client, &told);
    CHECK_EQ(told.count, 10);
    for (i = 0; i < 10; i++) CHECK_REAL(told.values[i], 10 - i);
    CHECK_EQ(told.final, PARK_EVENT_COMPLETE);
    CHECK_EQ(park_client_free(client), PARK_OK);
}

static void end_with_a_best_that_waits(int final)
{
    struct told_values told;
    double value = 0;
    char state[16] = "";
    park_handler *job = new_job();
    park_client *client = park_client_new(job, ENDS);
    CHECK_EQ(park_set_delta(job, PARK_IMPROVED_DELTA, 10000), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    report(job);
    fetch(client, &told);
    CHECK(told.count <= 1);
    if (told.count == 1) CHECK_REAL(told.values[0], 10);
    if (final == PARK_EVENT_ABORT) CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    if (final == PARK_EVENT_ERROR) CHECK_EQ(park_fail(job, "as asked"), PARK_OK);
    CHECK_EQ(park_improved(job, 0.5, "last", 4), PARK_OK);                      /* between the signal and its ready point */
    CHECK_EQ(park_ready(job), final == PARK_EVENT_ABORT ? PARK_ABORTED : PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_best(job, &value, state, sizeof state), 4);
    CHECK_REAL(value, 0.5);
    CHECK_TEXT(state, "last");
    CHECK_EQ(park_handler_free(job), PARK_OK);
    fetch(client, &told);
    CHECK(told.count >= 1);
    CHECK_REAL(told.values[told.count - 1], 0.5);                               /* the last best, before the final event */
    CHECK(told.count <= 2);
    CHECK_EQ(told.final, final);
    CHECK_EQ(park_client_free(client), PARK_OK);
}

TEST(the_last_best_is_told_before_the_end_whatever_the_end)
{
    end_with_a_best_that_waits(PARK_EVENT_COMPLETE);
    end_with_a_best_that_waits(PARK_EVENT_ABORT);
    end_with_a_best_that_waits(PARK_EVENT_ERROR);
}

TEST(a_best_that_waits_is_told_when_its_time_has_come)
{
    double began = now();
    int times = 0;
    double last = 99;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, ENDS);
    CHECK_EQ(park_set_delta(job, PARK_IMPROVED_DELTA, 0.02), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    report(job);
    while (last > 1) {                                                          /* nothing new is reported */
        park_event *event;
        CHECK(now() - began < check_patience());
        CHECK_EQ(park_ready(job), PARK_OK);
        if (park_next_event(client, 0.001, &event) != PARK_OK) continue;
        CHECK_EQ(park_event_kind(event), PARK_EVENT_IMPROVED);
        CHECK(park_event_value(event) <= last);
        last = park_event_value(event);
        times++;
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    CHECK(times <= 10);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_best_that_waits_never_comes_after_the_end)
{
    long round;
    int before = PARK_EVENT_COMPLETE;
    double best = 0;
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, ENDS | PARK_EVENT_START);
    CHECK_EQ(park_set_delta(job, PARK_IMPROVED_DELTA, 0.0003), PARK_OK);         /* due at about the end of each run */
    for (round = 0; round < scaled(3000); round++) {
        double until;
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_improved(job, 2, NULL, 0), PARK_OK);
        CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
        for (until = now() + 0.0001 + 1e-6 * (double)(round % 400); now() < until;) {}
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(park_detach(job), PARK_OK);
        while (park_next_event(client, 0, &event) == PARK_OK) {
            int kind = park_event_kind(event);
            if (kind == PARK_EVENT_START) CHECK_EQ(before, PARK_EVENT_COMPLETE);
            if (kind == PARK_EVENT_IMPROVED) {
                CHECK(before != PARK_EVENT_COMPLETE);
                best = park_event_value(event);
                CHECK(best >= 1);
            }
            if (kind == PARK_EVENT_COMPLETE) {
                CHECK_EQ(before, PARK_EVENT_IMPROVED);
                CHECK_REAL(best, 1);
            }
            before = kind;
            CHECK_EQ(park_event_free(event), PARK_OK);
        }
    }
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_best_can_be_read_back_also_after_an_abort)
{
    double value = 7;
    char state[8] = "-------";
    park_handler *job = new_job();
    CHECK_EQ(park_best(job, &value, state, sizeof state), PARK_UNKNOWN);
    CHECK_REAL(value, 7);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 2, "two", 3), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_improved(job, 1, "one!", 4), PARK_OK);                        /* just before it is told */
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_best(job, NULL, NULL, 0), 4);
    CHECK_EQ(park_best(job, &value, state, 2), 4);
    CHECK_REAL(value, 1);
    CHECK(memcmp(state, "on-----", 7) == 0);
    CHECK_EQ(park_best(job, NULL, state, sizeof state), 4);
    CHECK(memcmp(state, "one!---", 7) == 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_best(job, &value, state, sizeof state), PARK_UNKNOWN);        /* a new run has none yet */
    CHECK_EQ(park_improved(job, 5, NULL, 0), PARK_OK);                          /* a best without a state */
    CHECK_EQ(park_best(job, &value, state, sizeof state), 0);
    CHECK_REAL(value, 5);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* Checkpoints by the callback. */

static pthread_t saved_on;

static int count_saves(park_handler *job, int operation, void *user)
{
    (void)job;
    CHECK_EQ(operation, PARK_SAVE);
    saved_on = pthread_self();
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(checkpoint_delta_decides_how_often_the_callback_saves)
{
    atomic_int saves = 0;
    int i;
    double began = now();
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &saves, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 1000; i++) CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&saves), 0);                                           /* within the hour: none */
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0), PARK_OK);
    for (i = 1; i <= 10; i++) {
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(atomic_load(&saves), i);
    }
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0.02), PARK_OK);
    while (atomic_load(&saves) < 13) {
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK(now() - began < check_patience());
    }
    CHECK(pthread_equal(saved_on, pthread_self()));
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_checkpoint_callback_that_is_replaced_is_destroyed_once)
{
    atomic_int first = 0, second = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &first, count_destroy), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, count_saves, &second, count_destroy), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(park_on_checkpoint(job, NULL, &first, count_destroy), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&first), 2);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&first), 2);
    CHECK_EQ(atomic_load(&second), 1);
}

/* Checkpoints by the poll form. */

TEST(a_loop_that_saves_by_itself_is_told_when)
{
    park_event *event;
    double began = now();
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_CHECKPOINT);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);                                      /* until it is done */
    CHECK_EQ(park_next_event(client, 0, &event), PARK_TIMEOUT);
    CHECK_EQ(park_checkpoint_done(job, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    event = next_event(client);
    CHECK_EQ(park_event_status(event), PARK_OK);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_done(job, 0), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    event = next_event(client);
    CHECK_EQ(park_event_status(event), PARK_FAILED);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0.01), PARK_OK);        /* and when its time has come */
    while (park_checkpoint_due(job) == 0) {
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK(now() - began < check_patience());
    }
    CHECK_EQ(park_checkpoint_done(job, 1), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_CHECKPOINT_DELTA, 0), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);
    CHECK_EQ(park_checkpoint_done(job, 1), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static void stop_a_loop_that_saves_by_itself(int saves_well, int exit_code)
{
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    for (i = 0; i < 3; i++) {                                                   /* it goes on until it has saved */
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(park_checkpoint_due(job), 1);
    }
    CHECK_EQ(park_state(job), PARK_STATE_STOPPING);
    CHECK_EQ(park_checkpoint_done(job, saves_well), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_STOPPED);
    CHECK_EQ(park_exit_code(job), exit_code);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_stop_waits_for_the_loops_own_checkpoint)
{
    stop_a_loop_that_saves_by_itself(1, PARK_EXIT_CHECKPOINTED);
    stop_a_loop_that_saves_by_itself(0, PARK_EXIT_ABORTED);
}

TEST(an_abort_does_not_wait_for_a_checkpoint)
{
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_checkpoint_due(job), 0);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

struct saver { struct loop loop; atomic_int saves; };

static int save_by_itself(park_handler *job, void *request)
{
    struct saver *saver = request;
    int status;
    for (;;) {
        atomic_fetch_add(&saver->loop.iterations, 1);
        if ((status = park_ready(job)) != 0) return status;
        if (park_checkpoint_due(job) == 1) {
            atomic_fetch_add(&saver->saves, 1);
            CHECK_EQ(park_checkpoint_done(job, 1), PARK_OK);
        }
        if (atomic_load(&saver->loop.enough)) return PARK_OK;
        nap(5e-5);
    }
}

TEST(who_asks_for_a_checkpoint_is_answered_when_the_loop_has_saved)
{
    struct saver saver = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, save_by_itself, &saver, NULL, 0), PARK_OK);
    wait_iterations(&saver.loop, 2);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(atomic_load(&saver.saves), 1);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);   /* also while it is paused */
    CHECK_EQ(atomic_load(&saver.saves), 2);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);                           /* and it is paused again */
    CHECK_EQ(park_ask(job, PARK_STOP, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(atomic_load(&saver.saves), 3);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(the_defaults_are_those_of_the_service_handler),
    CASE(a_delta_that_is_no_time_is_refused),
    CASE(progress_delta_0_tells_at_every_ready_point),
    CASE(a_long_progress_delta_tells_only_at_the_end),
    CASE(a_short_progress_delta_tells_again_and_again),
    CASE(improved_delta_0_tells_each),
    CASE(the_last_best_is_told_before_the_end_whatever_the_end),
    CASE(a_best_that_waits_is_told_when_its_time_has_come),
    CASE(a_best_that_waits_never_comes_after_the_end),
    CASE(the_best_can_be_read_back_also_after_an_abort),
    CASE(checkpoint_delta_decides_how_often_the_callback_saves),
    CASE(a_checkpoint_callback_that_is_replaced_is_destroyed_once),
    CASE(a_loop_that_saves_by_itself_is_told_when),
    CASE(a_stop_waits_for_the_loops_own_checkpoint),
    CASE(an_abort_does_not_wait_for_a_checkpoint),
    CASE(who_asks_for_a_checkpoint_is_answered_when_the_loop_has_saved),
};
CHECK_MAIN(tests)
