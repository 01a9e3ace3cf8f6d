/* The second translation unit of one.c, in the same language or the other one. */
#include <park.h>

static int kinds;

#ifdef __cplusplus
extern "C" {
#endif

static int on_event(park_handler *job, const park_event *event, void *user)
{
    (void)job;
    *(int *)user |= park_event_kind(event);
    return 0;
}

int two(park_handler *job);

int two(park_handler *job)
{
    static const double limits[2] = {0.0, 1.0};
    static double alpha = 0.5;
    int64_t step, id;
    int status;

    id = park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, on_event, &kinds, 0);
    if (id <= 0)
        return (int)id;
    if ((status = park_expose_f64(job, "alpha", &alpha, limits[0], limits[1])) != PARK_OK)
        return status;
    if ((status = park_attach(job)) != PARK_OK)
        return status;
    for (step = 0; step < 3; step++) {
        park_progress(job, (double)step, 3.0);
        if (park_ready(job) != PARK_OK)
            return PARK_FAILED;
    }
    if ((status = park_detach(job)) != PARK_OK)
        return status;
    if ((kinds & PARK_EVENT_START) == 0 || (kinds & PARK_EVENT_COMPLETE) == 0)
        return PARK_FAILED;
    return park_wait(job, PARK_FOREVER);
}

#ifdef __cplusplus
}
#endif
