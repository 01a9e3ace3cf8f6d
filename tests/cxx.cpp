// The header from C++: it compiles from C++98 on, objects can be user data, and a stray exception ends the program with a
// message instead of running on through frames that are not C++'s.
//   g++ -std=c++98 -Wall -Wextra -pedantic -Wno-long-long -g -pthread -Iinclude -Itests tests/cxx.cpp -Ltarget/release -lpark
#include "check.h"
#include <cstddef>
#include <park.h>
#include <park.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace {

struct Job {
    park_handler *handle;
    Job() : handle(park_handler_new("job")) { CHECK(handle != NULL); }
    ~Job() { CHECK_EQ(park_handler_free(handle), PARK_OK); }
private:
    Job(const Job &);
    Job &operator=(const Job &);
};

int alive = 0;

struct Watcher {
    std::vector<double> values;
    std::string last;
    std::vector<double> *copy;
    explicit Watcher(std::vector<double> *where) : copy(where) { ++alive; }
    ~Watcher() { *copy = values; --alive; }
};

extern "C" int watch(park_handler *, double value, const void *state, int64_t bytes, void *user)
{
    Watcher *watcher = static_cast<Watcher *>(user);
    watcher->values.push_back(value);
    watcher->last.assign(static_cast<const char *>(state), static_cast<std::size_t>(bytes));
    return watcher->last == "enough" ? 1 : 0;
}

extern "C" void forget(void *user) { delete static_cast<Watcher *>(user); }

extern "C" int throw_it(park_handler *, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_event(park_handler *, const park_event *, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_improved(park_handler *, double, const void *, int64_t, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_progress(park_handler *, double, double, double, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_checkpoint(park_handler *, int, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_message(park_handler *, const park_message *, park_message *, void *) { throw std::runtime_error("stray"); }
extern "C" void throw_in_reply(park_handler *, int, const park_message *, void *) { throw std::runtime_error("stray"); }
extern "C" int throw_in_notify(void *) { throw std::runtime_error("stray"); }

extern "C" int loop(park_handler *job, void *)
{
    for (;;) {
        const int status = park_ready(job);
        if (status != 0) return status;
        nap(0.001);
    }
}

// Each of these lets an exception out of one kind of callback.

void in_the_service()
{
    Job job;
    CHECK_EQ(park_start(job.handle, throw_it, NULL, NULL, 0), PARK_OK);
    park_wait(job.handle, 20);
}

void in_an_event_here()
{
    Job job;
    CHECK(park_on_event(job.handle, PARK_EVENT_ALL, PARK_ON_COMPUTATION, throw_in_event, NULL, NULL) > 0);
    CHECK_EQ(park_attach(job.handle), PARK_OK);
    try {
        park_ready(job.handle);
    } catch (...) {
        return;                          // must not come here: frames of park's would have been unwound
    }
    park_detach(job.handle);
}

void in_an_event_on_the_service_thread()
{
    Job job;
    CHECK(park_on_event(job.handle, PARK_EVENT_ALL, PARK_ON_SERVICE, throw_in_event, NULL, NULL) > 0);
    CHECK_EQ(park_log(job.handle, PARK_LOG_INFO, "go"), PARK_OK);
    nap(20);
}

void in_improved()
{
    Job job;
    CHECK(park_on_improved(job.handle, throw_in_improved, NULL, NULL) > 0);
    CHECK_EQ(park_attach(job.handle), PARK_OK);
    CHECK_EQ(park_improved(job.handle, 1, NULL, 0), PARK_OK);
    try {
        park_ready(job.handle);
    } catch (...) {
    }
    park_detach(job.handle);
}

void in_progress()
{
    Job job;
    CHECK(park_on_progress(job.handle, throw_in_progress, NULL, NULL) > 0);
    CHECK_EQ(park_set_delta(job.handle, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_attach(job.handle), PARK_OK);
    CHECK_EQ(park_progress(job.handle, 1, 2), PARK_OK);
    try {
        park_ready(job.handle);
    } catch (...) {
    }
    park_detach(job.handle);
}

void in_a_checkpoint()
{
    Job job;
    CHECK_EQ(park_on_checkpoint(job.handle, throw_in_checkpoint, NULL, NULL), PARK_OK);
    CHECK_EQ(park_attach(job.handle), PARK_OK);
    try {
        park_restore(job.handle);
    } catch (...) {
    }
    park_detach(job.handle);
}

void in_a_method()
{
    Job job;
    park_message *message = park_message_new("m");
    CHECK_EQ(park_method(job.handle, "m", throw_in_message, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job.handle, loop, NULL, NULL, 0), PARK_OK);
    park_ask(job.handle, PARK_INVOKE, message, 20, NULL);
    park_message_free(message);
    park_signal(job.handle, PARK_ABORT);
    park_wait(job.handle, 20);
}

void in_a_handler_on_the_service_thread()
{
    Job job;
    park_message *message = park_message_new("m");
    CHECK_EQ(park_on_signal(job.handle, "m", throw_in_message, NULL, NULL), PARK_OK);
    park_ask(job.handle, PARK_MESSAGE, message, 20, NULL);
    park_message_free(message);
}

void in_a_reply()
{
    Job job;
    CHECK_EQ(park_ask_later(job.handle, PARK_GET, NULL, throw_in_reply, NULL, NULL), PARK_OK);
}

void in_notify()
{
    Job job;
    park_client *client = park_client_new(job.handle, PARK_EVENT_LOG);
    CHECK_EQ(park_on_notify(client, throw_in_notify, NULL, NULL), PARK_OK);
    try {
        park_log(job.handle, PARK_LOG_INFO, "go");
    } catch (...) {
    }
    park_client_free(client);
}

// Runs it in a process of its own, which must be ended by abort, with a message.
void must_abort(void (*body)())
{
    int ends[2], status = 0;
    char text[4096];
    ssize_t length = 0, more;
    CHECK(pipe(ends) == 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(30);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while ((more = read(ends[0], text + length, sizeof text - 1 - static_cast<std::size_t>(length))) > 0) length += more;
    close(ends[0]);
    text[length] = '\0';
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    CHECK(length > 10);                  // it says something
}

}  // namespace

TEST(an_object_can_be_user_data)
{
    std::vector<double> seen;
    {
        Job job;
        CHECK(park_on_improved(job.handle, watch, new Watcher(&seen), forget) > 0);
        CHECK_EQ(alive, 1);
        CHECK_EQ(park_attach(job.handle), PARK_OK);
        CHECK_EQ(park_improved(job.handle, 2.5, "more", 4), PARK_OK);
        CHECK_EQ(park_ready(job.handle), PARK_OK);
        CHECK_EQ(park_improved(job.handle, 1.5, "enough", 6), PARK_OK);
        CHECK_EQ(park_ready(job.handle), PARK_STOPPED);
        CHECK_EQ(park_detach(job.handle), PARK_OK);
    }
    CHECK_EQ(alive, 0);
    CHECK_EQ(seen.size(), 2);
    CHECK_REAL(seen[1], 1.5);
}

TEST(the_constants_are_constants)
{
    const double forever = PARK_FOREVER;
    CHECK_REAL(forever, -1);
    CHECK_EQ(1 - PARK_INVALID_HANDLE, 2);                   // a negative number in the middle of an expression
    switch (PARK_STATE_IDLE) {
    case PARK_STATE_IDLE: break;
    case PARK_STATE_FAILED: CHECK(false);
    }
}

TEST(an_exception_in_the_service_aborts) { must_abort(in_the_service); }
TEST(an_exception_in_an_event_aborts) { must_abort(in_an_event_here); }
TEST(an_exception_in_an_event_on_the_service_thread_aborts) { must_abort(in_an_event_on_the_service_thread); }
TEST(an_exception_in_improved_aborts) { must_abort(in_improved); }
TEST(an_exception_in_progress_aborts) { must_abort(in_progress); }
TEST(an_exception_in_a_checkpoint_aborts) { must_abort(in_a_checkpoint); }
TEST(an_exception_in_a_method_aborts) { must_abort(in_a_method); }
TEST(an_exception_in_a_handler_aborts) { must_abort(in_a_handler_on_the_service_thread); }
TEST(an_exception_in_a_reply_aborts) { must_abort(in_a_reply); }
TEST(an_exception_in_notify_aborts) { must_abort(in_notify); }

static const struct check_test tests[] = {
    CASE(an_object_can_be_user_data),
    CASE(the_constants_are_constants),
    CASE(an_exception_in_the_service_aborts),
    CASE(an_exception_in_an_event_aborts),
    CASE(an_exception_in_an_event_on_the_service_thread_aborts),
    CASE(an_exception_in_improved_aborts),
    CASE(an_exception_in_progress_aborts),
    CASE(an_exception_in_a_checkpoint_aborts),
    CASE(an_exception_in_a_method_aborts),
    CASE(an_exception_in_a_handler_aborts),
    CASE(an_exception_in_a_reply_aborts),
    CASE(an_exception_in_notify_aborts),
};
CHECK_MAIN(tests)
