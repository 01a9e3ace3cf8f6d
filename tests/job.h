/* What the tests share about park: a loop to play with, and texts as C strings. */
#ifndef JOB_H
#define JOB_H

#include "check.h"
#include <park.h>
#include <stdatomic.h>
#include <stdint.h>

#define LONG_TIME 200.0   /* seconds; stands for ever where a test must not hang */

/* A loop for park_start, or to be called after park_attach: counts, and ends when it is told to or has done enough. */
struct loop {
    atomic_long iterations;
    atomic_int enough;
    double nap;               /* seconds per iteration */
};

static inline int run_loop(park_handler *job, void *request)
{
    struct loop *loop = request;
    int status;
    for (;;) {
        atomic_fetch_add(&loop->iterations, 1);
        if ((status = park_ready(job)) != 0) return status;
        if (atomic_load(&loop->enough)) return PARK_OK;
        nap(loop->nap > 0 ? loop->nap : 5e-5);
    }
}

static inline park_handler *new_job(void)
{
    park_handler *job = park_handler_new("job");
    CHECK(job != NULL);
    return job;
}

/* A job that runs the loop. */
static inline park_handler *start_loop(struct loop *loop)
{
    park_handler *job = new_job();
    CHECK_EQ(park_start(job, run_loop, loop, NULL, 0), PARK_OK);
    return job;
}

static inline void end_loop(park_handler *job, struct loop *loop)
{
    atomic_store(&loop->enough, 1);
    CHECK_EQ(park_wait(job, LONG_TIME), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static inline void wait_iterations(struct loop *loop, long more)
{
    long from = atomic_load(&loop->iterations);
    WAIT_UNTIL(atomic_load(&loop->iterations) >= from + more);
}

static inline const char *error_of(park_handler *job)
{
    static _Thread_local char text[1024];
    text[0] = '\0';
    park_last_error(job, text, sizeof text);
    return text;
}

static inline const char *reason_of(park_handler *job)
{
    static _Thread_local char text[1024];
    text[0] = '\0';
    park_reason(job, text, sizeof text);
    return text;
}

static inline const char *text_of(const park_event *event)
{
    static _Thread_local char text[1024];
    text[0] = '\0';
    park_event_text(event, text, sizeof text);
    return text;
}

/* Counts how often it was called: for destroy. */
static inline void count_destroy(void *user) { atomic_fetch_add((atomic_int *)user, 1); }

/* The next event of a client, which must come. */
static inline park_event *next_event(park_client *client)
{
    park_event *event = NULL;
    CHECK_EQ(park_next_event(client, LONG_TIME, &event), PARK_OK);
    CHECK(event != NULL);
    return event;
}

/* Skips events until one of this kind. The caller frees it. */
static inline park_event *next_of_kind(park_client *client, int kind)
{
    for (;;) {
        park_event *event = next_event(client);
        if (park_event_kind(event) == kind) return event;
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
}

static inline void expect_kind(park_client *client, int kind)
{
    park_event *event = next_event(client);
    CHECK_EQ(park_event_kind(event), kind);
    CHECK_EQ(park_event_free(event), PARK_OK);
}

#endif
