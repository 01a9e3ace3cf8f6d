/* After a fork the child is told so by every function, never hangs, and ends cleanly; the parent goes on. */
#include "calls.h"

static void in_a_child(void (*body)(void))
{
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm((unsigned)check_patience());                /* alarms are not inherited */
        body();
        check_leave();
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(!WIFSIGNALED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

static park_handler *job;
static park_client *client;
static park_event *event;
static double alpha = 0.1;

static void everything_says_forked(void)
{
    unsigned t;
    int i;
    void *handles[4];
    handles[0] = job;
    handles[1] = client;
    handles[2] = event;
    handles[3] = message;
    for (t = 0; t < 4; t++) {
        for (i = 0; i < tables[t].count; i++) {
            const struct call *call = &tables[t].calls[i];
            int before = atomic_load(&destroyed);
            int64_t status = call->call(handles[t]);
            int is_pointer = strcmp(call->name, "park_client_new") == 0 || strcmp(call->name, "park_event_state") == 0 ||
                             strcmp(call->name, "park_worker_local") == 0;
            if (status != (is_pointer ? PARK_INVALID_HANDLE : PARK_FORKED))
                check_fail(__FILE__, __LINE__, "in the child %s returned %lld", call->name, (long long)status);
            if (atomic_load(&destroyed) != before + call->destroys)
                check_fail(__FILE__, __LINE__, "in the child %s did not destroy its data once", call->name);
        }
    }
    CHECK(park_handler_new("child") == NULL);
    CHECK(park_message_new("child") == NULL);
    CHECK(park_version() != NULL);
    CHECK(strlen(park_status_string(PARK_FORKED)) > 0);
    /* What would wait for ever does not wait. */
    CHECK_EQ(park_wait(job, PARK_FOREVER), PARK_FORKED);
    CHECK_EQ(park_ask(job, PARK_GET, NULL, PARK_FOREVER, NULL), PARK_FORKED);
    CHECK_EQ(park_next_event(client, PARK_FOREVER, &out_event), PARK_FORKED);
}

static void grandchild(void) { in_a_child(everything_says_forked); }

static void make_things(void)
{
    job = new_job();
    client = park_client_new(job, PARK_EVENT_ALL);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "for an event"), PARK_OK);
    event = next_event(client);
    message = park_message_new("m");
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
}

static void free_things(void)
{
    CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_child_of_an_idle_job)
{
    make_things();
    in_a_child(everything_says_forked);
    in_a_child(grandchild);
    CHECK_EQ(park_attach(job), PARK_OK);                  /* and the parent does as it likes */
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    free_things();
}

static void go_on_with_the_loop(void)
{
    int i;
    for (i = 0; i < 3; i++) {
        CHECK_EQ(park_progress(job, i, 3), PARK_FORKED);
        CHECK_EQ(park_improved(job, i, NULL, 0), PARK_FORKED);
        CHECK_EQ(park_ready(job), PARK_FORKED);
    }
    CHECK_EQ(park_detach(job), PARK_FORKED);
    CHECK_EQ(park_handler_free(job), PARK_FORKED);
}

TEST(a_child_that_goes_on_with_the_loop)
{
    int i;
    make_things();
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 5; i++) {
        CHECK_EQ(park_progress(job, i, 5), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        in_a_child(go_on_with_the_loop);                  /* nothing was pending: the short way must say it, too */
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    in_a_child(everything_says_forked);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_OK);
    free_things();
}

TEST(a_child_of_a_running_and_of_a_paused_job)
{
    struct loop loop = { 0 };
    double value = 0;
    make_things();
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    wait_iterations(&loop, 2);
    in_a_child(everything_says_forked);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5, LONG_TIME), PARK_OK);        /* parent: service and loop live */
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    in_a_child(everything_says_forked);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(park_get_f64(job, "alpha", LONG_TIME, &value), PARK_OK);
    CHECK_REAL(value, 0.5);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    wait_iterations(&loop, 2);
    atomic_store(&loop.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    free_things();
}

static atomic_int forks;

static int fork_in_an_event(park_handler *in, const park_event *of, void *user)
{
    (void)in;
    (void)of;
    (void)user;
    in_a_child(everything_says_forked);
    atomic_fetch_add(&forks, 1);
    return 0;
}

static int fork_in_a_method(park_handler *in, const park_message *request, park_message *reply, void *user)
{
    (void)in;
    (void)request;
    (void)user;
    in_a_child(go_on_with_the_loop);
    atomic_fetch_add(&forks, 1);
    return park_message_put_bool(reply, "forked", 1);
}

TEST(a_child_that_is_made_inside_callbacks)
{
    struct loop loop = { 0 };
    park_message *invoke = park_message_new("fork");
    make_things();
    CHECK(park_on_event(job, PARK_EVENT_START, PARK_ON_COMPUTATION, fork_in_an_event, NULL, NULL) > 0);
    CHECK(park_on_event(job, PARK_EVENT_START, PARK_ON_SERVICE, fork_in_an_event, NULL, NULL) > 0);
    CHECK_EQ(park_method(job, "fork", fork_in_a_method, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_INVOKE, invoke, LONG_TIME, NULL), PARK_OK);
    WAIT_UNTIL(atomic_load(&forks) == 3);
    atomic_store(&loop.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_message_free(invoke), PARK_OK);
    free_things();
}

static atomic_int over;

static void *keep_locks_busy(void *argument)
{
    long turn = (long)(intptr_t)argument;
    while (!atomic_load(&over)) {
        double value;
        switch (turn++ % 4) {
        case 0: CHECK_EQ(park_log(job, PARK_LOG_INFO, "line"), PARK_OK); break;
        case 1: CHECK_EQ(park_set_f64(job, "alpha", 0.25, LONG_TIME), PARK_OK); break;
        case 2: CHECK_EQ(park_get_f64(job, "alpha", LONG_TIME, &value), PARK_OK); break;
        case 3: {
            park_message *own = park_message_new("own");
            CHECK_EQ(park_message_put_f64(own, "k", 1), PARK_OK);
            CHECK_EQ(park_message_free(own), PARK_OK);
            break;
        }
        }
    }
    return NULL;
}

TEST(a_child_is_told_whatever_locks_were_held)
{
    struct loop loop = { 0 };
    pthread_t threads[3];
    long i;
    make_things();
    CHECK_EQ(park_client_limit(client, INT64_MAX, INT64_MAX), PARK_OK);
    loop.nap = 1e-6;
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < 3; i++) threads[i] = spawn(keep_locks_busy, (void *)(intptr_t)i);
    for (i = 0; i < scaled(200); i++) {
        park_event *drained;
        in_a_child(everything_says_forked);
        while (park_next_event(client, 0, &drained) == PARK_OK) CHECK_EQ(park_event_free(drained), PARK_OK);
    }
    atomic_store(&over, 1);
    for (i = 0; i < 3; i++) join(threads[i]);
    atomic_store(&loop.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    free_things();
}

static void become_another_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(3);
}

TEST(a_child_may_become_another_program)
{
    make_things();
    CHECK_EQ(park_attach(job), PARK_OK);
    in_a_child(become_another_program);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    free_things();
}

static void use_park(void)
{
    make_things();
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_OK);
    free_things();
}

TEST(who_forks_before_the_first_handler_uses_park_on_both_sides)
{
    in_a_child(use_park);
    use_park();
}

static const struct check_test tests[] = {
    CASE(a_child_of_an_idle_job),
    CASE(a_child_that_goes_on_with_the_loop),
    CASE(a_child_of_a_running_and_of_a_paused_job),
    CASE(a_child_that_is_made_inside_callbacks),
    CASE(a_child_is_told_whatever_locks_were_held),
    CASE(a_child_may_become_another_program),
    CASE(who_forks_before_the_first_handler_uses_park_on_both_sides),
};
CHECK_MAIN(tests)
