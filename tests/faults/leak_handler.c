/* Planted: a handler, with its thread, is never freed. AddressSanitizer does not see it: its own thread still holds it.
 * expect valgrind: park_handler_new
 */
#include <park.h>
#include <stddef.h>

int main(void)
{
    park_handler *job = park_handler_new("leak");
    job = NULL;
    return job != NULL;
}
