/* What a job tells without a program's help: the log on standard error (PARK_LOG), the service manager (NOTIFY_SOCKET),
 * and how long it has not come by a ready point. */
#include "job.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- standard error -------------------------------------------------------------------------------- */

static int kept_stderr = -1;

/* From here on standard error is a pipe; returns the end to read from. */
static int catch_stderr(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    kept_stderr = dup(2);
    CHECK(dup2(ends[1], 2) == 2);
    CHECK(close(ends[1]) == 0);
    return ends[0];
}

/* All that was written. */
static const char *caught_stderr(int end)
{
    static char text[1 << 16];
    size_t length = 0;
    ssize_t got;
    CHECK(dup2(kept_stderr, 2) == 2);
    while ((got = read(end, text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
    text[length] = '\0';
    CHECK(close(end) == 0);
    return text;
}

/* A job that says something of each kind. */
static void say_something(const char *name)
{
    park_handler *job = park_handler_new(name);
    CHECK(job != NULL);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_ERROR, "an error"), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_WARNING, "a\nwarning"), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "information"), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_DEBUG, "a detail"), PARK_OK);
    CHECK_EQ(park_progress(job, 250, 1000), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_improved(job, 0.5, NULL, 0), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const char *said(const char *filter, const char *name)
{
    int end;
    if (filter) CHECK(setenv("PARK_LOG", filter, 1) == 0);
    else CHECK(unsetenv("PARK_LOG") == 0);
    end = catch_stderr();
    say_something(name);
    return caught_stderr(end);
}

TEST(without_park_log_nothing_is_printed)
{
    CHECK_TEXT(said(NULL, "heat"), "");
    CHECK_TEXT(said("", "heat"), "");
    CHECK_TEXT(said("off", "heat"), "");
}

TEST(park_log_prints_from_its_level_on)
{
    const char *all;
    CHECK_TEXT(said("error", "heat"), "heat: error: an error\n");
    CHECK_TEXT(said("warn", "heat"), "heat: error: an error\nheat: warning: a warning\n");
    CHECK_TEXT(said("info", "heat"), "heat: info: started\nheat: error: an error\nheat: warning: a warning\nheat: info: information\nheat: info: complete\n");
    all = said("debug", "heat");
    CHECK_MENTIONS(all, "heat: debug: a detail\n");
    CHECK_MENTIONS(all, "heat: debug: 25%, 250 of 1000 steps");
    CHECK_MENTIONS(all, "heat: debug: improved: 0.5\n");
}

TEST(park_log_may_name_jobs)
{
    CHECK_TEXT(said("off,heat=error", "heat"), "heat: error: an error\n");
    CHECK_TEXT(said("off,heat=error", "fit"), "");
    CHECK_TEXT(said("fit=off,error", "fit"), "");
}

TEST(a_word_that_park_log_does_not_know_is_told)
{
    CHECK_TEXT(said("loud", "heat"), "park: PARK_LOG: 'loud' is not off, error, warning, info or debug\nheat: error: an error\nheat: warning: a warning\n");
}

TEST(a_reader_that_has_gone_or_sleeps_holds_up_nobody)
{
    struct loop loop = { 0 };
    int end, i;
    park_handler *job;
    CHECK(setenv("PARK_LOG", "info", 1) == 0);
    end = catch_stderr();
    CHECK(fcntl(2, F_SETPIPE_SZ, 4096) >= 0);
    job = start_loop(&loop);
    for (i = 0; i < 200; i++) CHECK_EQ(park_log(job, PARK_LOG_INFO, "0123456789012345678901234567890123456789"), PARK_OK);
    wait_iterations(&loop, 100);                              /* the pipe is full */
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK(close(end) == 0);                                   /* now a line would end the process by SIGPIPE */
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "nobody reads this"), PARK_OK);
    end_loop(job, &loop);
    CHECK(dup2(kept_stderr, 2) == 2);
}

TEST(lines_that_find_no_room_are_counted)
{
    static char line[3000], drained[1 << 16];
    const char *text;
    int end, i;
    park_handler *job;
    memset(line, 'x', sizeof line - 1);
    CHECK(setenv("PARK_LOG", "info", 1) == 0);
    end = catch_stderr();
    CHECK(fcntl(2, F_SETPIPE_SZ, 4096) >= 0);
    job = new_job();
    for (i = 0; i < 5; i++) CHECK_EQ(park_log(job, PARK_LOG_INFO, line), PARK_OK);
    nap(0.5);                                                 /* for as long as it tries */
    CHECK(read(end, drained, sizeof drained) > 0);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "room again"), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    text = caught_stderr(end);
    CHECK_MENTIONS(text, "room again (");
    CHECK_MENTIONS(text, "lines before this found no room)");
}

/* ---- the callback ---------------------------------------------------------------------------------- */

static char heard[256];

static int hear(park_handler *job, int level, const char *text, void *user)
{
    (void)job;
    snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%d %s\n", level, text);
    return strcmp(text, (const char *)user) == 0;
}

TEST(a_log_callback_gets_its_level_and_graver_ones)
{
    park_handler *job = new_job();
    int64_t id = park_on_log(job, PARK_LOG_WARNING, hear, "stop!", NULL);
    CHECK(id > 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "not this"), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_WARNING, "this"), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_ERROR, "and this"), PARK_OK);
    CHECK_TEXT(heard, "");
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_TEXT(heard, "2 this\n1 and this\n");
    CHECK_EQ(park_log(job, PARK_LOG_ERROR, "stop!"), PARK_OK);
    while (park_ready(job) == PARK_OK) {}                     /* nonzero from a callback */
    CHECK_EQ(park_off_event(job, id), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_ERROR, "nobody hears"), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_TEXT(heard, "2 this\n1 and this\n1 stop!\n");
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_log_callback_that_cannot_be_is_refused)
{
    atomic_int destroyed = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_on_log(job, 0, hear, &destroyed, count_destroy), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "level");
    CHECK_EQ(park_on_log(job, 5, hear, &destroyed, count_destroy), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_on_log(job, PARK_LOG_DEBUG, NULL, &destroyed, count_destroy), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "fn");
    CHECK_EQ(atomic_load(&destroyed), 3);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* ---- the service manager ---------------------------------------------------------------------------- */

static int manager = -1;

/* A service manager's socket, as NOTIFY_SOCKET; a name with '@' is an abstract one. */
static void listen_as_manager(const char *name)
{
    struct sockaddr_un address;
    struct timeval patience = { 20, 0 };
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, name);
    if (*name == '@') address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(manager >= 0);
    CHECK(bind(manager, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == 0);
    CHECK(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    CHECK(setenv("NOTIFY_SOCKET", name, 1) == 0);
}

/* The next message; "" when there is none within the time, which is up to `seconds`. */
static const char *told(double seconds)
{
    static char text[512];
    struct pollfd waiting = { manager, POLLIN, 0 };
    ssize_t got;
    text[0] = '\0';
    if (poll(&waiting, 1, (int)(1000 * seconds)) != 1) return text;
    got = recv(manager, text, sizeof text - 1, 0);
    CHECK(got >= 0);
    text[got] = '\0';
    return text;
}

static void a_run_is_told(const char *socket_name)
{
    park_handler *job, *other;
    listen_as_manager(socket_name);
    job = park_handler_new("heat");
    other = park_handler_new("other");
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(other), PARK_OK);                    /* the manager knows one job, the first */
    CHECK_TEXT(told(0.1), "");
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_TEXT(told(20), "READY=1\nSTATUS=heat: running");
    CHECK_EQ(park_progress(job, 1, 4), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_TEXT(told(20), "STATUS=heat: 25%, 1 of 4 steps");
    CHECK_EQ(park_progress(job, 2, 4), PARK_OK);              /* not so soon again */
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_TEXT(told(0.1), "");
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_STOPPED);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_TEXT(told(20), "STOPPING=1\nSTATUS=heat: stopped without a checkpoint");
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_TEXT(told(20), "READY=1\nSTATUS=heat: running");
    CHECK_EQ(park_fail(job, "no\nluck"), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_TEXT(told(20), "STATUS=heat: failed: no luck");
    CHECK_EQ(park_detach(other), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_handler_free(other), PARK_OK);
    CHECK_TEXT(told(0), "");
    job = park_handler_new("second");                         /* its turn */
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_TEXT(told(20), "READY=1\nSTATUS=second: running");
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_service_manager_is_told_how_the_job_is)
{
    char name[64];
    snprintf(name, sizeof name, "/tmp/park-notify-%d", (int)getpid());
    a_run_is_told(name);
    CHECK(unlink(name) == 0);
}

TEST(a_service_manager_may_have_an_abstract_socket)
{
    char name[64];
    snprintf(name, sizeof name, "@park-notify-%d", (int)getpid());
    a_run_is_told(name);
}

static int feeds_within(double seconds)
{
    double until = now() + seconds;
    int feeds = 0;
    while (now() < until) feeds += strcmp(told(0.01), "WATCHDOG=1") == 0;
    return feeds;
}

TEST(the_watchdog_is_fed_while_ready_points_are_met)
{
    struct loop loop = { 0 };
    char name[64];
    double length = *check_under() ? 4 : 0.8;
    char microseconds[32];
    park_handler *job;
    snprintf(name, sizeof name, "@park-watchdog-%d", (int)getpid());
    snprintf(microseconds, sizeof microseconds, "%.0f", 1e6 * length);
    listen_as_manager(name);
    CHECK(setenv("WATCHDOG_USEC", microseconds, 1) == 0);
    job = new_job();
    CHECK(feeds_within(length) >= 2);                         /* before a run nothing is missed */
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK(feeds_within(length) >= 2);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK(feeds_within(length) >= 2);                         /* halted on purpose */
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    end_loop(job, &loop);
    job = new_job();
    CHECK_EQ(park_attach(job), PARK_OK);                      /* and never comes by */
    feeds_within(length / 2);
    CHECK_EQ(feeds_within(length), 0);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK(feeds_within(length / 2) >= 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(setenv("WATCHDOG_PID", "1", 1) == 0);               /* meant for another process */
    job = new_job();
    CHECK_EQ(feeds_within(length), 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_service_manager_that_is_none_is_told_in_the_log)
{
    static const char *const names[] = { "vsock:2:1234", "relative", "@" };
    static char longer[200];
    int i;
    memset(longer, 'l', sizeof longer - 1);
    longer[0] = '/';
    CHECK(setenv("PARK_LOG", "warning", 1) == 0);
    for (i = 0; i < 3; i++) {
        const char *name = i == 2 ? longer : names[i];
        int end;
        park_handler *job;
        CHECK(setenv("NOTIFY_SOCKET", name, 1) == 0);
        end = catch_stderr();
        job = new_job();
        CHECK_EQ(park_handler_free(job), PARK_OK);
        CHECK_MENTIONS(caught_stderr(end), "job: warning: NOTIFY_SOCKET: '");
    }
    CHECK(unsetenv("PARK_LOG") == 0);
    CHECK(setenv("NOTIFY_SOCKET", "/nobody/listens", 1) == 0);
    say_something("heat");                                    /* as if there were none */
}

/* ---- how long there was no ready point ---------------------------------------------------------------- */

TEST(a_job_that_comes_by_is_not_idle)
{
    struct loop loop = { 0 };
    double until = now() + 2.5, most = 0;
    park_handler *job = start_loop(&loop);
    while (now() < until) {
        double idle = park_idle(job);
        CHECK(idle >= 0);
        if (idle > most) most = idle;
        nap(0.01);
    }
    CHECK(most < (*check_under() ? 5 : 0.5));
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    nap(1.5);
    CHECK_REAL(park_idle(job), 0);                            /* nor is one that is halted */
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 2);
    CHECK(park_idle(job) < (*check_under() ? 5 : 0.5));       /* nor does the halt count afterwards */
    end_loop(job, &loop);
}

TEST(a_job_that_has_stopped_calling_ready_is_idle)
{
    double began, idle;
    park_handler *job = new_job();
    CHECK_REAL(park_idle(job), PARK_NOT_RUNNING);
    CHECK_MENTIONS(error_of(job), "no computation");
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_REAL(park_idle(job), 0);                            /* nobody has asked before */
    CHECK_EQ(park_ready(job), PARK_OK);
    nap(0.05);
    CHECK_EQ(park_ready(job), PARK_OK);
    began = now();
    nap(3);
    idle = park_idle(job);
    CHECK(idle <= now() - began);
    CHECK(idle >= now() - began - (*check_under() ? 2.5 : 1.3));
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK(park_idle(job) < 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_REAL(park_idle(job), PARK_NOT_RUNNING);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(of_a_job_that_listens_it_is_known_at_the_first_question)
{
    char path[64];
    park_handler *job = new_job();
    snprintf(path, sizeof path, "/tmp/park-idle-%d.sock", (int)getpid());
    CHECK_EQ(park_listen(job, path), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    nap(*check_under() ? 5 : 2.5);
    CHECK(park_idle(job) >= 1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(without_park_log_nothing_is_printed),
    CASE(park_log_prints_from_its_level_on),
    CASE(park_log_may_name_jobs),
    CASE(a_word_that_park_log_does_not_know_is_told),
    CASE(a_reader_that_has_gone_or_sleeps_holds_up_nobody),
    CASE(lines_that_find_no_room_are_counted),
    CASE(a_log_callback_gets_its_level_and_graver_ones),
    CASE(a_log_callback_that_cannot_be_is_refused),
    CASE(a_service_manager_is_told_how_the_job_is),
    CASE(a_service_manager_may_have_an_abstract_socket),
    CASE(the_watchdog_is_fed_while_ready_points_are_met),
    CASE(a_service_manager_that_is_none_is_told_in_the_log),
    CASE(a_job_that_comes_by_is_not_idle),
    CASE(a_job_that_has_stopped_calling_ready_is_idle),
    CASE(of_a_job_that_listens_it_is_known_at_the_first_question),
};
CHECK_MAIN(tests)
