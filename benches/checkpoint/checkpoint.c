/* What a checkpoint of 256 MiB of doubles costs, beside the ways in which one would write it oneself. Built by run.sh.
 *
 *   checkpoint DIRECTORY ROUNDS
 *
 * All contestants run in turn, in random order, round after round; before each, the array is rewritten as a simulation does, and
 * what the last one left to the disk is awaited. Ratios are medians over rounds, of answers of the same round. */
#define _GNU_SOURCE
#include "../bench.h"
#include <fcntl.h>
#include <hdf5.h>
#include <park.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 16 << 20, MOST_ROUNDS = 99 };
#define COUNT ((int64_t)32 << 20)
#define BYTES (COUNT * (int64_t)sizeof(double))

extern uint32_t crc32(const void *bytes, size_t length);

static double *u, *copy;
static int64_t iteration;
static const char *directory;
static char path[4096], beside[4200];

#define MUST_DO(condition) do { if (!(condition)) { perror(#condition); exit(1); } } while (0)

static void *pages(void)
{
    void *memory = mmap(NULL, (size_t)BYTES + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST_DO(memory != MAP_FAILED);
    memory = (void *)(((uintptr_t)memory + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
    madvise(memory, (size_t)BYTES, MADV_HUGEPAGE);
    memset(memory, 1, (size_t)BYTES);
    return memory;
}

/* What the simulation does between two checkpoints. */
static void rewrite(void)
{
    iteration++;
    for (int64_t i = 0; i < COUNT; i++) u[i] += (double)(i + iteration);
}

/* Until this process neither reads nor writes any more. */
static void settle(void)
{
    int64_t before = -1, sum, quiet = 0;
    sync();
    while (quiet < 10) {
        char line[128];
        FILE *io = fopen("/proc/self/io", "r");
        sum = 0;
        while (fgets(line, sizeof line, io))
            if (!strncmp(line, "read_bytes", 10) || !strncmp(line, "write_bytes", 11)) sum += atoll(strchr(line, ':') + 1);
        fclose(io);
        quiet = sum == before ? quiet + 1 : 0;
        before = sum;
        usleep(10000);
    }
}

static double since(int64_t began) { return (double)(now_ns() - began) * 1e-9; }

static const char *named(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void flush_directory(void)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY);
    MUST_DO(fd >= 0 && fsync(fd) == 0);
    close(fd);
}

/* ---- the contestants: seconds each ------------------------------------------------------------------ */

static double by_memcpy(void)
{
    int64_t began = now_ns();
    memcpy(copy, u, (size_t)BYTES);
    return since(began);
}

static double by_crc(void)
{
    static volatile uint32_t sum;
    int64_t began = now_ns();
    sum = crc32(u, (size_t)BYTES);
    (void)sum;
    return since(began);
}

static void write_all(int fd)
{
    for (int64_t at = 0; at < BYTES;) {
        ssize_t more = pwrite(fd, (char *)u + at, (size_t)(BYTES - at < PIECE ? BYTES - at : PIECE), at);
        MUST_DO(more > 0);
        at += more;
    }
}

/* The least that a disk can be asked for: the same blocks again, past the page cache, flushed. */
static double by_overwriting(void)
{
    int fd = open(named("allocated"), O_WRONLY | O_CREAT | O_DIRECT, 0600);
    MUST_DO(fd >= 0);
    int64_t began = now_ns();
    write_all(fd);
    MUST_DO(fdatasync(fd) == 0);
    double seconds = since(began);
    close(fd);
    return seconds;
}

static double by_new_direct_file(void)
{
    unlink(named("direct"));
    sync();
    int64_t began = now_ns();
    int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT, 0600);
    MUST_DO(fd >= 0 && fallocate(fd, 0, 0, BYTES) == 0);
    write_all(fd);
    MUST_DO(fsync(fd) == 0);
    flush_directory();
    double seconds = since(began);
    close(fd);
    return seconds;
}

static void move_into_place(const char *name)
{
    snprintf(beside, sizeof beside, "%s/%s", directory, name);
    MUST_DO(rename(path, beside) == 0);
    flush_directory();
}

/* What is written by hand, when it is written well. */
static double by_hand(void)
{
    int64_t began = now_ns();
    int fd = open(named("new"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST_DO(fd >= 0);
    write_all(fd);
    MUST_DO(fsync(fd) == 0 && close(fd) == 0);
    move_into_place("by-hand");
    return since(began);
}

static double by_hdf5(void)
{
    hsize_t shape[] = {COUNT};
    int64_t began = now_ns();
    hid_t file = H5Fcreate(named("new.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(1, shape, NULL);
    hid_t set = H5Dcreate2(file, "u", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    MUST_DO(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, u) >= 0);
    H5Dclose(set), H5Sclose(space);
    MUST_DO(H5Fclose(file) >= 0);
    int fd = open(path, O_RDONLY);
    MUST_DO(fd >= 0 && fsync(fd) == 0);
    close(fd);
    move_into_place("by-hdf5.h5");
    return since(began);
}

static struct park { park_handler *job; double stall; int64_t slower; } parks[3]; /* with workers, alone, in place */

static void new_park(struct park *of, const char *name, int workers, int mode)
{
    of->job = park_handler_new("bench");
    if (workers) MUST(park_set_workers(of->job, workers));
    MUST(park_protect(of->job, "u", u, PARK_F64, COUNT));
    MUST(park_protect(of->job, "iteration", &iteration, PARK_I64, 1));
    MUST(park_checkpoint_mode(of->job, mode));
    MUST(park_checkpoint_dir(of->job, named(name), 1));
}

static double by_park(struct park *of)
{
    MUST(park_attach(of->job));
    int64_t began = now_ns();
    MUST(park_checkpoint_now(of->job));
    of->stall = since(began);
    MUST(park_checkpoint_wait(of->job, PARK_FOREVER));
    double seconds = since(began);
    MUST(park_detach(of->job));
    return seconds;
}

static double by_park_with_workers(void) { return by_park(&parks[0]); }
static double by_park_alone(void) { return by_park(&parks[1]); }
static double by_park_in_place(void) { return by_park(&parks[2]); }

enum { MEMCPY, CRC, OVERWRITING, NEW_DIRECT, BY_HAND, HDF5, PARK, ALONE, IN_PLACE, CONTESTANTS };
static double (*const contestants[])(void) = {by_memcpy, by_crc, by_overwriting, by_new_direct_file, by_hand, by_hdf5, by_park_with_workers, by_park_alone, by_park_in_place};
static const char *const names[] = {"one memcpy", "crc32 alone", "O_DIRECT, overwriting an allocated file", "O_DIRECT, a new file", "write, fsync, rename", "HDF5, fsync, rename", "park", "park, one worker", "park, in place"};

static double seconds[CONTESTANTS][MOST_ROUNDS], stalls[CONTESTANTS][MOST_ROUNDS];
static int rounds;

static double middle(const double *values)
{
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    return median(sorted, rounds);
}

/* The median of the rounds' ratios, and its quartiles into `range`. */
static double ratio(const double *of, const double *to, char *range)
{
    double ratios[MOST_ROUNDS];
    for (int r = 0; r < rounds; r++) ratios[r] = of[r] / to[r];
    double low = quantile(ratios, rounds, 0.25), high = quantile(ratios, rounds, 0.75);
    sprintf(range, "quartiles %.2f %.2f", low, high);
    return median(ratios, rounds);
}

static void compare(const char *what, const double *of, int peer, double target, int at_most, int is_rate)
{
    char range[64], wanted[32] = "", beside_text[160];
    double value = is_rate ? ratio(seconds[peer], of, range) : ratio(of, seconds[peer], range);
    if (target > 0) snprintf(wanted, sizeof wanted, "%s %.1f", at_most ? "<=" : ">=", target);
    if (is_rate) snprintf(beside_text, sizeof beside_text, "%s: %.0f MB/s; %s", names[peer], (double)BYTES * 1e-6 / middle(seconds[peer]), range);
    else snprintf(beside_text, sizeof beside_text, "%s: %.1f ms; %s", names[peer], 1e3 * middle(seconds[peer]), range);
    line(what, is_rate ? text("%.0f MB/s", (double)BYTES * 1e-6 / middle(of)) : text("%.1f ms", 1e3 * middle(of)), beside_text, value, wanted,
         target > 0 ? met(at_most ? value <= target : value >= target) : "");
}

int main(int argc, char **argv)
{
    directory = argc > 1 ? argv[1] : ".";
    rounds = argc > 2 ? atoi(argv[2]) : 9;
    u = pages(), copy = pages();
    new_park(&parks[0], "park", 0, PARK_CHECKPOINT_COPY);
    new_park(&parks[1], "alone", 1, PARK_CHECKPOINT_COPY);
    new_park(&parks[2], "in-place", 0, PARK_CHECKPOINT_IN_PLACE);
    /* Two rounds before the first: buffers are touched, blocks allocated, a spare is there. */
    for (int r = -3; r < rounds; r++) {
        int order[CONTESTANTS];
        for (int i = 0; i < CONTESTANTS; i++) order[i] = i;
        shuffle(order, CONTESTANTS);
        for (int i = 0; i < CONTESTANTS; i++) {
            int which = order[i];
            rewrite();
            settle();
            double took = contestants[which]();
            if (r < 0) continue;
            seconds[which][r] = took;
            if (which >= PARK) stalls[which][r] = parks[which - PARK].stall;
        }
    }
    compare("the loop stands still: park", stalls[PARK], MEMCPY, 1.2, 1, 0);
    compare("  with one worker", stalls[ALONE], MEMCPY, 1.2, 1, 0);
    for (int which = PARK; which < CONTESTANTS; which++) {
        if (which == ALONE) continue;
        if (which == PARK) {
            double after[MOST_ROUNDS];
            for (int r = 0; r < rounds; r++) after[r] = seconds[PARK][r] - stalls[PARK][r];
            compare("from the end of the copy until it is durable: park", after, OVERWRITING, 0.9, 0, 1);
        }
        compare(text("until it is durable: %s", names[which]), seconds[which], OVERWRITING, 0.9, 0, 1);
        compare("  the same", seconds[which], BY_HAND, 1.7, 0, 1);
        compare("  the same", seconds[which], HDF5, 2.0, 0, 1);
        compare("  the same", seconds[which], NEW_DIRECT, 0, 0, 1);
    }
    line("crc32 alone", text("%.0f MB/s", (double)BYTES * 1e-6 / middle(seconds[CRC])), "", -1, "", "");
    line("one memcpy", text("%.0f MB/s", (double)BYTES * 1e-6 / middle(seconds[MEMCPY])), "", -1, "", "");
    for (int i = 0; i < 3; i++) MUST(park_handler_free(parks[i].job));
    return 0;
}
