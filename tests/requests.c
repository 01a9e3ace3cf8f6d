/* Requests: each gets exactly one reply, and what was withdrawn or refused has no effect. */
#include "job.h"
#include <math.h>

/* A computation that asks nothing until the gate is open, then loops. */
struct sleeper { struct gate gate; struct loop loop; };

static int sleep_then_loop(park_handler *job, void *request)
{
    struct sleeper *sleeper = request;
    gate_wait(&sleeper->gate);
    return run_loop(job, &sleeper->loop);
}

static int sleep_then_end(park_handler *job, void *request)
{
    (void)job;
    gate_wait(&((struct sleeper *)request)->gate);
    return PARK_OK;
}

static park_message *message_f64(const char *name, const char *key, double value)
{
    park_message *message = park_message_new(name);
    CHECK(message != NULL);
    CHECK_EQ(park_message_put_f64(message, key, value), PARK_OK);
    return message;
}

TEST(a_request_that_was_not_served_in_time_is_withdrawn)
{
    struct sleeper sleeper = { GATE, { 0 } };
    double alpha = 0.1, seen = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_loop, &sleeper, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5, 0.05), PARK_TIMEOUT);
    CHECK_EQ(park_set_f64(job, "alpha", 0.6, 0), PARK_TIMEOUT);
    CHECK_EQ(park_get_f64(job, "alpha", 0.01, &seen), PARK_TIMEOUT);
    CHECK_REAL(seen, 0);
    CHECK_EQ(park_ask(job, PARK_ABORT, NULL, 0.01, NULL), PARK_TIMEOUT);
    gate_open(&sleeper.gate);
    CHECK_EQ(park_get_f64(job, "alpha", LONG_TIME, &seen), PARK_OK);
    CHECK_REAL(seen, 0.1);
    wait_iterations(&sleeper.loop, 3);                    /* and nobody has aborted it */
    CHECK_EQ(park_set_f64(job, "alpha", 0.7, PARK_FOREVER), PARK_OK);
    CHECK_EQ(park_get_f64(job, "alpha", PARK_FOREVER, &seen), PARK_OK);
    CHECK_REAL(seen, 0.7);
    end_loop(job, &sleeper.loop);
}

TEST(a_request_before_the_run_waits_for_its_first_ready_point)
{
    double alpha = 0.1;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5, 0.01), PARK_TIMEOUT);
    CHECK_REAL(alpha, 0.1);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alpha", 0.6, LONG_TIME), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(alpha, 0.6);
}

/* What a reply callback was told. */
struct told { atomic_int calls, status, destroyed; int number; };
static atomic_int replies;
static int reply_order[5000];
static pthread_t reply_thread;
static char reply_reason[256];

static void note_reply(park_handler *job, int status, const park_message *reply, void *user)
{
    struct told *told = user;
    int place = atomic_fetch_add(&replies, 1);
    CHECK(job != NULL);
    CHECK_EQ(atomic_load(&told->destroyed), 0);
    if (place < 5000) reply_order[place] = told->number;
    reply_thread = pthread_self();
    if (status < 0) CHECK(park_message_get_text(reply, "reason", reply_reason, sizeof reply_reason) > 0);
    atomic_store(&told->status, status);
    atomic_fetch_add(&told->calls, 1);
}

static void note_destroyed(void *user) { atomic_fetch_add(&((struct told *)user)->destroyed, 1); }

static pthread_t computing_thread;

static int loop_noting_thread(park_handler *job, void *request)
{
    computing_thread = pthread_self();
    return run_loop(job, request);
}

TEST(each_request_has_one_reply_in_the_order_sent_on_the_service_thread)
{
    enum { COUNT = 2000 };
    static struct told told[COUNT];
    struct loop loop = { 0 };
    double alpha = 0;
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, COUNT), PARK_OK);
    CHECK_EQ(park_start(job, loop_noting_thread, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < COUNT; i++) {
        park_message *message = message_f64(NULL, "alpha", i);
        told[i].number = i;
        CHECK_EQ(park_ask_later(job, PARK_SET, message, note_reply, &told[i], note_destroyed), PARK_OK);
        CHECK_EQ(park_message_put_f64(message, "alpha", -1), PARK_OK);      /* it was copied */
        CHECK_EQ(park_message_free(message), PARK_OK);
    }
    WAIT_UNTIL(atomic_load(&replies) == COUNT);
    CHECK(!pthread_equal(reply_thread, pthread_self()));
    CHECK(!pthread_equal(reply_thread, computing_thread));
    end_loop(job, &loop);
    for (i = 0; i < COUNT; i++) {
        CHECK_EQ(atomic_load(&told[i].calls), 1);
        CHECK_EQ(atomic_load(&told[i].status), PARK_OK);
        CHECK_EQ(atomic_load(&told[i].destroyed), 1);
        CHECK_EQ(reply_order[i], i);
    }
    CHECK_REAL(alpha, COUNT - 1);
}

TEST(when_the_job_ends_first_the_reply_is_expired)
{
    enum { COUNT = 100 };
    static struct told told[COUNT];
    struct sleeper sleeper = { GATE, { 0 } };
    double alpha = 0;
    int i;
    park_message *message = message_f64(NULL, "alpha", 1);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_end, &sleeper, NULL, 0), PARK_OK);
    for (i = 0; i < COUNT; i++)
        CHECK_EQ(park_ask_later(job, PARK_SET, message, note_reply, &told[i], note_destroyed), PARK_OK);
    gate_open(&sleeper.gate);
    WAIT_UNTIL(atomic_load(&replies) == COUNT);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_EXPIRED);      /* and what comes later */
    CHECK_EQ(park_handler_free(job), PARK_OK);
    for (i = 0; i < COUNT; i++) {
        CHECK_EQ(atomic_load(&told[i].calls), 1);
        CHECK_EQ(atomic_load(&told[i].status), PARK_EXPIRED);
        CHECK_EQ(atomic_load(&told[i].destroyed), 1);
    }
    CHECK_REAL(alpha, 0);
    CHECK_EQ(park_message_free(message), PARK_OK);
}

static void *ask_for_ever(void *argument)
{
    double value = 0;
    CHECK_EQ(park_get_f64(argument, "alpha", PARK_FOREVER, &value), PARK_EXPIRED);
    return NULL;
}

TEST(who_waits_when_the_job_ends_is_told)
{
    struct sleeper sleeper = { GATE, { 0 } };
    double alpha = 0;
    int i;
    pthread_t asking[4];
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_end, &sleeper, NULL, 0), PARK_OK);
    for (i = 0; i < 4; i++) asking[i] = spawn(ask_for_ever, job);
    gate_open(&sleeper.gate);
    for (i = 0; i < 4; i++) join(asking[i]);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(when_the_handler_is_freed_first_the_reply_is_expired)
{
    enum { COUNT = 100 };
    static struct told told[COUNT];
    int i;
    park_handler *job = new_job();
    for (i = 0; i < COUNT; i++)
        CHECK_EQ(park_ask_later(job, PARK_GET, NULL, note_reply, &told[i], note_destroyed), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    for (i = 0; i < COUNT; i++) {                         /* all of it before free has returned */
        CHECK_EQ(atomic_load(&told[i].calls), 1);
        CHECK_EQ(atomic_load(&told[i].status), PARK_EXPIRED);
        CHECK_EQ(atomic_load(&told[i].destroyed), 1);
    }
}

static atomic_long accepted, answered, destroyed;

static void count_answer(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)job;
    (void)reply;
    (void)user;
    CHECK(status == PARK_OK || status == PARK_EXPIRED || status == PARK_FULL);
    atomic_fetch_add(&answered, 1);
}

static void count_gone(void *user)
{
    (void)user;
    atomic_fetch_add(&destroyed, 1);
}

static atomic_long sent;

static void *ask_until_freed(void *argument)
{
    for (;;) {
        int status = park_ask_later(argument, PARK_GET, NULL, count_answer, NULL, count_gone);
        atomic_fetch_add(&sent, 1);
        if (status == PARK_INVALID_HANDLE) return NULL;
        CHECK(status == PARK_OK || status == PARK_FULL || status == PARK_EXPIRED);
        if (status == PARK_OK) atomic_fetch_add(&accepted, 1);
        if (status == PARK_FULL) nap(1e-5);
    }
}

TEST(requests_that_race_with_the_end_and_with_free_have_one_reply_each)
{
    long round;
    for (round = 0; round < scaled(200); round++) {
        pthread_t asking[2];
        long before = atomic_load(&accepted);
        park_handler *job = new_job();
        asking[0] = spawn(ask_until_freed, job);
        asking[1] = spawn(ask_until_freed, job);
        WAIT_UNTIL(atomic_load(&accepted) > before);
        if (round % 2) {
            CHECK_EQ(park_attach(job), PARK_OK);
            CHECK_EQ(park_ready(job), PARK_OK);
            CHECK_EQ(park_detach(job), PARK_OK);
        }
        CHECK_EQ(park_handler_free(job), PARK_OK);
        join(asking[0]);
        join(asking[1]);
        WAIT_UNTIL(atomic_load(&answered) >= atomic_load(&accepted));
        CHECK_EQ(atomic_load(&answered), atomic_load(&accepted));
        WAIT_UNTIL(atomic_load(&destroyed) >= atomic_load(&sent));
        CHECK_EQ(atomic_load(&destroyed), atomic_load(&sent));
    }
}

TEST(a_request_that_is_not_taken_has_no_reply_and_its_data_is_destroyed)
{
    struct told told = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_ask_later(job, 0, NULL, note_reply, &told, note_destroyed), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&told.destroyed), 1);
    CHECK(park_ask_later(job, PARK_SET, NULL, note_reply, &told, note_destroyed) < 0);
    CHECK_EQ(atomic_load(&told.destroyed), 2);
    CHECK_EQ(park_ask_later(job, PARK_GET, NULL, NULL, &told, note_destroyed), PARK_INVALID_ARGUMENT);
    CHECK_EQ(atomic_load(&told.destroyed), 3);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&told.calls), 0);
}

TEST(a_refusal_names_the_variable_and_the_reason)
{
    struct loop loop = { 0 };
    struct told told = { 0 };
    double alpha = 0.1;
    char reason[256] = "";
    park_message *message = message_f64(NULL, "alpha", 7), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 0.5), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, reply), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "alpha");
    CHECK_MENTIONS(error_of(job), "0.5");
    CHECK(park_message_get_text(reply, "reason", reason, sizeof reason) > 0);
    CHECK_MENTIONS(reason, "alpha");
    CHECK_EQ(park_ask_later(job, PARK_SET, message, note_reply, &told, note_destroyed), PARK_OK);
    WAIT_UNTIL(atomic_load(&told.destroyed) == 1);
    CHECK_EQ(atomic_load(&told.status), PARK_REFUSED);
    CHECK_MENTIONS(reply_reason, "alpha");
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    end_loop(job, &loop);
}

/* Messages of the user's own. */

static pthread_t handled_on;

static int answer_at_once(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    double number = 0;
    char name[32];
    CHECK(job != NULL);
    CHECK_EQ(park_message_name(request, name, sizeof name), 4);
    CHECK_TEXT(name, "ping");
    CHECK_EQ(park_message_get_f64(request, "number", &number), PARK_OK);
    CHECK_EQ(park_message_put_f64(reply, "twice", 2 * number), PARK_OK);
    handled_on = pthread_self();
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(an_asynchronous_handler_answers_while_the_loop_is_busy)
{
    struct sleeper sleeper = { GATE, { 0 } };
    atomic_int calls = 0;
    double twice = 0;
    park_message *message = message_f64("ping", "number", 21), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_on_signal(job, "ping", answer_at_once, &calls, NULL), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_end, &sleeper, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_MESSAGE, message, LONG_TIME, reply), PARK_OK);      /* the loop never was ready */
    CHECK_EQ(park_message_get_f64(reply, "twice", &twice), PARK_OK);
    CHECK_REAL(twice, 42);
    CHECK_EQ(atomic_load(&calls), 1);
    CHECK(!pthread_equal(handled_on, pthread_self()));
    gate_open(&sleeper.gate);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
}

static int delay(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)request;
    (void)reply;
    atomic_fetch_add((atomic_int *)user, 1);
    return PARK_DELAY;
}

static atomic_int ready_calls;
static int64_t numbers[512];
static pthread_t ready_thread;

static int note_number(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    int place = atomic_load(&ready_calls);
    (void)job;
    (void)user;
    ready_thread = pthread_self();
    CHECK_EQ(park_message_get_i64(request, "number", &numbers[place]), PARK_OK);
    CHECK_EQ(park_message_put_i64(reply, "place", place), PARK_OK);
    atomic_store(&ready_calls, place + 1);
    return 0;
}

TEST(a_delayed_message_is_handled_at_the_ready_point)
{
    struct loop loop = { 0 };
    atomic_int delays = 0;
    int64_t place = -1;
    park_message *message = park_message_new("ping"), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_message_put_i64(message, "number", 5), PARK_OK);
    CHECK_EQ(park_on_signal(job, "ping", delay, &delays, NULL), PARK_OK);
    CHECK_EQ(park_on_ready(job, "ping", note_number, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, loop_noting_thread, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_MESSAGE, message, LONG_TIME, reply), PARK_OK);
    CHECK_EQ(atomic_load(&delays), 1);
    CHECK_EQ(atomic_load(&ready_calls), 1);
    CHECK(pthread_equal(ready_thread, computing_thread));
    CHECK_EQ(park_message_get_i64(reply, "place", &place), PARK_OK);
    CHECK_EQ(place, 0);
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    end_loop(job, &loop);
}

TEST(messages_keep_their_order)
{
    enum { COUNT = 500 };
    static struct told told[COUNT];
    struct loop loop = { 0 };
    atomic_int delays = 0;
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_on_ready(job, "straight", note_number, NULL, NULL), PARK_OK);
    CHECK_EQ(park_on_ready(job, "other", note_number, NULL, NULL), PARK_OK);
    for (i = 0; i < COUNT; i++) {
        park_message *message = park_message_new(i % 2 ? "straight" : "other");
        CHECK_EQ(park_message_put_i64(message, "number", i), PARK_OK);
        told[i].number = i;
        CHECK_EQ(park_ask_later(job, PARK_MESSAGE, message, note_reply, &told[i], note_destroyed), PARK_OK);
        CHECK_EQ(park_message_free(message), PARK_OK);
        if (i == COUNT / 2) CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    }
    WAIT_UNTIL(atomic_load(&replies) == COUNT);
    for (i = 0; i < COUNT; i++) CHECK_EQ(numbers[i], i);
    end_loop(job, &loop);
    CHECK_EQ(atomic_load(&delays), 0);
}

TEST(delayed_messages_keep_their_order)
{
    enum { COUNT = 200 };
    static struct told told[COUNT];
    struct loop loop = { 0 };
    atomic_int delays = 0;
    int i;
    park_handler *job = new_job();
    CHECK_EQ(park_on_signal(job, "ping", delay, &delays, NULL), PARK_OK);
    CHECK_EQ(park_on_ready(job, "ping", note_number, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < COUNT; i++) {
        park_message *message = park_message_new("ping");
        CHECK_EQ(park_message_put_i64(message, "number", i), PARK_OK);
        CHECK_EQ(park_ask_later(job, PARK_MESSAGE, message, note_reply, &told[i], note_destroyed), PARK_OK);
        CHECK_EQ(park_message_free(message), PARK_OK);
    }
    WAIT_UNTIL(atomic_load(&replies) == COUNT);
    CHECK_EQ(atomic_load(&delays), COUNT);
    for (i = 0; i < COUNT; i++) CHECK_EQ(numbers[i], i);
    end_loop(job, &loop);
}

TEST(a_withdrawn_message_is_not_handled)
{
    struct sleeper sleeper = { GATE, { 0 } };
    park_message *message = park_message_new("ping");
    park_handler *job = new_job();
    CHECK_EQ(park_message_put_i64(message, "number", 1), PARK_OK);
    CHECK_EQ(park_on_ready(job, "ping", note_number, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_loop, &sleeper, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_MESSAGE, message, 0.02, NULL), PARK_TIMEOUT);
    gate_open(&sleeper.gate);
    CHECK_EQ(park_message_put_i64(message, "number", 2), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_MESSAGE, message, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(atomic_load(&ready_calls), 1);
    CHECK_EQ(numbers[0], 2);
    CHECK_EQ(park_message_free(message), PARK_OK);
    end_loop(job, &sleeper.loop);
}

TEST(a_message_that_nobody_handles_is_told_to_the_sender_and_the_log)
{
    struct loop loop = { 0 };
    atomic_int delays = 0;
    int round;
    park_event *event;
    park_message *message = park_message_new("hello");
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (round = 0; round < 2; round++) {
        CHECK_EQ(park_ask(job, PARK_MESSAGE, message, LONG_TIME, NULL), PARK_UNKNOWN);
        CHECK_MENTIONS(error_of(job), "hello");
        event = next_of_kind(client, PARK_EVENT_LOG);
        CHECK_EQ(park_event_level(event), PARK_LOG_WARNING);
        CHECK_MENTIONS(text_of(event), "hello");
        CHECK_EQ(park_event_free(event), PARK_OK);
        /* The second time somebody delays it, and then again nobody handles it. */
        CHECK_EQ(park_on_signal(job, "hello", delay, &delays, NULL), PARK_OK);
    }
    CHECK_EQ(atomic_load(&delays), 1);
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    end_loop(job, &loop);
}

static int say_no(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)request;
    (void)user;
    CHECK_EQ(park_message_put_text(reply, "reason", "the moon is not full"), PARK_OK);
    return 9;
}

static int say_no_without_a_word(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)request;
    (void)reply;
    (void)user;
    return -1;
}

TEST(who_refuses_is_quoted)
{
    static const char *const names[] = { "asynchronous", "ready", "method" };
    struct loop loop = { 0 };
    unsigned i;
    park_handler *job = new_job();
    CHECK_EQ(park_on_signal(job, "asynchronous", say_no, NULL, NULL), PARK_OK);
    CHECK_EQ(park_on_ready(job, "ready", say_no, NULL, NULL), PARK_OK);
    CHECK_EQ(park_method(job, "method", say_no, NULL, NULL), PARK_OK);
    CHECK_EQ(park_method(job, "silent", say_no_without_a_word, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < 3; i++) {
        char reason[128] = "";
        park_message *message = park_message_new(names[i]), *reply = park_message_new(NULL);
        CHECK_EQ(park_ask(job, i < 2 ? PARK_MESSAGE : PARK_INVOKE, message, LONG_TIME, reply), PARK_REFUSED);
        CHECK_MENTIONS(error_of(job), "the moon is not full");
        CHECK(park_message_get_text(reply, "reason", reason, sizeof reason) > 0);
        CHECK_MENTIONS(reason, "the moon is not full");
        CHECK_EQ(park_message_free(message), PARK_OK);
        CHECK_EQ(park_message_free(reply), PARK_OK);
    }
    {
        park_message *message = park_message_new("silent");
        CHECK_EQ(park_ask(job, PARK_INVOKE, message, LONG_TIME, NULL), PARK_REFUSED);
        CHECK_MENTIONS(error_of(job), "silent");
        CHECK_EQ(park_message_free(message), PARK_OK);
    }
    end_loop(job, &loop);
}

static int compute_all(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    double x = 0, xs[3] = { 0, 0, 0 };
    int64_t n = 0, ns[2] = { 0, 0 };
    int yes = 0;
    char text[16] = "";
    (void)job;
    CHECK_TEXT((const char *)user, "user");
    CHECK_EQ(park_message_get_f64(request, "x", &x), PARK_OK);
    CHECK_EQ(park_message_get_i64(request, "n", &n), PARK_OK);
    CHECK_EQ(park_message_get_bool(request, "yes", &yes), PARK_OK);
    CHECK_EQ(park_message_get_text(request, "text", text, sizeof text), 3);
    CHECK_EQ(park_message_get_f64s(request, "xs", xs, 3), 3);
    CHECK_EQ(park_message_get_i64s(request, "ns", ns, 2), 2);
    CHECK_EQ(park_message_put_f64(reply, "x", x + 0.5), PARK_OK);
    CHECK_EQ(park_message_put_i64(reply, "n", n + 1), PARK_OK);
    CHECK_EQ(park_message_put_bool(reply, "yes", !yes), PARK_OK);
    CHECK_EQ(park_message_put_text(reply, "text", strcat(text, "!")), PARK_OK);
    xs[2] = 9;
    ns[1] = -9;
    CHECK_EQ(park_message_put_f64s(reply, "xs", xs, 3), PARK_OK);
    CHECK_EQ(park_message_put_i64s(reply, "ns", ns, 2), PARK_OK);
    return 0;
}

TEST(a_method_takes_arguments_and_gives_results_of_every_type)
{
    static const double in_xs[3] = { 1, 2, 3 };
    static const int64_t in_ns[2] = { 4, 5 };
    struct loop loop = { 0 };
    double x = 0, xs[4] = { 0, 0, 0, 77 };
    int64_t n = 0, ns[2] = { 0, 0 };
    int yes = 0;
    char text[16];
    char user[] = "user";
    park_message *message = park_message_new("compute"), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_message_put_f64(reply, "stale", 1), PARK_OK);            /* a reply is emptied first */
    CHECK_EQ(park_message_put_f64(message, "x", 1.5), PARK_OK);
    CHECK_EQ(park_message_put_i64(message, "n", INT64_MAX - 1), PARK_OK);
    CHECK_EQ(park_message_put_bool(message, "yes", 1), PARK_OK);
    CHECK_EQ(park_message_put_text(message, "text", "hey"), PARK_OK);
    CHECK_EQ(park_message_put_f64s(message, "xs", in_xs, 3), PARK_OK);
    CHECK_EQ(park_message_put_i64s(message, "ns", in_ns, 2), PARK_OK);
    CHECK_EQ(park_method(job, "compute", compute_all, user, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_INVOKE, message, LONG_TIME, reply), PARK_OK);
    CHECK_EQ(park_message_count(reply), 6);
    CHECK_EQ(park_message_get_f64(reply, "x", &x), PARK_OK);
    CHECK_REAL(x, 2.0);
    CHECK_EQ(park_message_get_i64(reply, "n", &n), PARK_OK);
    CHECK_EQ(n, INT64_MAX);
    CHECK_EQ(park_message_get_bool(reply, "yes", &yes), PARK_OK);
    CHECK_EQ(yes, 0);
    CHECK_EQ(park_message_get_text(reply, "text", text, sizeof text), 4);
    CHECK_TEXT(text, "hey!");
    CHECK_EQ(park_message_get_f64s(reply, "xs", xs, 4), 3);
    CHECK(xs[0] == 1 && xs[1] == 2 && xs[2] == 9 && xs[3] == 77);
    CHECK_EQ(park_message_get_i64s(reply, "ns", ns, 1), 2);
    CHECK(ns[0] == 4 && ns[1] == 0);
    CHECK_EQ(park_message_free(message), PARK_OK);
    message = park_message_new("no_such_method");
    CHECK_EQ(park_ask(job, PARK_INVOKE, message, LONG_TIME, NULL), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "no_such_method");
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    end_loop(job, &loop);
}

TEST(a_handler_that_is_replaced_is_destroyed_once)
{
    struct loop loop = { 0 };
    atomic_int first = 0, second = 0;
    park_message *message = park_message_new("m");
    park_handler *job = new_job();
    CHECK_EQ(park_method(job, "m", say_no, &first, count_destroy), PARK_OK);
    CHECK_EQ(park_method(job, "m", say_no_without_a_word, &second, count_destroy), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_INVOKE, message, LONG_TIME, NULL), PARK_REFUSED);
    CHECK(strstr(error_of(job), "moon") == NULL);                         /* it was the second one */
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(atomic_load(&second), 0);
    end_loop(job, &loop);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(atomic_load(&second), 1);
}

TEST(a_flood_is_bounded_and_each_request_is_answered)
{
    long i, refused = 0;
    struct told *told = calloc(100000, sizeof *told);
    park_handler *job = new_job();
    CHECK(told != NULL);
    for (i = 0; i < 100000; i++) {
        int status = park_ask_later(job, PARK_GET, NULL, count_answer, NULL, count_gone);
        CHECK(status == PARK_OK || status == PARK_FULL);
        if (status == PARK_FULL) refused++;
        if (refused > 10) { i++; break; }
    }
    CHECK_EQ(park_ask(job, PARK_GET, NULL, LONG_TIME, NULL), PARK_FULL);          /* at once: nobody serves */
    CHECK(strlen(error_of(job)) > 0);
    CHECK_EQ(park_attach(job), PARK_OK);                                          /* once served, there is room */
    while (park_ask_later(job, PARK_GET, NULL, count_answer, NULL, count_gone) == PARK_FULL) {
        i++;
        refused++;
        CHECK_EQ(park_ready(job), PARK_OK);
        nap(1e-4);
    }
    i++;
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&answered), i - refused);
    CHECK_EQ(atomic_load(&destroyed), i);
    free(told);
}

/* Who must not wait for himself. */

static int ask_from_inside(park_handler *job, void *request)
{
    struct told *told = request;
    double value = 0;
    CHECK_EQ(park_ask(job, PARK_GET, NULL, PARK_FOREVER, NULL), PARK_WRONG_THREAD);
    CHECK(strlen(error_of(job)) > 0);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK_EQ(park_get_f64(job, "alpha", PARK_FOREVER, &value), PARK_WRONG_THREAD);
    CHECK_EQ(park_ask_later(job, PARK_GET, NULL, note_reply, told, note_destroyed), PARK_OK);
    while (atomic_load(&told->calls) == 0) {
        CHECK_EQ(park_ready(job), PARK_OK);
        nap(1e-4);
    }
    return PARK_OK;
}

TEST(the_computation_thread_does_not_wait_for_itself)
{
    struct told told = { 0 };
    double alpha = 0.1;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_start(job, ask_from_inside, &told, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&told.status), PARK_OK);
    CHECK_EQ(atomic_load(&told.destroyed), 1);
}

static struct told second_told;

static void ask_again(park_handler *job, int status, const park_message *reply, void *user)
{
    CHECK_EQ(status, PARK_OK);
    (void)reply;
    (void)user;
    CHECK_EQ(park_ask(job, PARK_GET, NULL, PARK_FOREVER, NULL), PARK_WRONG_THREAD);
    CHECK_EQ(park_ask_later(job, PARK_GET, NULL, note_reply, &second_told, note_destroyed), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
}

TEST(a_reply_may_send_the_next_request)
{
    struct loop loop = { 0 };
    park_handler *job = start_loop(&loop);
    CHECK_EQ(park_ask_later(job, PARK_GET, NULL, ask_again, NULL, NULL), PARK_OK);
    WAIT_UNTIL(atomic_load(&second_told.destroyed) == 1);
    CHECK_EQ(atomic_load(&second_told.status), PARK_OK);
    end_loop(job, &loop);
}

TEST(what_is_no_request_is_refused)
{
    static const int bad[] = { 0, -1, 10, 99, INT32_MIN, INT32_MAX };
    static const double bad_timeouts[] = { -2, -0.5, NAN, INFINITY, -INFINITY };
    static const int need_a_message[] = { PARK_SET, PARK_INVOKE, PARK_MESSAGE };
    struct loop loop = { 0 };
    unsigned i;
    park_message *empty = park_message_new(NULL);
    park_handler *job = start_loop(&loop);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(park_ask(job, bad[i], NULL, 1, NULL), PARK_INVALID_ARGUMENT);
        CHECK_MENTIONS(error_of(job), "request");
    }
    for (i = 0; i < sizeof bad_timeouts / sizeof bad_timeouts[0]; i++) {
        CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, bad_timeouts[i], NULL), PARK_INVALID_ARGUMENT);
        CHECK_MENTIONS(error_of(job), "timeout");
        CHECK_EQ(park_wait(job, bad_timeouts[i]), PARK_INVALID_ARGUMENT);
        CHECK_EQ(park_set_f64(job, "progress_delta", 0.5, bad_timeouts[i]), PARK_INVALID_ARGUMENT);
    }
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 1);
    for (i = 0; i < 3; i++) {
        CHECK(park_ask(job, need_a_message[i], NULL, LONG_TIME, NULL) < 0);
        CHECK_MENTIONS(error_of(job), "message");
        CHECK(park_ask(job, need_a_message[i], empty, LONG_TIME, NULL) < 0);
    }
    CHECK_EQ(park_ask(job, PARK_GET, empty, LONG_TIME, NULL), PARK_OK);
    wait_iterations(&loop, 2);
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);        /* nothing of it was done */
    CHECK_EQ(park_message_free(empty), PARK_OK);
    end_loop(job, &loop);
}

TEST(a_message_holds_what_was_put_in)
{
    static const double xs[2] = { 1.5, NAN };
    char key[8], name[8];
    double x = 0, two[2] = { 0, 0 };
    int64_t n = 0;
    int yes = 9;
    park_message *message = park_message_new("m");
    CHECK_EQ(park_message_name(message, name, sizeof name), 1);
    CHECK_TEXT(name, "m");
    CHECK_EQ(park_message_count(message), 0);
    CHECK_EQ(park_message_put_key(message, "k"), PARK_OK);
    CHECK_EQ(park_message_put_f64(message, "x", 1), PARK_OK);
    CHECK_EQ(park_message_put_f64s(message, "xs", xs, 2), PARK_OK);
    CHECK_EQ(park_message_put_f64s(message, "none", NULL, 0), PARK_OK);
    CHECK_EQ(park_message_put_text(message, "t", ""), PARK_OK);
    CHECK_EQ(park_message_count(message), 5);
    CHECK_EQ(park_message_put_i64(message, "x", 3), PARK_OK);              /* replaced, in its place */
    CHECK_EQ(park_message_count(message), 5);
    CHECK_EQ(park_message_key(message, 1, key, sizeof key), 1);
    CHECK_TEXT(key, "x");
    CHECK_EQ(park_message_type(message, "k"), 0);
    CHECK_EQ(park_message_type(message, "x"), PARK_I64);
    CHECK_EQ(park_message_type(message, "xs"), PARK_F64S);
    CHECK_EQ(park_message_type(message, "t"), PARK_TEXT);
    CHECK_EQ(park_message_type(message, "nobody"), PARK_UNKNOWN);
    CHECK_EQ(park_message_get_f64(message, "x", &x), PARK_OK);             /* an integer is a number */
    CHECK_REAL(x, 3);
    CHECK_EQ(park_message_get_i64(message, "x", &n), PARK_OK);
    CHECK_EQ(n, 3);
    CHECK_EQ(park_message_get_f64s(message, "xs", two, 2), 2);
    CHECK_REAL(two[0], 1.5);
    CHECK(isnan(two[1]));
    CHECK_EQ(park_message_get_f64s(message, "none", NULL, 0), 0);
    CHECK_EQ(park_message_get_text(message, "t", key, sizeof key), 0);
    CHECK_EQ(park_message_get_bool(message, "t", &yes), PARK_WRONG_TYPE);
    CHECK_EQ(yes, 9);                                                     /* written only on success */
    CHECK_EQ(park_message_get_i64(message, "nobody", &n), PARK_UNKNOWN);
    CHECK_EQ(park_message_get_text(message, "x", key, sizeof key), PARK_WRONG_TYPE);
    CHECK_EQ(park_message_get_f64(message, "xs", &x), PARK_WRONG_TYPE);
    CHECK_EQ(park_message_key(message, 5, key, sizeof key), PARK_UNKNOWN);
    CHECK(park_message_key(message, -1, key, sizeof key) < 0);
    CHECK_EQ(park_message_clear(message), PARK_OK);
    CHECK_EQ(park_message_count(message), 0);
    CHECK_EQ(park_message_name(message, name, sizeof name), 1);
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(NULL), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(a_request_that_was_not_served_in_time_is_withdrawn),
    CASE(a_request_before_the_run_waits_for_its_first_ready_point),
    CASE(each_request_has_one_reply_in_the_order_sent_on_the_service_thread),
    CASE(when_the_job_ends_first_the_reply_is_expired),
    CASE(who_waits_when_the_job_ends_is_told),
    CASE(when_the_handler_is_freed_first_the_reply_is_expired),
    CASE(requests_that_race_with_the_end_and_with_free_have_one_reply_each),
    CASE(a_request_that_is_not_taken_has_no_reply_and_its_data_is_destroyed),
    CASE(a_refusal_names_the_variable_and_the_reason),
    CASE(an_asynchronous_handler_answers_while_the_loop_is_busy),
    CASE(a_delayed_message_is_handled_at_the_ready_point),
    CASE(messages_keep_their_order),
    CASE(delayed_messages_keep_their_order),
    CASE(a_withdrawn_message_is_not_handled),
    CASE(a_message_that_nobody_handles_is_told_to_the_sender_and_the_log),
    CASE(who_refuses_is_quoted),
    CASE(a_method_takes_arguments_and_gives_results_of_every_type),
    CASE(a_handler_that_is_replaced_is_destroyed_once),
    CASE(a_flood_is_bounded_and_each_request_is_answered),
    CASE(the_computation_thread_does_not_wait_for_itself),
    CASE(a_reply_may_send_the_next_request),
    CASE(what_is_no_request_is_refused),
    CASE(a_message_holds_what_was_put_in),
};
CHECK_MAIN(tests)
