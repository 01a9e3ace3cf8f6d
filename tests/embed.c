/* park inside another program: several handlers at once, and nothing of the program's own is touched. */
#include "job.h"
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <math.h>
#include <sys/stat.h>

/* Handlers are independent. */

TEST(two_jobs_run_side_by_side)
{
    struct loop first = { 0 }, second = { 0 };
    double alpha = 0.1, beta = 0.2, value = 0;
    park_handler *a = new_job(), *b = new_job();
    CHECK_EQ(park_expose_f64(a, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(b, "alpha", &beta, 0, 1), PARK_OK);
    CHECK_EQ(park_start(a, run_loop, &first, NULL, 0), PARK_OK);
    CHECK_EQ(park_start(b, run_loop, &second, NULL, 0), PARK_OK);
    CHECK_EQ(park_signal(a, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(a) == PARK_STATE_PAUSED);
    wait_iterations(&second, 5);
    CHECK_EQ(park_state(b), PARK_STATE_RUNNING);
    CHECK_EQ(park_set_f64(a, "alpha", 0.5, LONG_TIME), PARK_OK);
    CHECK_EQ(park_get_f64(b, "alpha", LONG_TIME, &value), PARK_OK);
    CHECK_REAL(value, 0.2);
    CHECK(park_set_f64(a, "alpha", 5, LONG_TIME) < 0);
    CHECK_TEXT(error_of(b), "");                          /* an error belongs to its handler */
    CHECK_EQ(park_signal(b, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_wait(b, LONG_TIME), PARK_ABORTED);
    CHECK_EQ(park_handler_free(b), PARK_OK);
    CHECK_EQ(park_state(a), PARK_STATE_PAUSED);
    CHECK_EQ(park_signal(a, PARK_RESUME), PARK_OK);
    wait_iterations(&first, 2);
    end_loop(a, &first);
    CHECK_REAL(alpha, 0.5);
}

static park_handler *inner;
static atomic_int inner_loops;

static int run_another(park_handler *job, double value, const void *state, int64_t bytes, void *user)
{
    (void)job; (void)value; (void)state; (void)bytes; (void)user;
    CHECK_EQ(park_attach(inner), PARK_OK);                /* a callback of one is no callback of the other */
    CHECK_EQ(park_ready(inner), PARK_OK);
    CHECK_EQ(park_detach(inner), PARK_OK);
    atomic_fetch_add(&inner_loops, 1);
    return 0;
}

TEST(one_thread_may_compute_for_two)
{
    park_handler *outer = new_job();
    inner = new_job();
    CHECK(park_on_improved(outer, run_another, NULL, NULL) > 0);
    CHECK_EQ(park_attach(outer), PARK_OK);
    CHECK_EQ(park_improved(outer, 1, NULL, 0), PARK_OK);
    CHECK_EQ(park_ready(outer), PARK_OK);
    CHECK_EQ(atomic_load(&inner_loops), 1);
    CHECK_EQ(park_attach(inner), PARK_OK);
    CHECK_EQ(park_signal(inner, PARK_ABORT), PARK_OK);
    CHECK_EQ(park_ready(outer), PARK_OK);
    CHECK_EQ(park_ready(inner), PARK_ABORTED);
    CHECK_EQ(park_detach(outer), PARK_OK);
    CHECK_EQ(park_detach(inner), PARK_OK);
    CHECK_EQ(park_wait(outer, 0), PARK_OK);
    CHECK_EQ(park_wait(inner, 0), PARK_ABORTED);
    CHECK_EQ(park_handler_free(outer), PARK_OK);
    CHECK_EQ(park_handler_free(inner), PARK_OK);
}

/* A bit of everything, of what goes well and of what does not. */

static int fail_at_everything(park_handler *job, int operation, void *user)
{
    (void)job; (void)operation; (void)user;
    return -1;
}
static int refuse(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job; (void)request; (void)reply; (void)user;
    return 1;
}
static int hear(park_handler *job, const park_event *event, void *user)
{
    (void)job; (void)event;
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

static void a_bit_of_everything(void)
{
    struct loop loop = { 0 };
    atomic_int heard = 0;
    double alpha = 0.1;
    park_message *nobody = park_message_new("nobody");
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_ALL);
    CHECK(park_client_fd(client) >= 0);
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, hear, &heard, NULL) > 0);
    CHECK(park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, hear, &heard, NULL) > 0);
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, fail_at_everything, NULL, NULL), PARK_OK);
    CHECK_EQ(park_method(job, "nobody", refuse, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_FAILED);
    CHECK_EQ(park_ask(job, PARK_MESSAGE, nobody, LONG_TIME, NULL), PARK_UNKNOWN);      /* a warning in the log */
    CHECK_EQ(park_ask(job, PARK_INVOKE, nobody, LONG_TIME, NULL), PARK_REFUSED);
    CHECK_EQ(park_set_f64(job, "alpha", 2, LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_log(job, PARK_LOG_ERROR, "an error for the log"), PARK_OK);
    CHECK_EQ(park_signal(job, 1234), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_ready((park_handler *)1), PARK_INVALID_HANDLE);
    CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 1), PARK_OK);                      /* resume fails */
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_message_free(nobody), PARK_OK);
    CHECK(atomic_load(&heard) > 5);
}

TEST(it_prints_nothing_by_itself)
{
    struct stat printed;
    char path[] = "/tmp/park-embed-XXXXXX";
    int file = mkstemp(path), out = dup(1), err = dup(2);
    CHECK(file >= 0 && out >= 0 && err >= 0);
    unlink(path);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    a_bit_of_everything();
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    CHECK(fstat(file, &printed) == 0);
    CHECK_EQ(printed.st_size, 0);
    close(file);
    close(out);
    close(err);
}

#define FAULTS (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW)

static atomic_int traps_set;

static int loop_with_traps(park_handler *job, void *request)
{
    int status, again;
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FAULTS);                               /* as gfortran -ffpe-trap does */
    atomic_store(&traps_set, 1);
    for (again = 0; again < 20; again++) {
        CHECK_EQ(park_progress(job, again % 3, again % 2), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    CHECK(park_improved(job, (double)NAN, NULL, 0) < 0);
    CHECK_EQ(park_progress(job, 1e308, 1e-308), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    status = run_loop(job, request);
    CHECK_EQ(fetestexcept(FAULTS), 0);
    fedisableexcept(FAULTS);
    return status;
}

TEST(a_loop_that_traps_floating_point_faults_meets_none_of_parks)
{
    struct loop loop = { 0 };
    double x = 0, xs[2] = { 0, 0 }, big[2] = { 1e300, -1e300 };
    int64_t n = 0, ns[2] = { 0, 0 };
    park_message *message = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "x", &x, -INFINITY, INFINITY), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, INT64_MIN, INT64_MAX), PARK_OK);
    CHECK_EQ(park_expose_f64s(job, "xs", xs, 2, -1, 1), PARK_OK);
    CHECK_EQ(park_expose_i64s(job, "ns", ns, 2, -1, 1), PARK_OK);
    CHECK_EQ(park_start(job, loop_with_traps, &loop, NULL, 0), PARK_OK);
    WAIT_UNTIL(atomic_load(&traps_set));
    CHECK_EQ(park_set_f64(job, "n", 4.0, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_i64(job, "x", 4, LONG_TIME), PARK_OK);
    CHECK(park_set_f64(job, "n", 1e30, LONG_TIME) < 0);
    CHECK(park_set_f64(job, "n", NAN, LONG_TIME) < 0);
    CHECK(park_set_f64(job, "x", NAN, LONG_TIME) < 0);
    CHECK(park_set_f64(job, "x", INFINITY, LONG_TIME) < 0);
    CHECK(park_set_i64(job, "x", INT64_MAX, LONG_TIME) < 0);
    CHECK_EQ(park_message_put_f64s(message, "ns", big, 2), PARK_OK);
    CHECK(park_ask(job, PARK_SET, message, LONG_TIME, NULL) < 0);
    CHECK_EQ(park_set_f64(job, "progress_delta", 1e-300, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_f64(job, "checkpoint_delta", 1e300, LONG_TIME), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 20);
    CHECK_EQ(park_message_free(message), PARK_OK);
    end_loop(job, &loop);
}

/* A line of /proc/.../status as a number of base 16. */
static unsigned long long from_status(const char *path, const char *key)
{
    char line[256];
    unsigned long long value = 0;
    int found = 0;
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) found = sscanf(line + strlen(key), ":\t%llx", &value) == 1;
    fclose(file);
    CHECK(found);
    return value;
}

/* Signals 32 and 33 are the C library's own. */
#define OF_THE_PROGRAM 0xFFFFFFFE7FFFFFFFull

static unsigned long long handlers_at_the_begin, ignored_at_the_begin;

TEST(it_installs_no_signal_handlers)
{
    unsigned long long blocked = from_status("/proc/thread-self/status", "SigBlk");
    a_bit_of_everything();
    CHECK_EQ(from_status("/proc/self/status", "SigCgt") & OF_THE_PROGRAM, handlers_at_the_begin & OF_THE_PROGRAM);
    CHECK_EQ(from_status("/proc/self/status", "SigIgn") & OF_THE_PROGRAM, ignored_at_the_begin & OF_THE_PROGRAM);
    CHECK_EQ(from_status("/proc/thread-self/status", "SigBlk"), blocked);
    if (*check_under() == '\0') CHECK_EQ(handlers_at_the_begin & OF_THE_PROGRAM, 0);     /* also when it was loaded */
}

/* Calls with each thread of this process: the path of its directory in /proc, and its name. */
static int each_thread(void (*call)(const char *path, const char *name))
{
    int count = 0;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks))) {
        char path[300], name[64] = "";
        FILE *file;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        if (!(file = fopen(path, "r"))) continue;          /* it has ended meanwhile */
        CHECK(fgets(name, sizeof name, file) != NULL);
        fclose(file);
        count++;
        if (call) {
            snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
            call(path, name);
        }
    }
    closedir(tasks);
    return count;
}

static int service_threads;

static void check_blocked(const char *path, const char *name)
{
    static const int programs_own[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGCHLD, SIGPIPE,
                                        SIGIO, SIGWINCH, SIGTSTP, SIGCONT, SIGURG };
    unsigned i;
    unsigned long long blocked;
    if (strncmp(name, "park-service", 12) != 0) return;
    service_threads++;
    blocked = from_status(path, "SigBlk");
    for (i = 0; i < sizeof programs_own / sizeof programs_own[0]; i++) CHECK(blocked >> (programs_own[i] - 1) & 1);
    CHECK(!(blocked >> (SIGSEGV - 1) & 1));
}

TEST(its_threads_take_no_signal_that_is_meant_for_the_program)
{
    park_handler *job = new_job();
    WAIT_UNTIL((service_threads = 0, each_thread(check_blocked), service_threads == 1));
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int open_files(void)
{
    int count = 0;
    struct dirent *entry;
    DIR *files = opendir("/proc/self/fd");
    CHECK(files != NULL);
    while ((entry = readdir(files))) {
        char path[300], target[300];
        ssize_t length;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        length = readlink(path, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            if (atoi(entry->d_name) > 2) CHECK(strncmp(target, "socket:", 7) != 0);
        }
        count++;
    }
    closedir(files);
    return count;
}

TEST(it_leaves_no_threads_and_no_files_behind)
{
    int threads, files, round;
    a_bit_of_everything();                                /* what is made once is made now */
    threads = each_thread(NULL);
    files = open_files();
    for (round = 0; round < 20; round++) a_bit_of_everything();
    WAIT_UNTIL(each_thread(NULL) == threads);
    CHECK_EQ(open_files(), files);
}

TEST(an_idle_handler_opens_no_files)
{
    int files = open_files();
    park_handler *job = new_job();
    CHECK_EQ(open_files(), files);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(handlers_can_be_made_and_freed_without_end)
{
    long i;
    for (i = 0; i < scaled(6000); i++) {
        park_handler *job = park_handler_new("again");
        CHECK(job != NULL);
        CHECK_EQ(park_handler_free(job), PARK_OK);
    }
}

TEST(the_program_may_end_while_a_job_runs)
{
    static struct loop loop;
    if (*check_under()) check_not_run("what is not freed is a leak to a leak checker");
    CHECK_EQ(park_start(new_job(), run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_attach(new_job()), PARK_OK);
    wait_iterations(&loop, 2);
}

/* A copy of the library, loaded at run time: the one that this program is linked with would never be unloaded. */

static char copy[] = "/tmp/libpark-copy-XXXXXX.so";

static void make_copy(void)
{
    Dl_info where;
    char bytes[65536];
    ssize_t length;
    int to = mkstemps(copy, 3), from;
    void *address;
    const char *(*version)(void) = park_version;
    memcpy(&address, &version, sizeof address);
    CHECK(dladdr(address, &where) != 0);
    from = open(where.dli_fname, O_RDONLY);
    CHECK(from >= 0 && to >= 0);
    while ((length = read(from, bytes, sizeof bytes)) > 0) CHECK(write(to, bytes, (size_t)length) == length);
    close(from);
    close(to);
}

static void *load(void)
{
    void *library = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
    if (!library) check_fail(__FILE__, __LINE__, "%s", dlerror());
    return library;
}

#define FIND(library, name) (*(void **)&name = dlsym(library, "park_" #name), CHECK_FOUND(name))
#define CHECK_FOUND(name) ((name) ? (void)0 : check_fail(__FILE__, __LINE__, "park_%s is not found", #name))

static struct gate used = GATE, unloaded = GATE;

static void *use_and_outlive(void *library)
{
    park_handler *(*handler_new)(const char *);
    int (*handler_free)(park_handler *), (*attach)(park_handler *), (*ready)(park_handler *), (*detach)(park_handler *);
    int64_t (*on_event)(park_handler *, int, int, park_event_fn, void *, park_destroy_fn);
    int64_t (*last_error)(park_handler *, char *, int64_t);
    atomic_int heard = 0;
    char text[64];
    park_handler *job;
    FIND(library, handler_new);
    FIND(library, handler_free);
    FIND(library, attach);
    FIND(library, ready);
    FIND(library, detach);
    FIND(library, on_event);
    FIND(library, last_error);
    job = handler_new("loaded");
    CHECK(job != NULL);
    CHECK(on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, hear, &heard, NULL) > 0);
    CHECK_EQ(attach(job), PARK_OK);
    CHECK_EQ(ready(job), PARK_OK);
    WAIT_UNTIL(atomic_load(&heard) > 0);
    CHECK_EQ(detach(job), PARK_OK);
    CHECK_EQ(handler_free(job), PARK_OK);
    CHECK(handler_new("") == NULL);                       /* an error text of this thread's own */
    CHECK(last_error(NULL, text, sizeof text) > 0);
    gate_open(&used);
    gate_wait(&unloaded);
    return NULL;                                          /* what park keeps for each thread ends after the library */
}

TEST(it_can_be_loaded_and_unloaded_again_and_again)
{
    int i;
    make_copy();
    for (i = 0; i < 50; i++) {
        void *library = load();
        pthread_t thread;
        used.open = unloaded.open = 0;
        thread = spawn(use_and_outlive, library);
        gate_wait(&used);
        CHECK(dlclose(library) == 0);
        gate_open(&unloaded);
        join(thread);
    }
    unlink(copy);
    check_leave();                                        /* the library stays loaded, by its own wish */
}

TEST(it_can_be_unloaded_while_its_threads_live)
{
    park_handler *(*handler_new)(const char *);
    void *library;
    make_copy();
    library = load();
    FIND(library, handler_new);
    CHECK(handler_new("never freed") != NULL);
    CHECK(dlclose(library) == 0);
    nap(0.05);
    library = load();
    FIND(library, handler_new);
    CHECK(handler_new("one more") != NULL);
    CHECK(dlclose(library) == 0);
    unlink(copy);
    check_leave();
}

static const struct check_test tests[] = {
    CASE(two_jobs_run_side_by_side),
    CASE(one_thread_may_compute_for_two),
    CASE(it_prints_nothing_by_itself),
    CASE(a_loop_that_traps_floating_point_faults_meets_none_of_parks),
    CASE(it_installs_no_signal_handlers),
    CASE(its_threads_take_no_signal_that_is_meant_for_the_program),
    CASE(it_leaves_no_threads_and_no_files_behind),
    CASE(an_idle_handler_opens_no_files),
    CASE(handlers_can_be_made_and_freed_without_end),
    CASE(the_program_may_end_while_a_job_runs),
    CASE(it_can_be_loaded_and_unloaded_again_and_again),
    CASE(it_can_be_unloaded_while_its_threads_live),
};

int main(int argc, char **argv)
{
    handlers_at_the_begin = from_status("/proc/self/status", "SigCgt");
    ignored_at_the_begin = from_status("/proc/self/status", "SigIgn");
    return check_main(argc, argv, tests, (int)(sizeof tests / sizeof tests[0]));
}
