/* A job that is killed: deterministic steps on protected arrays, saves, and a line for all that happens.
 *
 *   cc -O1 -g -pthread -Iinclude tests/crash/job.c -o build/tests/crash/job -Ltarget/release -lpark
 *   job DIRECTORY STEPS [every=5 size=700 big=0 keep=2 mode=copy|place own=0|1 wait=0|1 (for each save, and until it is told) nap=MICROSECONDS fsize=BYTES]
 *
 * Lines: fresh | restored STEP; copied STEP (only with a big array: the loop goes on); saved STEP FILE (it is durable); failed STEP WHY;
 * log LEVEL TEXT; refused WHAT STATUS WHY (exit code 3); end STEP HASH. Each is one write, so that a kill never leaves half of one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <park.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static park_handler *job;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[4096];
    va_list arguments;
    int length;
    va_start(arguments, format);
    length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    for (int i = 0; i < length; i++)
        if (line[i] == '\n') line[i] = ' ';
    line[length++] = '\n';
    if (write(1, line, (size_t)length) < 0) _exit(4);
}

static int refused(const char *what, int status)
{
    char why[2048] = "";
    park_last_error(job, why, sizeof why);
    say("refused %s %d %s", what, status, why);
    return 3;
}

/* ---- the simulation: all of it is in the checkpoint -------------------------------------------------- */

enum { MOST = 64 };
static int64_t step, size = 700, big;
static double *u;
static uint64_t *b;                           /* so large that how fast it is written tells how fast the medium is */
static float f[3][5];
static uint8_t odd[13];                       /* a size that is no multiple of anything */
static double alpha = 1;                      /* exposed */
static struct { int64_t count, items[MOST]; } list; /* custom: its size changes */

static void advance(void)
{
    uint64_t x = (uint64_t)step * 0x9e3779b97f4a7c15u + 1;
    step++;
    alpha = 1 + (double)(step % 17) / 16;
    for (int64_t i = 0; i < size; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        u[i] = 0.5 * (u[i] + u[(i + 1) % size]) + alpha * (double)(x >> 40);
    }
    /* Something in each block of the disk's. */
    for (int64_t i = step % 64; i < big; i += 64) b[i] = b[i] * 0x9e3779b97f4a7c15u + x + (uint64_t)i;
    for (int i = 0; i < 15; i++) f[i / 5][i % 5] += (float)(u[i % size] * 1e-9);
    for (int i = 0; i < 13; i++) odd[i] = (uint8_t)(odd[i] * 5 + (uint8_t)step + i);
    list.count = step % MOST;
    for (int64_t i = 0; i < list.count; i++) list.items[i] = step * i;
}

static uint64_t mixed(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hashed(void)
{
    uint64_t hash = mixed(0xcbf29ce484222325u, u, (size_t)size * sizeof *u);
    double best = 0;
    int64_t state = 0;
    for (int64_t i = 0; i < big; i++) hash = (hash ^ b[i]) * 0x100000001b3u;
    park_best(job, &best, &state, sizeof state);
    hash = mixed(mixed(mixed(hash, f, sizeof f), odd, sizeof odd), &alpha, sizeof alpha);
    hash = mixed(mixed(hash, list.items, (size_t)list.count * sizeof *list.items), &list.count, sizeof list.count);
    return mixed(mixed(mixed(hash, &best, sizeof best), &state, sizeof state), &step, sizeof step);
}

static int list_save(park_handler *handler, park_sink *sink, void *user)
{
    (void)handler, (void)user;
    int status = park_sink_put(sink, &list.count, sizeof list.count);
    return status ? status : park_sink_put(sink, list.items, list.count * (int64_t)sizeof *list.items);
}

static int list_load(park_handler *handler, const void *bytes, int64_t length, void *user)
{
    (void)handler, (void)user;
    if (length < (int64_t)sizeof list.count || length > (int64_t)sizeof list) return PARK_FAILED;
    memcpy(&list, bytes, (size_t)length);
    return PARK_OK;
}

/* ---- a file of its own beside them -------------------------------------------------------------------- */

static char own_path[4096];
static int64_t own_step;

static int own_named(const char *name)
{
    char directory[4000];
    int64_t length = park_checkpoint_path(job, directory, sizeof directory);
    if (length < 0) return (int)length;
    snprintf(own_path, sizeof own_path, "%s/%s", directory, name);
    return PARK_OK;
}

static int own_failed(const char *what)
{
    say("log own %s: cannot %s: %s", own_path, what, strerror(errno));
    return PARK_FAILED;
}

/* As a careful program writes: cut short or interrupted, it goes on. */
static int put(int fd, const char *text, ssize_t length)
{
    for (ssize_t done = 0; done < length;) {
        ssize_t more = write(fd, text + done, (size_t)(length - done));
        if (more < 0 && errno != EINTR) return -1;
        if (more > 0) done += more;
    }
    return 0;
}

static int opened(int flags)
{
    int fd;
    do fd = open(own_path, flags, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int own(park_handler *handler, int operation, void *user)
{
    int status = own_named("own.txt"), fd;
    ssize_t length;
    char text[64] = "";
    long long of;
    (void)handler, (void)user;
    if (status) return status;
    if (operation == PARK_SAVE) {
        if ((fd = opened(O_WRONLY | O_CREAT | O_TRUNC)) < 0) return own_failed("open");
        length = snprintf(text, sizeof text, "step %lld\n", (long long)step);
        if (put(fd, text, length)) return own_failed("write"), close(fd), PARK_FAILED;
        return close(fd) && errno != EINTR ? own_failed("close") : PARK_OK;
    }
    if ((fd = opened(O_RDONLY)) < 0) return own_failed("open");
    for (size_t at = 0; at < sizeof text - 1; at += (size_t)length) {
        do length = read(fd, text + at, sizeof text - 1 - at);
        while (length < 0 && errno == EINTR);
        if (length <= 0) break;
    }
    if (length < 0) return own_failed("read"), close(fd), PARK_FAILED;
    close(fd);
    if (sscanf(text, "step %lld", &of) != 1) return own_failed("understand");
    own_step = of;
    return PARK_OK;
}

/* ---- what was saved ------------------------------------------------------------------------------------ */

/* The steps of the saves that were begun and not yet told; the events come in the same order. */
static int64_t begun[1024], first, last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int told(park_handler *handler, const park_event *event, void *user)
{
    char text[2048] = "";
    (void)handler, (void)user;
    park_event_text(event, text, sizeof text);
    if (park_event_kind(event) == PARK_EVENT_LOG) {
        say("log %d %s", park_event_level(event), text);
        return 0;
    }
    pthread_mutex_lock(&lock);
    int64_t of = first < last ? begun[first++ % 1024] : -1;
    pthread_mutex_unlock(&lock);
    say("%s %lld %s", park_event_status(event) == PARK_OK ? "saved" : "failed", (long long)of, text);
    return 0;
}

static void save(int waits)
{
    pthread_mutex_lock(&lock);
    begun[last++ % 1024] = step;
    pthread_mutex_unlock(&lock);
    /* What becomes of it the event tells. */
    park_checkpoint_now(job);
    if (big) say("copied %lld", (long long)step);
    if (!waits) return;
    park_checkpoint_wait(job, PARK_FOREVER);
    for (int64_t is_told = 0; !is_told; usleep(20)) {
        pthread_mutex_lock(&lock);
        is_told = first == last;
        pthread_mutex_unlock(&lock);
    }
}

int main(int argc, char **argv)
{
    int64_t steps = argc > 2 ? atol(argv[2]) : 0, every = 5, keep = 2, nap = 0, fsize = 0, has_own = 0, waits = 0, place = 0;
    const int64_t shape[] = {3, 5};
    int status;
    for (int i = 3; i < argc; i++) {
        const char *value = strchr(argv[i], '=') + 1;
        switch (argv[i][0]) {
        case 'e': every = atol(value); break;
        case 's': size = atol(value); break;
        case 'b': big = atol(value); break;
        case 'k': keep = atol(value); break;
        case 'm': place = !strcmp(value, "place"); break;
        case 'o': has_own = atol(value); break;
        case 'w': waits = (int)atol(value); break;
        case 'n': nap = atol(value); break;
        case 'f': fsize = atol(value); break;
        }
    }
    if (fsize) setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)fsize, (rlim_t)fsize});
    u = calloc((size_t)size, sizeof *u);
    b = calloc((size_t)big + 1, sizeof *b);
    job = park_handler_new("torture");
    park_on_event(job, PARK_EVENT_CHECKPOINT | PARK_EVENT_LOG, PARK_ON_SERVICE, told, NULL, NULL);
    park_expose_f64(job, "alpha", &alpha, 0, 3);
    park_protect(job, "u", u, PARK_F64, size);
    if (big) park_protect(job, "big", b, PARK_U64, big);
    park_protect_shape(job, "f", f, PARK_F32, 2, shape);
    park_protect(job, "odd", odd, PARK_U8, 13);
    park_protect(job, "step", &step, PARK_I64, 1);
    if ((status = park_protect_custom(job, "list", list_save, list_load, NULL, NULL))) return refused("protect", status);
    if (has_own) park_on_checkpoint(job, own, NULL, NULL);
    park_set_delta(job, PARK_CHECKPOINT_DELTA, 1e6);
    park_checkpoint_mode(job, place ? PARK_CHECKPOINT_IN_PLACE : PARK_CHECKPOINT_COPY);
    if ((status = park_checkpoint_dir(job, argv[1], keep))) return refused("directory", status);
    park_attach(job);
    status = park_restore(job);
    if (status < 0) return refused("restore", status);
    if (status == PARK_NO_CHECKPOINT) say("fresh");
    else if (has_own && own_step != step) say("wrong: the file of its own is of step %lld, the rest of %lld", (long long)own_step, (long long)step);
    else say("restored %lld", (long long)step);
    while (step < steps) {
        advance();
        park_progress(job, step, steps);
        if (step % 7 == 0) park_improved(job, 1.0 / (double)step, &step, sizeof step);
        if (step % every == 0) save((int)waits);
        if (park_ready(job)) break;
        if (nap) usleep((useconds_t)nap);
    }
    park_checkpoint_wait(job, PARK_FOREVER);
    say("end %lld %016llx", (long long)step, (unsigned long long)hashed());
    park_detach(job);
    park_handler_free(job);
    return 0;
}
