/* Planted: what a callback uses is freed before the callback is called.
 * expect valgrind: Invalid write of size
 * expect asan: heap-use-after-free
 */
#include <park.h>
#include <stdlib.h>

static int count(park_handler *job, const park_event *event, void *user)
{
    (void)job, (void)event;
    ++*(volatile int *)user;
    return 0;
}

int main(void)
{
    park_handler *job = park_handler_new("use_after_free");
    int *calls = calloc(1, sizeof *calls);
    park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, count, calls, NULL);
    free(calls);
    park_attach(job);
    park_ready(job);
    park_detach(job);
    return park_handler_free(job);
}
