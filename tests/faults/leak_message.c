/* Planted: a message is never freed.
 * expect valgrind: park_message_put_text
 * expect asan: park_message_put_text
 */
#include <park.h>
#include <stddef.h>

int main(void)
{
    park_message *message = park_message_new("leak");
    park_message_put_text(message, "text", "never freed");
    message = NULL;
    return message != NULL;
}
