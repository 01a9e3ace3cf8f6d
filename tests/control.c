/* The control endpoint as the program that listens sees it: where it listens, whom it lets in, and that every request is
 * answered once whatever becomes of the job. What other programs may do to it is in tests/control.py. */
#include "job.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char place[64];                                    /* a directory of this test's own */

static void rule(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    CHECK_EQ(system(command), 0);
}

static void clear_place(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", place);
    if (system(command) != 0) printf("# %s is left\n", place);
}

static void make_place(void)
{
    strcpy(place, "/tmp/park-test-XXXXXX");
    CHECK(mkdtemp(place) != NULL);
    CHECK(setenv("PARK_RUNTIME_DIR", place, 1) == 0);
    unsetenv("PARK_LISTEN");
    atexit(clear_place);
}

static const char *path_of(park_handler *job)
{
    static char path[256];
    CHECK(park_listen_path(job, path, sizeof path) > 0);
    return path;
}

/* -1 when it is refused; errno tells why. */
static int try_to_connect(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;
    CHECK(fd >= 0);
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    CHECK(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connected(const char *path)
{
    int fd = try_to_connect(path);
    CHECK(fd >= 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void ask(int fd, int id, const char *method, const char *params)
{
    char line[512];
    snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}\n", id, method, params);
    say(fd, line);
}

/* The next line, or "" when the connection is closed. */
static const char *hear(int fd)
{
    static char line[1 << 16];
    size_t length = 0;
    for (;;) {
        struct pollfd wait;
        ssize_t got;
        wait.fd = fd;
        wait.events = POLLIN;
        if (poll(&wait, 1, (int)(check_patience() * 1000)) != 1) check_fail(__FILE__, __LINE__, "nothing is heard");
        got = recv(fd, line + length, 1, 0);
        if (got <= 0 || line[length] == '\n') {
            line[length] = '\0';
            return line;
        }
        CHECK(++length < sizeof line);
    }
}

static void expect(int fd, const char *text) { CHECK_MENTIONS(hear(fd), text); }

static int entries(const char *directory)
{
    DIR *opened = opendir(directory);
    struct dirent *entry;
    int count = 0;
    CHECK(opened != NULL);
    while ((entry = readdir(opened)) != NULL) count += entry->d_name[0] != '.';
    closedir(opened);
    return count;
}

static int listening_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], name[64] = "";
        FILE *file;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "r");
        if (!file) continue;
        if (fgets(name, sizeof name, file)) count += strcmp(name, "park-listen\n") == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

TEST(a_job_listens_while_it_is_asked_to)
{
    char path[256], expected[256];
    struct stat status;
    park_handler *job;
    int fd;
    make_place();
    job = new_job();
    CHECK_EQ(listening_threads(), 0);
    CHECK_EQ(entries(place), 0);
    CHECK_EQ(park_listen_path(job, path, sizeof path), PARK_UNKNOWN);
    CHECK_EQ(park_unlisten(job), PARK_UNKNOWN);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    WAIT_UNTIL(listening_threads() == 1);                 /* a thread gives itself its name */
    snprintf(expected, sizeof expected, "%s/%d.sock", place, (int)getpid());
    CHECK_TEXT(path_of(job), expected);
    CHECK_EQ(park_listen_path(job, NULL, 0), (int)strlen(expected));
    CHECK_EQ(park_listen_path(job, path, -1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "length");
    CHECK_EQ(park_listen_path(job, NULL, 8), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "buffer");
    CHECK(stat(expected, &status) == 0 && S_ISSOCK(status.st_mode));
    CHECK_EQ(status.st_mode & 0777, 0600);
    fd = connected(expected);
    ask(fd, 1, "ping", "{}");
    expect(fd, "\"id\":1,\"result\":{}");
    CHECK_EQ(park_listen(job, NULL), PARK_OK);            /* it does so already */
    CHECK_EQ(listening_threads(), 1);
    CHECK_EQ(park_listen(job, "/tmp/elsewhere"), PARK_EXISTS);
    CHECK_MENTIONS(error_of(job), expected);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    CHECK_TEXT(hear(fd), "");
    close(fd);
    CHECK_EQ(entries(place), 0);
    CHECK_EQ(listening_threads(), 0);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    CHECK_TEXT(path_of(job), expected);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(entries(place), 0);
    CHECK_EQ(listening_threads(), 0);
}

TEST(a_path_of_ones_own)
{
    static const char *wrong[] = { "", "\xff\xfe", "/tmp/\xc3" };
    char path[300], other[300];
    park_handler *job, *second;
    unsigned i;
    int fd;
    make_place();
    job = new_job();
    second = new_job();
    for (i = 0; i < 3; i++) {
        CHECK_EQ(park_listen(job, wrong[i]), PARK_INVALID_ARGUMENT);
        CHECK_MENTIONS(error_of(job), "path");
    }
    snprintf(path, sizeof path, "%s/", place);
    memset(path + strlen(path), 'n', 200);
    path[107] = '\0';
    CHECK_EQ(park_listen(job, path), PARK_OK);            /* 107 bytes are allowed */
    fd = connected(path);
    ask(fd, 1, "info", "{}");
    expect(fd, "\"name\":\"job\"");
    close(fd);
    CHECK_EQ(park_listen(second, path), PARK_EXISTS);     /* it is in use, and stays so */
    CHECK_MENTIONS(error_of(second), "path");
    close(connected(path));
    CHECK_EQ(park_unlisten(job), PARK_OK);
    strcat(path, "n");
    CHECK_EQ(strlen(path), 108);
    CHECK_EQ(park_listen(job, path), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "107");
    snprintf(path, sizeof path, "%s/nowhere/socket", place);
    CHECK_EQ(park_listen(job, path), PARK_SYSTEM);
    CHECK_MENTIONS(error_of(job), path);
    snprintf(path, sizeof path, "%s/file", place);
    rule("echo kept >%s", path);
    CHECK_EQ(park_listen(job, path), PARK_EXISTS);        /* no file is ever overwritten */
    rule("grep -q kept %s", path);
    CHECK_EQ(chdir(place), 0);
    CHECK_EQ(park_listen(job, "relative"), PARK_OK);
    snprintf(other, sizeof other, "%s/relative", place);
    CHECK_TEXT(path_of(job), other);
    CHECK_EQ(chdir("/"), 0);
    rule("rm %s && echo kept >%s", other, other);         /* somebody put something else there */
    CHECK_EQ(park_unlisten(job), PARK_OK);
    rule("grep -q kept %s", other);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_handler_free(second), PARK_OK);
}

/* Listens, and is killed. */
static pid_t killed_listener(const char *path)
{
    int status, listens[2];
    char word;
    pid_t child;
    CHECK(pipe(listens) == 0);
    child = fork();
    if (child == 0) {
        park_handler *job = park_handler_new("dead");
        word = park_listen(job, path) == PARK_OK ? 'y' : 'n';
        if (write(listens[1], &word, 1) == 1) pause();
        _exit(9);
    }
    CHECK(read(listens[0], &word, 1) == 1);
    CHECK_EQ(word, 'y');
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    close(listens[0]);
    close(listens[1]);
    return child;
}

TEST(what_dead_jobs_left_is_taken_away)
{
    char path[300], sleeper[300];
    park_handler *job;
    pid_t dead;
    make_place();
    dead = killed_listener(NULL);
    snprintf(path, sizeof path, "%s/%d.sock", place, (int)dead);
    CHECK(access(path, F_OK) == 0);
    rule("echo kept >%s/file.sock; mkdir %s/999999999.sock; echo kept >%s/999999998.sock", place, place, place);
    snprintf(sleeper, sizeof sleeper, "%s/own", place);
    killed_listener(sleeper);
    job = new_job();
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    CHECK(access(path, F_OK) != 0);                       /* the dead one's is gone, and nothing else */
    CHECK_EQ(entries(place), 5);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    CHECK_EQ(park_listen(job, sleeper), PARK_OK);         /* a path is taken over from a dead job, at once */
    close(connected(sleeper));
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(entries(place), 3);
}

static void refused(park_handler *job, const char *word)
{
    CHECK_EQ(park_listen(job, NULL), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), word);
    CHECK_EQ(listening_threads(), 0);
}

TEST(a_directory_that_is_not_the_users_alone_is_refused)
{
    char directory[128];
    struct stat status;
    park_handler *job;
    make_place();
    job = new_job();
    snprintf(directory, sizeof directory, "%s/run", place);
    setenv("PARK_RUNTIME_DIR", directory, 1);
    umask(0);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);            /* it is made, for its owner alone */
    CHECK(stat(directory, &status) == 0);
    CHECK_EQ(status.st_mode & 0777, 0700);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    rule("chmod 750 %s", directory);
    refused(job, "750");
    rule("chmod 701 %s", directory);
    refused(job, "701");
    rule("chmod 700 %s; ln -s %s %s/link", directory, directory, place);
    setenv("PARK_RUNTIME_DIR", directory, 1);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    snprintf(directory, sizeof directory, "%s/link", place);
    setenv("PARK_RUNTIME_DIR", directory, 1);
    refused(job, "link");
    snprintf(directory, sizeof directory, "%s/file", place);
    rule("echo >%s", directory);
    setenv("PARK_RUNTIME_DIR", directory, 1);
    refused(job, "directory");
    setenv("PARK_RUNTIME_DIR", "relative", 1);
    CHECK_EQ(park_listen(job, NULL), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "PARK_RUNTIME_DIR");
    snprintf(directory, sizeof directory, "%s/no/where", place);
    setenv("PARK_RUNTIME_DIR", directory, 1);
    CHECK_EQ(park_listen(job, NULL), PARK_SYSTEM);
    CHECK_MENTIONS(error_of(job), directory);
    if (geteuid() == 0) {
        snprintf(directory, sizeof directory, "%s/theirs", place);
        rule("mkdir -m 700 %s; chown 65534 %s", directory, directory);
        setenv("PARK_RUNTIME_DIR", directory, 1);
        refused(job, "65534");
    } else {
        setenv("PARK_RUNTIME_DIR", "/root", 1);
        refused(job, "belongs");
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(without_a_directory_of_parks_own_it_is_that_of_the_session)
{
    char directory[128], expected[160];
    park_handler *job;
    make_place();
    job = new_job();
    unsetenv("PARK_RUNTIME_DIR");
    setenv("XDG_RUNTIME_DIR", place, 1);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    snprintf(expected, sizeof expected, "%s/park/%d.sock", place, (int)getpid());
    CHECK_TEXT(path_of(job), expected);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    /* On a batch system's other machines there is none, though the variable says so. */
    snprintf(directory, sizeof directory, "%s/none", place);
    setenv("XDG_RUNTIME_DIR", directory, 1);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    snprintf(expected, sizeof expected, "/tmp/park-%d/%d.sock", (int)geteuid(), (int)getpid());
    CHECK_TEXT(path_of(job), expected);
    CHECK(access(directory, F_OK) != 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_environment_lets_every_job_listen)
{
    char path[300];
    park_handler *job;
    make_place();
    setenv("PARK_LISTEN", "0", 1);
    job = new_job();
    CHECK_EQ(park_listen_path(job, path, sizeof path), PARK_UNKNOWN);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    setenv("PARK_LISTEN", "1", 1);
    job = new_job();
    close(connected(path_of(job)));
    CHECK_EQ(park_handler_free(job), PARK_OK);
    setenv("PARK_RUNTIME_DIR", "relative", 1);
    job = new_job();                                      /* the job is made all the same */
    CHECK_MENTIONS(error_of(job), "PARK_LISTEN: PARK_RUNTIME_DIR");
    CHECK_EQ(park_listen_path(job, path, sizeof path), PARK_UNKNOWN);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

#define JOBS 40
TEST(many_jobs_of_one_name_in_one_process)
{
    park_handler *jobs[JOBS];
    char expected[160], seen[64];
    int i, fd;
    make_place();
    for (i = 0; i < JOBS; i++) {
        jobs[i] = new_job();
        CHECK_EQ(park_listen(jobs[i], NULL), PARK_OK);
        if (i == 0) snprintf(expected, sizeof expected, "%s/%d.sock", place, (int)getpid());
        else snprintf(expected, sizeof expected, "%s/%d-%d.sock", place, (int)getpid(), i + 1);
        CHECK_TEXT(path_of(jobs[i]), expected);
        CHECK_EQ(park_progress(jobs[i], 0, 0), PARK_NOT_RUNNING);
        CHECK_EQ(park_attach(jobs[i]), PARK_OK);
        CHECK_EQ(park_progress(jobs[i], i, JOBS), PARK_OK);
    }
    CHECK_EQ(entries(place), JOBS);
    for (i = 0; i < JOBS; i++) {                          /* each speaks for itself */
        fd = connected(path_of(jobs[i]));
        ask(fd, 1, "info", "{}");
        snprintf(seen, sizeof seen, "\"done\":%d.0,", i);
        expect(fd, seen);
        close(fd);
    }
    strcpy(expected, path_of(jobs[3]));
    CHECK_EQ(park_unlisten(jobs[3]), PARK_OK);
    CHECK_EQ(park_listen(jobs[3], NULL), PARK_OK);        /* the number that is free is taken again */
    CHECK_TEXT(path_of(jobs[3]), expected);
    for (i = 0; i < JOBS; i++) {
        CHECK_EQ(park_detach(jobs[i]), PARK_OK);
        CHECK_EQ(park_handler_free(jobs[i]), PARK_OK);
    }
    CHECK_EQ(entries(place), 0);
}

static double alpha = 0.1;

/* Connected, and its requests wait: the job does not run. */
static int waiting_client(park_handler *job, int requests)
{
    int i, fd = connected(path_of(job));
    for (i = 1; i <= requests; i++) ask(fd, i, "set", "{\"values\":{\"alpha\":0.3}}");
    ask(fd, 0, "ping", "{}");
    expect(fd, "\"id\":0");                               /* they have come */
    return fd;
}

static void expect_each_once(int fd, int requests, const char *status)
{
    int seen[128] = { 0 }, i, id;
    for (i = 0; i < requests; i++) {
        const char *line = hear(fd), *at = strstr(line, "\"id\":");
        if (!at) check_fail(__FILE__, __LINE__, "%d requests are not answered: \"%s\"", requests - i, line);
        CHECK_MENTIONS(line, status);
        id = atoi(at + 5);
        CHECK(id >= 1 && id <= requests && !seen[id]);
        seen[id] = 1;
    }
    CHECK_TEXT(hear(fd), "");
    close(fd);
}

TEST(requests_are_answered_when_the_job_is_freed)
{
    park_handler *job;
    int fd;
    make_place();
    job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    fd = waiting_client(job, 64);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    expect_each_once(fd, 64, "\"code\":-10");
    CHECK_REAL(alpha, 0.1);
}

TEST(requests_are_withdrawn_when_the_job_stops_listening)
{
    park_handler *job;
    int fd;
    make_place();
    job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    fd = waiting_client(job, 64);
    CHECK_EQ(park_unlisten(job), PARK_OK);
    expect_each_once(fd, 64, "\"code\":-18");
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_REAL(alpha, 0.1);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(requests_are_answered_when_the_run_ends)
{
    park_handler *job;
    int fd;
    make_place();
    job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    fd = waiting_client(job, 20);
    CHECK_EQ(park_detach(job), PARK_OK);
    ask(fd, 20, "info", "{}");
    {
        int i, expired = 0;
        for (i = 0; i < 21; i++) expired += strstr(hear(fd), "\"code\":-10") != NULL;
        CHECK_EQ(expired, 20);
    }
    CHECK_REAL(alpha, 0.1);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_TEXT(hear(fd), "");
    close(fd);
}

TEST(a_request_whose_time_is_up_has_no_effect)
{
    park_handler *job;
    int fd;
    make_place();
    job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    fd = connected(path_of(job));
    ask(fd, 1, "set", "{\"values\":{\"alpha\":0.9},\"timeout\":0.05}");
    expect(fd, "\"id\":1,\"error\":{\"code\":-7");
    ask(fd, 2, "set", "{\"values\":{\"alpha\":0.8},\"timeout\":1e300}");
    ask(fd, 3, "ping", "{}");
    expect(fd, "\"id\":3");
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_REAL(alpha, 0.8);
    expect(fd, "\"id\":2,\"result\":{}");
    ask(fd, 4, "ping", "{}");
    expect(fd, "\"id\":4");                               /* and no second answer to the first */
    close(fd);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(who_subscribes_early_sees_the_start_and_who_comes_late_a_join)
{
    park_handler *job;
    int early, late, i;
    make_place();
    job = new_job();
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    early = connected(path_of(job));
    ask(early, 1, "subscribe", "{}");
    expect(early, "\"id\":1");
    CHECK_EQ(park_attach(job), PARK_OK);
    expect(early, "\"kind\":\"start\"");
    CHECK_EQ(park_progress(job, 7, 9), PARK_OK);
    CHECK_EQ(park_improved(job, 0.5, "best", 4), PARK_OK);
    expect(early, "\"kind\":\"improved\"");
    late = connected(path_of(job));
    ask(late, 1, "subscribe", "{}");
    expect(late, "\"id\":1");
    {
        const char *join = hear(late);
        CHECK_MENTIONS(join, "\"kind\":\"join\"");
        CHECK_MENTIONS(join, "\"done\":7.0,\"total\":9.0");
        CHECK_MENTIONS(join, "\"best\":0.5");
        CHECK_MENTIONS(join, "\"bytes\":4");
    }
    for (i = 0; i < 3; i++) {
        CHECK_EQ(park_improved(job, 0.4 - 0.1 * i, "best", 4), PARK_OK);
        expect(late, "\"kind\":\"improved\"");
        expect(early, "\"kind\":\"improved\"");
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    expect(late, "\"kind\":\"progress\"");
    expect(late, "\"kind\":\"complete\"");                /* said before the connection is closed */
    CHECK_TEXT(hear(late), "");
    close(early);
    close(late);
}

/* Fork. */

TEST(a_child_holds_nothing_open)
{
    park_handler *job;
    int client, status, stop[2];
    char path[256];
    pid_t child;
    make_place();
    job = new_job();
    CHECK_EQ(park_listen(job, NULL), PARK_OK);
    strcpy(path, path_of(job));
    client = connected(path);
    ask(client, 1, "ping", "{}");
    expect(client, "\"id\":1");
    CHECK(pipe(stop) == 0);
    child = fork();
    if (child == 0) {
        char end;
        close(client);
        close(stop[1]);
        if (park_unlisten(job) != PARK_FORKED || park_listen(job, NULL) != PARK_FORKED) _exit(1);
        if (read(stop[0], &end, 1) < 0) _exit(2);
        check_leave();
    }
    close(stop[0]);
    ask(client, 2, "ping", "{}");
    expect(client, "\"id\":2");                           /* the parent serves on */
    CHECK_EQ(park_unlisten(job), PARK_OK);
    CHECK_TEXT(hear(client), "");                         /* though the child lives, the connection is closed */
    close(client);
    CHECK(try_to_connect(path) < 0);
    CHECK_EQ(park_listen(job, path), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    close(stop[1]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

/* From callbacks, and from many threads. */

static int stop_listening(park_handler *in, const park_message *request, park_message *reply, void *user)
{
    (void)request; (void)reply; (void)user;
    return park_unlisten(in) == PARK_OK ? 0 : 1;
}

TEST(a_callback_may_stop_the_listening)
{
    struct loop loop = { 0 };
    park_handler *job;
    int fd, where;
    make_place();
    for (where = 0; where < 2; where++) {                 /* on the service thread, at a ready point */
        job = new_job();
        if (where == 0) CHECK_EQ(park_on_signal(job, "hush", stop_listening, NULL, NULL), PARK_OK);
        else CHECK_EQ(park_on_ready(job, "hush", stop_listening, NULL, NULL), PARK_OK);
        CHECK_EQ(park_listen(job, NULL), PARK_OK);
        atomic_store(&loop.enough, 0);
        CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
        fd = connected(path_of(job));
        ask(fd, 1, "signal", "{\"name\":\"hush\"}");
        expect(fd, "\"id\":1,\"error\":{\"code\":-18");   /* it was being served, and says so */
        CHECK_TEXT(hear(fd), "");
        close(fd);
        end_loop(job, &loop);
    }
}

static atomic_int over;

static void *listen_and_not(void *argument)
{
    park_handler *job = argument;
    while (!atomic_load(&over)) {
        int status = park_listen(job, NULL);
        CHECK_EQ(status, PARK_OK);
        nap(0.0005);
        status = park_unlisten(job);
        CHECK(status == PARK_OK || status == PARK_UNKNOWN);
    }
    return NULL;
}

TEST(two_threads_that_do_not_agree)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"get\"}\n";
    struct loop loop = { 0 };
    park_handler *job;
    pthread_t threads[2];
    int i, came = 0;
    make_place();
    job = start_loop(&loop);
    for (i = 0; i < 2; i++) threads[i] = spawn(listen_and_not, job);
    for (i = 0; i < scaled(400) || !came; i++) {
        char path[256];
        int fd;
        if (park_listen_path(job, path, sizeof path) < 0 || (fd = try_to_connect(path)) < 0) continue;
        if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) came += strstr(hear(fd), "\"id\":1,") != NULL;
        close(fd);
    }
    atomic_store(&over, 1);
    for (i = 0; i < 2; i++) join(threads[i]);
    printf("# %d of the requests were answered, the others' connections closed\n", came);
    end_loop(job, &loop);
    CHECK_EQ(listening_threads(), 0);
    CHECK_EQ(entries(place), 0);
}

static const struct check_test tests[] = {
    CASE(a_job_listens_while_it_is_asked_to),
    CASE(a_path_of_ones_own),
    CASE(what_dead_jobs_left_is_taken_away),
    CASE(a_directory_that_is_not_the_users_alone_is_refused),
    CASE(without_a_directory_of_parks_own_it_is_that_of_the_session),
    CASE(the_environment_lets_every_job_listen),
    CASE(many_jobs_of_one_name_in_one_process),
    CASE(requests_are_answered_when_the_job_is_freed),
    CASE(requests_are_withdrawn_when_the_job_stops_listening),
    CASE(requests_are_answered_when_the_run_ends),
    CASE(a_request_whose_time_is_up_has_no_effect),
    CASE(who_subscribes_early_sees_the_start_and_who_comes_late_a_join),
    CASE(a_child_holds_nothing_open),
    CASE(a_callback_may_stop_the_listening),
    CASE(two_threads_that_do_not_agree),
};
CHECK_MAIN(tests)
