/* Pause, resume, abort, stop and checkpoint: from threads, as requests, and from POSIX signal handlers. */
#include "job.h"
#include <errno.h>
#include <sys/time.h>

static int count_saves(park_handler *job, int operation, void *user)
{
    (void)job;
    CHECK_EQ(operation, PARK_SAVE);
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(pause_halts_the_loop_and_resume_lets_it_go_on)
{
    struct loop loop = { 0 };
    long halted;
    park_handler *job = start_loop(&loop);
    wait_iterations(&loop, 3);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    halted = atomic_load(&loop.iterations);
    nap(0.05);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(atomic_load(&loop.iterations), halted);
    CHECK_EQ(park_wait(job, 0), PARK_TIMEOUT);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 3);
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    end_loop(job, &loop);
}

TEST(a_pause_that_was_taken_back_leaves_nothing_behind)
{
    struct loop loop = { 0 };
    long i;
    park_handler *job = start_loop(&loop);
    for (i = 0; i < scaled(20000); i++) {
        CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
        CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    }
    wait_iterations(&loop, 3);
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    end_loop(job, &loop);
}

TEST(one_resume_ends_any_number_of_pauses)
{
    struct loop loop = { 0 };
    park_handler *job = start_loop(&loop);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);     /* nothing to resume: nothing happens */
    wait_iterations(&loop, 2);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 3);
    end_loop(job, &loop);
}

static void end_paused(int signal, int outcome)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_PAUSED | PARK_EVENT_RESUMED | PARK_EVENT_ABORT);
    CHECK(client != NULL);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    expect_kind(client, PARK_EVENT_PAUSED);
    CHECK_EQ(park_signal(job, signal), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), outcome);
    expect_kind(client, PARK_EVENT_RESUMED);
    expect_kind(client, PARK_EVENT_ABORT);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(abort_and_stop_end_a_job_that_is_paused)
{
    end_paused(PARK_ABORT, PARK_ABORTED);
    end_paused(PARK_STOP, PARK_STOPPED);
}

TEST(an_abort_stays)
{
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    for (i = 0; i < 5; i++) CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);      /* who is to end does not halt */
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_state(job), PARK_STATE_STOPPING);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_stop_saves_once_and_stays)
{
    int i;
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &saves, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    for (i = 0; i < 5; i++) CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(atomic_load(&saves), 1);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);      /* an abort is more urgent */
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(an_abort_does_not_save)
{
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &saves, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&saves), 0);
}

TEST(a_signal_before_the_start_counts)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
    CHECK_EQ(atomic_load(&loop.iterations), 1);           /* its first ready point said so */
    CHECK_EQ(park_handler_free(job), PARK_OK);

    job = new_job();
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    atomic_store(&loop.iterations, 0);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(atomic_load(&loop.iterations), 1);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 2);
    end_loop(job, &loop);

    job = new_job();                                       /* and may be taken back */
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(after_the_end_a_signal_is_expired)
{
    int signal;
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    for (signal = PARK_PAUSE; signal <= PARK_STOP; signal++) {
        CHECK_EQ(park_signal(job, signal), PARK_EXPIRED);
        CHECK_EQ(park_ask(job, signal, NULL, LONG_TIME, NULL), PARK_EXPIRED);
    }
    CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(only_the_five_signals_are_signals)
{
    static const int bad[] = { 0, -1, PARK_SET, PARK_GET, PARK_INVOKE, PARK_MESSAGE, 10, 1 << 20, INT32_MAX, INT32_MIN };
    unsigned i;
    park_handler *job = new_job();
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(park_signal(job, bad[i]), PARK_INVALID_ARGUMENT);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_signal_that_is_asked_for_is_answered)
{
    struct loop loop = { 0 };
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &saves, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);         /* the answer came when it was halted */
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(atomic_load(&saves), 1);                     /* the answer came when it was saved */
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(park_ask(job, PARK_RESUME, NULL, LONG_TIME, NULL), PARK_OK);
    wait_iterations(&loop, 2);
    CHECK_EQ(park_ask(job, PARK_STOP, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(atomic_load(&saves), 2);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_ABORT, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int fail_to_save(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    (void)user;
    return -3;
}

TEST(a_checkpoint_that_cannot_be_is_not_called_done)
{
    struct loop loop = { 0 };
    park_handler *job = start_loop(&loop);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_REFUSED);    /* nothing to save with */
    CHECK(strlen(error_of(job)) > 0);
    CHECK_EQ(park_on_checkpoint(job, fail_to_save, NULL, NULL), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_FAILED);
    CHECK(strlen(error_of(job)) > 0);
    wait_iterations(&loop, 2);                                                        /* and the loop goes on */
    end_loop(job, &loop);
}

TEST(a_checkpoint_signal_saves_also_while_paused)
{
    struct loop loop = { 0 };
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, count_saves, &saves, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    WAIT_UNTIL(atomic_load(&saves) == 1);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_CHECKPOINT), PARK_OK);
    WAIT_UNTIL(atomic_load(&saves) == 2);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 5);
    CHECK_EQ(atomic_load(&saves), 2);                     /* once each */
    end_loop(job, &loop);
}

/* From here on: POSIX signal handlers. */

static park_handler *global_job;
static volatile sig_atomic_t to_send, told, errno_changed;

static void send_from_handler(int number)
{
    int before = errno;
    (void)number;
    errno = 77;
    told = park_signal(global_job, to_send);
    if (errno != 77) errno_changed = 1;
    errno = before;
}

static void handle_with(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL);
}

TEST(a_posix_signal_handler_may_signal)
{
    int i;
    global_job = new_job();
    handle_with(SIGUSR1, send_from_handler);
    CHECK_EQ(park_attach(global_job), PARK_OK);
    CHECK_EQ(park_ready(global_job), PARK_OK);
    to_send = PARK_ABORT;
    told = 99;
    raise(SIGUSR1);
    CHECK_EQ(told, PARK_OK);
    for (i = 0; i < 3; i++) CHECK_EQ(park_ready(global_job), PARK_ABORTED);
    CHECK_EQ(park_detach(global_job), PARK_OK);
    raise(SIGUSR1);
    CHECK_EQ(told, PARK_EXPIRED);
    CHECK_EQ(park_handler_free(global_job), PARK_OK);
    raise(SIGUSR1);
    CHECK_EQ(told, PARK_INVALID_HANDLE);
    CHECK_EQ(errno_changed, 0);
}

static atomic_int thread_known;
static pthread_t loop_thread;

static int known_loop(park_handler *job, void *request)
{
    loop_thread = pthread_self();
    atomic_store(&thread_known, 1);
    return run_loop(job, request);
}

TEST(a_posix_signal_resumes_the_very_thread_that_is_halted)
{
    struct loop loop = { 0 };
    int i;
    global_job = new_job();
    handle_with(SIGUSR1, send_from_handler);
    CHECK_EQ(park_start(global_job, known_loop, &loop, NULL, 0), PARK_OK);
    WAIT_UNTIL(atomic_load(&thread_known));
    for (i = 0; i < 20; i++) {
        to_send = PARK_PAUSE;
        CHECK(raise(SIGUSR1) == 0);
        WAIT_UNTIL(park_state(global_job) == PARK_STATE_PAUSED);
        to_send = PARK_RESUME;
        told = 99;
        CHECK(pthread_kill(loop_thread, SIGUSR1) == 0);
        wait_iterations(&loop, 2);
        CHECK_EQ(told, PARK_OK);
    }
    CHECK_EQ(errno_changed, 0);
    end_loop(global_job, &loop);
}

static volatile sig_atomic_t firings;
#define FIRINGS 200

static void pause_and_resume(int number)
{
    (void)number;
    park_signal(global_job, PARK_PAUSE);
    park_signal(global_job, PARK_RESUME);
    if (++firings == FIRINGS) park_signal(global_job, PARK_ABORT);
}

static void *set_all_the_time(void *argument)
{
    long i;
    (void)argument;
    for (i = 0;; i++) {
        int status = park_set_i64(global_job, "i", i, LONG_TIME);
        if (status == PARK_EXPIRED) return NULL;
        CHECK_EQ(status, PARK_OK);
    }
}

TEST(a_timer_may_signal_in_the_middle_of_anything)
{
    struct itimerval timer = { { 0, 1000 }, { 0, 1000 } }, off = { { 0, 0 }, { 0, 0 } };
    int64_t i = 0;
    int status;
    double steps = 0;
    pthread_t setter;
    global_job = new_job();
    CHECK_EQ(park_expose_i64(global_job, "i", &i, INT64_MIN, INT64_MAX), PARK_OK);
    CHECK_EQ(park_attach(global_job), PARK_OK);
    setter = spawn(set_all_the_time, NULL);
    handle_with(SIGVTALRM, pause_and_resume);
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    do {
        CHECK_EQ(park_progress(global_job, steps += 1, 0), PARK_OK);
        CHECK_EQ(park_improved(global_job, -steps, &steps, sizeof steps), PARK_OK);
        status = park_ready(global_job);
        CHECK(status == PARK_OK || status == PARK_ABORTED);
    } while (status == PARK_OK);
    CHECK(firings >= FIRINGS);
    setitimer(ITIMER_VIRTUAL, &off, NULL);
    CHECK_EQ(park_detach(global_job), PARK_OK);
    join(setter);
    CHECK_EQ(park_wait(global_job, 0), PARK_ABORTED);
    CHECK_EQ(park_handler_free(global_job), PARK_OK);
}

/* The loop of the next two tests does nothing but ask whether it is ready. */
static atomic_long turns;

static int turn(park_handler *job, void *request)
{
    int status;
    (void)request;
    do {
        atomic_fetch_add(&turns, 1);
        status = park_ready(job);
    } while (status == PARK_OK);
    return status;
}

TEST(a_pause_is_seen_within_two_iterations)
{
    long round, seen;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, turn, NULL, NULL, 0), PARK_OK);
    for (round = 0; round < scaled(500); round++) {
        seen = atomic_load(&turns);
        WAIT_UNTIL(atomic_load(&turns) > seen);
        CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
        seen = atomic_load(&turns);                       /* the signal was given before this */
        WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
        CHECK(atomic_load(&turns) <= seen + 2);
        CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    }
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    seen = atomic_load(&turns);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
    CHECK(atomic_load(&turns) <= seen + 2);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static void *pause_and_resume_often(void *argument)
{
    long i;
    for (i = 0; i < scaled(5000); i++) {
        CHECK_EQ(park_signal(argument, PARK_PAUSE), PARK_OK);
        CHECK_EQ(park_signal(argument, PARK_RESUME), PARK_OK);
    }
    return NULL;
}

TEST(signals_from_many_threads_leave_a_loop_that_runs_and_can_be_aborted)
{
    pthread_t threads[4];
    int i;
    long before;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, turn, NULL, NULL, 0), PARK_OK);
    for (i = 0; i < 4; i++) threads[i] = spawn(pause_and_resume_often, job);
    for (i = 0; i < 4; i++) join(threads[i]);
    before = atomic_load(&turns);                         /* each ended with a resume, and so did the last */
    WAIT_UNTIL(atomic_load(&turns) > before + 2);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(pause_halts_the_loop_and_resume_lets_it_go_on),
    CASE(a_pause_that_was_taken_back_leaves_nothing_behind),
    CASE(one_resume_ends_any_number_of_pauses),
    CASE(abort_and_stop_end_a_job_that_is_paused),
    CASE(an_abort_stays),
    CASE(a_stop_saves_once_and_stays),
    CASE(an_abort_does_not_save),
    CASE(a_signal_before_the_start_counts),
    CASE(after_the_end_a_signal_is_expired),
    CASE(only_the_five_signals_are_signals),
    CASE(a_signal_that_is_asked_for_is_answered),
    CASE(a_checkpoint_that_cannot_be_is_not_called_done),
    CASE(a_checkpoint_signal_saves_also_while_paused),
    CASE(a_posix_signal_handler_may_signal),
    CASE(a_posix_signal_resumes_the_very_thread_that_is_halted),
    CASE(a_timer_may_signal_in_the_middle_of_anything),
    CASE(a_pause_is_seen_within_two_iterations),
    CASE(signals_from_many_threads_leave_a_loop_that_runs_and_can_be_aborted),
};
CHECK_MAIN(tests)
