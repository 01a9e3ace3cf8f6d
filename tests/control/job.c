/* A job for tests/control.py: job PATH [SECONDS [EVENTS_A_SECOND]]. PATH "-" is the usual place. It computes until it is told to end, or
 * the time is over; then it prints how often it went round. */
#include <park.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double alpha = 0.1, many[4] = { 1, 2, 3, 4 };
static double *large;
static int64_t count = 5;
static int on;
static char name[16] = "first";

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int echo(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    double x;
    char text[1024];
    (void)job; (void)user;
    if (park_message_get_f64(request, "x", &x) == PARK_OK) park_message_put_f64(reply, "x", x);
    if (park_message_get_text(request, "text", text, sizeof text) >= 0) park_message_put_text(reply, "text", text);
    return 0;
}

static int refuse(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job; (void)request; (void)user;
    park_message_put_text(reply, "reason", "not on a Monday");
    return 1;
}

static int sleep_for(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    double x = 0;
    (void)job; (void)reply; (void)user;
    park_message_get_f64(request, "x", &x);
    nanosleep(&(struct timespec){ (time_t)x, (long)((x - (double)(time_t)x) * 1e9) }, NULL);
    return 0;
}

/* Says how often it was called: whose turn came how often in between, that is. */
static int turn(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    static double turns;
    (void)job; (void)request; (void)user;
    park_message_put_f64(reply, "turns", ++turns);
    return 0;
}

int main(int argc, char **argv)
{
    double seconds = argc > 2 ? atof(argv[2]) : 60, rate = argc > 3 ? atof(argv[3]) : 0, begin = now(), next = begin;
    long rounds = 0;
    char path[256];
    park_handler *job = park_handler_new("secret heat");
    park_expose_f64(job, "alpha", &alpha, 0, 0.5);
    park_variable_describe(job, "alpha", "m/s", "how \"fast\"");
    park_expose_i64(job, "count", &count, -9, 9);
    park_expose_bool(job, "on", &on);
    park_expose_text(job, "name", name, sizeof name);
    park_expose_f64s(job, "many", many, 4, -1e300, 1e300);
    large = calloc(1 << 20, sizeof *large);
    park_expose_f64s(job, "large", large, 1 << 20, -1, 1);
    park_method(job, "echo", echo, NULL, NULL);
    park_method(job, "sleep", sleep_for, NULL, NULL);
    park_method(job, "refuse", refuse, NULL, NULL);
    park_method(job, "turn", turn, NULL, NULL);
    park_on_ready(job, "later", echo, NULL, NULL);
    park_on_signal(job, "soon", echo, NULL, NULL);
    park_set_units(job, "rounds");
    if (park_listen(job, strcmp(argv[1], "-") == 0 ? NULL : argv[1]) != PARK_OK) {
        park_last_error(job, path, sizeof path);
        printf("%s\n", path);
        return 2;
    }
    park_listen_path(job, path, sizeof path);
    printf("%s\n", path);
    fflush(stdout);
    park_attach(job);
    for (;;) {
        double time = now();
        if (time - begin > seconds) break;
        rounds++;
        park_progress(job, (double)rounds, 0);
        if (rate > 0 && time >= next) {
            next += 1 / rate;
            park_improved(job, 1.0 / (double)rounds, &rounds, sizeof rounds);
        }
        if (park_checkpoint_due(job)) park_checkpoint_done(job, 1);
        if (park_ready(job)) break;
        nanosleep(&(struct timespec){ 0, 20000 }, NULL);
    }
    park_detach(job);
    printf("%ld\n", rounds);
    {
        int code = park_exit_code(job);
        park_handler_free(job);
        free(large);
        return code;
    }
}
