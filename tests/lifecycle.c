/* How a job begins, lives and ends. */
#include "job.h"

TEST(a_new_job_is_idle)
{
    char name[16];
    park_handler *job = park_handler_new("heat");
    CHECK(job != NULL);
    CHECK_EQ(park_state(job), PARK_STATE_IDLE);
    CHECK_EQ(park_name(job, name, sizeof name), 4);
    CHECK_TEXT(name, "heat");
    CHECK_EQ(park_wait(job, 0), PARK_NOT_RUNNING);
    CHECK_EQ(park_exit_code(job), 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_handler_free(NULL), PARK_OK);
}

TEST(text_comes_out_cut_and_with_the_length_that_it_needs)
{
    char name[16] = "unchanged";
    park_handler *job = park_handler_new("h\xC3\xA9\x61t");            /* "héat": é has two bytes */
    CHECK_EQ(park_name(job, NULL, 0), 5);
    CHECK_EQ(park_name(job, name, 1), 5);
    CHECK_TEXT(name, "");
    memset(name, 'x', sizeof name);
    CHECK_EQ(park_name(job, name, 5), 5);
    CHECK_TEXT(name, "h\xC3\xA9\x61");
    CHECK(name[5] == 'x');                                             /* nothing beyond the length */
    CHECK_EQ(park_name(job, name, 6), 5);
    CHECK_TEXT(name, "h\xC3\xA9\x61t");
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_loop_can_stay_where_it_is)
{
    int step;
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    for (step = 0; step < 1000; step++) {
        CHECK_EQ(park_progress(job, step + 1, 1000), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
    CHECK_EQ(park_wait(job, 0), PARK_OK);
    CHECK_EQ(park_exit_code(job), 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static void *not_from_here(void *argument)
{
    park_handler *job = argument;
    CHECK_EQ(park_ready(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_detach(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_improved(job, 1.0, NULL, 0), PARK_WRONG_THREAD);
    CHECK_EQ(park_set_result(job, "x", 1), PARK_WRONG_THREAD);
    CHECK_EQ(park_fail(job, "no"), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_due(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_done(job, 1), PARK_WRONG_THREAD);
    CHECK_EQ(park_restore(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_attach(job), PARK_BUSY);
    CHECK_EQ(park_handler_free(job), PARK_BUSY);
    return NULL;
}

TEST(what_belongs_to_the_computation_thread_is_refused_elsewhere)
{
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    park_signal(job, PARK_PAUSE);             /* so that ready cannot take its short way */
    join(spawn(not_from_here, job));
    park_signal(job, PARK_RESUME);
    CHECK_EQ(park_ready(job), PARK_OK);       /* and this thread still computes */
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(outside_a_run_the_loop_functions_say_so)
{
    int again;
    park_handler *job = new_job();
    for (again = 0; again < 2; again++) {
        CHECK_EQ(park_ready(job), PARK_NOT_RUNNING);
        CHECK_EQ(park_detach(job), PARK_NOT_RUNNING);
        CHECK_EQ(park_progress(job, 1, 2), PARK_NOT_RUNNING);
        CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_NOT_RUNNING);
        CHECK_EQ(park_restore(job), PARK_NOT_RUNNING);
        CHECK_EQ(park_checkpoint_due(job), PARK_NOT_RUNNING);
        CHECK_EQ(park_fail(job, "no"), PARK_NOT_RUNNING);
        CHECK(strlen(error_of(job)) > 0);
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_detach(job), PARK_OK);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static struct gate door = GATE;
static pthread_t computation;
static park_handler *seen_job;

static int behind_the_door(park_handler *job, void *request)
{
    computation = pthread_self();
    seen_job = job;
    gate_wait(&door);
    *(int *)request += 1;
    return PARK_OK;
}

TEST(start_returns_at_once_and_a_second_start_finds_it_busy)
{
    int request = 41;
    atomic_int destroyed = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, behind_the_door, &request, NULL, 0), PARK_OK);   /* or this would hang */
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    CHECK_EQ(park_start(job, behind_the_door, &destroyed, count_destroy, 0), PARK_BUSY);
    CHECK_EQ(atomic_load(&destroyed), 1);
    CHECK(strlen(error_of(job)) > 0);
    CHECK_EQ(park_attach(job), PARK_BUSY);
    CHECK_EQ(park_handler_free(job), PARK_BUSY);
    CHECK_EQ(park_wait(job, 0), PARK_TIMEOUT);
    CHECK_EQ(park_wait(job, 0.02), PARK_TIMEOUT);
    gate_open(&door);
    CHECK_EQ(park_wait(job, PARK_FOREVER), PARK_OK);
    CHECK_EQ(request, 42);
    CHECK(seen_job == job);
    CHECK(!pthread_equal(computation, pthread_self()));
    CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
    CHECK_EQ(park_exit_code(job), 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&destroyed), 1);
}

static int complete_at_once(park_handler *job, void *request)
{
    (void)job;
    (void)request;
    return PARK_OK;
}

TEST(the_request_is_destroyed_once_after_the_service)
{
    atomic_int destroyed = 0;
    int i;
    park_handler *job = new_job();
    for (i = 1; i <= 3; i++) {
        CHECK_EQ(park_start(job, complete_at_once, &destroyed, count_destroy, 0), PARK_OK);
        CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&destroyed), 3);
}

TEST(a_job_runs_again_after_its_end)
{
    int i;
    park_handler *job = new_job();
    for (i = 0; i < 5; i++) {
        struct loop loop = { 0 };
        CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
        wait_iterations(&loop, 2);
        CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
        CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
        CHECK_EQ(park_state(job), PARK_STATE_ABORTED);
        /* The abort belonged to that run: in the next one nothing is left of it. */
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(park_detach(job), PARK_OK);
        CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
        CHECK_EQ(park_exit_code(job), 0);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int with_result(park_handler *job, void *request)
{
    char scratch[] = "first";
    (void)request;
    CHECK_EQ(park_set_result(job, scratch, 5), PARK_OK);
    memcpy(scratch, "second", 6);
    CHECK_EQ(park_set_result(job, scratch, 6), PARK_OK);
    memset(scratch, '?', sizeof scratch);      /* it was copied */
    return PARK_OK;
}

TEST(the_result_is_kept)
{
    char buffer[8] = "-------";
    park_handler *job = new_job();
    CHECK(park_result(job, NULL, 0) <= 0);
    CHECK_EQ(park_start(job, with_result, NULL, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_result(job, NULL, 0), 6);
    CHECK_EQ(park_result(job, buffer, 3), 6);
    CHECK(memcmp(buffer, "sec----", 7) == 0);
    CHECK_EQ(park_result(job, buffer, sizeof buffer), 6);
    CHECK(memcmp(buffer, "second-", 7) == 0);
    CHECK_EQ(park_start(job, complete_at_once, NULL, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK(park_result(job, NULL, 0) <= 0);     /* that of the last run, which had none */
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int stay_until_told(park_handler *job, void *request)
{
    int status;
    (void)request;
    while ((status = park_ready(job)) == 0) nap(1e-4);
    return status;
}

TEST(a_new_run_forgets_the_old_one_at_once)
{
    int i, started;
    park_handler *job = new_job();
    CHECK_EQ(park_set_stack_size(job, 1 << 20), PARK_OK);
    for (started = 0; started < 2; started++) {
        for (i = 0; i < scaled(50); i++) {
            CHECK_EQ(park_start(job, with_result, NULL, NULL, 0), PARK_OK);
            CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
            if (started) CHECK_EQ(park_start(job, stay_until_told, NULL, NULL, 0), PARK_OK);
            else CHECK_EQ(park_attach(job), PARK_OK);
            CHECK_EQ(park_exit_code(job), 1);             /* still running */
            CHECK(park_result(job, NULL, 0) <= 0);
            CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
            CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
            if (!started) {
                CHECK_EQ(park_ready(job), PARK_ABORTED);
                CHECK_EQ(park_exit_code(job), 1);
                CHECK_TEXT(reason_of(job), "");
                CHECK_EQ(park_detach(job), PARK_OK);
            }
            CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
            CHECK(strlen(reason_of(job)) > 0);
            CHECK(park_result(job, NULL, 0) <= 0);
        }
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int out_of_tea(park_handler *job, void *request)
{
    (void)request;
    CHECK_EQ(park_fail(job, "out of tea"), PARK_OK);
    return PARK_OK;
}

static int return_the_request(park_handler *job, void *request)
{
    (void)job;
    return *(int *)request;
}

TEST(a_failure_and_its_reason_are_kept)
{
    int code = 7;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, out_of_tea, NULL, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_EQ(park_state(job), PARK_STATE_FAILED);
    CHECK_EQ(park_exit_code(job), 1);
    CHECK_TEXT(reason_of(job), "out of tea");

    CHECK_EQ(park_start(job, return_the_request, &code, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_MENTIONS(reason_of(job), "7");
    code = PARK_REFUSED;
    CHECK_EQ(park_start(job, return_the_request, &code, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_EQ(park_exit_code(job), 1);

    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_fail(job, "no convergence"), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_FAILED);
    CHECK_TEXT(reason_of(job), "no convergence");

    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_OK);      /* and nothing of it is left */
    CHECK_TEXT(reason_of(job), "");
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int save_well(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    (void)user;
    return 0;
}

static int save_badly(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    (void)user;
    return -1;
}

static void end_by(int signal, park_checkpoint_fn checkpoint, int outcome, int exit_code)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    if (checkpoint) CHECK_EQ(park_on_checkpoint(job, checkpoint, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    wait_iterations(&loop, 2);
    CHECK_EQ(park_signal(job, signal), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), outcome);
    CHECK_EQ(park_wait(job, 0), outcome);
    CHECK_EQ(park_state(job), PARK_STATE_ABORTED);
    CHECK_EQ(park_exit_code(job), exit_code);
    CHECK(strlen(reason_of(job)) > 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_exit_code_says_whether_to_run_it_again)
{
    end_by(PARK_ABORT, NULL, PARK_ABORTED, PARK_EXIT_ABORTED);
    end_by(PARK_ABORT, save_well, PARK_ABORTED, PARK_EXIT_ABORTED);
    end_by(PARK_STOP, NULL, PARK_STOPPED, PARK_EXIT_ABORTED);
    end_by(PARK_STOP, save_badly, PARK_STOPPED, PARK_EXIT_ABORTED);
    end_by(PARK_STOP, save_well, PARK_STOPPED, PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(PARK_EXIT_CHECKPOINTED, 85);
}

TEST(a_loop_that_was_told_to_end_is_aborted_whatever_it_returns)
{
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_ABORTED);
    /* One that never asked has done all its work: it is complete. */
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static struct gate in_save = GATE, saved = GATE;

static int save_behind_a_gate(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    (void)user;
    gate_open(&in_save);
    gate_wait(&saved);
    return 0;
}

TEST(the_state_tells_running_paused_and_stopping)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, save_behind_a_gate, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_RUNNING);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    gate_wait(&in_save);
    CHECK_EQ(park_state(job), PARK_STATE_STOPPING);
    gate_open(&saved);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(park_state(job), PARK_STATE_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

#define BIG ((int64_t)32 << 20)

static int with_a_big_local(park_handler *job, void *request)
{
    volatile char local[BIG];
    int64_t i, sum = 0;
    for (i = 0; i < BIG; i += 4096) local[i] = 1;
    for (i = 0; i < BIG; i += 4096) sum += local[i];
    *(int64_t *)request = sum;
    return park_ready(job);
}

TEST(the_stack_holds_a_local_of_32_mib)
{
    int64_t sum = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, with_a_big_local, &sum, NULL, 0), PARK_OK);      /* the default is 64 MiB */
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(sum, BIG / 4096);
    CHECK_EQ(park_set_stack_size(job, (int64_t)40 << 20), PARK_OK);
    sum = 0;
    CHECK_EQ(park_start(job, with_a_big_local, &sum, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(sum, BIG / 4096);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int measure_stack(park_handler *job, void *request)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t bytes;
    (void)job;
    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstack(&attributes, &lowest, &bytes) == 0);
    pthread_attr_destroy(&attributes);
    *(int64_t *)request = (int64_t)bytes;
    return PARK_OK;
}

TEST(the_stack_has_the_size_that_was_set)
{
    int64_t bytes = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, measure_stack, &bytes, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK(bytes >= (int64_t)63 << 20 && bytes <= (int64_t)66 << 20);
    CHECK_EQ(park_set_stack_size(job, (int64_t)200 << 20), PARK_OK);
    CHECK_EQ(park_start(job, measure_stack, &bytes, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK(bytes >= (int64_t)199 << 20 && bytes <= (int64_t)202 << 20);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_stack_that_cannot_be_had_is_an_error_and_leaves_the_job_usable)
{
    static const int64_t bad[] = { 0, -1, INT64_MIN };
    static const int64_t huge[] = { (int64_t)1 << 47, (int64_t)1 << 60, INT64_MAX, INT64_MAX - 4095 };
    unsigned i;
    int64_t bytes = 0;
    park_handler *job = new_job();
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(park_set_stack_size(job, bad[i]), PARK_INVALID_ARGUMENT);
        CHECK_MENTIONS(error_of(job), "bytes");
    }
    for (i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        atomic_int destroyed = 0;
        int status = park_set_stack_size(job, huge[i]);
        if (status == PARK_OK) {
            status = park_start(job, complete_at_once, &destroyed, count_destroy, 0);
            CHECK(status == PARK_SYSTEM || status == PARK_NO_MEMORY);
            CHECK_EQ(atomic_load(&destroyed), 1);
            CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
            CHECK(park_state(job) != PARK_STATE_RUNNING);
        } else {
            CHECK_EQ(status, PARK_INVALID_ARGUMENT);
        }
        CHECK(strlen(error_of(job)) > 0);
    }
    CHECK_EQ(park_set_stack_size(job, (int64_t)1 << 20), PARK_OK);
    CHECK_EQ(park_start(job, measure_stack, &bytes, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* What happened in which order, as letters. */
static char order[16];
static int order_length;
static pthread_t restored_on;
static int restore_returns;

static int note_restore(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)user;
    restored_on = pthread_self();
    order[order_length++] = operation == PARK_RESTORE ? 'r' : operation == PARK_SAVE ? 's' : '?';
    return restore_returns;
}

static int note_service(park_handler *job, void *request)
{
    (void)request;
    order[order_length++] = 'c';
    computation = pthread_self();
    return park_ready(job);
}

TEST(resume_restores_before_the_service_begins)
{
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, note_restore, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, note_service, NULL, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_TEXT(order, "c");
    CHECK_EQ(park_start(job, note_service, NULL, NULL, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_TEXT(order, "crc");
    CHECK(pthread_equal(restored_on, computation));
    restore_returns = PARK_NO_CHECKPOINT;        /* nothing to resume from: from the beginning */
    CHECK_EQ(park_start(job, note_service, NULL, NULL, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_TEXT(order, "crcrc");
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_failed_restore_fails_the_run_without_a_service)
{
    atomic_int destroyed = 0;
    park_handler *job = new_job();
    restore_returns = -1;
    CHECK_EQ(park_on_checkpoint(job, note_restore, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, note_service, &destroyed, count_destroy, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_TEXT(order, "r");
    CHECK_EQ(atomic_load(&destroyed), 1);
    CHECK(strlen(reason_of(job)) > 0);
    CHECK_EQ(park_exit_code(job), 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_loop_restores_by_itself)
{
    park_handler *job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);     /* nobody is there to restore */
    CHECK_EQ(park_on_checkpoint(job, note_restore, NULL, NULL), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    restore_returns = PARK_NO_CHECKPOINT;
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);
    restore_returns = -5;
    CHECK_EQ(park_restore(job), PARK_FAILED);
    CHECK_TEXT(order, "rrr");
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(resume_without_anything_to_restore_with_is_refused)
{
    atomic_int destroyed = 0;
    park_handler *job = new_job();
    CHECK(park_start(job, note_service, &destroyed, count_destroy, 1) < 0);
    CHECK_MENTIONS(error_of(job), "resume");
    CHECK_EQ(atomic_load(&destroyed), 1);
    CHECK_TEXT(order, "");
    CHECK_EQ(park_state(job), PARK_STATE_IDLE);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static void *wait_for_ever(void *argument)
{
    return park_wait(argument, PARK_FOREVER) == PARK_ABORTED ? argument : NULL;
}

TEST(many_threads_may_wait)
{
    struct loop loop = { 0 };
    pthread_t waiting[8];
    int i;
    park_handler *job = start_loop(&loop);
    for (i = 0; i < 8; i++) waiting[i] = spawn(wait_for_ever, job);
    wait_iterations(&loop, 3);
    CHECK_EQ(park_signal(job, PARK_ABORT), PARK_OK);
    for (i = 0; i < 8; i++) {
        void *told = NULL;
        CHECK(pthread_join(waiting[i], &told) == 0);
        CHECK(told == job);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static atomic_int attached;
static struct gate all_tried = GATE;

static void *try_to_attach(void *argument)
{
    int status = park_attach(argument);
    if (status == PARK_OK) {
        atomic_fetch_add(&attached, 1);
        gate_wait(&all_tried);
        CHECK_EQ(park_ready(argument), PARK_OK);
        CHECK_EQ(park_detach(argument), PARK_OK);
    } else {
        CHECK_EQ(status, PARK_BUSY);
    }
    return NULL;
}

static void *try_to_attach_and_tell(void *argument)
{
    void **pair = argument;
    try_to_attach(pair[0]);
    atomic_fetch_add((atomic_int *)pair[1], 1);
    return NULL;
}

TEST(of_two_that_attach_at_once_one_is_refused)
{
    int round;
    for (round = 0; round < 20; round++) {
        atomic_int done = 0;
        pthread_t first, second;
        void *pair[2];
        park_handler *job = new_job();
        all_tried.open = 0;
        atomic_store(&attached, 0);
        pair[0] = job;
        pair[1] = &done;
        first = spawn(try_to_attach_and_tell, pair);
        second = spawn(try_to_attach_and_tell, pair);
        WAIT_UNTIL(atomic_load(&done) == 1);              /* the one that was refused */
        CHECK_EQ(atomic_load(&attached), 1);
        gate_open(&all_tried);
        join(first);
        join(second);
        CHECK_EQ(park_state(job), PARK_STATE_COMPLETE);
        CHECK_EQ(park_handler_free(job), PARK_OK);
    }
}

TEST(each_status_has_a_text_of_its_own)
{
    int a, b;
    for (a = -20; a <= 4; a++) {
        CHECK(park_status_string(a) != NULL && strlen(park_status_string(a)) > 0);
        for (b = -20; b < a; b++) CHECK(strcmp(park_status_string(a), park_status_string(b)) != 0);
    }
    CHECK(park_status_string(12345) != NULL);
    CHECK(park_status_string(INT32_MIN) != NULL);
    CHECK(park_version() != NULL && strchr(park_version(), '.') != NULL);
}

static const struct check_test tests[] = {
    CASE(a_new_job_is_idle),
    CASE(text_comes_out_cut_and_with_the_length_that_it_needs),
    CASE(the_loop_can_stay_where_it_is),
    CASE(what_belongs_to_the_computation_thread_is_refused_elsewhere),
    CASE(outside_a_run_the_loop_functions_say_so),
    CASE(start_returns_at_once_and_a_second_start_finds_it_busy),
    CASE(the_request_is_destroyed_once_after_the_service),
    CASE(a_job_runs_again_after_its_end),
    CASE(the_result_is_kept),
    CASE(a_new_run_forgets_the_old_one_at_once),
    CASE(a_failure_and_its_reason_are_kept),
    CASE(the_exit_code_says_whether_to_run_it_again),
    CASE(a_loop_that_was_told_to_end_is_aborted_whatever_it_returns),
    CASE(the_state_tells_running_paused_and_stopping),
    CASE(the_stack_holds_a_local_of_32_mib),
    CASE(the_stack_has_the_size_that_was_set),
    CASE(a_stack_that_cannot_be_had_is_an_error_and_leaves_the_job_usable),
    CASE(resume_restores_before_the_service_begins),
    CASE(a_failed_restore_fails_the_run_without_a_service),
    CASE(a_loop_restores_by_itself),
    CASE(resume_without_anything_to_restore_with_is_refused),
    CASE(many_threads_may_wait),
    CASE(of_two_that_attach_at_once_one_is_refused),
    CASE(each_status_has_a_text_of_its_own),
};
CHECK_MAIN(tests)
