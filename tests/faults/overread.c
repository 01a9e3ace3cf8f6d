/* Planted: the library is told to copy more bytes than there are.
 * expect valgrind: Invalid read of size
 * expect asan: heap-buffer-overflow
 */
#include <park.h>
#include <stdlib.h>

int main(void)
{
    park_handler *job = park_handler_new("overread");
    char *state = calloc(1, 100);
    park_attach(job);
    park_improved(job, 1.0, state, 200);
    park_detach(job);
    free(state);
    return park_handler_free(job);
}
