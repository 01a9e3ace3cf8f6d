/* Planted: the loop and a callback on the service thread count in one variable without a lock.
 * expect tsan: ThreadSanitizer: data race
 */
#include <park.h>
#include <stddef.h>

static int calls;

static int count(park_handler *job, const park_event *event, void *user)
{
    (void)job, (void)event, (void)user;
    calls++;
    return 0;
}

int main(void)
{
    park_handler *job = park_handler_new("race");
    int i;
    park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, count, NULL, NULL);
    park_attach(job);
    for (i = 0; i < 1000; i++) {
        calls++;
        park_improved(job, -i, &i, sizeof i);
        park_ready(job);
    }
    park_detach(job);
    return park_handler_free(job);
}
