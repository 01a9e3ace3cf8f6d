/* Events out: every kind, three ways to receive them, and what a slow or late client can rely on. */
#include "job.h"
#include <math.h>
#include <poll.h>

/* Whether the descriptor becomes readable. */
static int comes(struct pollfd *descriptor)
{
    return poll(descriptor, 1, (int)(check_patience() * 1000)) == 1 && (descriptor->revents & POLLIN) != 0;
}

static int save_as_told(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    return *(int *)user;
}

static void check_best(const park_event *event, double value, const char *state)
{
    int64_t bytes = -1;
    const void *found = park_event_state(event, &bytes);
    CHECK_REAL(park_event_value(event), value);
    CHECK_EQ(bytes, strlen(state));
    CHECK(bytes == 0 || memcmp(found, state, (size_t)bytes) == 0);
    CHECK(park_event_state(event, NULL) == found);
}

TEST(a_run_is_told_event_by_event)
{
    char units[8];
    int answer = 0;
    double began = (double)time(NULL);
    int64_t sequence = 0;
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK(client != NULL);
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, save_as_told, &answer, NULL), PARK_OK);
    CHECK_EQ(park_next_event(client, 0, &event), PARK_TIMEOUT);

    CHECK_EQ(park_attach(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_START);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_RUNNING);
    CHECK(park_event_time(event) >= began - 5 && park_event_time(event) <= (double)time(NULL) + 5);
    CHECK(isnan(park_event_value(event)));                          /* there is no best yet */
    CHECK((sequence = park_event_sequence(event)) > 0);
    CHECK_EQ(park_event_level(event), PARK_WRONG_TYPE);
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_progress(job, 1, 10), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_PROGRESS);
    CHECK_REAL(park_event_done(event), 1);
    CHECK_REAL(park_event_total(event), 10);
    CHECK_EQ(park_event_units(event, units, sizeof units), 5);
    CHECK_TEXT(units, "steps");
    CHECK(park_event_sequence(event) > sequence);
    sequence = park_event_sequence(event);
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_improved(job, 0.5, "half", 4), PARK_OK);          /* at once, not at the ready point */
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_IMPROVED);
    check_best(event, 0.5, "half");
    CHECK_REAL(park_event_done(event), 1);
    CHECK(park_event_sequence(event) > sequence);
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_log(job, PARK_LOG_INFO, "gr\xC3\xBC\xC3\x9F\x65"), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_LOG);
    CHECK_EQ(park_event_level(event), PARK_LOG_INFO);
    CHECK_TEXT(text_of(event), "gr\xC3\xBC\xC3\x9F\x65");
    CHECK_EQ(park_event_text(event, NULL, 0), 7);
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_CHECKPOINT);
    CHECK_EQ(park_event_status(event), PARK_OK);
    CHECK_EQ(park_event_free(event), PARK_OK);
    answer = -1;
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    event = next_of_kind(client, PARK_EVENT_CHECKPOINT);            /* the log complains, too */
    CHECK_EQ(park_event_status(event), PARK_FAILED);
    CHECK(strlen(text_of(event)) > 0);
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_set_result(job, "result", 6), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_COMPLETE);
    CHECK_EQ(park_event_status(event), PARK_OK);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_COMPLETE);
    check_best(event, 0.5, "result");
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_next_event(client, 0, &event), PARK_TIMEOUT);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_next_event(client, 0, &event), PARK_CLOSED);
    CHECK_EQ(park_client_free(client), PARK_OK);
}

TEST(an_abort_and_an_error_tell_the_reason_and_the_best)
{
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ABORT | PARK_EVENT_ERROR | PARK_EVENT_COMPLETE);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 3, "three", 5), PARK_OK);
    CHECK_EQ(park_improved(job, 2, "two", 3), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_ABORT);
    CHECK_EQ(park_event_status(event), PARK_ABORTED);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_ABORTED);
    CHECK(strlen(text_of(event)) > 0);
    check_best(event, 2, "two");
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, "one", 3), PARK_OK);
    CHECK_EQ(park_fail(job, "out of tea"), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_ERROR);
    CHECK_EQ(park_event_status(event), PARK_FAILED);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_FAILED);
    CHECK_TEXT(text_of(event), "out of tea");
    check_best(event, 1, "one");
    CHECK_EQ(park_event_free(event), PARK_OK);

    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_ABORT);
    CHECK_EQ(park_event_status(event), PARK_STOPPED);
    CHECK(isnan(park_event_value(event)));                          /* the best of an earlier run is not this one's */
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(pause_and_resume_are_told_with_the_state)
{
    struct loop loop = { 0 };
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_PAUSED | PARK_EVENT_RESUMED);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_PAUSED);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_PAUSED);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_RESUMED);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_RUNNING);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_next_event(client, 0.01, &event), PARK_TIMEOUT);
    CHECK_EQ(park_client_free(client), PARK_OK);
    end_loop(job, &loop);
}

/* Callbacks. */

struct heard { atomic_int kinds, calls, destroyed; int64_t sequence; pthread_t thread; int answer, only_computing; };

static pthread_t computing_thread;

static int hear(park_handler *job, const park_event *event, void *user)
{
    struct heard *heard = user;
    CHECK(job != NULL);
    CHECK_EQ(atomic_load(&heard->destroyed), 0);
    CHECK(park_event_sequence(event) > heard->sequence);            /* in order */
    heard->sequence = park_event_sequence(event);
    if (heard->only_computing) CHECK(pthread_equal(pthread_self(), computing_thread));
    heard->thread = pthread_self();
    atomic_fetch_or(&heard->kinds, park_event_kind(event));
    atomic_fetch_add(&heard->calls, 1);
    return heard->answer;
}

static void stop_hearing(void *user) { atomic_fetch_add(&((struct heard *)user)->destroyed, 1); }

static int loop_noting_thread(park_handler *job, void *request)
{
    computing_thread = pthread_self();
    return run_loop(job, request);
}

TEST(callbacks_are_called_on_the_thread_that_was_asked_for)
{
    struct loop loop = { 0 };
    struct heard here = { 0 }, there = { 0 };
    park_handler *job = new_job();
    here.only_computing = 1;
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, hear, &here, stop_hearing) > 0);
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, hear, &there, stop_hearing) > 0);
    CHECK_EQ(park_start(job, loop_noting_thread, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "hello"), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(atomic_load(&here.kinds) & PARK_EVENT_PAUSED);       /* also while it is halted */
    WAIT_UNTIL(atomic_load(&there.kinds) & PARK_EVENT_PAUSED);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "still there?"), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    WAIT_UNTIL(atomic_load(&here.kinds) & PARK_EVENT_RESUMED);
    end_loop(job, &loop);
    CHECK_EQ(atomic_load(&here.kinds),
             PARK_EVENT_START | PARK_EVENT_LOG | PARK_EVENT_PAUSED | PARK_EVENT_RESUMED | PARK_EVENT_COMPLETE);
    CHECK_EQ(atomic_load(&there.kinds), atomic_load(&here.kinds));
    CHECK_EQ(atomic_load(&there.calls), 6);
    CHECK_EQ(atomic_load(&here.calls), 6);
    CHECK(pthread_equal(here.thread, computing_thread));
    CHECK(!pthread_equal(there.thread, computing_thread));
    CHECK(!pthread_equal(there.thread, pthread_self()));
    CHECK_EQ(atomic_load(&here.destroyed), 1);
    CHECK_EQ(atomic_load(&there.destroyed), 1);
}

TEST(by_default_callbacks_come_inside_ready_and_detach_only)
{
    struct heard heard = { 0 }, service = { 0 };
    park_handler *job = new_job();
    computing_thread = pthread_self();
    heard.only_computing = 1;
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, hear, &heard, NULL) > 0);
    CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_SERVICE, hear, &service, NULL) > 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_DEBUG, "line"), PARK_OK);
    WAIT_UNTIL(atomic_load(&service.calls) == 1);                    /* the service thread has come by, */
    CHECK_EQ(park_log(job, PARK_LOG_DEBUG, "line"), PARK_OK);
    WAIT_UNTIL(atomic_load(&service.calls) == 2);                    /* twice, */
    CHECK_EQ(atomic_load(&heard.calls), 0);                          /* and has left this one alone */
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&heard.calls), 4);
    CHECK_EQ(atomic_load(&heard.kinds), PARK_EVENT_START | PARK_EVENT_IMPROVED | PARK_EVENT_LOG);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&heard.calls), 4);
    CHECK_EQ(park_improved(job, 0.5, NULL, 0), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);                             /* the last ones are not forgotten */
    CHECK_EQ(atomic_load(&heard.calls), 6);
    CHECK(atomic_load(&heard.kinds) & PARK_EVENT_COMPLETE);
    CHECK(pthread_equal(heard.thread, pthread_self()));
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

struct shown { int calls; double value, done, total, left; char state[8]; int64_t bytes; int answer; };

static int show_improved(park_handler *job, double value, const void *state, int64_t bytes, void *user)
{
    struct shown *shown = user;
    CHECK(job != NULL);
    shown->calls++;
    shown->value = value;
    shown->bytes = bytes;
    if (bytes > 0) memcpy(shown->state, state, (size_t)bytes);
    return shown->answer;
}

static int show_progress(park_handler *job, double done, double total, double seconds_left, void *user)
{
    struct shown *shown = user;
    CHECK(job != NULL);
    shown->calls++;
    shown->done = done;
    shown->total = total;
    shown->left = seconds_left;
    return shown->answer;
}

TEST(improvement_and_progress_have_callbacks_of_their_own)
{
    struct shown improved = { 0 }, progress = { 0 };
    int i;
    park_handler *job = new_job();
    int64_t first = park_on_improved(job, show_improved, &improved, NULL);
    int64_t second = park_on_progress(job, show_progress, &progress, NULL);
    CHECK(first > 0 && second > 0 && first != second);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_progress(job, 2, 0), PARK_OK);
    CHECK_EQ(park_improved(job, -1.5, "abc", 3), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(improved.calls, 1);
    CHECK_REAL(improved.value, -1.5);
    CHECK_EQ(improved.bytes, 3);
    CHECK_TEXT(improved.state, "abc");
    CHECK_EQ(progress.calls, 1);
    CHECK_REAL(progress.done, 2);
    CHECK(progress.total <= 0);
    CHECK(progress.left < 0);                                        /* nobody knows the total */
    for (i = 3; i < 60; i++) {
        CHECK_EQ(park_progress(job, i, 1000000), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        nap(0.002);
    }
    CHECK(progress.left > 0);                                        /* by now it can be told */
    CHECK_EQ(park_off_event(job, first), PARK_OK);
    CHECK_EQ(park_improved(job, -2, NULL, 0), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(improved.calls, 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(nonzero_from_any_callback_means_stop)
{
    int which;
    for (which = 0; which < 4; which++) {
        struct loop loop = { 0 };
        struct heard heard = { 0 };
        struct shown shown = { 0 };
        park_handler *job = new_job();
        heard.answer = shown.answer = 1;
        CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
        if (which == 0) CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_COMPUTATION, hear, &heard, NULL) > 0);
        if (which == 1) CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_SERVICE, hear, &heard, NULL) > 0);
        if (which == 2) CHECK(park_on_improved(job, show_improved, &shown, NULL) > 0);
        if (which == 3) CHECK(park_on_progress(job, show_progress, &shown, NULL) > 0);
        if (which < 2) {
            CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
            CHECK_EQ(park_log(job, PARK_LOG_INFO, "stop now"), PARK_OK);
            CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
        } else {
            CHECK_EQ(park_attach(job), PARK_OK);
            CHECK_EQ(park_ready(job), PARK_OK);
            CHECK_EQ(park_progress(job, 1, 2), PARK_OK);
            CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
            CHECK_EQ(park_ready(job), PARK_STOPPED);                 /* the very ready point that called it */
            CHECK_EQ(park_detach(job), PARK_OK);
        }
        CHECK_EQ(park_exit_code(job), PARK_EXIT_ABORTED);
        CHECK_EQ(park_handler_free(job), PARK_OK);
    }
}

TEST(a_callback_that_was_taken_away_is_not_called_and_destroyed_once)
{
    struct heard here = { 0 }, there = { 0 };
    int64_t first, second;
    park_handler *job = new_job();
    first = park_on_event(job, PARK_EVENT_LOG, PARK_ON_COMPUTATION, hear, &here, stop_hearing);
    second = park_on_event(job, PARK_EVENT_LOG, PARK_ON_SERVICE, hear, &there, stop_hearing);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "one"), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    WAIT_UNTIL(atomic_load(&there.calls) == 1);
    CHECK_EQ(park_off_event(job, first), PARK_OK);
    CHECK_EQ(park_off_event(job, second), PARK_OK);
    CHECK_EQ(park_off_event(job, first), PARK_UNKNOWN);
    CHECK_EQ(park_off_event(job, 0), PARK_UNKNOWN);
    CHECK_EQ(park_off_event(job, -5), PARK_UNKNOWN);
    CHECK_EQ(park_off_event(job, INT64_MAX), PARK_UNKNOWN);
    WAIT_UNTIL(atomic_load(&here.destroyed) == 1 && atomic_load(&there.destroyed) == 1);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "two"), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&here.calls), 1);
    CHECK_EQ(atomic_load(&there.calls), 1);
    CHECK_EQ(atomic_load(&here.destroyed), 1);
    CHECK_EQ(atomic_load(&there.destroyed), 1);
}

struct once { int64_t id; atomic_int calls, destroyed; };

static int hear_once(park_handler *job, const park_event *event, void *user)
{
    struct once *once = user;
    CHECK(park_event_kind(event) == PARK_EVENT_LOG);
    atomic_fetch_add(&once->calls, 1);
    CHECK_EQ(park_off_event(job, once->id), PARK_OK);
    CHECK_EQ(atomic_load(&once->destroyed), 0);                     /* not while it is still being used */
    CHECK_TEXT(text_of(event), "one");
    return 0;
}

static void once_is_over(void *user) { atomic_fetch_add(&((struct once *)user)->destroyed, 1); }

TEST(a_callback_may_take_itself_away)
{
    int where;
    for (where = PARK_ON_COMPUTATION; where <= PARK_ON_SERVICE; where++) {
        struct once once = { 0 };
        park_handler *job = new_job();
        once.id = park_on_event(job, PARK_EVENT_LOG, where, hear_once, &once, once_is_over);
        CHECK(once.id > 0);
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_log(job, PARK_LOG_INFO, "one"), PARK_OK);
        CHECK_EQ(park_log(job, PARK_LOG_INFO, "two"), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        WAIT_UNTIL(atomic_load(&once.destroyed) == 1);
        CHECK_EQ(park_detach(job), PARK_OK);
        CHECK_EQ(park_handler_free(job), PARK_OK);
        CHECK_EQ(atomic_load(&once.calls), 1);
        CHECK_EQ(atomic_load(&once.destroyed), 1);
    }
}

TEST(a_registration_that_fails_destroys_its_data_once)
{
    struct heard heard = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_on_event(job, 0, PARK_ON_COMPUTATION, hear, &heard, stop_hearing), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&heard.destroyed), 1);
    CHECK_MENTIONS(error_of(job), "mask");
    CHECK_EQ(park_on_event(job, 1 << 20, PARK_ON_COMPUTATION, hear, &heard, stop_hearing), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_on_event(job, -1, PARK_ON_COMPUTATION, hear, &heard, stop_hearing), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_on_event(job, PARK_EVENT_ALL, 2, hear, &heard, stop_hearing), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "where");
    CHECK_EQ(park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, NULL, &heard, stop_hearing), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&heard.destroyed), 5);
    CHECK(park_client_new(job, 0) == NULL);
    CHECK_MENTIONS(error_of(job), "mask");
    CHECK(park_client_new(job, 8192) == NULL);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&heard.calls), 0);
}

static struct gate in_callback = GATE, go_on = GATE;
static atomic_int finished;

static int take_long(park_handler *job, const park_event *event, void *user)
{
    (void)job;
    (void)event;
    (void)user;
    gate_open(&in_callback);
    gate_wait(&go_on);
    nap(0.02);
    atomic_store(&finished, 1);
    return 0;
}

static void *let_it_go_on(void *argument)
{
    nap(0.02);
    gate_open(&go_on);
    return argument;
}

TEST(free_waits_for_a_running_callback)
{
    atomic_int destroyed = 0;
    pthread_t thread;
    park_handler *job = new_job();
    CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_SERVICE, take_long, &destroyed, count_destroy) > 0);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "go"), PARK_OK);
    gate_wait(&in_callback);
    thread = spawn(let_it_go_on, NULL);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&finished), 1);
    CHECK_EQ(atomic_load(&destroyed), 1);
    join(thread);
}

/* Queues. */

TEST(a_client_gets_what_is_in_its_mask)
{
    park_event *event = NULL;
    park_handler *job = new_job();
    park_client *improved = park_client_new(job, PARK_EVENT_IMPROVED);
    park_client *ends = park_client_new(job, PARK_EVENT_START | PARK_EVENT_COMPLETE);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "nobody listens"), PARK_OK);
    CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    expect_kind(improved, PARK_EVENT_IMPROVED);
    CHECK_EQ(park_next_event(improved, 0, &event), PARK_TIMEOUT);
    expect_kind(ends, PARK_EVENT_START);
    expect_kind(ends, PARK_EVENT_COMPLETE);
    CHECK_EQ(park_next_event(ends, 0, &event), PARK_TIMEOUT);
    CHECK(event == NULL);                                           /* written only on success */
    CHECK_EQ(park_client_free(improved), PARK_OK);
    CHECK_EQ(park_client_free(ends), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(who_comes_late_is_told_first_how_far_it_is)
{
    struct heard heard = { 0 };
    char units[8];
    park_event *event;
    park_client *late, *without;
    park_handler *job = new_job();
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_progress(job, 30, 100), PARK_OK);
    CHECK_EQ(park_improved(job, 0.25, "quarter", 7), PARK_OK);
    late = park_client_new(job, PARK_EVENT_ALL);
    without = park_client_new(job, PARK_EVENT_ALL & ~PARK_EVENT_JOIN);
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, hear, &heard, NULL) > 0);
    CHECK_EQ(park_improved(job, 0.125, "eighth", 6), PARK_OK);
    event = next_event(late);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_JOIN);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_RUNNING);
    CHECK_REAL(park_event_done(event), 30);
    CHECK_REAL(park_event_total(event), 100);
    CHECK_EQ(park_event_units(event, units, sizeof units), 5);
    check_best(event, 0.25, "quarter");
    CHECK_EQ(park_event_free(event), PARK_OK);
    event = next_event(late);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_IMPROVED);
    check_best(event, 0.125, "eighth");
    CHECK_EQ(park_event_free(event), PARK_OK);
    expect_kind(without, PARK_EVENT_IMPROVED);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&heard.kinds), PARK_EVENT_JOIN | PARK_EVENT_IMPROVED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(late), PARK_OK);
    CHECK_EQ(park_client_free(without), PARK_OK);
    late = park_client_new(job, PARK_EVENT_ALL);                    /* after the end, too */
    event = next_event(late);
    CHECK_EQ(park_event_kind(event), PARK_EVENT_JOIN);
    CHECK_EQ(park_event_job_state(event), PARK_STATE_COMPLETE);
    check_best(event, 0.125, "eighth");
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(late), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_client_of_an_idle_job_gets_no_join)
{
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_attach(job), PARK_OK);
    expect_kind(client, PARK_EVENT_START);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(progress_merges_and_improvements_do_not)
{
    enum { COUNT = 3000 };
    int i, improvements = 0, progresses = 0;
    int64_t sequence = 0;
    double done = 0;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 1; i <= COUNT; i++) {                                  /* nobody fetches meanwhile */
        CHECK_EQ(park_progress(job, i, COUNT), PARK_OK);
        CHECK_EQ(park_improved(job, -i, &i, sizeof i), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    for (;;) {
        int kind, state;
        int64_t bytes = 0;
        park_event *event = NULL;
        int status = park_next_event(client, LONG_TIME, &event);
        if (status == PARK_CLOSED) break;
        CHECK_EQ(status, PARK_OK);
        CHECK(park_event_sequence(event) > sequence);
        sequence = park_event_sequence(event);
        kind = park_event_kind(event);
        if (kind == PARK_EVENT_PROGRESS) {
            progresses++;
            CHECK(park_event_done(event) > done);
            done = park_event_done(event);
        } else if (kind == PARK_EVENT_IMPROVED) {
            improvements++;
            CHECK_REAL(park_event_value(event), -improvements);
            memcpy(&state, park_event_state(event, &bytes), sizeof state);
            CHECK_EQ(bytes, sizeof state);
            CHECK_EQ(state, improvements);
        } else {
            CHECK(kind == PARK_EVENT_START || kind == PARK_EVENT_COMPLETE);
        }
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    CHECK_EQ(improvements, COUNT);                                  /* each of them */
    CHECK_REAL(done, COUNT);                                        /* and the newest progress, */
    CHECK(progresses < 10);                                         /* but not those that it replaced */
    CHECK_EQ(park_client_free(client), PARK_OK);
}

TEST(a_slow_client_is_cut_off_and_told_and_the_others_go_on)
{
    int i, got;
    park_event *event;
    park_handler *job = new_job();
    park_client *slow = park_client_new(job, PARK_EVENT_IMPROVED | PARK_EVENT_COMPLETE);
    park_client *good = park_client_new(job, PARK_EVENT_IMPROVED | PARK_EVENT_COMPLETE);
    struct pollfd ready;
    CHECK_EQ(park_client_limit(slow, 10, 1 << 20), PARK_OK);
    ready.fd = park_client_fd(slow);
    ready.events = POLLIN;
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 100; i++) {
        CHECK_EQ(park_improved(job, i, &i, sizeof i), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        event = next_event(good);
        CHECK_REAL(park_event_value(event), i);
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    for (got = 0; park_next_event(slow, 0, &event) == PARK_OK; got++) {
        CHECK_REAL(park_event_value(event), got);                   /* what waited is not lost */
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    CHECK_EQ(got, 10);
    CHECK_EQ(park_next_event(slow, 0, &event), PARK_CUT_OFF);
    CHECK_EQ(park_next_event(slow, PARK_FOREVER, &event), PARK_CUT_OFF);
    CHECK(comes(&ready));                                /* an event loop sees it, too */
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_next_event(slow, 0, &event), PARK_CUT_OFF);
    expect_kind(good, PARK_EVENT_COMPLETE);
    CHECK_EQ(park_client_free(slow), PARK_OK);
    CHECK_EQ(park_client_free(good), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_limit_counts_bytes_of_state_as_well)
{
    char state[1000];
    int i, got;
    park_event *event;
    park_handler *job = new_job();
    park_client *slow = park_client_new(job, PARK_EVENT_IMPROVED);
    memset(state, 's', sizeof state);
    CHECK_EQ(park_client_limit(slow, 1000, 5000), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 20; i++) CHECK_EQ(park_improved(job, i, state, sizeof state), PARK_OK);
    for (got = 0; park_next_event(slow, 0, &event) == PARK_OK; got++) CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK(got >= 4 && got <= 5);
    CHECK_EQ(park_next_event(slow, 0, &event), PARK_CUT_OFF);
    CHECK_EQ(park_client_free(slow), PARK_OK);
    slow = park_client_new(job, PARK_EVENT_IMPROVED);               /* one that is bigger than the limit still fits alone */
    CHECK_EQ(park_client_limit(slow, 1000, 10), PARK_OK);
    CHECK_EQ(park_improved(job, 21, state, sizeof state), PARK_OK);
    event = next_event(slow);
    CHECK_REAL(park_event_value(event), 21);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(slow), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(limits_below_one_are_refused)
{
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_client_limit(client, 0, 10), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_client_limit(client, -1, 10), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_client_limit(client, 10, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_client_limit(client, INT64_MIN, INT64_MIN), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_client_limit(client, INT64_MAX, INT64_MAX), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static atomic_int slow_calls, last_kind;

static int be_slow(park_handler *job, const park_event *event, void *user)
{
    (void)job;
    (void)user;
    CHECK(atomic_load(&last_kind) != PARK_EVENT_CUT_OFF);           /* which is the last one */
    if (atomic_fetch_add(&slow_calls, 1) == 0) {
        gate_open(&in_callback);
        gate_wait(&go_on);
    }
    atomic_store(&last_kind, park_event_kind(event));
    return 0;
}

TEST(a_blocked_callback_never_holds_up_the_loop_and_is_cut_off)
{
    atomic_int destroyed = 0;
    int i;
    park_handler *job = new_job();
    CHECK(park_on_event(job, PARK_EVENT_IMPROVED | PARK_EVENT_COMPLETE, PARK_ON_SERVICE, be_slow, &destroyed,
                        count_destroy) > 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
    gate_wait(&in_callback);                                        /* from here on the callback is stuck */
    for (i = 0; i < 10000; i++) {
        CHECK_EQ(park_improved(job, i, &i, sizeof i), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    CHECK_EQ(park_detach(job), PARK_OK);                            /* and yet the job came to its end */
    CHECK_EQ(park_wait(job, 0), PARK_OK);
    gate_open(&go_on);
    WAIT_UNTIL(atomic_load(&last_kind) == PARK_EVENT_CUT_OFF);
    CHECK(atomic_load(&slow_calls) <= 2 + 2 * 4096);
    WAIT_UNTIL(atomic_load(&destroyed) == 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&destroyed), 1);
}

TEST(the_descriptor_is_readable_exactly_while_something_waits)
{
    int i;
    park_event *event;
    struct pollfd ready;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    ready.fd = park_client_fd(client);
    ready.events = POLLIN;
    CHECK(ready.fd >= 0);
    CHECK_EQ(park_client_fd(client), ready.fd);
    CHECK_EQ(poll(&ready, 1, 0), 0);
    for (i = 0; i < 5; i++) {
        CHECK_EQ(park_log(job, PARK_LOG_INFO, "one"), PARK_OK);
        CHECK_EQ(park_log(job, PARK_LOG_INFO, "two"), PARK_OK);
        CHECK(comes(&ready));
        CHECK_EQ(park_next_event(client, 0, &event), PARK_OK);
        CHECK_EQ(park_event_free(event), PARK_OK);
        CHECK(comes(&ready));
        CHECK_EQ(park_next_event(client, 0, &event), PARK_OK);
        CHECK_EQ(park_event_free(event), PARK_OK);
        CHECK_EQ(poll(&ready, 1, 0), 0);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(comes(&ready));                                /* there is news: it is over */
    CHECK_EQ(park_next_event(client, 0, &event), PARK_CLOSED);
    CHECK_EQ(park_client_free(client), PARK_OK);
}

TEST(a_descriptor_that_is_asked_for_late_knows_what_waits)
{
    park_event *event;
    struct pollfd ready;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "one"), PARK_OK);
    ready.fd = park_client_fd(client);
    ready.events = POLLIN;
    CHECK(comes(&ready));
    CHECK_EQ(park_next_event(client, 0, &event), PARK_OK);
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(poll(&ready, 1, 0), 0);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static atomic_int produced;

static void *log_often(void *argument)
{
    long i;
    for (i = 0; i < scaled(5000); i++) {
        CHECK_EQ(park_log(argument, PARK_LOG_INFO, "line"), PARK_OK);
        if (i % 3 == 0) nap(1e-5);
        if (i % 500 == 0) nap(2e-3);
    }
    atomic_fetch_add(&produced, 1);
    return NULL;
}

TEST(an_event_loop_that_polls_the_descriptor_misses_nothing)
{
    pthread_t threads[2];
    long got = 0;
    struct pollfd ready;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_client_limit(client, 1 << 20, 1 << 30), PARK_OK);
    ready.fd = park_client_fd(client);
    ready.events = POLLIN;
    threads[0] = spawn(log_often, job);
    threads[1] = spawn(log_often, job);
    while (got < 2 * scaled(5000)) {
        park_event *event;
        CHECK(comes(&ready));
        while (park_next_event(client, 0, &event) == PARK_OK) {
            got++;
            CHECK_EQ(park_event_free(event), PARK_OK);
        }
    }
    join(threads[0]);
    join(threads[1]);
    CHECK_EQ(poll(&ready, 1, 0), 0);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int notify(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(notify_is_called_when_there_is_something_and_not_for_each)
{
    atomic_int notified = 0, counted = 0;
    int i, round;
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_IMPROVED);
    CHECK_EQ(park_on_notify(client, notify, &notified, NULL), PARK_OK);
    CHECK_EQ(atomic_load(&notified), 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (round = 1; round <= 3; round++) {
        for (i = 0; i < 1000; i++) CHECK_EQ(park_improved(job, i, NULL, 0), PARK_OK);
        WAIT_UNTIL(atomic_load(&notified) >= round);
        CHECK_EQ(atomic_load(&notified), round);
        for (i = 0; i < 1000; i++) {
            CHECK_EQ(park_next_event(client, 0, &event), PARK_OK);
            CHECK_EQ(park_event_free(event), PARK_OK);
        }
        CHECK_EQ(park_next_event(client, 0, &event), PARK_TIMEOUT);
    }
    CHECK_EQ(park_improved(job, 5, NULL, 0), PARK_OK);
    CHECK_EQ(park_on_notify(client, notify, &counted, NULL), PARK_OK);      /* registered late: told at once */
    WAIT_UNTIL(atomic_load(&counted) >= 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    WAIT_UNTIL(atomic_load(&counted) >= 2);                         /* told that it is over */
    CHECK_EQ(park_client_free(client), PARK_OK);
}

static int notify_nobody(void *user)
{
    CHECK(user != NULL);
    return 0;
}

TEST(the_data_of_notify_is_destroyed_once)
{
    atomic_int first = 0, second = 0, third = 0;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_IMPROVED);
    park_client *other = park_client_new(job, PARK_EVENT_IMPROVED);
    CHECK_EQ(park_on_notify(client, NULL, &third, count_destroy), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&third), 1);
    CHECK_EQ(park_on_notify(client, notify_nobody, &first, count_destroy), PARK_OK);
    CHECK_EQ(park_on_notify(client, notify_nobody, &second, count_destroy), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(park_on_notify(other, notify_nobody, &third, count_destroy), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(atomic_load(&second), 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_client_free(other), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(atomic_load(&second), 1);
    CHECK_EQ(atomic_load(&third), 2);
}

TEST(a_client_outlives_its_handler)
{
    park_event *kept, *event;
    char state[4000];
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_START | PARK_EVENT_IMPROVED | PARK_EVENT_COMPLETE);
    memset(state, 's', sizeof state);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, state, sizeof state), PARK_OK);
    CHECK_EQ(park_improved(job, 2, NULL, 0), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    expect_kind(client, PARK_EVENT_START);                          /* drained first */
    kept = next_event(client);
    expect_kind(client, PARK_EVENT_IMPROVED);
    expect_kind(client, PARK_EVENT_COMPLETE);
    CHECK_EQ(park_next_event(client, PARK_FOREVER, &event), PARK_CLOSED);
    CHECK_EQ(park_next_event(client, 0, &event), PARK_CLOSED);
    CHECK_EQ(park_client_free(client), PARK_OK);
    {
        int64_t bytes = 0;                                          /* and an event outlives both */
        const char *found = park_event_state(kept, &bytes);
        CHECK_EQ(bytes, sizeof state);
        CHECK(memcmp(found, state, sizeof state) == 0);
        CHECK_REAL(park_event_value(kept), 1);
    }
    CHECK_EQ(park_event_free(kept), PARK_OK);
}

static void *wait_for_the_end(void *argument)
{
    park_event *event;
    int status;
    while ((status = park_next_event(argument, PARK_FOREVER, &event)) == PARK_OK) CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(status, PARK_CLOSED);
    return NULL;
}

TEST(who_waits_for_an_event_is_woken_by_events_and_by_the_end)
{
    struct loop loop = { 0 };
    pthread_t waiting[3];
    park_client *clients[3];
    int i;
    park_handler *job = new_job();
    for (i = 0; i < 3; i++) {
        clients[i] = park_client_new(job, PARK_EVENT_ALL);
        waiting[i] = spawn(wait_for_the_end, clients[i]);
    }
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    wait_iterations(&loop, 2);
    end_loop(job, &loop);
    for (i = 0; i < 3; i++) {
        join(waiting[i]);
        CHECK_EQ(park_client_free(clients[i]), PARK_OK);
    }
}

TEST(a_time_limit_is_kept_while_nothing_comes)
{
    park_event *event = NULL;
    double began = now();
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_next_event(client, 0.05, &event), PARK_TIMEOUT);
    CHECK(now() - began >= 0.05);
    CHECK_EQ(park_next_event(client, -3, &event), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_next_event(client, NAN, &event), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_next_event(client, INFINITY, &event), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_next_event(client, 0, NULL), PARK_INVALID_ARGUMENT);
    CHECK(event == NULL);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(any_number_of_clients_get_the_same)
{
    enum { CLIENTS = 100, EVENTS = 50 };
    park_client *clients[CLIENTS];
    int64_t sequences[EVENTS];
    int i, k;
    park_handler *job = new_job();
    for (i = 0; i < CLIENTS; i++) CHECK((clients[i] = park_client_new(job, PARK_EVENT_IMPROVED)) != NULL);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (k = 0; k < EVENTS; k++) CHECK_EQ(park_improved(job, k, &k, sizeof k), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    for (i = 0; i < CLIENTS; i++) {
        for (k = 0; k < EVENTS; k++) {
            park_event *event = next_event(clients[i]);
            CHECK_REAL(park_event_value(event), k);
            if (i == 0) sequences[k] = park_event_sequence(event);
            CHECK_EQ(park_event_sequence(event), sequences[k]);
            CHECK_EQ(park_event_free(event), PARK_OK);
        }
        CHECK_EQ(park_client_free(clients[i]), PARK_OK);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static atomic_int may_end;

static void *come_and_go(void *argument)
{
    while (!atomic_load(&may_end)) {
        park_event *event;
        park_client *client = park_client_new(argument, PARK_EVENT_ALL);
        CHECK(client != NULL);
        event = next_event(client);
        CHECK_EQ(park_event_kind(event), PARK_EVENT_JOIN);
        CHECK_EQ(park_event_free(event), PARK_OK);
        if (park_next_event(client, 0.001, &event) == PARK_OK) CHECK_EQ(park_event_free(event), PARK_OK);
        CHECK_EQ(park_client_free(client), PARK_OK);
    }
    return NULL;
}

TEST(clients_may_come_and_go_while_it_runs)
{
    pthread_t threads[3];
    long i;
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 3; i++) threads[i] = spawn(come_and_go, job);
    for (i = 0; i < scaled(20000); i++) {
        CHECK_EQ(park_improved(job, (double)i, &i, sizeof i), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    atomic_store(&may_end, 1);
    for (i = 0; i < 3; i++) join(threads[i]);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(a_run_is_told_event_by_event),
    CASE(an_abort_and_an_error_tell_the_reason_and_the_best),
    CASE(pause_and_resume_are_told_with_the_state),
    CASE(callbacks_are_called_on_the_thread_that_was_asked_for),
    CASE(by_default_callbacks_come_inside_ready_and_detach_only),
    CASE(improvement_and_progress_have_callbacks_of_their_own),
    CASE(nonzero_from_any_callback_means_stop),
    CASE(a_callback_that_was_taken_away_is_not_called_and_destroyed_once),
    CASE(a_callback_may_take_itself_away),
    CASE(a_registration_that_fails_destroys_its_data_once),
    CASE(free_waits_for_a_running_callback),
    CASE(a_client_gets_what_is_in_its_mask),
    CASE(who_comes_late_is_told_first_how_far_it_is),
    CASE(a_client_of_an_idle_job_gets_no_join),
    CASE(progress_merges_and_improvements_do_not),
    CASE(a_slow_client_is_cut_off_and_told_and_the_others_go_on),
    CASE(the_limit_counts_bytes_of_state_as_well),
    CASE(limits_below_one_are_refused),
    CASE(a_blocked_callback_never_holds_up_the_loop_and_is_cut_off),
    CASE(the_descriptor_is_readable_exactly_while_something_waits),
    CASE(a_descriptor_that_is_asked_for_late_knows_what_waits),
    CASE(an_event_loop_that_polls_the_descriptor_misses_nothing),
    CASE(notify_is_called_when_there_is_something_and_not_for_each),
    CASE(the_data_of_notify_is_destroyed_once),
    CASE(a_client_outlives_its_handler),
    CASE(who_waits_for_an_event_is_woken_by_events_and_by_the_end),
    CASE(a_time_limit_is_kept_while_nothing_comes),
    CASE(any_number_of_clients_get_the_same),
    CASE(clients_may_come_and_go_while_it_runs),
};
CHECK_MAIN(tests)
