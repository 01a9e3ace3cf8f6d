/* Checks for the tests in C and C++. Each test runs in a process of its own: a crash, a hang or a failed check ends
 * that test and no other. `./program` runs all tests, `./program NAME` runs one, in this very process.
 *
 *   cc -std=c11 -g -pthread -Iinclude -Itests tests/signals.c -Ltarget/release -lpark -lm -Wl,-rpath,$PWD/target/release
 *
 * PARK_TEST_UNDER names the program that owns time and memory (valgrind, asan, tsan); PARK_TEST_SCALE divides the long loops;
 * PARK_TEST_PATIENCE is how many seconds a test waits for what must come. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_COUNT_ERRORS
#define VALGRIND_COUNT_ERRORS 0
#endif

struct check_test { const char *name; void (*run)(void); };
#define TEST(name) static void name(void)
#define CASE(name) { #name, name }

static const char *check_name = "?";

/* Whether another program (valgrind, a sanitizer) owns time and memory. */
static inline const char *check_under(void)
{
    const char *under = getenv("PARK_TEST_UNDER");
    return under ? under : "";
}

/* Loops that are long only to be thorough are shorter there. */
static inline long scaled(long count)
{
    const char *scale = getenv("PARK_TEST_SCALE");
    long divisor = scale ? atol(scale) : strcmp(check_under(), "") == 0 ? 1 : strcmp(check_under(), "asan") == 0 ? 4 : 50;
    return divisor > 1 ? (count + divisor - 1) / divisor : count;
}

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inline void nap(double seconds)
{
    struct timespec time;
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}

/* From any thread: the test ends here. */
static inline void check_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("not ok %s: %s:%d: ", check_name, file, line);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    _exit(1);
}

/* The test cannot be run here: it neither passes nor fails, and the output says so. */
static inline void check_not_run(const char *why)
{
    printf("not run %s: %s\n", check_name, why);
    fflush(stdout);
    _exit(77);
}

#define CHECK(condition) do { if (!(condition)) check_fail(__FILE__, __LINE__, "%s", #condition); } while (0)

static inline void check_eq(long long got, long long expected, const char *file, int line, const char *what)
{
    if (got != expected) check_fail(file, line, "%s: %lld, expected %lld", what, got, expected);
}
#define CHECK_EQ(got, expected) check_eq((long long)(got), (long long)(expected), __FILE__, __LINE__, #got)

static inline void check_real(double got, double expected, const char *file, int line, const char *what)
{
    if (!(got >= expected && got <= expected)) check_fail(file, line, "%s: %.17g, expected %.17g", what, got, expected);
}
#define CHECK_REAL(got, expected) check_real((got), (expected), __FILE__, __LINE__, #got)

static inline void check_text(const char *got, const char *expected, const char *file, int line, const char *what)
{
    if (strcmp(got, expected) != 0) check_fail(file, line, "%s: \"%s\", expected \"%s\"", what, got, expected);
}
#define CHECK_TEXT(got, expected) check_text((got), (expected), __FILE__, __LINE__, #got)

static inline void check_mentions(const char *text, const char *word, const char *file, int line, const char *what)
{
    if (!strstr(text, word)) check_fail(file, line, "%s: \"%s\" does not mention \"%s\"", what, text, word);
}
#define CHECK_MENTIONS(text, word) check_mentions((text), (word), __FILE__, __LINE__, #text)

/* Ends this process well. For one that holds what it cannot free, as a child made by fork does: becoming another program
 * keeps the leak checkers out of it. Errors that they have found before still count. */
static inline void check_leave(void)
{
    fflush(stdout);
    if (!*check_under()) exit(0);
    if (VALGRIND_COUNT_ERRORS) _exit(1);
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

/* Waits for what another thread brings about. A hang fails here, with the place, before the watchdog barks. */
static inline double check_patience(void)
{
    const char *patience = getenv("PARK_TEST_PATIENCE");
    return patience ? atof(patience) : *check_under() ? 250.0 : 50.0;
}
#define WAIT_UNTIL(condition) do { \
        double check_began = now(); \
        while (!(condition)) { \
            if (now() - check_began > check_patience()) check_fail(__FILE__, __LINE__, "never came: %s", #condition); \
            nap(0.0005); \
        } \
    } while (0)

/* A gate between threads: closed until it is opened. */
struct gate { pthread_mutex_t lock; pthread_cond_t changed; int open; };
#define GATE { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

static inline void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = 1;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_wait(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->open) pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static inline pthread_t spawn(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, argument) == 0);
    return thread;
}

static inline void join(pthread_t thread) { CHECK(pthread_join(thread, NULL) == 0); }

static inline int check_one(const struct check_test *test)
{
    int status = 0;
    pid_t child;
    fflush(NULL);
    child = fork();
    if (child == 0) {
        check_name = test->name;
        alarm((unsigned)check_patience() + 10);
        test->run();
        fflush(NULL);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok %s\n", test->name);
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return 0;
    if (WIFSIGNALED(status))
        printf("not ok %s: %s\n", test->name,
               WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 1)
        printf("not ok %s: exit code %d\n", test->name, WEXITSTATUS(status));
    return 1;
}

static inline int check_main(int argc, char **argv, const struct check_test *tests, int count)
{
    int i, failed = 0;
    for (i = 0; i < count; i++) {
        if (argc < 2) {
            failed += check_one(&tests[i]);
        } else if (strcmp(argv[1], tests[i].name) == 0) {
            check_name = tests[i].name;
            alarm((unsigned)check_patience() + 10);
            tests[i].run();
            printf("ok %s\n", check_name);
            return 0;
        }
    }
    if (argc >= 2) {
        printf("not ok %s: no such test\n", argv[1]);
        return 1;
    }
    fflush(stdout);
    return failed != 0;
}
#define CHECK_MAIN(tests) \
    int main(int argc, char **argv) { return check_main(argc, argv, tests, (int)(sizeof tests / sizeof tests[0])); }

#endif
