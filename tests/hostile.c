/* Every function of the header, called as it must not be called: a status and a sentence, never a crash. */
#include "calls.h"
#include <ctype.h>
#include <math.h>

static int is_free(const char *name) { return strlen(name) > 5 && strcmp(name + strlen(name) - 5, "_free") == 0; }

/* Calls everything in the table with this handle, which is not one. */
static void refuse_all(const struct table *table, void *handle)
{
    int i;
    for (i = 0; i < table->count; i++) {
        const struct call *call = &table->calls[i];
        int before = atomic_load(&destroyed);
        if (handle == NULL && is_free(call->name)) {
            CHECK_EQ(call->call(handle), PARK_OK);
            continue;
        }
        park_message_put_key(message, "");                          /* another error text than the one expected */
        {
            int64_t status = call->call(handle);
            if (status != PARK_INVALID_HANDLE)
                check_fail(__FILE__, __LINE__, "%s(%p) returned %lld", call->name, handle, (long long)status);
        }
        if (strcmp(call->name, "park_signal") != 0 && strncmp(error_of(NULL), table->handle, strlen(table->handle)) != 0)
            check_fail(__FILE__, __LINE__, "%s: \"%s\" does not name %s", call->name, error_of(NULL), table->handle);
        if (atomic_load(&destroyed) != before + call->destroys)
            check_fail(__FILE__, __LINE__, "%s destroyed its data %d times", call->name, atomic_load(&destroyed) - before);
    }
}

static void refuse_all_everywhere(void *handle)
{
    unsigned i;
    for (i = 0; i < sizeof tables / sizeof *tables; i++) refuse_all(&tables[i], handle);
}

TEST(what_never_was_a_handle_is_refused_by_every_function)
{
    uint64_t random = 88172645463325252u;
    int on_the_stack[8] = { 0 };
    long *on_the_heap = calloc(8, sizeof *on_the_heap);
    long i;
    message = park_message_new(NULL);
    refuse_all_everywhere(NULL);
    refuse_all_everywhere((void *)1);
    refuse_all_everywhere((void *)16);
    refuse_all_everywhere(on_the_stack);
    refuse_all_everywhere(on_the_heap);
    refuse_all_everywhere((char *)on_the_heap + 1);
    refuse_all_everywhere((void *)(uintptr_t)&no_service);
    refuse_all_everywhere((void *)UINTPTR_MAX);
    for (i = 0; i < 64; i++) refuse_all_everywhere((void *)((uintptr_t)1 << i));
    for (i = 0; i < scaled(500); i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        refuse_all_everywhere((void *)(uintptr_t)random);
    }
    CHECK_EQ(park_last_error((park_handler *)1, buffer, sizeof buffer), PARK_INVALID_HANDLE);
    free(on_the_heap);
    CHECK_EQ(park_message_free(message), PARK_OK);
}

/* The live things of a test, one of each kind. */
struct things { park_handler *job; park_client *client; park_event *event; park_message *message; };

static struct things new_things(void)
{
    struct things things;
    things.job = new_job();
    things.client = park_client_new(things.job, PARK_EVENT_ALL);
    CHECK_EQ(park_log(things.job, PARK_LOG_INFO, "for an event"), PARK_OK);
    things.event = next_event(things.client);
    things.message = park_message_new("m");
    message = things.message;
    return things;
}

TEST(a_handle_of_another_kind_is_refused)
{
    struct things things = new_things();
    void *handles[4];
    int table, handle;
    handles[0] = things.job;
    handles[1] = things.client;
    handles[2] = things.event;
    handles[3] = things.message;
    for (table = 0; table < 4; table++)
        for (handle = 0; handle < 4; handle++)
            if (handle != table) refuse_all(&tables[table], handles[handle]);
    CHECK_EQ(park_event_free(things.event), PARK_OK);             /* all are still there */
    CHECK_EQ(park_client_free(things.client), PARK_OK);
    CHECK_EQ(park_handler_free(things.job), PARK_OK);
    CHECK_EQ(park_message_free(things.message), PARK_OK);
}

TEST(a_handle_that_is_almost_right_is_refused)
{
    struct things things = new_things();
    void *handles[4];
    int table, bit;
    handles[0] = things.job;
    handles[1] = things.client;
    handles[2] = things.event;
    handles[3] = things.message;
    for (table = 0; table < 4; table++) {
        for (bit = 0; bit < 64; bit++) {
            /* Bit 62 of a handler's handle says "something is pending": only that one is park's own business. */
            if (table == 0 && bit == 62) continue;
            refuse_all(&tables[table], (void *)((uintptr_t)handles[table] ^ (uintptr_t)1 << bit));
        }
    }
    CHECK_EQ(park_event_free(things.event), PARK_OK);
    CHECK_EQ(park_client_free(things.client), PARK_OK);
    CHECK_EQ(park_handler_free(things.job), PARK_OK);
    CHECK_EQ(park_message_free(things.message), PARK_OK);
}

TEST(what_was_freed_is_refused_also_when_its_place_is_taken)
{
    struct things first = new_things(), second;
    int again;
    park_message *scratch = park_message_new(NULL);
    CHECK_EQ(park_event_free(first.event), PARK_OK);
    CHECK_EQ(park_client_free(first.client), PARK_OK);
    CHECK_EQ(park_handler_free(first.job), PARK_OK);
    CHECK_EQ(park_message_free(first.message), PARK_OK);
    for (again = 0; again < 2; again++) {
        if (again) second = new_things();
        message = scratch;
        refuse_all(&tables[0], first.job);                         /* free is among them: a double free */
        refuse_all(&tables[1], first.client);
        refuse_all(&tables[2], first.event);
        refuse_all(&tables[3], first.message);
    }
    CHECK_EQ(park_event_free(second.event), PARK_OK);
    CHECK_EQ(park_client_free(second.client), PARK_OK);
    CHECK_EQ(park_handler_free(second.job), PARK_OK);
    CHECK_EQ(park_message_free(second.message), PARK_OK);
    CHECK_EQ(park_message_free(scratch), PARK_OK);
}

static void *no_enter(park_handler *job, int worker, void *user) { (void)job; (void)worker; (void)user; return NULL; }
static void no_leave(park_handler *job, int worker, void *local, void *user) { (void)job; (void)worker; (void)local; (void)user; }

TEST(options_that_are_none_are_refused)
{
    int i, statuses[2], before = atomic_load(&destroyed);
    park_options *wrong[4];
    park_options *freed = park_options_new();
    CHECK_EQ(park_options_free(freed), PARK_OK);
    CHECK_EQ(park_options_free(NULL), PARK_OK);
    wrong[0] = NULL;
    wrong[1] = (park_options *)1;
    wrong[2] = (park_options *)(void *)&statuses;
    wrong[3] = freed;
    for (i = 0; i < 4; i++) {
        if (wrong[i]) CHECK_EQ(park_options_free(wrong[i]), PARK_INVALID_HANDLE);
        CHECK_EQ(park_options_set(wrong[i], PARK_OPTION_CHUNK, 1), PARK_INVALID_HANDLE);
        CHECK_EQ(park_options_hooks(wrong[i], no_enter, no_leave, DATA), PARK_INVALID_HANDLE);
        CHECK_EQ(atomic_load(&destroyed), before + i + 1);
        CHECK_EQ(park_options_statuses(wrong[i], statuses, 2), PARK_INVALID_HANDLE);
        CHECK_EQ(park_options_memory(wrong[i], statuses, sizeof statuses), PARK_INVALID_HANDLE);
    }
}

/* Adds a file that lies beside this one. */
static void append(char *to, size_t room, const char *file_name)
{
    char path[512];
    size_t before = strlen(to);
    FILE *file;
    snprintf(path, sizeof path, "%.*s%s", (int)(strlen(__FILE__) - strlen("hostile.c")), __FILE__, file_name);
    file = fopen(path, "r");
    CHECK(file != NULL);                                           /* run it from where it was compiled */
    CHECK(fread(to + before, 1, room - before - 1, file) > 1000);
    fclose(file);
}

/* Every function of the header must be called in this file or in calls.h, or in the tests of maps: read them and compare. */
TEST(no_function_of_the_header_was_forgotten)
{
    static char tested[1 << 18], header[1 << 18];
    char *line;
    int functions = 0;
    append(tested, sizeof tested, "hostile.c");
    append(tested, sizeof tested, "calls.h");
    append(tested, sizeof tested, "map.c");
    append(tested, sizeof tested, "imap.c");
    append(header, sizeof header, "../include/park.h");
    for (line = strtok(header, "\n"); line; line = strtok(NULL, "\n")) {
        char *name, *end;
        if (isspace((unsigned char)line[0]) || line[0] == '#' || strncmp(line, "typedef", 7) == 0) continue;
        name = strstr(line, "park_");
        while (name && (end = name + strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), *end != '('))
            name = strstr(end, "park_");
        if (!name) continue;
        end[1] = '\0';                                             /* with its parenthesis */
        functions++;
        if (!strstr(tested, name)) check_fail(__FILE__, __LINE__, "%s) is not tested here", name);
    }
    CHECK(functions >= 90);
}

/* Arguments. */

#define REFUSED(job, call, status, word) do { \
        park_set_delta((job), 77, 1); \
        if ((job) == NULL) park_message_free((park_message *)8); \
        CHECK_EQ((call), (status)); \
        CHECK_MENTIONS(error_of(job), (word)); \
    } while (0)
#define BAD(job, call, word) REFUSED(job, call, PARK_INVALID_ARGUMENT, word)

static char long_name[10001];
static const char *bad_names[5];

static void make_bad_names(void)
{
    memset(long_name, 'n', sizeof long_name - 1);
    bad_names[0] = NULL;
    bad_names[1] = "";
    bad_names[2] = "\xFF\xFE";
    bad_names[3] = long_name;
    bad_names[4] = "a\nb";
}

TEST(a_name_that_is_none_is_refused)
{
    int i;
    char longest[256];
    park_handler *job = new_job();
    message = park_message_new(NULL);
    make_bad_names();
    for (i = 0; i < 5; i++) {
        const char *name = bad_names[i];
        int before = atomic_load(&destroyed);
        park_message_free((park_message *)8);
        CHECK(park_handler_new(name) == NULL);
        CHECK_MENTIONS(error_of(NULL), "name");
        BAD(job, park_expose_f64(job, name, &x, 0, 1), "name");
        BAD(job, park_expose_i64(job, name, &n, 0, 1), "name");
        BAD(job, park_expose_bool(job, name, &yes), "name");
        BAD(job, park_expose_text(job, name, text, sizeof text), "name");
        BAD(job, park_expose_f64s(job, name, xs, 2, 0, 1), "name");
        BAD(job, park_expose_i64s(job, name, ns, 2, 0, 1), "name");
        BAD(job, park_unexpose(job, name), "name");
        BAD(job, park_variable_read_only(job, name, 1), "name");
        BAD(job, park_variable_describe(job, name, "m", "length"), "name");
        BAD(job, park_variable_check(job, name, no_message, DATA), "name");
        BAD(job, park_variable_info(job, name, message), "name");
        BAD(job, park_set_f64(job, name, 1, 0), "name");
        BAD(job, park_set_i64(job, name, 1, 0), "name");
        BAD(job, park_set_bool(job, name, 1, 0), "name");
        BAD(job, park_set_text(job, name, "t", 0), "name");
        BAD(job, park_get_f64(job, name, 0, &x), "name");
        BAD(job, park_get_i64(job, name, 0, &n), "name");
        BAD(job, park_get_bool(job, name, 0, &yes), "name");
        BAD(job, park_get_text(job, name, 0, buffer, sizeof buffer), "name");
        BAD(job, park_on_signal(job, name, no_message, DATA), "name");
        BAD(job, park_on_ready(job, name, no_message, DATA), "name");
        BAD(job, park_method(job, name, no_message, DATA), "name");
        CHECK_EQ(atomic_load(&destroyed), before + 4);
        BAD(NULL, park_message_put_key(message, name), "key");
        BAD(NULL, park_message_put_f64(message, name, 1), "key");
        BAD(NULL, park_message_put_i64(message, name, 1), "key");
        BAD(NULL, park_message_put_bool(message, name, 1), "key");
        BAD(NULL, park_message_put_text(message, name, "t"), "key");
        BAD(NULL, park_message_put_f64s(message, name, xs, 2), "key");
        BAD(NULL, park_message_put_i64s(message, name, ns, 2), "key");
        BAD(NULL, park_message_get_f64(message, name, &x), "key");
        BAD(NULL, park_message_get_i64(message, name, &n), "key");
        BAD(NULL, park_message_get_bool(message, name, &yes), "key");
        BAD(NULL, park_message_get_text(message, name, buffer, sizeof buffer), "key");
        BAD(NULL, park_message_get_f64s(message, name, xs, 2), "key");
        BAD(NULL, park_message_get_i64s(message, name, ns, 2), "key");
        BAD(NULL, park_message_type(message, name), "key");
        if (i == 0) continue;                                      /* NULL is a message without a name */
        CHECK(i == 1 || park_message_new(name) == NULL);
    }
    CHECK_EQ(park_variable_count(job), 0);
    CHECK_EQ(park_message_count(message), 0);
    memset(longest, 'n', 255);
    longest[255] = '\0';
    CHECK_EQ(park_expose_f64(job, longest, &x, 0, 1), PARK_OK);   /* 255 bytes are a name */
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_text_that_is_none_is_refused)
{
    static const char *const bad[] = { NULL, "\xC3", "ok \xED\xA0\x80", "\xFF" };
    char *huge = malloc((1 << 20) + 1);
    unsigned i;
    park_handler *job = new_job();
    message = park_message_new(NULL);
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 4; i++) {
        BAD(job, park_set_units(job, bad[i]), "units");
        BAD(job, park_log(job, PARK_LOG_INFO, bad[i]), "text");
        BAD(job, park_fail(job, bad[i]), "reason");
        BAD(NULL, park_message_put_text(message, "k", bad[i]), "value");
        if (i == 0) continue;                                      /* NULL leaves units or description as they are */
        BAD(job, park_variable_describe(job, "text", bad[i], NULL), "units");
        BAD(job, park_variable_describe(job, "text", NULL, bad[i]), "description");
    }
    memset(huge, 'h', 1 << 20);
    huge[1 << 20] = '\0';
    CHECK_EQ(park_log(job, PARK_LOG_INFO, huge), PARK_OK);         /* long is not wrong */
    CHECK_EQ(park_message_put_text(message, "k", huge), PARK_OK);
    CHECK_EQ(park_message_get_text(message, "k", NULL, 0), 1 << 20);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_wait(job, 0), PARK_OK);                          /* a refused reason is no failure */
    for (i = 0; i < 4; i++) BAD(job, park_set_text(job, "text", bad[i], 0), "value");
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    free(huge);
}

static const int64_t bad_lengths[] = { -1, -4096, INT64_MIN, INT64_MIN + 1 };

TEST(lengths_that_are_negative_or_overflow_are_refused)
{
    static const int64_t overflowing[] = { INT64_MAX, INT64_MAX / 8 + 1, (int64_t)1 << 61 };
    unsigned i;
    struct things things = new_things();
    park_handler *job = things.job;
    park_message *m = things.message;
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, "best", 4), PARK_OK);
    CHECK_EQ(park_message_put_text(m, "t", "text"), PARK_OK);
    CHECK_EQ(park_message_put_f64s(m, "xs", xs, 2), PARK_OK);
    CHECK_EQ(park_message_put_i64s(m, "ns", ns, 2), PARK_OK);
    for (i = 0; i < 4; i++) {
        int64_t bad = bad_lengths[i];
        CHECK_EQ(park_last_error(job, buffer, bad), PARK_INVALID_ARGUMENT);
        CHECK_EQ(park_last_error(NULL, buffer, bad), PARK_INVALID_ARGUMENT);
        BAD(job, park_name(job, buffer, bad), "length");
        BAD(job, park_reason(job, buffer, bad), "length");
        CHECK(park_result(job, buffer, bad) < 0);
        BAD(job, park_best(job, &x, buffer, bad), "bytes");
        BAD(job, park_get_text(job, "text", 0, buffer, bad), "length");
        BAD(job, park_variable_name(job, 0, buffer, bad), "length");
        BAD(NULL, park_event_units(things.event, buffer, bad), "length");
        BAD(NULL, park_event_text(things.event, buffer, bad), "length");
        BAD(NULL, park_message_name(m, buffer, bad), "length");
        BAD(NULL, park_message_key(m, 0, buffer, bad), "length");
        BAD(NULL, park_message_get_text(m, "t", buffer, bad), "length");
        BAD(NULL, park_message_get_f64s(m, "xs", xs, bad), "count");
        BAD(NULL, park_message_get_i64s(m, "ns", ns, bad), "count");
        BAD(job, park_set_result(job, "r", bad), "bytes");
        BAD(job, park_improved(job, 0, "s", bad), "bytes");
        BAD(job, park_expose_text(job, "bad", text, bad), "capacity");
        BAD(job, park_expose_f64s(job, "bad", xs, bad, 0, 1), "count");
        BAD(job, park_expose_i64s(job, "bad", ns, bad, 0, 1), "count");
        BAD(NULL, park_message_put_f64s(m, "bad", xs, bad), "count");
        BAD(NULL, park_message_put_i64s(m, "bad", ns, bad), "count");
    }
    for (i = 0; i < 3; i++) {
        BAD(job, park_expose_f64s(job, "bad", xs, overflowing[i], 0, 1), "count");
        BAD(job, park_expose_i64s(job, "bad", ns, overflowing[i], 0, 1), "count");
        BAD(NULL, park_message_put_f64s(m, "bad", xs, overflowing[i]), "count");
        BAD(NULL, park_message_put_i64s(m, "bad", ns, overflowing[i]), "count");
        CHECK_EQ(park_message_get_f64s(m, "xs", xs, overflowing[i]), PARK_INVALID_ARGUMENT);
    }
    BAD(job, park_expose_text(job, "bad", text, 0), "capacity");
    BAD(job, park_expose_f64s(job, "bad", xs, 0, 0, 1), "count");
    BAD(job, park_expose_i64s(job, "bad", ns, 0, 0, 1), "count");
    CHECK_EQ(park_variable_count(job), 1);
    CHECK_EQ(park_message_count(m), 3);
    CHECK_EQ(park_name(job, buffer, INT64_MAX), 3);                /* room for more than is needed is no fault */
    CHECK_EQ(park_best(job, &x, buffer, INT64_MAX), 4);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_event_free(things.event), PARK_OK);
    CHECK_EQ(park_client_free(things.client), PARK_OK);
    CHECK_EQ(park_message_free(m), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(a_null_where_something_is_needed_is_refused)
{
    int before;
    struct things things = new_things();
    park_handler *job = things.job;
    park_message *m = things.message;
    struct loop loop = { 0 };
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 1), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, "best", 4), PARK_OK);
    CHECK_EQ(park_message_put_text(m, "t", "text"), PARK_OK);
    CHECK_EQ(park_message_put_f64s(m, "xs", xs, 2), PARK_OK);
    CHECK_EQ(park_message_put_i64(m, "one", 1), PARK_OK);          /* a number and a truth value, whatever is asked for */
    BAD(job, park_name(job, NULL, 8), "buffer");
    BAD(job, park_reason(job, NULL, 8), "buffer");
    BAD(job, park_best(job, &x, NULL, 8), "buffer");
    BAD(job, park_variable_name(job, 0, NULL, 8), "buffer");
    BAD(job, park_get_text(job, "x", 0, NULL, 8), "buffer");
    BAD(job, park_set_result(job, NULL, 8), "result");
    BAD(job, park_improved(job, 0, NULL, 8), "state");
    BAD(job, park_expose_f64(job, "b", NULL, 0, 1), "variable");
    BAD(job, park_expose_i64(job, "b", NULL, 0, 1), "variable");
    BAD(job, park_expose_bool(job, "b", NULL), "variable");
    BAD(job, park_expose_text(job, "b", NULL, 8), "buffer");
    BAD(job, park_expose_f64s(job, "b", NULL, 8, 0, 1), "array");
    BAD(job, park_expose_i64s(job, "b", NULL, 8, 0, 1), "array");
    BAD(job, park_expose_f64(job, "b", (double *)((char *)xs + 1), 0, 1), "variable");
    BAD(job, park_get_f64(job, "x", 0, NULL), "out_value");
    BAD(job, park_get_i64(job, "x", 0, NULL), "out_value");
    BAD(job, park_get_bool(job, "x", 0, NULL), "out_value");
    BAD(NULL, park_event_text(things.event, NULL, 8), "buffer");
    BAD(NULL, park_event_units(things.event, NULL, 8), "buffer");
    BAD(NULL, park_message_name(m, NULL, 8), "buffer");
    BAD(NULL, park_message_key(m, 0, NULL, 8), "buffer");
    BAD(NULL, park_message_get_text(m, "t", NULL, 8), "buffer");
    BAD(NULL, park_message_get_f64s(m, "xs", NULL, 2), "buffer");
    BAD(NULL, park_message_get_f64(m, "one", NULL), "out_value");
    BAD(NULL, park_message_get_i64(m, "one", NULL), "out_value");
    BAD(NULL, park_message_get_bool(m, "one", NULL), "out_value");
    BAD(NULL, park_message_put_f64s(m, "k", NULL, 2), "values");
    BAD(NULL, park_message_put_i64s(m, "k", NULL, 2), "values");
    BAD(NULL, park_next_event(things.client, 0, NULL), "out_event");
    CHECK_EQ(park_last_error(job, NULL, 8), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_last_error(NULL, NULL, 8), PARK_INVALID_ARGUMENT);
    before = atomic_load(&destroyed);
    BAD(job, park_on_checkpoint(job, NULL, DATA), "fn");
    BAD(job, park_on_signal(job, "m", NULL, DATA), "fn");
    BAD(job, park_on_ready(job, "m", NULL, DATA), "fn");
    BAD(job, park_method(job, "m", NULL, DATA), "fn");
    BAD(job, park_variable_check(job, "x", NULL, DATA), "fn");
    BAD(job, park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, NULL, DATA), "fn");
    BAD(job, park_on_improved(job, NULL, DATA), "fn");
    BAD(job, park_on_progress(job, NULL, DATA), "fn");
    BAD(job, park_ask_later(job, PARK_GET, NULL, NULL, DATA), "fn");
    BAD(NULL, park_on_notify(things.client, NULL, DATA), "fn");
    CHECK_EQ(atomic_load(&destroyed), before + 10);
    CHECK_EQ(park_detach(job), PARK_OK);
    BAD(job, park_start(job, NULL, DATA, 0), "service");
    CHECK_EQ(atomic_load(&destroyed), before + 11);
    CHECK_EQ(park_set_result(job, NULL, 0), PARK_NOT_RUNNING);     /* nothing of nothing would be fine */
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    REFUSED(job, park_ask(job, PARK_GET, (park_message *)8, LONG_TIME, NULL), PARK_INVALID_HANDLE, "message");
    CHECK_EQ(park_ask(job, PARK_GET, NULL, LONG_TIME, (park_message *)8), PARK_INVALID_HANDLE);
    CHECK_EQ(park_variable_info(job, "x", NULL), PARK_INVALID_HANDLE);
    CHECK_EQ(park_variable_info(job, "x", (park_message *)8), PARK_INVALID_HANDLE);
    CHECK_EQ(park_event_free(things.event), PARK_OK);
    CHECK_EQ(park_client_free(things.client), PARK_OK);
    CHECK_EQ(park_message_free(m), PARK_OK);
    end_loop(job, &loop);
}

TEST(numbers_that_are_none_are_refused)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    int i, pending;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_IMPROVED);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (pending = 0; pending < 2; pending++) {
        if (pending) CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
        else CHECK_EQ(park_ready(job), PARK_OK);
        for (i = 0; i < 3; i++) {
            BAD(job, park_progress(job, bad[i], 1), "finite");
            if (!pending) CHECK_EQ(park_ready(job), PARK_OK);
            BAD(job, park_progress(job, 1, bad[i]), "finite");
            if (!pending) CHECK_EQ(park_ready(job), PARK_OK);
            BAD(job, park_improved(job, bad[i], "s", 1), "value");
            BAD(job, park_wait(job, i == 0 ? NAN : bad[i]), "timeout");
        }
    }
    CHECK_EQ(park_best(job, NULL, NULL, 0), PARK_UNKNOWN);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_detach(job), PARK_NOT_RUNNING);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(numbers_that_are_no_choice_are_refused)
{
    static const int bad[] = { 0, -1, 5, 99, INT32_MAX, INT32_MIN };
    int i, before;
    park_handler *job = new_job();
    for (i = 0; i < 6; i++) {
        BAD(job, park_log(job, bad[i], "line"), "level");
        CHECK_EQ(park_set_delta(job, bad[i], 1), PARK_INVALID_ARGUMENT);
        CHECK_REAL(park_delta(job, bad[i]), PARK_INVALID_ARGUMENT);
        before = atomic_load(&destroyed);
        if (bad[i] != 0) BAD(job, park_on_event(job, PARK_EVENT_ALL, bad[i], no_event, DATA), "where");
        if (bad[i] != 5 && bad[i] != 99) BAD(job, park_on_event(job, bad[i], PARK_ON_SERVICE, no_event, DATA), "mask");
        CHECK(bad[i] == 5 || bad[i] == 99 || park_client_new(job, bad[i]) == NULL);
        if (bad[i] != 5) BAD(job, park_ask_later(job, bad[i], NULL, no_reply, DATA), "request");
        CHECK(atomic_load(&destroyed) > before);
        CHECK_EQ(park_signal(job, bad[i] == 5 ? 6 : bad[i]), PARK_INVALID_ARGUMENT);
        CHECK(park_status_string(bad[i]) != NULL);
    }
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK(park_version() != NULL);
}

/* Re-entrant calls. What a callback must not do, and what it may do. */

static atomic_int batteries;

static void must_not(park_handler *job, int on_service)
{
    atomic_int gone = 0;
    double value = 0;
    CHECK_EQ(park_handler_free(job), PARK_REENTRANT);
    CHECK(strlen(error_of(job)) > 0);
    if (on_service) {
        CHECK(park_ready(job) < 0);
        CHECK(park_detach(job) < 0);
        CHECK(park_restore(job) < 0);
    } else {
        CHECK_EQ(park_ready(job), PARK_REENTRANT);
        CHECK_EQ(park_detach(job), PARK_REENTRANT);
        CHECK_EQ(park_restore(job), PARK_REENTRANT);
    }
    CHECK(park_attach(job) < 0);
    CHECK(park_start(job, no_service, &gone, count_destroy, 0) < 0);
    CHECK_EQ(atomic_load(&gone), 1);
    CHECK_EQ(park_wait(job, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK_EQ(park_ask(job, PARK_GET, NULL, PARK_FOREVER, NULL), PARK_WRONG_THREAD);
    CHECK_EQ(park_set_f64(job, "x", 0.5, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK_EQ(park_get_f64(job, "x", PARK_FOREVER, &value), PARK_WRONG_THREAD);
}

static void may(park_handler *job)
{
    static double own;
    park_client *client;
    park_event *event;
    int64_t id;
    CHECK(park_state(job) > PARK_STATE_IDLE);
    CHECK(park_exit_code(job) >= 0);
    CHECK_EQ(park_name(job, NULL, 0), 3);
    CHECK(park_best(job, NULL, NULL, 0) != PARK_INVALID_HANDLE);
    CHECK(park_delta(job, PARK_PROGRESS_DELTA) >= 0);
    CHECK_EQ(park_set_units(job, "steps"), PARK_OK);
    if (park_expose_f64(job, "own", &own, 0, 1) == PARK_OK) CHECK_EQ(park_unexpose(job, "own"), PARK_OK);
    CHECK((id = park_on_event(job, PARK_EVENT_CUT_OFF, PARK_ON_SERVICE, no_event, NULL, NULL)) > 0);
    CHECK_EQ(park_off_event(job, id), PARK_OK);
    CHECK((client = park_client_new(job, PARK_EVENT_JOIN)) != NULL);
    if (park_next_event(client, 0, &event) == PARK_OK) CHECK_EQ(park_event_free(event), PARK_OK);
    CHECK_EQ(park_client_free(client), PARK_OK);
    CHECK(park_ask_later(job, PARK_GET, NULL, no_reply, NULL, NULL) != PARK_INVALID_HANDLE);
    CHECK(park_signal(job, PARK_RESUME) == PARK_OK || park_signal(job, PARK_RESUME) == PARK_EXPIRED);
    atomic_fetch_add(&batteries, 1);
}

static int in_event(park_handler *job, const park_event *event, void *user)
{
    (void)event;
    must_not(job, user != NULL);
    may(job);
    return 0;
}
static int in_improved(park_handler *job, double value, const void *state, int64_t bytes, void *user)
{
    (void)value; (void)state; (void)bytes; (void)user;
    must_not(job, 0);
    may(job);
    return 0;
}
static int in_progress(park_handler *job, double done, double total, double left, void *user)
{
    (void)done; (void)total; (void)left; (void)user;
    must_not(job, 0);
    CHECK_EQ(park_progress(job, 77, 78), PARK_OK);
    may(job);
    return 0;
}
static int in_checkpoint(park_handler *job, int operation, void *user)
{
    (void)operation; (void)user;
    must_not(job, 0);
    may(job);
    return 0;
}
static int in_message(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)request; (void)reply;
    must_not(job, user != NULL);
    may(job);
    return 0;
}
static void in_reply(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)status; (void)reply; (void)user;
    must_not(job, 1);
    may(job);
}

TEST(from_inside_a_callback_what_cannot_be_is_refused)
{
    static char service[] = "service";
    struct loop loop = { 0 };
    park_message *hello = park_message_new("hello"), *world = park_message_new("world"), *method = park_message_new("method");
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 1), PARK_OK);
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK_EQ(park_on_checkpoint(job, in_checkpoint, NULL, NULL), PARK_OK);
    CHECK_EQ(park_on_signal(job, "hello", in_message, service, NULL), PARK_OK);
    CHECK_EQ(park_on_ready(job, "world", in_message, NULL, NULL), PARK_OK);
    CHECK_EQ(park_method(job, "method", in_message, NULL, NULL), PARK_OK);
    CHECK_EQ(park_variable_check(job, "x", in_message, NULL, NULL), PARK_OK);
    CHECK(park_on_event(job, PARK_EVENT_START | PARK_EVENT_COMPLETE, PARK_ON_COMPUTATION, in_event, NULL, NULL) > 0);
    CHECK(park_on_event(job, PARK_EVENT_START | PARK_EVENT_COMPLETE, PARK_ON_SERVICE, in_event, service, NULL) > 0);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 1), PARK_OK);              /* restore: 1 */
    CHECK_EQ(park_ask(job, PARK_CHECKPOINT, NULL, LONG_TIME, NULL), PARK_OK);  /* save: 2 */
    CHECK_EQ(park_ask(job, PARK_MESSAGE, hello, LONG_TIME, NULL), PARK_OK);    /* on_signal: 3 */
    CHECK_EQ(park_ask(job, PARK_MESSAGE, world, LONG_TIME, NULL), PARK_OK);    /* on_ready: 4 */
    CHECK_EQ(park_ask(job, PARK_INVOKE, method, LONG_TIME, NULL), PARK_OK);    /* method: 5 */
    CHECK_EQ(park_set_f64(job, "x", 0.25, LONG_TIME), PARK_OK);                /* check: 6 */
    CHECK_EQ(park_ask_later(job, PARK_GET, NULL, in_reply, NULL, NULL), PARK_OK);  /* reply: 7 */
    WAIT_UNTIL(atomic_load(&batteries) == 9);                                  /* and start, twice */
    atomic_store(&loop.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    WAIT_UNTIL(atomic_load(&batteries) == 11);                                 /* complete, twice */
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_message_free(hello), PARK_OK);
    CHECK_EQ(park_message_free(world), PARK_OK);
    CHECK_EQ(park_message_free(method), PARK_OK);
}

TEST(from_inside_the_short_callbacks_as_well)
{
    park_handler *job = new_job();
    CHECK_EQ(park_set_delta(job, PARK_PROGRESS_DELTA, 0), PARK_OK);
    CHECK(park_on_improved(job, in_improved, NULL, NULL) > 0);
    CHECK(park_on_progress(job, in_progress, NULL, NULL) > 0);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_improved(job, 1, NULL, 0), PARK_OK);
    CHECK_EQ(park_progress(job, 1, 2), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(atomic_load(&batteries), 2);
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int free_from_the_service_thread(park_handler *job, const park_event *event, void *user)
{
    (void)event;
    CHECK_EQ(park_handler_free(job), PARK_REENTRANT);
    CHECK(park_attach(job) < 0);
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(an_idle_handler_is_not_freed_by_its_own_callback)
{
    atomic_int calls = 0;
    park_handler *job = new_job();
    CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_SERVICE, free_from_the_service_thread, &calls, NULL) > 0);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "line"), PARK_OK);
    WAIT_UNTIL(atomic_load(&calls) == 1);
    CHECK_EQ(park_state(job), PARK_STATE_IDLE);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static int be_a_bad_service(park_handler *job, void *request)
{
    int before = atomic_load(&destroyed);
    (void)request;
    CHECK_EQ(park_handler_free(job), PARK_BUSY);
    CHECK_EQ(park_attach(job), PARK_BUSY);
    CHECK_EQ(park_start(job, no_service, DATA, 0), PARK_BUSY);
    CHECK_EQ(atomic_load(&destroyed), before + 1);
    CHECK_EQ(park_wait(job, PARK_FOREVER), PARK_WRONG_THREAD);
    CHECK(park_detach(job) < 0);                          /* nothing was attached: the run ends with the service */
    CHECK_EQ(park_state(job), PARK_STATE_RUNNING);
    CHECK_EQ(park_ready(job), PARK_OK);
    return PARK_OK;
}

TEST(a_service_cannot_pull_the_rug_from_under_itself)
{
    park_event *event;
    int finals = 0;
    park_handler *job = new_job();
    park_client *client = park_client_new(job, PARK_EVENT_COMPLETE | PARK_EVENT_ABORT | PARK_EVENT_ERROR);
    CHECK_EQ(park_start(job, be_a_bad_service, NULL, NULL, 0), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    while (park_next_event(client, LONG_TIME, &event) == PARK_OK) {
        finals++;
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    CHECK_EQ(finals, 1);
    CHECK_EQ(park_client_free(client), PARK_OK);
}

/* What a callback is lent. */

static const park_event *lent_event;
static const park_message *lent_request, *lent_reply;

static int keep_the_event(park_handler *job, const park_event *event, void *user)
{
    (void)job;
    (void)user;
    lent_event = event;
    CHECK_EQ(park_event_kind(event), PARK_EVENT_LOG);
    park_event_free((park_event *)event);                 /* must not be done, and must not harm */
    park_event_kind(event);
    park_event_text(event, buffer, sizeof buffer);
    return 0;
}

static int keep_the_messages(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)user;
    lent_request = request;
    lent_reply = reply;
    CHECK_EQ(park_message_put_f64(reply, "k", 1), PARK_OK);
    park_message_put_f64((park_message *)request, "k", 1);
    park_message_free(reply);
    park_message_free((park_message *)request);
    park_message_count(reply);
    park_message_count(request);
    return 0;
}

TEST(what_a_callback_was_lent_is_not_kept)
{
    struct loop loop = { 0 };
    park_handler *job = new_job();
    message = park_message_new("m");
    CHECK(park_on_event(job, PARK_EVENT_LOG, PARK_ON_COMPUTATION, keep_the_event, NULL, NULL) > 0);
    CHECK_EQ(park_method(job, "m", keep_the_messages, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_log(job, PARK_LOG_INFO, "line"), PARK_OK);
    park_ask(job, PARK_INVOKE, message, LONG_TIME, NULL);
    atomic_store(&loop.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK(lent_event != NULL && lent_request != NULL);
    refuse_all(&tables[2], (void *)lent_event);
    refuse_all(&tables[3], (void *)lent_request);
    refuse_all(&tables[3], (void *)lent_reply);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(park_message_free(message), PARK_OK);
}

/* Races that must not crash. */

static _Atomic(void *) racing;
static atomic_int over, freed;

static void *free_it(void *argument)
{
    int status = park_handler_free(argument);
    CHECK(status == PARK_OK || status == PARK_INVALID_HANDLE);
    if (status == PARK_OK) atomic_fetch_add(&freed, 1);
    return NULL;
}

TEST(of_two_that_free_at_once_one_does)
{
    long i;
    for (i = 0; i < scaled(300); i++) {
        park_handler *job = new_job();
        pthread_t first = spawn(free_it, job), second = spawn(free_it, job);
        join(first);
        join(second);
        CHECK_EQ(atomic_load(&freed), i + 1);
        CHECK_EQ(park_state(job), PARK_INVALID_HANDLE);
    }
}

static void *use_whatever_there_is(void *argument)
{
    unsigned turn = 0;
    char own[32];
    double value;
    (void)argument;
    while (!atomic_load(&over)) {
        park_handler *job = atomic_load(&racing);
        park_client *client;
        switch (turn++ % 7) {
        case 0: CHECK(park_state(job) != PARK_PANIC); break;
        case 1: CHECK(park_signal(job, PARK_RESUME) != PARK_PANIC); break;
        case 2: CHECK(park_log(job, PARK_LOG_INFO, "line") != PARK_PANIC); break;
        case 3: CHECK(park_name(job, own, sizeof own) != PARK_PANIC); break;
        case 4: CHECK(park_get_f64(job, "x", 0, &value) != PARK_PANIC); break;
        case 5:
            client = park_client_new(job, PARK_EVENT_ALL);
            if (client) CHECK_EQ(park_client_free(client), PARK_OK);
            break;
        case 6: CHECK(park_last_error(job, own, sizeof own) != PARK_PANIC); break;
        }
    }
    return NULL;
}

TEST(handlers_that_come_and_go_under_other_threads_do_no_harm)
{
    pthread_t users[3];
    long i;
    for (i = 0; i < 3; i++) users[i] = spawn(use_whatever_there_is, NULL);
    for (i = 0; i < scaled(2000); i++) {
        park_handler *job = new_job();
        atomic_store(&racing, (void *)job);
        CHECK_EQ(park_attach(job), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
        CHECK_EQ(park_detach(job), PARK_OK);
        CHECK_EQ(park_handler_free(job), PARK_OK);
    }
    atomic_store(&over, 1);
    for (i = 0; i < 3; i++) join(users[i]);
}

TEST(there_is_an_end_to_handlers_and_it_is_told)
{
    static park_handler *jobs[5000];
    long count, most = strcmp(check_under(), "") == 0 ? 5000 : 20, i;
    for (count = 0; count < most; count++)
        if ((jobs[count] = park_handler_new("one of many")) == NULL) break;
    if (most == 5000) {
        CHECK(count > 100);                               /* either the table is full or the system's threads are */
        CHECK(count < 5000);
        CHECK(strlen(error_of(NULL)) > 0);
    }
    for (i = 0; i < count; i++) CHECK_EQ(park_handler_free(jobs[i]), PARK_OK);
    jobs[0] = park_handler_new("and then there is room again");
    CHECK(jobs[0] != NULL);
    CHECK_EQ(park_handler_free(jobs[0]), PARK_OK);
}

static const struct check_test tests[] = {
    CASE(what_never_was_a_handle_is_refused_by_every_function),
    CASE(a_handle_of_another_kind_is_refused),
    CASE(a_handle_that_is_almost_right_is_refused),
    CASE(what_was_freed_is_refused_also_when_its_place_is_taken),
    CASE(options_that_are_none_are_refused),
    CASE(no_function_of_the_header_was_forgotten),
    CASE(a_name_that_is_none_is_refused),
    CASE(a_text_that_is_none_is_refused),
    CASE(lengths_that_are_negative_or_overflow_are_refused),
    CASE(a_null_where_something_is_needed_is_refused),
    CASE(numbers_that_are_none_are_refused),
    CASE(numbers_that_are_no_choice_are_refused),
    CASE(from_inside_a_callback_what_cannot_be_is_refused),
    CASE(from_inside_the_short_callbacks_as_well),
    CASE(an_idle_handler_is_not_freed_by_its_own_callback),
    CASE(a_service_cannot_pull_the_rug_from_under_itself),
    CASE(what_a_callback_was_lent_is_not_kept),
    CASE(of_two_that_free_at_once_one_does),
    CASE(handlers_that_come_and_go_under_other_threads_do_no_harm),
    CASE(there_is_an_end_to_handlers_and_it_is_told),
};
CHECK_MAIN(tests)
