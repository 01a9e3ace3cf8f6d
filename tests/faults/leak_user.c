/* Planted: what a reply callback was to free is not freed by it.
 * expect valgrind: definitely lost
 * expect asan: main tests/faults/leak_user.c
 */
#include <park.h>
#include <stdlib.h>

static void forget(void *user)
{
    (void)user;
}

static void on_reply(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)job, (void)status, (void)reply, (void)user;
}

int main(void)
{
    park_handler *job = park_handler_new("leak");
    park_ask_later(job, PARK_GET, NULL, on_reply, malloc(100), forget);
    return park_handler_free(job);
}
