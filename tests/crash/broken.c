/* A broken checkpoint is seen as such, with a word about why, and the older one serves: every byte changed in turn, every
 * length cut, and what else can stand under its name. */
#include "../job.h"
#include <fcntl.h>
#include <sys/stat.h>

#define OLDER 5
#define NEWER 10

static char directory[256], newest[320], own_file[340];
static int64_t step;
static double u[40];
static park_handler *job;
static park_client *logs;

static int own(park_handler *handler, int operation, void *user)
{
    char path[4096];
    FILE *file;
    (void)user;
    if (operation != PARK_SAVE) return PARK_OK;
    if (park_checkpoint_path(handler, path, sizeof path) < 0) return PARK_FAILED;
    strncat(path, "/own.txt", sizeof path - strlen(path) - 1);
    if (!(file = fopen(path, "w"))) return PARK_FAILED;
    fprintf(file, "step %lld of the job\n", (long long)step);
    return fclose(file) ? PARK_FAILED : PARK_OK;
}

/* A directory with a checkpoint of step 5 and one of step 10. */
static void two_checkpoints(int with_own)
{
    strcpy(directory, "build/tests/crash/broken-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    job = new_job();
    logs = park_client_new(job, PARK_EVENT_LOG);
    CHECK(logs != NULL);
    CHECK_EQ(park_protect(job, "u", u, PARK_F64, 40), PARK_OK);
    CHECK_EQ(park_protect(job, "step", &step, PARK_I64, 1), PARK_OK);
    if (with_own) CHECK_EQ(park_on_checkpoint(job, own, NULL, NULL), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, directory, 2), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (step = OLDER; step <= NEWER; step += NEWER - OLDER) {
        for (int i = 0; i < 40; i++) u[i] = (double)step + i;
        CHECK_EQ(park_checkpoint_now(job), PARK_OK);
        CHECK_EQ(park_checkpoint_wait(job, LONG_TIME), PARK_OK);
    }
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_OK);
    snprintf(newest, sizeof newest, "%s/000002.safetensors", directory);
    snprintf(own_file, sizeof own_file, "%s/000002.files/own.txt", directory);
    CHECK(access(newest, F_OK) == 0);
}

static void removed(void)
{
    char command[400];
    CHECK_EQ(park_client_free(logs), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    CHECK(system(command) == 0);
}

/* What a start makes of the directory: the step that is restored, 0 for none. A warning must name the newest when it is not used. */
static int64_t restored(const char *what, int64_t index)
{
    char text[1024] = "";
    park_event *event;
    int status, warned = 0;
    memset(u, 0, sizeof u);
    step = 0;
    if (park_checkpoint_dir(job, directory, 2) != PARK_OK) check_fail(__FILE__, __LINE__, "%s %lld: %s", what, (long long)index, error_of(job));
    CHECK_EQ(park_attach(job), PARK_OK);
    status = park_restore(job);
    if (status != PARK_OK && status != PARK_NO_CHECKPOINT) check_fail(__FILE__, __LINE__, "%s %lld: status %d: %s", what, (long long)index, status, error_of(job));
    CHECK_EQ(park_detach(job), PARK_OK);
    while (park_next_event(logs, 0, &event) == PARK_OK) {
        park_event_text(event, text, sizeof text);
        warned |= park_event_level(event) == PARK_LOG_WARNING && strstr(text, "000002.safetensors") != NULL;
        CHECK_EQ(park_event_free(event), PARK_OK);
    }
    CHECK_EQ(park_checkpoint_dir(job, NULL, 0), PARK_OK);
    for (int i = 0; i < 40 && status == PARK_OK; i++)
        if (u[i] < (double)step + i || u[i] > (double)step + i) check_fail(__FILE__, __LINE__, "%s %lld: step %lld comes with u[%d] = %g", what, (long long)index, (long long)step, i, u[i]);
    if (step != NEWER && !warned) check_fail(__FILE__, __LINE__, "%s %lld: no warning names the newest", what, (long long)index);
    return step;
}

static void must_be_seen(const char *what, int64_t index)
{
    int64_t from = restored(what, index);
    if (from != OLDER) check_fail(__FILE__, __LINE__, "%s %lld: not seen: restored step %lld", what, (long long)index, (long long)from);
}

static unsigned char *contents(const char *path, int64_t *bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    unsigned char *read_bytes = malloc((size_t)status.st_size + 1);
    CHECK(read(fd, read_bytes, (size_t)status.st_size) == status.st_size);
    close(fd);
    *bytes = status.st_size;
    return read_bytes;
}

static void put(const char *path, const void *bytes, int64_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, (size_t)length) == length);
    close(fd);
}

/* One bit of each byte, and all of them; in the campaign every bit by itself. */
static void every_byte_of(const char *path)
{
    int64_t bytes, flips = 0;
    unsigned char *whole = contents(path, &bytes);
    int fd = open(path, O_RDWR), single = getenv("PARK_CAMPAIGN") ? 8 : 1;
    for (int64_t at = 0; at < bytes; at++)
        for (int which = 0; which <= single; which++) {
            unsigned char changed = (unsigned char)(whole[at] ^ (which == single ? 0xff : 1 << (single == 1 ? (at * 5 + 5) % 8 : which)));
            CHECK(pwrite(fd, &changed, 1, at) == 1);
            must_be_seen("byte", at);
            CHECK(pwrite(fd, &whole[at], 1, at) == 1);
            flips++;
        }
    close(fd);
    CHECK_EQ(restored("whole again", 0), NEWER);
    printf("%lld changes of %lld bytes of %s, all seen\n", (long long)flips, (long long)bytes, strrchr(path, '/') + 1);
    free(whole);
}

static void every_length_of(const char *path)
{
    int64_t bytes;
    unsigned char *whole = contents(path, &bytes);
    for (int64_t length = 0; length < bytes; length++) {
        CHECK(truncate(path, length) == 0);
        must_be_seen("length", length);
        /* Filled with zeros, as a file system does with what it has not written. */
        CHECK(truncate(path, bytes) == 0);
        int same = 1;
        for (int64_t i = length; i < bytes; i++) same &= whole[i] == 0;
        if (!same) must_be_seen("zeros from", length);
        put(path, whole, bytes);
    }
    for (int64_t more = 1; more <= 8192; more *= 2) {
        CHECK(truncate(path, bytes + more) == 0);
        must_be_seen("longer by", more);
        CHECK(truncate(path, bytes) == 0);
    }
    CHECK_EQ(restored("whole again", 0), NEWER);
    printf("%lld lengths of %s, all seen\n", (long long)bytes, strrchr(path, '/') + 1);
    free(whole);
}

TEST(every_byte_of_a_checkpoint_counts)
{
    two_checkpoints(0);
    alarm(600);
    every_byte_of(newest);
    removed();
}

TEST(every_length_of_a_checkpoint_but_its_own_is_seen)
{
    two_checkpoints(0);
    alarm(600);
    every_length_of(newest);
    removed();
}

TEST(the_users_own_files_count_as_well)
{
    char older[400], other[400];
    two_checkpoints(1);
    alarm(600);
    every_byte_of(own_file);
    every_length_of(own_file);
    snprintf(older, sizeof older, "%s/000001.files/own.txt", directory);
    snprintf(other, sizeof other, "%s/kept", directory);
    CHECK(rename(own_file, other) == 0);
    must_be_seen("its own file is not there", 0);
    CHECK(link(older, own_file) == 0);
    must_be_seen("its own file is the older one's", 0);
    CHECK(unlink(own_file) == 0 && mkdir(own_file, 0700) == 0);
    must_be_seen("its own file is a directory", 0);
    CHECK(rmdir(own_file) == 0 && mkfifo(own_file, 0600) == 0);
    must_be_seen("its own file is a pipe", 0);
    CHECK(unlink(own_file) == 0 && rename(other, own_file) == 0);
    CHECK_EQ(restored("whole again", 0), NEWER);
    removed();
}

TEST(what_else_stands_under_the_name_is_seen)
{
    char older[320], kept[320];
    int64_t bytes;
    two_checkpoints(0);
    snprintf(older, sizeof older, "%s/000001.safetensors", directory);
    snprintf(kept, sizeof kept, "%s/kept", directory);
    CHECK(rename(newest, kept) == 0);
    unsigned char *whole = contents(older, &bytes);
    put(newest, whole, bytes);
    must_be_seen("the older one under its name", 0);
    free(whole);
    CHECK(unlink(newest) == 0 && symlink("kept", newest) == 0);
    must_be_seen("a link", 0);
    CHECK(unlink(newest) == 0 && mkdir(newest, 0700) == 0);
    must_be_seen("a directory", 0);
    CHECK(rmdir(newest) == 0 && mkfifo(newest, 0600) == 0);
    must_be_seen("a pipe", 0);
    CHECK(unlink(newest) == 0 && symlink("nowhere", newest) == 0);
    must_be_seen("a link to nowhere", 0);
    CHECK(unlink(newest) == 0);
    /* Lengths of headers that lie. */
    for (int bits = 0; bits < 64; bits++) {
        uint64_t lie = UINT64_C(1) << bits;
        unsigned char *lying = contents(kept, &bytes);
        memcpy(lying, &lie, sizeof lie);
        put(newest, lying, bytes);
        must_be_seen("a header of 2 to the", bits);
        lie -= 1;
        memcpy(lying, &lie, sizeof lie);
        put(newest, lying, bytes);
        must_be_seen("a header of one less than 2 to the", bits);
        free(lying);
    }
    CHECK(unlink(newest) == 0 && rename(kept, newest) == 0);
    CHECK_EQ(restored("whole again", 0), NEWER);
    removed();
}

TEST(with_all_broken_there_is_none_and_nothing_is_touched)
{
    char older[320];
    two_checkpoints(0);
    snprintf(older, sizeof older, "%s/000001.safetensors", directory);
    CHECK(truncate(older, 100) == 0 && truncate(newest, 100) == 0);
    CHECK_EQ(restored("all broken", 0), 0);
    for (int i = 0; i < 40; i++) CHECK(!(u[i] < 0 || u[i] > 0));
    CHECK(access(older, F_OK) == 0 && access(newest, F_OK) == 0);
    removed();
}

static const struct check_test tests[] = {
    CASE(every_byte_of_a_checkpoint_counts),
    CASE(every_length_of_a_checkpoint_but_its_own_is_seen),
    CASE(the_users_own_files_count_as_well),
    CASE(what_else_stands_under_the_name_is_seen),
    CASE(with_all_broken_there_is_none_and_nothing_is_touched),
};
CHECK_MAIN(tests)
