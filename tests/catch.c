/* park_catch: POSIX signals that ask a job for something, and what becomes of them otherwise. */
#include "directory.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

/* Longer than the time in which a signal that comes again is the same one. */
static void pause_between(void) { nap(0.3); }

/* Runs in a process of its own, made before any handler; returns its wait status. */
static int in_a_process(void (*body)(void))
{
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm((unsigned)check_patience());
        body();
        check_leave();
    }
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

#define CHECK_DIES_OF(signo, body) do { \
        int ended = in_a_process(body); \
        if (!WIFSIGNALED(ended) || WTERMSIG(ended) != (signo)) \
            check_fail(__FILE__, __LINE__, "%s: wait status %d, not killed by %d", #body, ended, signo); \
    } while (0)
#define CHECK_ENDS_WELL(body) CHECK_EQ(in_a_process(body), 0)

/* A program that was started in the background of a script ignores SIGINT. */
static void as_in_a_terminal(void) { signal(SIGINT, SIG_DFL); }

static struct sigaction action_of(int signo)
{
    struct sigaction now;
    CHECK(sigaction(signo, NULL, &now) == 0);
    return now;
}

static int save_nothing(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)operation;
    if (user) atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

/* ---- what a signal asks for ---------------------------------------------------------------------- */

TEST(a_signal_stops_the_job_with_a_checkpoint)
{
    struct loop loop = { 0 };
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, save_nothing, &saves, NULL), PARK_OK);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    wait_iterations(&loop, 2);
    CHECK(kill(getpid(), SIGTERM) == 0);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(atomic_load(&saves), 1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(several_signals_ask_for_different_things)
{
    struct loop loop = { 0 };
    atomic_int saves = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, save_nothing, &saves, NULL), PARK_OK);
    CHECK_EQ(park_catch(job, SIGTSTP, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_catch(job, SIGCONT, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_catch(job, SIGRTMIN, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_catch(job, SIGHUP, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    raise(SIGTSTP);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    raise(SIGRTMIN);
    WAIT_UNTIL(atomic_load(&saves) == 1);
    raise(SIGCONT);
    raise(SIGTSTP);                                           /* no pause between: each counts */
    raise(SIGCONT);
    wait_iterations(&loop, 3);
    raise(SIGHUP);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_ABORTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(each_of_several_jobs_is_asked)
{
    struct loop loops[3] = { { 0 }, { 0 }, { 0 } };
    park_handler *jobs[3];
    int i;
    for (i = 0; i < 3; i++) {
        jobs[i] = new_job();
        CHECK_EQ(park_catch(jobs[i], SIGTERM, i < 2 ? PARK_STOP : PARK_PAUSE), PARK_OK);
        CHECK_EQ(park_start(jobs[i], run_loop, &loops[i], NULL, 0), PARK_OK);
        wait_iterations(&loops[i], 1);
    }
    CHECK(kill(getpid(), SIGTERM) == 0);
    CHECK_EQ(park_wait(jobs[0], LONG_TIME), PARK_STOPPED);
    CHECK_EQ(park_wait(jobs[1], LONG_TIME), PARK_STOPPED);
    WAIT_UNTIL(park_state(jobs[2]) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(jobs[2], PARK_RESUME), PARK_OK);
    for (i = 0; i < 2; i++) CHECK_EQ(park_handler_free(jobs[i]), PARK_OK);
    CHECK(kill(getpid(), SIGTERM) == 0);                      /* still caught, by the one that is left */
    WAIT_UNTIL(park_state(jobs[2]) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(jobs[2], PARK_RESUME), PARK_OK);
    end_loop(jobs[2], &loops[2]);
    CHECK(action_of(SIGTERM).sa_handler == SIG_DFL);
}

TEST(an_action_is_replaced_by_the_next)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    raise(SIGTERM);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    end_loop(job, &loop);
}

/* ---- the presets ---------------------------------------------------------------------------------- */

static void interactive_thrice(void)
{
    park_handler *job = new_job();
    as_in_a_terminal();
    CHECK_EQ(park_on_checkpoint(job, save_nothing, NULL, NULL), PARK_OK);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_INTERACTIVE), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    raise(SIGINT);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    pause_between();
    raise(SIGINT);
    CHECK_EQ(park_ready(job), PARK_ABORTED);
    pause_between();
    raise(SIGINT);
    _exit(3);                                                 /* too late */
}

TEST(ctrl_c_stops_then_aborts_then_ends_the_process) { CHECK_DIES_OF(SIGINT, interactive_thrice); }

TEST(the_preset_for_slurm_stops_then_aborts_and_no_more)
{
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, save_nothing, NULL, NULL), PARK_OK);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_SLURM), PARK_OK);
    CHECK_EQ(park_catch(job, SIGUSR1, PARK_CATCH_SLURM), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    pause_between();
    raise(SIGUSR1);                                           /* the first of its kind */
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    for (i = 0; i < 3; i++) {
        pause_between();
        raise(SIGTERM);
        CHECK_EQ(park_ready(job), PARK_ABORTED);
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);    /* what the stop has saved is there */
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int take_too_long(park_handler *job, int operation, void *user)
{
    (void)job;
    (void)user;
    if (operation == PARK_SAVE) {
        pause_between();
        raise(SIGTERM);                                       /* the time is up now */
    }
    return PARK_OK;
}

TEST(an_abort_while_a_stop_saves_leaves_a_job_to_be_run_again)
{
    static double u[4 << 20];                                 /* writing takes longer than coming back from ready */
    const char *directory = new_directory();
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, take_too_long, NULL, NULL), PARK_OK);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, 4 << 20), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_SLURM), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    u[7] = 7;
    raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_ABORTED);                  /* it does not wait for the rest of the save */
    u[7] = 8;
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_STOPPED);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(u[7], 7);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    remove_directory(directory);
}

TEST(a_signal_that_comes_twice_at_once_is_one)
{
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_on_checkpoint(job, save_nothing, NULL, NULL), PARK_OK);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_SLURM), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 3; i++) raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    raise(SIGTERM);                                           /* and its echo after the end kills nobody */
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(each_run_counts_anew)
{
    int run;
    park_handler *job = new_job();
    as_in_a_terminal();
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_INTERACTIVE), PARK_OK);
    for (run = 0; run < 4; run++) {
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        raise(SIGINT);
        CHECK_EQ(park_ready(job), PARK_STOPPED);
        CHECK_EQ(park_detach(job), PARK_OK);
        pause_between();
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_signal_before_the_first_run_counts_for_it)
{
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_SLURM), PARK_OK);
    raise(SIGTERM);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_script_s_background_job_keeps_ignoring_ctrl_c)
{
    park_handler *job = new_job();
    signal(SIGINT, SIG_IGN);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_INTERACTIVE), PARK_OK);
    CHECK(action_of(SIGINT).sa_handler == SIG_IGN);
    CHECK_EQ(park_catch(job, SIGINT, PARK_CATCH_INTERACTIVE), PARK_OK);   /* unless it says that it means it */
    CHECK_EQ(park_attach(job), PARK_OK);
    raise(SIGINT);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    pause_between();
    raise(SIGINT);                                            /* nobody's: ignored, as without park */
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(action_of(SIGINT).sa_handler == SIG_IGN);
}

/* ---- when no job takes it -------------------------------------------------------------------------- */

static void signalled_after_the_run(void)
{
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    kill(getpid(), SIGTERM);
    nap(LONG_TIME);
}

static void signalled_after_the_handler(void)
{
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    kill(getpid(), SIGTERM);
    nap(LONG_TIME);
}

TEST(a_signal_that_no_job_takes_does_what_it_does_without_park)
{
    CHECK_DIES_OF(SIGTERM, signalled_after_the_run);
    CHECK_DIES_OF(SIGTERM, signalled_after_the_handler);
}

static void stopped_after_the_run(void)
{
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTSTP, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_catch(job, SIGCHLD, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    raise(SIGCHLD);                                           /* ignored by default */
    raise(SIGTSTP);                                           /* halts the process, until the test continues it */
    CHECK_EQ(park_attach(job), PARK_OK);
    raise(SIGCHLD);                                           /* and is caught again */
    raise(SIGTSTP);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(ctrl_z_after_the_run_halts_the_process_as_ever)
{
    int status = 0;
    pid_t child;
    if (strcmp(check_under(), "valgrind") == 0) check_not_run("valgrind does not halt");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        setpgid(0, 0);                                        /* an orphaned group would not be halted */
        alarm((unsigned)check_patience());
        stopped_after_the_run();
        check_leave();
    }
    setpgid(child, child);
    CHECK(waitpid(child, &status, WUNTRACED) == child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    CHECK(kill(child, SIGCONT) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void signal_a_forked_child(void)
{
    int status = 0;
    pid_t child;
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    child = fork();
    if (child == 0) {
        CHECK_EQ(park_catch(job, SIGTERM, PARK_CATCH_NONE), PARK_FORKED);
        kill(getpid(), SIGTERM);
        _exit(3);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_EQ(park_ready(job), PARK_OK);                       /* it was the child's signal */
    raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_forked_child_is_ended_by_its_signals) { CHECK_ENDS_WELL(signal_a_forked_child); }

/* ---- beside other handlers ------------------------------------------------------------------------- */

static atomic_int calls_before, calls_over, signo_before, pid_before;
static struct sigaction under;
static sigset_t no_signals, sigterm;

static void one_argument(int signo)
{
    atomic_store(&signo_before, signo);
    atomic_fetch_add(&calls_before, 1);
    errno = EDOM;
}

static void three_arguments(int signo, siginfo_t *info, void *context)
{
    CHECK(context != NULL);
    atomic_store(&signo_before, signo);
    atomic_store(&pid_before, info->si_pid);
    atomic_fetch_add(&calls_before, 1);
}

/* Somebody else's, over park's, that calls what it found. */
static void over(int signo, siginfo_t *info, void *context)
{
    atomic_fetch_add(&calls_over, 1);
    if (under.sa_flags & SA_SIGINFO) under.sa_sigaction(signo, info, context);
    else if (under.sa_handler != SIG_DFL && under.sa_handler != SIG_IGN) under.sa_handler(signo);
}

static void put_over(int signo)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = over;
    ours.sa_flags = SA_SIGINFO;
    CHECK(sigaction(signo, &ours, &under) == 0);
}

TEST(the_handler_before_is_called_and_put_back)
{
    struct sigaction before, after, during;
    int with_info;
    for (with_info = 0; with_info < 2; with_info++) {
        park_handler *job = new_job();
        memset(&before, 0, sizeof before);
        if (with_info) before.sa_sigaction = three_arguments;
        else before.sa_handler = one_argument;
        before.sa_flags = with_info ? SA_SIGINFO | SA_RESTART : 0;
        sigemptyset(&before.sa_mask);
        sigaddset(&before.sa_mask, SIGUSR2);
        CHECK(sigaction(SIGTERM, &before, NULL) == 0);
        atomic_store(&calls_before, 0);
        CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
        CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
        during = action_of(SIGTERM);
        CHECK(during.sa_flags & SA_ONSTACK);
        CHECK(during.sa_flags & SA_SIGINFO);
        CHECK_EQ((during.sa_flags & SA_RESTART) != 0, with_info);   /* who wants EINTR gets it */
        CHECK(sigismember(&during.sa_mask, SIGUSR2) == 1);
        CHECK_EQ(park_attach(job), PARK_OK);
        errno = ERANGE;
        raise(SIGTERM);
        CHECK_EQ(errno, ERANGE);
        CHECK_EQ(atomic_load(&calls_before), 1);
        CHECK_EQ(atomic_load(&signo_before), SIGTERM);
        if (with_info) CHECK_EQ(atomic_load(&pid_before), getpid());
        CHECK_EQ(park_ready(job), PARK_STOPPED);
        CHECK_EQ(park_detach(job), PARK_OK);
        pause_between();
        raise(SIGTERM);                                       /* no job takes it: the handler has it alone */
        CHECK_EQ(atomic_load(&calls_before), 2);
        CHECK_EQ(park_handler_free(job), PARK_OK);
        after = action_of(SIGTERM);
        CHECK(with_info ? after.sa_sigaction == three_arguments : after.sa_handler == one_argument);
        CHECK_EQ(after.sa_flags & (SA_SIGINFO | SA_RESTART | SA_ONSTACK), before.sa_flags);
        CHECK(sigismember(&after.sa_mask, SIGUSR2) == 1);
    }
}

TEST(without_a_handler_before_system_calls_go_on)
{
    park_handler *job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK(action_of(SIGTERM).sa_flags & SA_RESTART);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_CATCH_NONE), PARK_OK);
    CHECK(action_of(SIGTERM).sa_handler == SIG_DFL);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);   /* and again */
    CHECK_EQ(park_catch(job, SIGHUP, PARK_STOP), PARK_OK);
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_NONE), PARK_OK);
    CHECK(action_of(SIGTERM).sa_handler == SIG_DFL);
    CHECK(action_of(SIGHUP).sa_handler == SIG_DFL);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_handler_put_over_park_s_stays_when_park_leaves)
{
    park_handler *job = new_job();
    signal(SIGTERM, one_argument);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    put_over(SIGTERM);
    CHECK_EQ(park_attach(job), PARK_OK);
    raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_STOPPED);                  /* by way of the other one */
    CHECK_EQ(atomic_load(&calls_over), 1);
    CHECK_EQ(atomic_load(&calls_before), 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(action_of(SIGTERM).sa_sigaction == over);
    raise(SIGTERM);                                           /* calls park's, which passes it on */
    CHECK_EQ(atomic_load(&calls_over), 2);
    CHECK_EQ(atomic_load(&calls_before), 2);
}

TEST(park_over_another_over_park_makes_no_circle)
{
    int i;
    park_handler *job = new_job(), *second = new_job();
    signal(SIGTERM, one_argument);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    put_over(SIGTERM);
    CHECK_EQ(park_catch(second, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_attach(second), PARK_OK);
    raise(SIGTERM);
    CHECK_EQ(atomic_load(&calls_over), 1);
    CHECK_EQ(atomic_load(&calls_before), 1);
    CHECK_EQ(park_ready(second), PARK_STOPPED);
    CHECK_EQ(park_detach(second), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);                      /* asked once, though its handler was called twice */
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(second), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(action_of(SIGTERM).sa_sigaction == over);           /* the upper one of park's is gone */
    raise(SIGTERM);
    CHECK_EQ(atomic_load(&calls_over), 2);
    CHECK_EQ(atomic_load(&calls_before), 2);
    /* There is room for three of park's. A reset clears it. */
    job = new_job();
    for (i = 0; i < 2; i++) {
        CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
        CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
        put_over(SIGTERM);
    }
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_SYSTEM);
    CHECK_MENTIONS(error_of(job), "SIGTERM");
    signal(SIGTERM, SIG_DFL);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(action_of(SIGTERM).sa_handler == SIG_DFL);
}

/* As on a goroutine: a stack with no room for a handler, and another one for signals. */
static void *on_a_small_stack(void *user)
{
    static char room[1 << 16];
    stack_t other;
    volatile char *deep;
    pthread_attr_t own;
    void *lowest = NULL;
    size_t bytes = 0;
    (void)user;
    memset(&other, 0, sizeof other);
    other.ss_sp = room;
    other.ss_size = sizeof room;
    CHECK(sigaltstack(&other, NULL) == 0);
    CHECK(pthread_getattr_np(pthread_self(), &own) == 0);
    CHECK(pthread_attr_getstack(&own, &lowest, &bytes) == 0);
    pthread_attr_destroy(&own);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &no_signals, NULL) == 0);   /* so that its name is resolved */
    /* What is left is enough for the next call, and not for a signal's frame. */
    deep = __builtin_alloca((size_t)((char *)__builtin_frame_address(0) - (char *)lowest) - 1024);
    deep[0] = 1;
    pthread_sigmask(SIG_UNBLOCK, &sigterm, NULL);
    return NULL;
}

TEST(a_host_with_small_stacks_is_not_harmed)
{
    pthread_t thread;
    pthread_attr_t small;
    park_handler *job;
    if (*check_under()) check_not_run("it needs stacks of its own");
    job = new_job();
    CHECK_EQ(park_catch(job, SIGTERM, PARK_STOP), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    sigemptyset(&no_signals);
    sigemptyset(&sigterm);
    sigaddset(&sigterm, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, &sigterm, NULL) == 0);
    CHECK(pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, 1 << 16) == 0);
    CHECK(kill(getpid(), SIGTERM) == 0);                      /* waits for a thread that does not block it */
    CHECK(pthread_create(&thread, &small, on_a_small_stack, NULL) == 0);
    join(thread);
    pthread_attr_destroy(&small);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* ---- all at once ------------------------------------------------------------------------------------ */

static atomic_int storm_over;

static void *send_signals(void *user)
{
    (void)user;
    while (!atomic_load(&storm_over)) {
        kill(getpid(), SIGUSR1);
        kill(getpid(), SIGUSR2);
        pthread_kill(pthread_self(), SIGTSTP);
        nap(1e-5);
    }
    return NULL;
}

static void *catch_and_release(void *user)
{
    while (!atomic_load(&storm_over)) {
        park_handler *job = new_job();
        CHECK_EQ(park_catch(job, SIGUSR1, PARK_CHECKPOINT), PARK_OK);
        CHECK_EQ(park_catch(job, SIGTSTP, PARK_CATCH_SLURM), PARK_OK);
        CHECK_EQ(park_attach(job), PARK_OK);
        park_ready(job);
        CHECK_EQ(park_detach(job), PARK_OK);
        CHECK_EQ(park_catch(job, SIGUSR1, PARK_CATCH_NONE), PARK_OK);
        CHECK_EQ(park_handler_free(job), PARK_OK);
        atomic_fetch_add((atomic_int *)user, 1);
    }
    return NULL;
}

TEST(signals_from_everywhere_while_jobs_come_and_go)
{
    struct loop loop = { 0 };
    pthread_t threads[5];
    atomic_int rounds = 0;
    int i;
    park_handler *job = new_job();
    /* So that no one of them ends the process between two jobs. */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    CHECK_EQ(park_catch(job, SIGUSR1, PARK_PAUSE), PARK_OK);
    CHECK_EQ(park_catch(job, SIGUSR2, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < 5; i++) threads[i] = spawn(i < 3 ? send_signals : catch_and_release, &rounds);
    WAIT_UNTIL(atomic_load(&rounds) >= scaled(500));
    atomic_store(&storm_over, 1);
    for (i = 0; i < 5; i++) join(threads[i]);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 3);
    end_loop(job, &loop);
    CHECK(action_of(SIGUSR1).sa_handler == SIG_IGN);
    CHECK(action_of(SIGTSTP).sa_handler == SIG_IGN);
}

TEST(a_thousand_signals_are_caught_at_once_and_no_more)
{
    static park_handler *jobs[64];                            /* and valgrind keeps SIGRTMAX for itself */
    int i, signo, status = PARK_OK, caught = 0;
    for (i = 0; i < 64 && status == PARK_OK; i++) {
        jobs[i] = new_job();
        for (signo = SIGRTMIN; signo < SIGRTMAX && status == PARK_OK; signo++) {
            status = park_catch(jobs[i], signo, PARK_PAUSE);
            caught += status == PARK_OK;
        }
    }
    CHECK_EQ(status, PARK_FULL);
    CHECK_EQ(caught, 1024);
    CHECK_MENTIONS(error_of(jobs[i - 1]), "1024");
    CHECK_EQ(park_handler_free(jobs[0]), PARK_OK);            /* makes room */
    CHECK_EQ(park_catch(jobs[i - 1], SIGTERM, PARK_PAUSE), PARK_OK);
    while (--i > 0) CHECK_EQ(park_handler_free(jobs[i]), PARK_OK);
    CHECK(action_of(SIGRTMIN).sa_handler == SIG_DFL);
    CHECK(action_of(SIGRTMIN + 20).sa_handler == SIG_DFL);
}

/* ---- what is refused, and told ------------------------------------------------------------------------ */

static void refused(park_handler *job, int signo, int action, const char *word)
{
    park_set_delta(job, 77, 1);                               /* another sentence */
    CHECK_EQ(park_catch(job, signo, action), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), word);
}

TEST(what_cannot_be_caught_is_refused_in_a_sentence)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT };
    size_t i;
    park_handler *job = new_job();
    refused(job, SIGKILL, PARK_STOP, "signo: signal 9 (SIGKILL) cannot be caught: the system");
    refused(job, SIGSTOP, PARK_STOP, "SIGSTOP");
    for (i = 0; i < sizeof faults / sizeof *faults; i++) refused(job, faults[i], PARK_STOP, "fault");
    refused(job, 0, PARK_STOP, "signo: signal 0");            /* only presets have one of their own */
    refused(job, -1, PARK_STOP, "no such signal");
    refused(job, 65, PARK_STOP, "no such signal");
    refused(job, 1000, PARK_CATCH_INTERACTIVE, "no such signal");
    refused(job, 32, PARK_STOP, "C library");
    refused(job, 33, PARK_CATCH_NONE, "C library");
    refused(job, SIGTERM, 6, "action: 6");
    refused(job, SIGTERM, -1, "action: -1");
    refused(job, SIGTERM, 102, "action: 102");
    refused(job, SIGTERM, 2147483647, "action");
    CHECK_EQ(park_catch(job, SIGTERM, PARK_CATCH_NONE), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "SIGTERM");
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_NONE), PARK_OK);
    CHECK_EQ(park_catch(NULL, SIGTERM, PARK_STOP), PARK_INVALID_HANDLE);
    CHECK(action_of(SIGTERM).sa_handler == SIG_DFL);
    CHECK(action_of(SIGUSR1).sa_handler == SIG_DFL);          /* nobody asked for those */
    CHECK(action_of(SIGUSR2).sa_handler == SIG_DFL);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_log_tells_which_signal_came)
{
    park_event *event;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_catch(job, SIGTERM, PARK_CHECKPOINT), PARK_OK);
    CHECK_EQ(park_catch(job, SIGHUP, PARK_STOP), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    raise(SIGTERM);
    CHECK_EQ(park_ready(job), PARK_OK);
    event = next_event(client);
    CHECK_EQ(park_event_level(event), PARK_LOG_INFO);
    CHECK_TEXT(text_of(event), "signal 15 (SIGTERM): checkpoint");
    CHECK_EQ(park_event_free(event), PARK_OK);
    raise(SIGHUP);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    event = next_event(client);
    CHECK_TEXT(text_of(event), "signal 1 (SIGHUP): stop");
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* ---- as under Slurm ----------------------------------------------------------------------------------- */

#define ITEMS 64
#define ROUNDS 12

/* A job as a batch system would run it: each round maps over the items, and depends on the last. */
static struct { int64_t round; double x[ITEMS]; } state;
static atomic_long *items_done;                               /* shared with whoever sends the signal */
static char checkpoint_path[64];

static int slow_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    double value = *(const double *)in;
    int i;
    (void)job;
    (void)user;
    for (i = 0; i < 2000; i++) value = 3.9 * value * (1 - value) + 1e-9 * (double)index;   /* chaos: no bit is forgiven */
    *(double *)out = value;
    nap(1e-4);
    atomic_fetch_add(items_done, 1);
    return 0;
}

static int save_or_restore(park_handler *job, int operation, void *user)
{
    char beside[80];
    int file, good;
    (void)job;
    (void)user;
    if (operation == PARK_RESTORE) {
        file = open(checkpoint_path, O_RDONLY);
        if (file < 0) return PARK_NO_CHECKPOINT;
        good = read(file, &state, sizeof state) == (ssize_t)sizeof state;
        return close(file) == 0 && good ? PARK_OK : PARK_FAILED;
    }
    snprintf(beside, sizeof beside, "%s.new", checkpoint_path);
    file = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    good = write(file, &state, sizeof state) == (ssize_t)sizeof state && fsync(file) == 0;
    return close(file) == 0 && good && rename(beside, checkpoint_path) == 0 ? PARK_OK : PARK_FAILED;
}

/* The whole of the job's main; the result is left in the checkpoint file. */
static int batch_job(void)
{
    double next[ITEMS];
    int i, code;
    park_handler *job = park_handler_new("batch");
    CHECK_EQ(park_catch(job, 0, PARK_CATCH_SLURM), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, save_or_restore, NULL, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    state.round = 0;
    for (i = 0; i < ITEMS; i++) state.x[i] = 0.1 + 0.8 * i / ITEMS;
    CHECK(park_restore(job) >= 0);
    while (state.round < ROUNDS) {
        if (park_map(job, slow_item, NULL, state.x, sizeof *state.x, next, sizeof *next, ITEMS)) break;
        memcpy(state.x, next, sizeof next);
        state.round++;
        if (park_ready(job)) break;
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    code = park_exit_code(job);
    if (code == 0) CHECK_EQ(save_or_restore(job, PARK_SAVE, NULL), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    return code;
}

/* Runs the job in a process of its own; a SIGTERM comes when so many items are done, -1: none. Returns the exit code. */
static int run_batch_job(long signal_at)
{
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm((unsigned)check_patience());
        exit(batch_job());
    }
    if (signal_at >= 0) {
        long begun = atomic_load(items_done);
        WAIT_UNTIL(atomic_load(items_done) - begun >= signal_at);
        CHECK(kill(child, SIGTERM) == 0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status)) check_fail(__FILE__, __LINE__, "the job's wait status is %d", status);
    return WEXITSTATUS(status);
}

static void read_result(void *result)
{
    int file = open(checkpoint_path, O_RDONLY);
    CHECK(file >= 0);
    CHECK_EQ(read(file, result, sizeof state), sizeof state);
    CHECK(close(file) == 0);
    CHECK(unlink(checkpoint_path) == 0);
}

TEST(a_job_that_is_told_that_its_time_is_up_ends_with_the_same_bits)
{
    /* In the middle of a map, of the next one, at the begin and end of one, again and again. */
    static const long moments[][4] = { { ITEMS / 2, -1 }, { 1, 3 * ITEMS + 7, -1 }, { ITEMS - 1, ITEMS, ITEMS + 1, -1 }, { 5 * ITEMS + 3, 11, -1 } };
    char undisturbed[sizeof state], result[sizeof state];
    size_t i;
    int run;
    items_done = mmap(NULL, sizeof *items_done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(items_done != MAP_FAILED);
    snprintf(checkpoint_path, sizeof checkpoint_path, "/tmp/park-batch-%d.ckpt", (int)getpid());
    CHECK_EQ(run_batch_job(-1), 0);
    read_result(undisturbed);
    for (i = 0; i < sizeof moments / sizeof *moments; i++) {
        for (run = 0; moments[i][run] >= 0; run++)
            CHECK_EQ(run_batch_job(moments[i][run]), PARK_EXIT_CHECKPOINTED);
        CHECK_EQ(run_batch_job(-1), 0);
        read_result(result);
        if (memcmp(result, undisturbed, sizeof result) != 0)
            check_fail(__FILE__, __LINE__, "interrupted as in row %d it came out differently", (int)i);
    }
    CHECK(munmap((void *)items_done, sizeof *items_done) == 0);
}

static const struct check_test tests[] = {
    CASE(a_signal_stops_the_job_with_a_checkpoint),
    CASE(several_signals_ask_for_different_things),
    CASE(each_of_several_jobs_is_asked),
    CASE(an_action_is_replaced_by_the_next),
    CASE(ctrl_c_stops_then_aborts_then_ends_the_process),
    CASE(the_preset_for_slurm_stops_then_aborts_and_no_more),
    CASE(an_abort_while_a_stop_saves_leaves_a_job_to_be_run_again),
    CASE(a_signal_that_comes_twice_at_once_is_one),
    CASE(each_run_counts_anew),
    CASE(a_signal_before_the_first_run_counts_for_it),
    CASE(a_script_s_background_job_keeps_ignoring_ctrl_c),
    CASE(a_signal_that_no_job_takes_does_what_it_does_without_park),
    CASE(ctrl_z_after_the_run_halts_the_process_as_ever),
    CASE(a_forked_child_is_ended_by_its_signals),
    CASE(the_handler_before_is_called_and_put_back),
    CASE(without_a_handler_before_system_calls_go_on),
    CASE(a_handler_put_over_park_s_stays_when_park_leaves),
    CASE(park_over_another_over_park_makes_no_circle),
    CASE(a_host_with_small_stacks_is_not_harmed),
    CASE(signals_from_everywhere_while_jobs_come_and_go),
    CASE(a_thousand_signals_are_caught_at_once_and_no_more),
    CASE(what_cannot_be_caught_is_refused_in_a_sentence),
    CASE(the_log_tells_which_signal_came),
    CASE(a_job_that_is_told_that_its_time_is_up_ends_with_the_same_bits),
};
CHECK_MAIN(tests)
