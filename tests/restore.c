/* What is protected, and what a checkpoint must be like to be restored: all that does not fit is named, and nothing is
 * touched. */
#include "directory.h"

#define MANY 100

static void save_now(park_handler *job)
{
    CHECK_EQ(park_checkpoint_now(job), PARK_OK);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
}

/* A job that saves into the directory, attached. */
static park_handler *attached(const char *name, const char *directory)
{
    park_handler *job = park_handler_new(name);
    CHECK(job != NULL);
    CHECK_EQ(park_checkpoint_dir(job, directory, 3), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    return job;
}

static void end(park_handler *job)
{
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

/* ---- what can be protected ---------------------------------------------------------------------- */

static int nothing_to_save(park_handler *job, park_sink *sink, void *user) { (void)job; (void)sink; (void)user; return 0; }

static int load_and_count(park_handler *job, const void *bytes, int64_t length, void *user)
{
    (void)job;
    (void)bytes;
    CHECK_EQ(length, 0);
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

#define BAD(call, word) do { CHECK_EQ(call, PARK_INVALID_ARGUMENT); CHECK_MENTIONS(error_of(job), word); } while (0)

TEST(what_cannot_be_protected_is_refused_by_name)
{
    static double u[MANY];
    static const int64_t negative[] = {2, -1}, huge[] = {INT64_MAX / 4, 4}, fine[] = {MANY / 2, 2};
    char long_name[300];
    atomic_int destroyed = 0;
    park_handler *job = new_job();
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    BAD(park_protect(job, NULL, u, PARK_F64, 1), "name");
    BAD(park_protect(job, "", u, PARK_F64, 1), "name");
    BAD(park_protect(job, long_name, u, PARK_F64, 1), "name");
    BAD(park_protect(job, "a\nb", u, PARK_F64, 1), "name");
    BAD(park_protect(job, "park.best", u, PARK_F64, 1), "name");
    BAD(park_protect(job, "__metadata__", u, PARK_F64, 1), "name");
    BAD(park_protect(job, "u", NULL, PARK_F64, 1), "pointer");
    BAD(park_protect(job, "u", u, PARK_F64, -1), "count");
    BAD(park_protect(job, "u", u, PARK_F64, INT64_MAX), "count");
    BAD(park_protect(job, "u", u, PARK_F64, INT64_MAX / 8 + 1), "count");
    BAD(park_protect(job, "u", u, PARK_C128, INT64_MAX / 16 + 1), "count");
    BAD(park_protect(job, "u", u, PARK_TEXT, 1), "type");
    BAD(park_protect(job, "u", u, PARK_BOOL, 1), "type");
    BAD(park_protect(job, "u", u, 0, 1), "type");
    BAD(park_protect(job, "u", u, 99, 1), "type");
    BAD(park_protect_shape(job, "u", u, PARK_F64, 2, NULL), "shape");
    BAD(park_protect_shape(job, "u", u, PARK_F64, -1, fine), "dimensions");
    BAD(park_protect_shape(job, "u", u, PARK_F64, 33, fine), "dimensions");
    BAD(park_protect_shape(job, "u", u, PARK_F64, 2, negative), "shape");
    BAD(park_protect_shape(job, "u", u, PARK_F64, 2, huge), "shape");
    CHECK_MENTIONS(error_of(job), "'u'");
    BAD(park_protect_custom(job, "c", NULL, load_and_count, &destroyed, count_destroy), "save");
    BAD(park_protect_custom(job, "c", nothing_to_save, NULL, &destroyed, count_destroy), "load");
    BAD(park_protect_custom(job, "", nothing_to_save, load_and_count, &destroyed, count_destroy), "name");
    CHECK_EQ(atomic_load(&destroyed), 3);
    CHECK_EQ(park_protect_shape(job, "u", u, PARK_F64, 2, fine), PARK_OK);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, 1), PARK_EXISTS);
    CHECK_MENTIONS(error_of(job), "'u'");
    CHECK_EQ(park_protect_custom(job, "u", nothing_to_save, load_and_count, &destroyed, count_destroy), PARK_EXISTS);
    CHECK_EQ(atomic_load(&destroyed), 4);
    CHECK_EQ(park_protect(job, "empty", NULL, PARK_F64, 0), PARK_OK);     /* a rank may have none of them */
    CHECK_EQ(park_unprotect(job, "v"), PARK_UNKNOWN);
    CHECK_MENTIONS(error_of(job), "'v'");
    CHECK_EQ(park_protect_was(job, "v", NULL), PARK_UNKNOWN);
    BAD(park_protect_was(job, "u", ""), "earlier");
    CHECK_EQ(park_unprotect(job, "u"), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "u", nothing_to_save, load_and_count, &destroyed, count_destroy), PARK_OK);
    CHECK_EQ(park_unprotect(job, "u"), PARK_OK);
    CHECK_EQ(atomic_load(&destroyed), 5);
    CHECK_EQ(park_protect_custom(job, "u", nothing_to_save, load_and_count, &destroyed, count_destroy), PARK_OK);
    BAD(park_checkpoint_mode(job, 0), "mode");
    BAD(park_checkpoint_share(job, 0), "share");
    BAD(park_checkpoint_share(job, 1.01), "share");
    BAD(park_checkpoint_wait(job, -2), "timeout");
    CHECK_EQ(park_handler_free(job), PARK_OK);
    CHECK_EQ(atomic_load(&destroyed), 6);
}

static int protect_in_callback(park_handler *job, park_sink *sink, void *user)
{
    int64_t *step = user;
    CHECK_EQ(park_protect(job, "more", step, PARK_I64, 1), PARK_REENTRANT);
    CHECK_EQ(park_unprotect(job, "step"), PARK_REENTRANT);
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_REENTRANT);
    CHECK_EQ(park_checkpoint_now(job), PARK_REENTRANT);
    CHECK_EQ(park_checkpoint_wait(job, 0), PARK_REENTRANT);
    CHECK_EQ(park_checkpoint_clear(job), PARK_REENTRANT);
    CHECK_EQ(park_restore(job), PARK_REENTRANT);
    CHECK_EQ(park_sink_put(sink, NULL, 1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_sink_put(sink, step, -1), PARK_INVALID_ARGUMENT);
    CHECK_EQ(park_sink_put(NULL, step, 8), PARK_INVALID_HANDLE);
    *(park_sink **)(void *)(step + 1) = sink;
    return park_sink_put(sink, NULL, 0);
}

static void *protect_from_elsewhere(void *handle)
{
    park_handler *job = handle;
    static double x;
    CHECK_EQ(park_protect(job, "x", &x, PARK_F64, 1), PARK_WRONG_THREAD);
    CHECK_EQ(park_unprotect(job, "step"), PARK_WRONG_THREAD);
    CHECK_EQ(park_protect_was(job, "step", NULL), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_now(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_restore(job), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_path(job, NULL, 0), PARK_WRONG_THREAD);
    CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    CHECK(park_checkpoint_count(job) >= 0);
    return NULL;
}

TEST(during_a_run_only_its_thread_changes_what_is_protected)
{
    const char *directory = new_directory();
    struct { int64_t step; park_sink *sink; } data = { 1, NULL };
    atomic_int loads = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_restore(job), PARK_NOT_RUNNING);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    CHECK_EQ(park_protect(job, "step", &data.step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "inside", protect_in_callback, load_and_count, &data, NULL), PARK_OK);
    join(spawn(protect_from_elsewhere, job));
    save_now(job);
    CHECK_EQ(park_sink_put(data.sink, "x", 1), PARK_INVALID_HANDLE);      /* it died with the call */
    CHECK_EQ(park_unprotect(job, "inside"), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "inside", nothing_to_save, load_and_count, &loads, NULL), PARK_OK);
    data.step = 9;
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(data.step, 1);
    CHECK_EQ(atomic_load(&loads), 1);
    CHECK_EQ(park_unprotect(job, "inside"), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_OK);                 /* and the directory */
    CHECK_EQ(park_checkpoint_count(job), PARK_UNKNOWN);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    end(job);
    remove_directory(directory);
}

/* ---- what fits ---------------------------------------------------------------------------------- */

TEST(all_that_does_not_fit_is_named_and_nothing_is_touched)
{
    const char *directory = new_directory();
    double u[4] = {1, 2, 3, 4}, v[4] = {5, 6, 7, 8}, before_u[4], before_v[4];
    float z[6] = {0};
    int64_t step = 5;
    atomic_int loads = 0;
    static const int64_t square[] = {2, 2};
    park_handler *job = attached("job", directory);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, 4), PARK_OK);
    CHECK_EQ(park_protect(job, "v", v, PARK_F64, 4), PARK_OK);
    CHECK_EQ(park_protect(job, "z", z, PARK_C64, 3), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "c", nothing_to_save, load_and_count, &loads, NULL), PARK_OK);
    save_now(job);
    CHECK_EQ(park_unprotect(job, "v"), PARK_OK);
    CHECK_EQ(park_unprotect(job, "z"), PARK_OK);
    CHECK_EQ(park_protect_shape(job, "v", v, PARK_F64, 2, square), PARK_OK);   /* another shape */
    CHECK_EQ(park_protect(job, "z", z, PARK_F32, 6), PARK_OK);                 /* another type of the same bytes */
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);          /* a new one */
    u[0] = v[0] = 99;
    memcpy(before_u, u, sizeof u);
    memcpy(before_v, v, sizeof v);
    CHECK_EQ(park_restore(job), PARK_MISMATCH);
    CHECK_MENTIONS(error_of(job), manifest(directory, 1));
    CHECK_MENTIONS(error_of(job), "'v': F64 [2, 2] is protected, F64 [4] is in the checkpoint");
    CHECK_MENTIONS(error_of(job), "'z': F32 [6] is protected, C64 [3] is in the checkpoint");
    CHECK_MENTIONS(error_of(job), "'step': is protected, and not in the checkpoint");
    CHECK(!strstr(error_of(job), "'u'"));
    CHECK(!memcmp(u, before_u, sizeof u) && !memcmp(v, before_v, sizeof v) && step == 5 && atomic_load(&loads) == 0);
    end(job);
    remove_directory(directory);
}

static int refuse(park_handler *job, const void *bytes, int64_t length, void *user)
{
    (void)job; (void)bytes; (void)length; (void)user;
    return 77;
}

TEST(a_load_function_that_refuses_leaves_the_arrays)
{
    const char *directory = new_directory();
    int64_t step = 1;
    park_handler *job = attached("job", directory);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_protect_custom(job, "strict", nothing_to_save, refuse, NULL, NULL), PARK_OK);
    save_now(job);
    step = 2;
    CHECK_EQ(park_restore(job), PARK_FAILED);
    CHECK_MENTIONS(error_of(job), "'strict'");
    CHECK_MENTIONS(error_of(job), "77");
    CHECK_EQ(step, 2);
    end(job);
    remove_directory(directory);
}

TEST(renamed_added_and_dropped_arrays_have_their_rule)
{
    const char *directory = new_directory();
    double old[2] = {1, 2}, gone[2] = {3, 4}, renamed[2] = {0}, added[3] = {7, 7, 7};
    park_client *client;
    park_handler *job = attached("job", directory);
    CHECK_EQ(park_protect(job, "old", old, PARK_F64, 2), PARK_OK);
    CHECK_EQ(park_protect(job, "gone", gone, PARK_F64, 2), PARK_OK);
    save_now(job);
    end(job);

    job = attached("job", directory);
    client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_protect(job, "renamed", renamed, PARK_F64, 2), PARK_OK);
    CHECK_EQ(park_protect(job, "added", added, PARK_F64, 3), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_MISMATCH);
    CHECK_MENTIONS(error_of(job), "'renamed'");
    CHECK_MENTIONS(error_of(job), "'added'");
    CHECK_EQ(park_protect_was(job, "renamed", "older"), PARK_OK);
    CHECK_EQ(park_protect_was(job, "renamed", "old"), PARK_OK);
    CHECK_EQ(park_protect_was(job, "added", NULL), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_REAL(renamed[1], 2);
    CHECK_REAL(added[2], 7);
    expect_log(client, PARK_LOG_WARNING, "'gone' is not protected");
    save_now(job);                                                        /* from now on by the new name */
    renamed[1] = added[2] = 0;
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_REAL(renamed[1], 2);
    CHECK_REAL(added[2], 7);
    CHECK_EQ(park_client_free(client), PARK_OK);
    end(job);
    remove_directory(directory);
}

TEST(a_checkpoint_of_another_job_is_refused)
{
    const char *directory = new_directory();
    int64_t step = 1;
    park_handler *job = attached("heat", directory);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    save_now(job);
    end(job);
    job = attached("waves", directory);
    step = 2;
    CHECK_EQ(park_restore(job), PARK_MISMATCH);                           /* nothing is protected yet, either */
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_MISMATCH);
    CHECK_MENTIONS(error_of(job), "'heat'");
    CHECK_MENTIONS(error_of(job), "'waves'");
    CHECK_EQ(step, 2);
    end(job);
    job = attached("heat", directory);
    CHECK_EQ(park_restore(job), PARK_MISMATCH);
    CHECK_MENTIONS(error_of(job), "nothing is protected yet");
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(step, 1);
    end(job);
    remove_directory(directory);
}

TEST(the_newest_whole_one_is_restored_and_the_broken_ones_are_told)
{
    const char *directory = new_directory();
    static double u[MANY];
    int64_t step;
    int i;
    park_client *client;
    park_handler *job = attached("job", directory);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, MANY), PARK_OK);
    for (step = 1; step <= 3; step++) save_now(job);
    end(job);
    damage(manifest(directory, 3), 9);                                    /* in "step" or "u" */
    CHECK_EQ(truncate(manifest(directory, 2), 100), 0);
    job = attached("job", directory);
    client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, MANY), PARK_OK);
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK_EQ(step, 1);
    expect_log(client, PARK_LOG_WARNING, manifest(directory, 3));
    expect_log(client, PARK_LOG_WARNING, manifest(directory, 2));
    for (i = 1; i <= 3; i++) CHECK(is_there(manifest(directory, i)));     /* restoring removes nothing */
    damage(manifest(directory, 1), 9);
    CHECK_EQ(park_restore(job), PARK_NO_CHECKPOINT);
    CHECK_EQ(park_client_free(client), PARK_OK);
    end(job);
    remove_directory(directory);
}

/* ---- exposed values ----------------------------------------------------------------------------- */

TEST(exposed_values_come_back_where_they_still_fit)
{
    const char *directory = new_directory();
    double alpha = 0.1 + 0.2, beta = 5, fixed = 1, row[3] = {1, 0.1, -0.0};
    int64_t step = 0, n = INT64_MIN;
    int yes = 1;
    char word[16] = "word \"\xc3\xbc\"";
    park_client *client;
    park_handler *job = attached("job", directory);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "beta", &beta, 0, 10), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "fixed", &fixed, 0, 10), PARK_OK);
    CHECK_EQ(park_variable_read_only(job, "fixed", 1), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, INT64_MIN, INT64_MAX), PARK_OK);
    CHECK_EQ(park_expose_bool(job, "yes", &yes), PARK_OK);
    CHECK_EQ(park_expose_text(job, "word", word, sizeof word), PARK_OK);
    CHECK_EQ(park_expose_f64s(job, "row", row, 3, -10, 10), PARK_OK);
    save_now(job);
    end(job);

    alpha = beta = fixed = row[0] = row[1] = row[2] = 4;
    n = yes = 0;
    word[0] = '\0';
    job = attached("job", directory);
    client = park_client_new(job, PARK_EVENT_LOG);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "alpha", &alpha, 0, 1), PARK_OK);
    CHECK_EQ(park_expose_f64(job, "beta", &beta, 0, 4.5), PARK_OK);       /* narrower than it was */
    CHECK_EQ(park_expose_f64(job, "fixed", &fixed, 0, 10), PARK_OK);
    CHECK_EQ(park_variable_read_only(job, "fixed", 1), PARK_OK);
    CHECK_EQ(park_expose_i64(job, "n", &n, INT64_MIN, INT64_MAX), PARK_OK);
    CHECK_EQ(park_expose_bool(job, "yes", &yes), PARK_OK);
    CHECK_EQ(park_expose_f64s(job, "row", row, 3, -10, 10), PARK_OK);     /* word is no longer there */
    CHECK_EQ(park_restore(job), PARK_OK);
    CHECK(alpha == 0.1 + 0.2 && row[0] == 1 && row[1] == 0.1 && row[2] == 0 && 1 / row[2] < 0);
    CHECK(n == INT64_MIN && yes == 1);
    CHECK(beta == 4 && fixed == 4 && word[0] == '\0');
    expect_log(client, PARK_LOG_WARNING, "'word' was not restored");
    expect_log(client, PARK_LOG_WARNING, "'beta': 5 is outside 0 to 4.5");
    CHECK_EQ(park_client_free(client), PARK_OK);
    end(job);
    remove_directory(directory);
}

/* ---- by park_start ------------------------------------------------------------------------------ */

struct counter { int64_t step, last; int began; };

static int count(park_handler *job, void *request)
{
    struct counter *counter = request;
    counter->began++;
    while (counter->step < counter->last) {
        int status;
        counter->step++;
        if (counter->step == 5) CHECK_EQ(park_signal(job, PARK_STOP), PARK_OK);
        if ((status = park_ready(job)) != 0) return status;
    }
    return PARK_OK;
}

TEST(a_run_resumes_where_the_last_one_stopped)
{
    const char *directory = new_directory();
    struct counter counter = { 0, 10, 0 };
    float wrong = 0;
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, count, &counter, NULL, 1), PARK_INVALID_ARGUMENT);
    CHECK_MENTIONS(error_of(job), "resume");
    CHECK_EQ(park_protect(job, "step", &counter.step, PARK_I64, 1), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 1), PARK_OK);
    CHECK_EQ(park_start(job, count, &counter, NULL, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_STOPPED);
    CHECK_EQ(park_exit_code(job), PARK_EXIT_CHECKPOINTED);
    CHECK_EQ(counter.step, 5);
    counter.step = 0;
    CHECK_EQ(park_start(job, count, &counter, NULL, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(counter.step, 10);
    CHECK_EQ(counter.began, 2);
    CHECK_EQ(park_unprotect(job, "step"), PARK_OK);
    CHECK_EQ(park_protect(job, "step", &wrong, PARK_F32, 1), PARK_OK);
    CHECK_EQ(park_start(job, count, &counter, NULL, 1), PARK_OK);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_FAILED);                     /* and the service was not called */
    CHECK_MENTIONS(reason_of(job), "'step'");
    CHECK_EQ(counter.began, 2);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    remove_directory(directory);
}

static const struct check_test tests[] = {
    CASE(what_cannot_be_protected_is_refused_by_name), CASE(during_a_run_only_its_thread_changes_what_is_protected),
    CASE(all_that_does_not_fit_is_named_and_nothing_is_touched), CASE(a_load_function_that_refuses_leaves_the_arrays),
    CASE(renamed_added_and_dropped_arrays_have_their_rule), CASE(a_checkpoint_of_another_job_is_refused),
    CASE(the_newest_whole_one_is_restored_and_the_broken_ones_are_told),
    CASE(exposed_values_come_back_where_they_still_fit), CASE(a_run_resumes_where_the_last_one_stopped),
};
CHECK_MAIN(tests)
