/* What goes wrong between a program and its disk, by LD_PRELOAD. Only calls on one directory are touched, counted from 1.
 *
 *   cc -O1 -shared -fPIC tests/crash/faults.c -o build/tests/crash/faults.so -ldl -pthread
 *
 * FAULT_DIR       the directory, by the path that realpath gives
 * FAULT_AT        the call that it happens to; FAULT_ON=1: this one and all later ones that change something
 * FAULT           kill: dies before the call. torn: dies in the middle of it. short: half of a transfer. ENOSPC, EIO, ...: it fails.
 *                 A flush that fails with EIO loses what was written before it, as Linux does: the next flush succeeds.
 *                 rot: a transfer succeeds, and one bit is not what was written.
 * FAULT_TRACE     a file: one line a call, and one with number 0 for what the program says
 * FAULT_SLOW      so many microseconds more for each write, one after the other, and for each copy of a megabyte or more: a medium
 *                 and a loop that are at work at the same time, whatever the machine
 * FAULT_RECORD    a file: all that changes the directory, with the bytes, and what the program says on its standard output: for replay.py
 * FAULT_SYNC      skip: flushes are counted and recorded, not done (a kill does not need them). drop: not recorded either.
 * FAULT_DIRECT=0  opening past the page cache is refused, as network file systems do
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 4096 };
enum { PLAIN, CHANGES, MOVES, FLUSHES }; /* what a call does: nothing, changes something, transfers bytes, flushes */

static const char *directory, *fault;
static long at = -1, calls;
static int on, trace = -1, record = -1, skip, drop, undirect, slow;
static char *path_of[MOST];                  /* of descriptors in the directory */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static const struct { const char *name; int number; } errors[] = {
    {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO}, {"EINTR", EINTR}, {"EROFS", EROFS}, {"EFBIG", EFBIG}, {"EACCES", EACCES},
};

static void set_up(void)
{
    static int done;
    const char *text;
    if (done) return;
    done = 1;
    directory = getenv("FAULT_DIR"), fault = getenv("FAULT");
    if ((text = getenv("FAULT_AT"))) at = atol(text);
    on = getenv("FAULT_ON") != NULL;
    if ((text = getenv("FAULT_SYNC"))) skip = 1, drop = !strcmp(text, "drop");
    undirect = getenv("FAULT_DIRECT") != NULL;
    if ((text = getenv("FAULT_SLOW"))) slow = atoi(text);
    if ((text = getenv("FAULT_TRACE"))) trace = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((text = getenv("FAULT_RECORD"))) record = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(int where, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(int where, const char *format, ...)
{
    char line[8192];
    va_list arguments;
    int length;
    if (where < 0) return;
    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    syscall(SYS_write, where, line, length);
}

static int is_inside(const char *path)
{
    size_t length;
    set_up();
    if (!directory || !path) return 0;
    length = strlen(directory);
    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
}

static const char *inside_fd(int fd)
{
    set_up();
    return fd >= 0 && fd < MOST ? path_of[fd] : NULL;
}

/* A path below an open directory. The one that was given when it is not in the directory. */
static const char *join(int fd, const char *path, char *into)
{
    const char *above = inside_fd(fd);
    if (!path || path[0] == '/' || !above) return path;
    snprintf(into, 4096, "%s/%s", above, path);
    return into;
}

static void mark(int fd, const char *path, int flags)
{
    if (fd < 0 || fd >= MOST) return;
    free(path_of[fd]);
    path_of[fd] = strdup(path);
    note(record, "open %d %d %s\n", fd, flags & (O_CREAT | O_TRUNC | O_DIRECTORY), path);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What a failed flush leaves behind: a page that was dropped. */
static void lose(int fd)
{
    char name[64], zeros[512];
    int other;
    struct stat status;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (syscall(SYS_fstat, fd, &status) || !S_ISREG(status.st_mode)) return;
    other = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY, 0);
    if (other < 0) return;
    memset(zeros, 0, sizeof zeros);
    syscall(SYS_pwrite64, other, zeros, status.st_size < 512 ? (size_t)status.st_size : sizeof zeros, (off_t)0);
    syscall(SYS_close, other);
}

/* What becomes of a call: 0: it is done; 1: it fails, errno is set; 2: half of it; 3: half of it, then death; 4: with a wrong bit. */
static int strike(const char *name, int kind, int fd, const char *path)
{
    int strikes;
    size_t i;
    calls++;
    strikes = fault && at > 0 && (calls == at || (on && calls > at && kind != PLAIN));
    note(trace, "%ld %s %d %d %s\n", calls, name, kind, strikes, path ? path : "?");
    if (!strikes) return 0;
    if (!strcmp(fault, "kill")) die();
    if (!strcmp(fault, "torn")) return 3;
    if (!strcmp(fault, "short")) return 2;
    if (!strcmp(fault, "rot")) return 4;
    for (i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(fault, errors[i].name)) {
            if (kind == FLUSHES && errors[i].number == EIO) lose(fd);
            errno = errors[i].number;
            return 1;
        }
    return 0;
}

#define REAL(name) ({ static __typeof__(&name) real_; if (!real_) real_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real_; })
#define ENTER pthread_mutex_lock(&lock)
#define LEAVE(result) do { int errno_ = errno; pthread_mutex_unlock(&lock); errno = errno_; return (result); } while (0)

/* A call that is done or fails, and no more: `recorded` when it was done. */
#define WHOLE(name, kind, fd, path, failed, call, recorded) do { \
        __typeof__(call) result_; \
        int struck_; \
        ENTER; \
        struck_ = strike(name, kind, fd, path); \
        if (struck_ == 1) LEAVE(failed); \
        result_ = call; \
        if (struck_ == 3) die(); \
        if (result_ != (failed)) { int errno_ = errno; recorded; errno = errno_; } \
        LEAVE(result_); \
    } while (0)

/* ---- open and close --------------------------------------------------------------------------------- */

#define OPEN(name, below, given, flags, call) do { \
        char joined_[4096]; \
        const char *path_ = join(below, given, joined_); \
        int mode = 0; \
        if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); } \
        if (!is_inside(path_)) return call; \
        if (undirect && (flags) & O_DIRECT) { errno = EINVAL; return -1; } \
        WHOLE(name, (flags) & (O_CREAT | O_TRUNC) ? CHANGES : PLAIN, -1, path_, -1, call, mark(result_, path_, flags)); \
    } while (0)

int open(const char *path, int flags, ...) { OPEN("open", AT_FDCWD, path, flags, REAL(open)(path, flags, mode)); }
int open64(const char *path, int flags, ...) { OPEN("open", AT_FDCWD, path, flags, REAL(open64)(path, flags, mode)); }
int openat(int fd, const char *path, int flags, ...) { OPEN("open", fd, path, flags, REAL(openat)(fd, path, flags, mode)); }
int openat64(int fd, const char *path, int flags, ...) { OPEN("open", fd, path, flags, REAL(openat64)(fd, path, flags, mode)); }

FILE *fopen(const char *path, const char *mode)
{
    if (!is_inside(path)) return REAL(fopen)(path, mode);
    WHOLE("fopen", strpbrk(mode, "wa+") ? CHANGES : PLAIN, -1, path, NULL, REAL(fopen)(path, mode), mark(fileno(result_), path, O_CREAT | O_TRUNC));
}
FILE *fopen64(const char *path, const char *mode) { return fopen(path, mode); }

int close(int fd)
{
    char *path;
    if (!inside_fd(fd)) return REAL(close)(fd);
    ENTER;
    path = path_of[fd];
    path_of[fd] = NULL;
    /* Linux closes it whatever close says. */
    int struck = strike("close", PLAIN, fd, path), result, error = errno;
    note(record, "close %d\n", fd);
    result = REAL(close)(fd);
    if (struck == 3) die();
    if (struck == 1) result = -1, errno = error;
    free(path);
    LEAVE(result);
}

/* ---- transfers -------------------------------------------------------------------------------------- */

#define TRANSFER(name, kind, fd, length, part, whole, rot, recorded) do { \
        ssize_t result_; \
        int struck_; \
        if (!inside_fd(fd)) return whole; \
        ENTER; \
        struck_ = strike(name, kind, fd, path_of[fd]); \
        if (slow && (kind) == MOVES) usleep((useconds_t)slow); \
        if (struck_ == 1) LEAVE(-1); \
        if ((struck_ == 2 || struck_ == 3) && (length) > 1) { \
            /* half, in whole blocks where it can be, as a disk does; a transfer past the page cache wants it */ \
            size_t half = (length) / 2 >= 512 ? (length) / 2 / 512 * 512 : (length) / 2; \
            (void)half; \
            result_ = part; \
        } else result_ = whole; \
        if (result_ > 0) { int errno_ = errno; recorded; errno = errno_; } \
        if (struck_ == 3) die(); \
        if (struck_ == 4) result_ = rot; \
        LEAVE(result_); \
    } while (0)

static void recorded_bytes(int fd, const void *bytes, ssize_t length, off_t offset)
{
    if (record < 0) return;
    note(record, "write %d %lld %lld\n", fd, (long long)offset, (long long)length);
    syscall(SYS_write, record, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    set_up();
    if (fd == 1) note(trace, "0 said 0 0 %.*s", (int)length, (const char *)bytes);
    if (fd == 1 && record >= 0) { /* what was said, and when */
        ENTER;
        note(record, "said %zu\n", length);
        syscall(SYS_write, record, bytes, length);
        LEAVE(REAL(write)(fd, bytes, length));
    }
    TRANSFER("write", MOVES, fd, length, REAL(write)(fd, bytes, half), REAL(write)(fd, bytes, length), result_,
             recorded_bytes(fd, bytes, result_, lseek(fd, 0, SEEK_CUR) - result_));
}
/* What was written is changed afterwards. */
static ssize_t rotten(int fd, ssize_t length, off_t offset)
{
    char name[64], byte;
    int other;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    other = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR, 0);
    if (other >= 0 && syscall(SYS_pread64, other, &byte, (size_t)1, offset + 8) == 1) {
        byte ^= 4;
        syscall(SYS_pwrite64, other, &byte, (size_t)1, offset + 8);
        syscall(SYS_close, other);
    }
    return length;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset) \
    { \
        TRANSFER("pwrite", MOVES, fd, length, REAL(name)(fd, bytes, half, offset), REAL(name)(fd, bytes, length, offset), rotten(fd, result_, offset), \
                 recorded_bytes(fd, bytes, result_, offset)); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
ssize_t read(int fd, void *bytes, size_t length)
{
    TRANSFER("read", PLAIN, fd, length, REAL(read)(fd, bytes, half), REAL(read)(fd, bytes, length), result_, (void)0);
}
#define PREAD(name) \
    ssize_t name(int fd, void *bytes, size_t length, off_t offset) \
    { \
        TRANSFER("pread", PLAIN, fd, length, REAL(name)(fd, bytes, half, offset), REAL(name)(fd, bytes, length, offset), result_, (void)0); \
    }
PREAD(pread)
PREAD(pread64)

static void *(*volatile move)(void *, const void *, size_t) = memmove; /* or the compiler makes a memcpy of it */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    if (slow && length >= 1 << 20) usleep((useconds_t)slow);
    return move(to, from, length);
}

/* ---- flushes, lengths, names ------------------------------------------------------------------------ */

#define FLUSH(name) \
    int name(int fd) \
    { \
        if (!inside_fd(fd)) return REAL(name)(fd); \
        WHOLE(#name, FLUSHES, fd, path_of[fd], -1, skip ? 0 : REAL(name)(fd), drop ? (void)0 : note(record, "flush %d\n", fd)); \
    }
FLUSH(fsync)
FLUSH(fdatasync)

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)
{
    if (!inside_fd(fd)) return REAL(sync_file_range)(fd, offset, length, flags);
    WHOLE("sync_file_range", PLAIN, fd, path_of[fd], -1, skip ? 0 : REAL(sync_file_range)(fd, offset, length, flags), (void)0);
}
#define CUT(name) \
    int name(int fd, off_t length) \
    { \
        if (!inside_fd(fd)) return REAL(name)(fd, length); \
        WHOLE("ftruncate", CHANGES, fd, path_of[fd], -1, REAL(name)(fd, length), note(record, "cut %d %lld\n", fd, (long long)length)); \
    }
CUT(ftruncate)
CUT(ftruncate64)
#define ROOM(name) \
    int name(int fd, int mode, off_t offset, off_t length) \
    { \
        if (!inside_fd(fd)) return REAL(name)(fd, mode, offset, length); \
        WHOLE("fallocate", CHANGES, fd, path_of[fd], -1, REAL(name)(fd, mode, offset, length), \
              note(record, "room %d %lld\n", fd, (long long)(offset + length))); \
    }
ROOM(fallocate)
ROOM(fallocate64)

int rename(const char *from, const char *to)
{
    if (!is_inside(from)) return REAL(rename)(from, to);
    WHOLE("rename", CHANGES, -1, to, -1, REAL(rename)(from, to), note(record, "rename %s\n%s\n", from, to));
}
#define GONE(name, told, kind) \
    int name(const char *path) \
    { \
        if (!is_inside(path)) return REAL(name)(path); \
        WHOLE(#name, CHANGES, -1, path, -1, REAL(name)(path), note(record, told " %s\n", path)); \
    }
GONE(unlink, "unlink", 0)
GONE(rmdir, "unlink", 0)
int unlinkat(int fd, const char *given, int flags)
{
    char joined[4096];
    const char *path = join(fd, given, joined);
    if (!is_inside(path)) return REAL(unlinkat)(fd, given, flags);
    WHOLE("unlinkat", CHANGES, -1, path, -1, REAL(unlinkat)(fd, given, flags), note(record, "unlink %s\n", path));
}
int mkdir(const char *path, mode_t mode)
{
    if (!is_inside(path)) return REAL(mkdir)(path, mode);
    WHOLE("mkdir", CHANGES, -1, path, -1, REAL(mkdir)(path, mode), note(record, "mkdir %s\n", path));
}

/* ---- to look at ------------------------------------------------------------------------------------- */

#define FCNTL(name) \
    int name(int fd, int command, ...) \
    { \
        va_list more; \
        void *argument; \
        va_start(more, command); \
        argument = va_arg(more, void *); \
        va_end(more); \
        if (!inside_fd(fd)) return REAL(name)(fd, command, argument); \
        WHOLE(command == F_SETLK ? "lock" : command == F_SETLEASE ? "lease" : "fcntl", PLAIN, fd, path_of[fd], -1, REAL(name)(fd, command, argument), (void)0); \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
int statx(int fd, const char *restrict given, int flags, unsigned mask, struct statx *restrict into)
{
    char joined[4096];
    const char *volatile named = given; /* NULL when std asks whether there is such a call */
    const char *path = named && *named ? join(fd, given, joined) : inside_fd(fd);
    if (!is_inside(path)) return REAL(statx)(fd, given, flags, mask, into);
    WHOLE("stat", PLAIN, -1, path, -1, REAL(statx)(fd, given, flags, mask, into), (void)0);
}
int fstatfs(int fd, struct statfs *into)
{
    if (!inside_fd(fd)) return REAL(fstatfs)(fd, into);
    WHOLE("fstatfs", PLAIN, fd, path_of[fd], -1, REAL(fstatfs)(fd, into), (void)0);
}
int posix_fadvise64(int fd, off64_t offset, off64_t length, int advice)
{
    if (!inside_fd(fd)) return REAL(posix_fadvise64)(fd, offset, length, advice);
    WHOLE("fadvise", PLAIN, fd, path_of[fd], -1, REAL(posix_fadvise64)(fd, offset, length, advice), (void)0);
}
char *realpath(const char *restrict path, char *restrict into)
{
    if (!is_inside(path)) return REAL(realpath)(path, into);
    WHOLE("realpath", PLAIN, -1, path, NULL, REAL(realpath)(path, into), (void)0);
}
DIR *opendir(const char *path)
{
    if (!is_inside(path)) return REAL(opendir)(path);
    WHOLE("opendir", PLAIN, -1, path, NULL, REAL(opendir)(path), mark(dirfd(result_), path, O_DIRECTORY));
}
int closedir(DIR *open)
{
    int fd = dirfd(open);
    if (inside_fd(fd)) free(path_of[fd]), path_of[fd] = NULL;
    return REAL(closedir)(open);
}
struct dirent64 *readdir64(DIR *open)
{
    int fd = dirfd(open);
    if (!inside_fd(fd)) return REAL(readdir64)(open);
    ENTER;
    int struck = strike("readdir", PLAIN, fd, path_of[fd]);
    if (struck == 1) LEAVE(NULL);
    if (struck == 3) die();
    LEAVE(REAL(readdir64)(open));
}
