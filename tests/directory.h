/* A directory of checkpoints for a test, and what tests do with one. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "job.h"
#include <sys/stat.h>

/* Its own for each test: they run side by side. */
static inline const char *new_directory(void)
{
    static char path[64];
    snprintf(path, sizeof path, "build/tests/%ld-XXXXXX", (long)getpid());
    CHECK(mkdtemp(path) != NULL);
    return path;
}

static inline void remove_directory(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    CHECK_EQ(system(command), 0);
}

static inline const char *manifest(const char *directory, int generation)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof path, "%s/%06d.safetensors", directory, generation);
    return path;
}

static inline int is_there(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0;
}

/* Changes one byte, counted from the end. */
static inline void damage(const char *path, long from_end)
{
    FILE *file = fopen(path, "r+b");
    int byte;
    CHECK(file != NULL);
    CHECK_EQ(fseek(file, -from_end, SEEK_END), 0);
    byte = fgetc(file);
    CHECK_EQ(fseek(file, -from_end, SEEK_END), 0);
    fputc(byte ^ 1, file);
    CHECK_EQ(fclose(file), 0);
}

/* What a line of the log says, of this level; it must come. */
static inline void expect_log(park_client *client, int level, const char *words)
{
    for (;;) {
        park_event *event = next_of_kind(client, PARK_EVENT_LOG);
        int found = park_event_level(event) == level && strstr(text_of(event), words) != NULL;
        CHECK_EQ(park_event_free(event), PARK_OK);
        if (found) return;
    }
}

#endif
