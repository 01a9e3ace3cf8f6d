/* What the tests of maps and imaps share: a job whose run is this thread's, and work that takes its time. */
#ifndef MAPS_H
#define MAPS_H

#include "job.h"

/* With so many threads. */
static inline park_handler *attached(int workers)
{
    park_handler *job = new_job();
    CHECK_EQ(park_set_workers(job, workers), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    return job;
}

static inline void done(park_handler *job)
{
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

static inline void busy(double seconds)
{
    double end = now() + seconds;
    while (now() < end) {}
}

#endif
