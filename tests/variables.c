/* Exposed variables: what others may read and set, within limits, at ready points only. */
#include "job.h"
#include <math.h>

static park_message *put(park_message *message, const char *key, double value)
{
    CHECK_EQ(park_message_put_f64(message, key, value), PARK_OK);
    return message;
}

static int set_both(park_handler *job, const char *first, double a, const char *second, double b)
{
    park_message *message = put(put(park_message_new(NULL), first, a), second, b);
    int status = park_ask(job, PARK_SET, message, LONG_TIME, NULL);
    CHECK_EQ(park_message_free(message), PARK_OK);
    return status;
}

TEST(each_type_can_be_set_and_read)
{
    double x = 1;
    int64_t n = 2;
    int yes = 0, read_yes = 5;
    char text[16] = "hello", read_text[16];
    struct loop loop = { 0 };
    double read_x = 0;
    int64_t read_n = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, -INFINITY, INFINITY), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, INT64_MIN, INT64_MAX), PARK_OK);
    CHECK_EQ(park_expose_bool(job, "yes", &yes), PARK_OK);
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_get_f64(job, "x", LONG_TIME, &read_x), PARK_OK);
    CHECK_REAL(read_x, 1);
    CHECK_EQ(park_get_i64(job, "n", LONG_TIME, &read_n), PARK_OK);
    CHECK_EQ(read_n, 2);
    CHECK_EQ(park_get_bool(job, "yes", LONG_TIME, &read_yes), PARK_OK);
    CHECK_EQ(read_yes, 0);
    CHECK_EQ(park_get_text(job, "text", LONG_TIME, read_text, sizeof read_text), 5);
    CHECK_TEXT(read_text, "hello");
    CHECK_EQ(park_get_text(job, "text", LONG_TIME, NULL, 0), 5);
    CHECK_EQ(park_get_text(job, "text", LONG_TIME, read_text, 3), 5);
    CHECK_TEXT(read_text, "he");

    CHECK_EQ(park_set_f64(job, "x", -0.5, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_i64(job, "n", INT64_MIN, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_bool(job, "yes", 17, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_text(job, "text", "gr\xC3\xBC\xC3\x9F\x65", LONG_TIME), PARK_OK);
    CHECK_EQ(park_get_i64(job, "n", LONG_TIME, &read_n), PARK_OK);
    CHECK_EQ(read_n, INT64_MIN);
    CHECK_EQ(park_set_i64(job, "n", INT64_MAX, LONG_TIME), PARK_OK);
    CHECK_EQ(park_get_bool(job, "yes", LONG_TIME, &read_yes), PARK_OK);
    CHECK_EQ(read_yes, 1);
    end_loop(job, &loop);
    CHECK_REAL(x, -0.5);
    CHECK_EQ(n, INT64_MAX);
    CHECK_EQ(yes, 1);
    CHECK_TEXT(text, "gr\xC3\xBC\xC3\x9F\x65");
}

TEST(arrays_are_set_and_read_as_a_whole)
{
    double xs[3] = { 1, 2, 3 }, in[3] = { 4, 5, 6 }, out[3] = { 0, 0, 0 };
    int64_t ns[2] = { 1, 2 }, in_ns[2] = { 8, 9 }, out_ns[2] = { 0, 0 };
    struct loop loop = { 0 };
    park_message *message = park_message_new(NULL), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64s(job, "xs", xs, 3, 0, 10), PARK_OK);
    CHECK_EQ(park_expose_i64s(job, "ns", ns, 2, 0, 10), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);

    CHECK_EQ(park_message_put_f64s(message, "xs", in, 3), PARK_OK);
    CHECK_EQ(park_message_put_i64s(message, "ns", in_ns, 2), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_GET, NULL, LONG_TIME, reply), PARK_OK);
    CHECK_EQ(park_message_get_f64s(reply, "xs", out, 3), 3);
    CHECK(out[0] == 4 && out[1] == 5 && out[2] == 6);
    CHECK_EQ(park_message_get_i64s(reply, "ns", out_ns, 2), 2);
    CHECK(out_ns[0] == 8 && out_ns[1] == 9);

    CHECK_EQ(park_message_put_f64s(message, "xs", in, 2), PARK_OK);                /* too short */
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "xs");
    in[2] = 10.5;                                                                  /* one element beyond */
    CHECK_EQ(park_message_put_f64s(message, "xs", in, 3), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_REFUSED);
    in[2] = NAN;
    CHECK_EQ(park_message_put_f64s(message, "xs", in, 3), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_REFUSED);
    in[2] = 6;
    in_ns[0] = -1;
    CHECK_EQ(park_message_put_f64s(message, "xs", in, 3), PARK_OK);
    CHECK_EQ(park_message_put_i64s(message, "ns", in_ns, 2), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "ns");
    CHECK_EQ(park_set_f64(job, "xs", 1, LONG_TIME), PARK_WRONG_TYPE);              /* one number is no array */
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    end_loop(job, &loop);
    CHECK(xs[0] == 4 && xs[1] == 5 && xs[2] == 6);
    CHECK(ns[0] == 8 && ns[1] == 9);
}

TEST(limits_are_inclusive_and_refuse_by_name_and_reason)
{
    double alpha = 0.25;
    int64_t n = 0;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0.0, 0.5), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, -3, 3), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5000001, LONG_TIME), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "alpha");
    CHECK_MENTIONS(error_of(job), "0.5");
    CHECK_EQ(park_set_f64(job, "alpha", -1e-300, LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_set_i64(job, "n", 4, LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_set_i64(job, "n", INT64_MIN, LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_set_f64(job, "alpha", 0.5, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alpha", 0.0, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_i64(job, "n", -3, LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_i64(job, "n", 3, LONG_TIME), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(alpha, 0);
    CHECK_EQ(n, 3);
}

TEST(a_number_that_is_not_finite_is_refused_also_without_limits)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    double x = 1;
    unsigned i;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, -INFINITY, INFINITY), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    for (i = 0; i < 3; i++) {
        CHECK_EQ(park_set_f64(job, "x", bad[i], LONG_TIME), PARK_REFUSED);
        CHECK_MENTIONS(error_of(job), "x");
    }
    CHECK_EQ(park_set_f64(job, "x", 1e308, LONG_TIME), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(x, 1e308);
}

TEST(a_value_of_the_wrong_type_is_refused)
{
    double x = 1, got = 77;
    int64_t n = 2, got_n = 77;
    int yes = 0;
    char text[8] = "t";
    struct loop loop = { 0 };
    park_message *message = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 9), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, 0, 9), PARK_OK);
    CHECK_EQ(park_expose_bool(job, "yes", &yes), PARK_OK);
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_text(job, "x", "3", LONG_TIME), PARK_WRONG_TYPE);
    CHECK_MENTIONS(error_of(job), "x");
    CHECK_EQ(park_set_f64(job, "n", 2.5, LONG_TIME), PARK_WRONG_TYPE);
    CHECK_EQ(park_set_f64(job, "n", 1e30, LONG_TIME), PARK_WRONG_TYPE);
    CHECK_EQ(park_set_i64(job, "yes", 2, LONG_TIME), PARK_WRONG_TYPE);
    CHECK_EQ(park_set_f64(job, "text", 1, LONG_TIME), PARK_WRONG_TYPE);
    CHECK_EQ(park_set_bool(job, "text", 1, LONG_TIME), PARK_WRONG_TYPE);
    CHECK_EQ(park_message_put_key(message, "x"), PARK_OK);                 /* a key alone is no value */
    CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_WRONG_TYPE);
    CHECK_EQ(park_get_f64(job, "text", LONG_TIME, &got), PARK_WRONG_TYPE);
    CHECK_EQ(park_get_i64(job, "text", LONG_TIME, &got_n), PARK_WRONG_TYPE);
    CHECK_EQ(park_get_text(job, "x", LONG_TIME, NULL, 0), PARK_WRONG_TYPE);
    CHECK_REAL(got, 77);
    CHECK_EQ(got_n, 77);
    CHECK_EQ(park_set_i64(job, "x", 3, LONG_TIME), PARK_OK);               /* 3 is a number, and 4.0 an integer */
    CHECK_EQ(park_set_f64(job, "n", 4.0, LONG_TIME), PARK_OK);
    CHECK_EQ(park_message_free(message), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(x, 3);
    CHECK_EQ(n, 4);
    CHECK_EQ(yes, 0);
    CHECK_TEXT(text, "t");
}

TEST(an_unknown_name_is_named)
{
    double x = 1;
    struct loop loop = { 0 };
    park_message *message = park_message_new(NULL), *info = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 9), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "alhpa", 1, LONG_TIME), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "alhpa");
    CHECK_EQ(park_get_f64(job, "alhpa", LONG_TIME, &x), PARK_UNKNOWN);
    CHECK_EQ(park_message_put_key(message, "x"), PARK_OK);
    CHECK_EQ(park_message_put_key(message, "alhpa"), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_GET, message, LONG_TIME, NULL), PARK_UNKNOWN);
    CHECK_EQ(park_unexpose(job, "alhpa"), PARK_UNKNOWN);
    CHECK_EQ(park_variable_read_only(job, "alhpa", 1), PARK_UNKNOWN);
    CHECK_EQ(park_variable_describe(job, "alhpa", "m", "length"), PARK_UNKNOWN);
    CHECK_EQ(park_variable_info(job, "alhpa", info), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "alhpa");
    CHECK_EQ(park_message_free(message), PARK_OK);
    CHECK_EQ(park_message_free(info), PARK_OK);
    end_loop(job, &loop);
}

TEST(read_only_is_read_but_not_set)
{
    double x = 1, got = 0;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 9), PARK_OK);
    CHECK_EQ(park_variable_read_only(job, "x", 1), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "x", 2, LONG_TIME), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "x");
    CHECK_MENTIONS(error_of(job), "read-only");
    CHECK_EQ(park_get_f64(job, "x", LONG_TIME, &got), PARK_OK);
    CHECK_REAL(got, 1);
    CHECK_EQ(park_variable_read_only(job, "x", 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "x", 3, LONG_TIME), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(x, 3);
}

TEST(a_text_must_fit_with_its_end)
{
    char text[6] = "abc";
    char one[1] = "";
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_text(job, "text", text, 5), PARK_OK);
    CHECK_EQ(park_expose_text(job, "one", one, 1), PARK_OK);
    text[5] = '#';
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_text(job, "text", "12345", LONG_TIME), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "text");
    CHECK_EQ(park_set_text(job, "one", "1", LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_set_text(job, "one", "", LONG_TIME), PARK_OK);
    CHECK_EQ(park_set_text(job, "text", "1234", LONG_TIME), PARK_OK);
    end_loop(job, &loop);
    CHECK_TEXT(one, "");
    CHECK(memcmp(text, "1234\0#", 6) == 0);
}

TEST(a_text_buffer_that_has_no_end_is_not_read_beyond)
{
    char text[8], got[16] = "";
    int64_t length;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    memset(text, 'x', sizeof text);
    CHECK_EQ(park_expose_text(job, "text", text, 4), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    length = park_get_text(job, "text", LONG_TIME, got, sizeof got);
    CHECK(length < 0 || length <= 4);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    memcpy(text, "\xFF\xFE", 3);                        /* and what the loop writes need not be UTF-8 */
    length = park_get_text(job, "text", LONG_TIME, got, sizeof got);
    CHECK(length != 0);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    end_loop(job, &loop);
}

TEST(one_name_is_exposed_once_until_it_is_taken_back)
{
    double x = 1, y = 2, got = 0;
    int64_t n = 0;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 9), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "x", &y, 0, 9), PARK_EXISTS);
    CHECK_MENTIONS(error_of(job), "x");
    CHECK_EQ(park_expose_i64(job, "x", &n, 0, 9), PARK_EXISTS);
    CHECK_EQ(park_variable_count(job), 1);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_unexpose(job, "x"), PARK_OK);                     /* from another thread, while it runs */
    x = 5;                                                          /* it is ours again */
    CHECK_EQ(park_get_f64(job, "x", LONG_TIME, &got), PARK_UNKNOWN);
    CHECK_EQ(park_set_f64(job, "x", 3, LONG_TIME), PARK_UNKNOWN);
    CHECK_EQ(park_unexpose(job, "x"), PARK_UNKNOWN);
    CHECK_EQ(park_expose_f64(job, "x", &y, 0, 9), PARK_OK);
    CHECK_EQ(park_get_f64(job, "x", LONG_TIME, &got), PARK_OK);
    CHECK_REAL(got, 2);
    end_loop(job, &loop);
    CHECK_REAL(x, 5);
}

TEST(what_is_exposed_can_be_listed_and_described)
{
    double x = 1, xs[4] = { 0 };
    int64_t n = 1, got = 0;
    int yes = 1;
    char text[32] = "", buffer[64];
    double limit = 0;
    park_message *info = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_variable_count(job), 0);
    CHECK_EQ(park_expose_f64(job, "x", &x, -1.5, INFINITY), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, -7, 8), PARK_OK);
    CHECK_EQ(park_expose_bool(job, "yes", &yes), PARK_OK);
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_expose_f64s(job, "xs", xs, 4, 0, 1), PARK_OK);
    CHECK_EQ(park_variable_count(job), 5);
    CHECK_EQ(park_variable_name(job, 0, buffer, sizeof buffer), 1);
    CHECK_TEXT(buffer, "x");
    CHECK_EQ(park_variable_name(job, 3, NULL, 0), 4);
    CHECK_EQ(park_variable_name(job, 5, buffer, sizeof buffer), PARK_UNKNOWN);
    CHECK_EQ(park_variable_name(job, -1, buffer, sizeof buffer), PARK_UNKNOWN);
    CHECK_EQ(park_variable_name(job, INT64_MAX, buffer, sizeof buffer), PARK_UNKNOWN);

    CHECK_EQ(park_variable_describe(job, "x", "m/s", "speed of the flow"), PARK_OK);
    CHECK_EQ(park_variable_info(job, "x", info), PARK_OK);
    CHECK_EQ(park_message_get_i64(info, "type", &got), PARK_OK);
    CHECK_EQ(got, PARK_F64);
    CHECK_EQ(park_message_get_i64(info, "count", &got), PARK_OK);
    CHECK_EQ(got, 1);
    CHECK_EQ(park_message_get_f64(info, "min", &limit), PARK_OK);
    CHECK_REAL(limit, -1.5);
    CHECK_EQ(park_message_get_f64(info, "max", &limit), PARK_OK);
    CHECK(isinf(limit));
    CHECK_EQ(park_message_get_bool(info, "read_only", &yes), PARK_OK);
    CHECK_EQ(yes, 0);
    CHECK_EQ(park_message_get_text(info, "units", buffer, sizeof buffer), 3);
    CHECK_TEXT(buffer, "m/s");
    CHECK_EQ(park_message_get_text(info, "description", buffer, sizeof buffer), 17);
    CHECK_TEXT(buffer, "speed of the flow");

    CHECK_EQ(park_variable_read_only(job, "n", 1), PARK_OK);
    CHECK_EQ(park_variable_describe(job, "n", NULL, "a count"), PARK_OK);
    CHECK_EQ(park_variable_info(job, "n", info), PARK_OK);          /* emptied and filled anew */
    CHECK_EQ(park_message_get_i64(info, "type", &got), PARK_OK);
    CHECK_EQ(got, PARK_I64);
    CHECK_EQ(park_message_get_i64(info, "min", &got), PARK_OK);
    CHECK_EQ(got, -7);
    CHECK_EQ(park_message_get_i64(info, "max", &got), PARK_OK);
    CHECK_EQ(got, 8);
    CHECK_EQ(park_message_get_bool(info, "read_only", &yes), PARK_OK);
    CHECK_EQ(yes, 1);
    CHECK(park_message_get_text(info, "units", buffer, sizeof buffer) <= 0);

    CHECK_EQ(park_variable_info(job, "text", info), PARK_OK);
    CHECK_EQ(park_message_get_i64(info, "type", &got), PARK_OK);
    CHECK_EQ(got, PARK_TEXT);
    CHECK_EQ(park_message_get_i64(info, "count", &got), PARK_OK);
    CHECK_EQ(got, 32);
    CHECK(park_message_get_f64(info, "min", &limit) < 0);           /* a text has no limits */
    CHECK_EQ(park_variable_info(job, "xs", info), PARK_OK);
    CHECK_EQ(park_message_get_i64(info, "type", &got), PARK_OK);
    CHECK_EQ(got, PARK_F64S);
    CHECK_EQ(park_message_get_i64(info, "count", &got), PARK_OK);
    CHECK_EQ(got, 4);
    CHECK_EQ(park_unexpose(job, "x"), PARK_OK);
    CHECK_EQ(park_variable_name(job, 0, buffer, sizeof buffer), 1);
    CHECK_TEXT(buffer, "n");
    CHECK_EQ(park_message_free(info), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(limits_that_are_none_are_refused)
{
    double x = 0;
    int64_t n = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 1, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_expose_f64(job, "x", &x, NAN, 1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, NAN), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_expose_i64(job, "x", &n, 1, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_expose_f64s(job, "x", &x, 1, 1, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_expose_i64s(job, "x", &n, 1, 1, 0), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_variable_count(job), 0);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(several_values_are_set_all_or_none)
{
    double a = 1, b = 1;
    struct loop loop = { 0 };
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "a", &a, 0, 10), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "b", &b, 0, 10), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(set_both(job, "a", 2, "b", 11), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "b");
    CHECK_EQ(set_both(job, "b", 11, "a", 2), PARK_REFUSED);
    CHECK_EQ(set_both(job, "a", 2, "nobody", 3), PARK_UNKNOWN);
    CHECK_EQ(park_ask(job, PARK_PAUSE, NULL, LONG_TIME, NULL), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    CHECK_REAL(a, 1);
    CHECK_REAL(b, 1);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK_EQ(set_both(job, "a", 2, "b", 3), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(a, 2);
    CHECK_REAL(b, 3);
}

/* low must stay below high. */
struct range { double low, high; int calls; pthread_t thread; };

static int check_range(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    struct range *range = user;
    double low = range->low, high = range->high;
    (void)job;
    range->calls++;
    range->thread = pthread_self();
    park_message_get_f64(request, "low", &low);       /* those that are in the request */
    park_message_get_f64(request, "high", &high);
    if (low < high) return 0;
    CHECK_EQ(park_message_put_text(reply, "reason", "low must stay below high"), PARK_OK);
    return 1;
}

static pthread_t computing_thread;

static int loop_noting_thread(park_handler *job, void *request)
{
    computing_thread = pthread_self();
    return run_loop(job, request);
}

TEST(a_check_compares_the_new_values)
{
    struct range range = { 0 };
    struct loop loop = { 0 };
    atomic_int destroyed = 0;
    double other = 0;
    park_handler *job = new_job();
    range.high = 1;
    CHECK_EQ(park_expose_f64(job, "low", &range.low, -100, 100), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "high", &range.high, -100, 100), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "other", &other, -100, 100), PARK_OK);
    CHECK_EQ(park_variable_check(job, "low", check_range, &range, NULL), PARK_OK);
    CHECK_EQ(park_variable_check(job, "high", check_range, &range, NULL), PARK_OK);
    CHECK_EQ(park_variable_check(job, "nobody", check_range, &destroyed, count_destroy), PARK_UNKNOWN);
    CHECK_EQ(atomic_load(&destroyed), 1);
    CHECK_EQ(park_start(job, loop_noting_thread, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_set_f64(job, "low", 2, LONG_TIME), PARK_REFUSED);
    CHECK_MENTIONS(error_of(job), "low must stay below high");
    CHECK_EQ(set_both(job, "low", 6, "high", 5), PARK_REFUSED);
    CHECK_EQ(set_both(job, "other", 1, "high", -1), PARK_REFUSED);
    CHECK_EQ(set_both(job, "low", 5, "high", 6), PARK_OK);
    CHECK(range.calls >= 4);
    CHECK(pthread_equal(range.thread, computing_thread));
    range.calls = 0;
    CHECK_EQ(park_set_f64(job, "high", 101, LONG_TIME), PARK_REFUSED);     /* beyond its limit: nobody was asked */
    CHECK_EQ(park_set_f64(job, "other", 2, LONG_TIME), PARK_OK);           /* not its business */
    CHECK_EQ(range.calls, 0);
    end_loop(job, &loop);
    CHECK_REAL(range.low, 5);
    CHECK_REAL(range.high, 6);
    CHECK_REAL(other, 2);
}

/* Checks that pull the rug: they take the variable back, and the second one gives another, shorter one. */
static char guarded[8];

static int take_it_back(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)request;
    (void)reply;
    CHECK_EQ(park_unexpose(job, "text"), PARK_OK);
    if (user) CHECK_EQ(park_expose_text(job, "text", guarded, 4), PARK_OK);
    return 0;
}

TEST(a_variable_that_was_taken_back_meanwhile_is_not_written)
{
    char text[16] = "before";
    struct loop loop = { 0 };
    park_handler *job = new_job();
    memset(guarded, '#', sizeof guarded);
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_variable_check(job, "text", take_it_back, NULL, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK(park_set_text(job, "text", "after", LONG_TIME) < 0);          /* not done: so not said to be done */
    CHECK_EQ(park_expose_text(job, "text", text, sizeof text), PARK_OK);
    CHECK_EQ(park_variable_check(job, "text", take_it_back, text, NULL), PARK_OK);
    CHECK(park_set_text(job, "text", "after all", LONG_TIME) < 0);      /* too long for the one that is there now */
    end_loop(job, &loop);
    CHECK_TEXT(text, "before");
    CHECK(memcmp(guarded, "########", 8) == 0);
}

struct sleeper { struct gate gate; struct loop loop; };

static int sleep_then_loop(park_handler *job, void *request)
{
    struct sleeper *sleeper = request;
    gate_wait(&sleeper->gate);
    return run_loop(job, &sleeper->loop);
}

static atomic_int last_status;
static atomic_int replies;

static void note_status(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)job;
    (void)reply;
    (void)user;
    atomic_store(&last_status, status);
    atomic_fetch_add(&replies, 1);
}

TEST(in_one_set_the_deltas_apply_at_once_and_the_variables_at_the_ready_point)
{
    struct sleeper sleeper = { GATE, { 0 } };
    double alpha = 0.1;
    park_message *message = put(put(put(put(park_message_new(NULL), "alpha", 0.3), "progress_delta", 0.25),
                                    "checkpoint_delta", 60), "improved_delta", 2);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 0.5), PARK_OK);
    CHECK_EQ(park_start(job, sleep_then_loop, &sleeper, NULL, 0), PARK_OK);
    CHECK_EQ(park_ask_later(job, PARK_SET, message, note_status, NULL, NULL), PARK_OK);
    WAIT_UNTIL(park_delta(job, PARK_IMPROVED_DELTA) == 2);
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 0.25);
    CHECK_REAL(park_delta(job, PARK_CHECKPOINT_DELTA), 60);
    CHECK_EQ(atomic_load(&replies), 0);
    CHECK_REAL(alpha, 0.1);                                /* the loop sleeps: it is ours to look at */
    /* A request of deltas alone needs no ready point. */
    CHECK_EQ(park_set_f64(job, "progress_delta", 0.75, LONG_TIME), PARK_OK);
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 0.75);
    gate_open(&sleeper.gate);
    WAIT_UNTIL(atomic_load(&replies) == 1);
    CHECK_EQ(atomic_load(&last_status), PARK_OK);
    CHECK_EQ(park_message_free(message), PARK_OK);
    end_loop(job, &sleeper.loop);
    CHECK_REAL(alpha, 0.3);
}

static int never(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)request;
    (void)reply;
    (void)user;
    return 1;
}

TEST(when_a_set_is_refused_the_deltas_are_as_they_were)
{
    struct loop loop = { 0 };
    double alpha = 0.1, beta = 0.2;
    park_message *message;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 0.5), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "beta", &beta, 0, 0.5), PARK_OK);
    CHECK_EQ(park_variable_check(job, "beta", never, NULL, NULL), PARK_OK);
    CHECK_EQ(set_both(job, "progress_delta", 0.25, "beta", 0.3), PARK_REFUSED);      /* late, at the ready point */
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 1);
    CHECK_EQ(set_both(job, "progress_delta", 0.25, "alpha", 9), PARK_REFUSED);
    CHECK_EQ(set_both(job, "progress_delta", 0.25, "nobody", 9), PARK_UNKNOWN);
    CHECK_EQ(set_both(job, "progress_delta", 0.25, "improved_delta", -1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "improved_delta");
    CHECK_EQ(set_both(job, "alpha", 0.3, "progress_delta", NAN), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_set_text(job, "progress_delta", "soon", LONG_TIME), PARK_WRONG_TYPE);
    CHECK_REAL(park_delta(job, PARK_PROGRESS_DELTA), 1);
    CHECK_REAL(park_delta(job, PARK_IMPROVED_DELTA), 0);
    message = park_message_new(NULL);
    CHECK_EQ(park_message_put_key(message, "progress_delta"), PARK_OK);
    CHECK_EQ(park_ask(job, PARK_GET, message, LONG_TIME, message), PARK_OK);
    {
        double delta = 0;
        CHECK_EQ(park_message_get_f64(message, "progress_delta", &delta), PARK_OK);
        CHECK_REAL(delta, 1);
        CHECK_EQ(park_get_f64(job, "checkpoint_delta", LONG_TIME, &delta), PARK_OK);
        CHECK_REAL(delta, 3600);
    }
    CHECK_EQ(park_message_free(message), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(alpha, 0.1);
}

static int double_it(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job;
    (void)request;
    *(double *)user *= 2;
    return park_message_put_f64(reply, "x", *(double *)user);
}

TEST(a_paused_job_is_still_steered)
{
    double x = 1.5, got = 0;
    long halted;
    struct loop loop = { 0 };
    park_message *invoke = park_message_new("double"), *reply = park_message_new(NULL);
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 100), PARK_OK);
    CHECK_EQ(park_method(job, "double", double_it, &x, NULL), PARK_OK);
    CHECK_EQ(park_start(job, run_loop, &loop, NULL, 0), PARK_OK);
    CHECK_EQ(park_signal(job, PARK_PAUSE), PARK_OK);
    WAIT_UNTIL(park_state(job) == PARK_STATE_PAUSED);
    halted = atomic_load(&loop.iterations);
    CHECK_EQ(park_set_f64(job, "x", 4, LONG_TIME), PARK_OK);
    CHECK_EQ(park_get_f64(job, "x", LONG_TIME, &got), PARK_OK);
    CHECK_REAL(got, 4);
    CHECK_EQ(park_ask(job, PARK_INVOKE, invoke, LONG_TIME, reply), PARK_OK);
    CHECK_EQ(park_message_get_f64(reply, "x", &got), PARK_OK);
    CHECK_REAL(got, 8);
    CHECK_EQ(park_set_f64(job, "x", 101, LONG_TIME), PARK_REFUSED);
    CHECK_EQ(park_state(job), PARK_STATE_PAUSED);
    CHECK_EQ(atomic_load(&loop.iterations), halted);
    CHECK_EQ(park_signal(job, PARK_RESUME), PARK_OK);
    CHECK_EQ(park_message_free(invoke), PARK_OK);
    CHECK_EQ(park_message_free(reply), PARK_OK);
    end_loop(job, &loop);
    CHECK_REAL(x, 8);
}

/* A loop that trusts its variables between ready points, and finds those that belong together together. */
struct trusting { double a, b; int64_t ns[64]; atomic_int enough; };

static int trust(park_handler *job, void *request)
{
    struct trusting *mine = request;
    int status = 0;
    while (!atomic_load(&mine->enough)) {
        volatile double *a = &mine->a;
        double before = *a;
        int i;
        for (i = 0; i < 200; i++) CHECK(*a == before);
        CHECK(mine->b == before);
        for (i = 0; i < 64; i++) CHECK(mine->ns[i] == (int64_t)before);
        if ((status = park_ready(job)) != 0) return status;
    }
    return status;
}

static void *set_together(void *argument)
{
    void **pair = argument;
    park_handler *job = pair[0];
    long i, count = scaled(3000);
    for (i = 0; i < count; i++) {
        int64_t ns[64];
        int k;
        park_message *message = put(put(park_message_new(NULL), "a", (double)i), "b", (double)i);
        for (k = 0; k < 64; k++) ns[k] = i;
        CHECK_EQ(park_message_put_i64s(message, "ns", ns, 64), PARK_OK);
        CHECK_EQ(park_ask(job, PARK_SET, message, LONG_TIME, NULL), PARK_OK);
        CHECK_EQ(park_message_free(message), PARK_OK);
    }
    return NULL;
}

TEST(variables_change_inside_ready_points_only_and_together)
{
    static struct trusting mine;
    void *pair[1];
    pthread_t setters[2];
    long i;
    park_handler *job = new_job();
    pair[0] = job;
    CHECK_EQ(park_expose_f64(job, "a", &mine.a, 0, 1e9), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "b", &mine.b, 0, 1e9), PARK_OK);
    CHECK_EQ(park_expose_i64s(job, "ns", mine.ns, 64, 0, 1000000000), PARK_OK);
    CHECK_EQ(park_start(job, trust, &mine, NULL, 0), PARK_OK);
    setters[0] = spawn(set_together, pair);
    setters[1] = spawn(set_together, pair);
    for (i = 0; i < scaled(1000); i++) {
        double a = 0, b = -1;
        park_message *reply = park_message_new(NULL);
        CHECK_EQ(park_ask(job, PARK_GET, NULL, LONG_TIME, reply), PARK_OK);
        CHECK_EQ(park_message_get_f64(reply, "a", &a), PARK_OK);
        CHECK_EQ(park_message_get_f64(reply, "b", &b), PARK_OK);
        CHECK(a == b);                                     /* read together, too */
        CHECK_EQ(park_message_free(reply), PARK_OK);
    }
    join(setters[0]);
    join(setters[1]);
    atomic_store(&mine.enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(the_data_of_a_check_is_destroyed_once)
{
    double x = 0, y = 0;
    atomic_int first = 0, second = 0, third = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_expose_f64(job, "x", &x, 0, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "y", &y, 0, 1), PARK_OK);
    CHECK_EQ(park_variable_check(job, "x", double_it, &first, count_destroy), PARK_OK);
    CHECK_EQ(park_variable_check(job, "x", double_it, &second, count_destroy), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(park_unexpose(job, "x"), PARK_OK);
    CHECK_EQ(atomic_load(&second), 1);
    CHECK_EQ(park_variable_check(job, "y", double_it, &third, count_destroy), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&first), 1);
    CHECK_EQ(atomic_load(&second), 1);
    CHECK_EQ(atomic_load(&third), 1);
}

static const struct check_test tests[] = {
    CASE(each_type_can_be_set_and_read),
    CASE(arrays_are_set_and_read_as_a_whole),
    CASE(limits_are_inclusive_and_refuse_by_name_and_reason),
    CASE(a_number_that_is_not_finite_is_refused_also_without_limits),
    CASE(a_value_of_the_wrong_type_is_refused),
    CASE(an_unknown_name_is_named),
    CASE(read_only_is_read_but_not_set),
    CASE(a_text_must_fit_with_its_end),
    CASE(a_text_buffer_that_has_no_end_is_not_read_beyond),
    CASE(one_name_is_exposed_once_until_it_is_taken_back),
    CASE(what_is_exposed_can_be_listed_and_described),
    CASE(limits_that_are_none_are_refused),
    CASE(several_values_are_set_all_or_none),
    CASE(a_check_compares_the_new_values),
    CASE(a_variable_that_was_taken_back_meanwhile_is_not_written),
    CASE(in_one_set_the_deltas_apply_at_once_and_the_variables_at_the_ready_point),
    CASE(when_a_set_is_refused_the_deltas_are_as_they_were),
    CASE(a_paused_job_is_still_steered),
    CASE(variables_change_inside_ready_points_only_and_together),
    CASE(the_data_of_a_check_is_destroyed_once),
};
CHECK_MAIN(tests)
