/* What a host's first file does: includes park.h, twice by accident, and runs a job.
 * Compiled as every C and C++ that park promises; two.c is the second translation unit. */
#include <park.h>
#include <park.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C"
#endif
int two(park_handler *job);

int main(void)
{
    char version[64];
    park_handler *job;
    int status;

    sprintf(version, "%d.%d.%d", PARK_VERSION_MAJOR, PARK_VERSION_MINOR, PARK_VERSION_PATCH);
    if (strcmp(version, CARGO_VERSION) != 0 || strcmp(park_version(), CARGO_VERSION) != 0) {
        printf("macros %s, park_version %s, Cargo.toml %s\n", version, park_version(), CARGO_VERSION);
        return 1;
    }
    job = park_handler_new("header");
    if (job == NULL)
        return 2;
    status = two(job);
    if (status != PARK_OK) {
        printf("%s\n", park_status_string(status));
        return 3;
    }
    return park_handler_free(job) == PARK_OK ? 0 : 4;
}
