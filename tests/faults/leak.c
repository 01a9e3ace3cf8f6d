/* Planted: a message and a handler, with its thread and its queue of events, are never freed.
 * expect valgrind: definitely lost
 * expect asan: LeakSanitizer: detected memory leaks
 */
#include <park.h>
#include <stddef.h>

int main(void)
{
    park_message *message = park_message_new("leak");
    park_handler *job = park_handler_new("leak");
    park_message_put_text(message, "text", "never freed");
    park_on_signal(job, "never freed", NULL, NULL, NULL);
    message = NULL;
    job = NULL;
    return message == NULL && job == NULL ? 0 : 1;
}
