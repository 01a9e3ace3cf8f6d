/* park_ready and park_progress with nothing pending: no memory, no lock, no system call, no clock. Shown, not said:
 * allocations are counted, every system call of the thread is trapped, and then the machine's instructions are looked at
 * one by one. */
#include "job.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Allocations of this thread. Volatile: compilers think that malloc changes nothing of ours. */
static _Thread_local volatile long allocations;

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*allocate)(const volatile void *, size_t),
                                              void (*release)(const volatile void *));
static void on_malloc(const volatile void *at, size_t bytes) { (void)at; (void)bytes; allocations++; }
static void on_free(const volatile void *at) { (void)at; allocations++; }
static void count_allocations(void) { CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0); }
#else
/* These take the place of the C library's for the whole program, the libraries included. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
void *malloc(size_t bytes) { allocations++; return __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { allocations++; return __libc_calloc(count, bytes); }
void *realloc(void *at, size_t bytes) { allocations++; return __libc_realloc(at, bytes); }
void *memalign(size_t alignment, size_t bytes) { allocations++; return __libc_memalign(alignment, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { allocations++; return __libc_memalign(alignment, bytes); }
int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    allocations++;
    *out = __libc_memalign(alignment, bytes);
    return *out ? 0 : ENOMEM;
}
void free(void *at) { if (at) allocations++; __libc_free(at); }
static void count_allocations(void) {}
#endif

/* A job for which nothing is pending and nothing becomes so. */
static park_handler *attach_quietly(void)
{
    int i;
    park_handler *job = new_job();
    for (i = PARK_PROGRESS_DELTA; i <= PARK_IMPROVED_DELTA; i++) CHECK_EQ(park_set_delta(job, i, 1e6), PARK_OK);
    CHECK_EQ(park_attach(job), PARK_OK);
    for (i = 0; i < 3; i++) {
        CHECK_EQ(park_progress(job, i, 1e7), PARK_OK);
        CHECK_EQ(park_ready(job), PARK_OK);
    }
    return job;
}

static void ask_a_million_times(park_handler *job)
{
    long i, count = scaled(1000000);
    int statuses = 0;
    for (i = 0; i < count; i++) {
        statuses |= park_progress(job, (double)i, 1e7);
        statuses |= park_ready(job);
    }
    CHECK_EQ(statuses, PARK_OK);
}

static void end_quietly(park_handler *job)
{
    CHECK_EQ(park_detach(job), PARK_OK);
    CHECK_EQ(park_handler_free(job), PARK_OK);
}

TEST(nothing_is_allocated)
{
    long before;
    void *volatile something;
    park_handler *job;
    if (strcmp(check_under(), "valgrind") == 0) check_not_run("valgrind has malloc for itself");
    count_allocations();
    before = allocations;
    something = malloc(10);                               /* the counter counts, also in the library: */
    free(something);
    CHECK_EQ(allocations, before + 2);
    job = attach_quietly();
    before = allocations;
    CHECK_EQ(park_improved(job, 1, "state", 5), PARK_OK);
    CHECK(allocations > before);
    CHECK_EQ(park_ready(job), PARK_OK);
    CHECK_EQ(park_ready(job), PARK_OK);
    before = allocations;
    ask_a_million_times(job);
    CHECK_EQ(allocations, before);
    end_quietly(job);
}

#if defined(__x86_64__)

/* The one place from which system calls are let through, so that the others can be counted and then done. */
long allowed_call(long number, long a, long b, long c, long d, long e, long f);
extern const char allowed_call_end[];
__asm__(".text\n.globl allowed_call\n.type allowed_call, @function\nallowed_call:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %r10\nmov %r9, %r8\nmov 8(%rsp), %r9\n"
        "syscall\n.globl allowed_call_end\nallowed_call_end:\nret\n.size allowed_call, .-allowed_call\n");

static volatile sig_atomic_t trapped;

static void on_system_call(int number, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)number;
    (void)info;
    trapped++;
    r[REG_RAX] = allowed_call(r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]);
}

/* From here on every system call of this thread raises SIGSYS. */
static void trap_system_calls(void)
{
    uint64_t end = (uint64_t)(uintptr_t)allowed_call_end;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 5, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_system_call;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        check_not_run("this machine has no seccomp filters");
}

static void *ask_with_every_system_call_trapped(void *argument)
{
    park_handler *job = attach_quietly();
    int before;
    (void)argument;
    trap_system_calls();
    before = trapped;
    CHECK(syscall(SYS_getppid) == getppid());             /* the trap works, and so does the call */
    CHECK_EQ(trapped, before + 2);
    before = trapped;
    ask_a_million_times(job);
    CHECK_EQ(trapped, before);
    end_quietly(job);
    CHECK(trapped > before);                              /* freeing had to ask the system */
    return NULL;
}

TEST(no_system_call_is_made)
{
    if (strcmp(check_under(), "valgrind") == 0) check_not_run("valgrind makes system calls of its own");
    join(spawn(ask_with_every_system_call_trapped, NULL));
}

/* What the traced program does; a breakpoint stands between the parts. */
#define BREAK __asm__ volatile("int3" ::: "memory")
enum { PAIRS = 50 };
static atomic_long lockable;

static int be_traced(void)
{
    int i, statuses = 0;
    struct timespec time;
    park_handler *job = attach_quietly();
    syscall(SYS_getppid);
    clock_gettime(CLOCK_MONOTONIC, &time);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) return 78;
    raise(SIGSTOP);
    BREAK;
    atomic_fetch_add(&lockable, 1);
    BREAK;
    syscall(SYS_getppid);
    BREAK;
    clock_gettime(CLOCK_MONOTONIC, &time);
    BREAK;
    for (i = 0; i < PAIRS; i++) {
        statuses |= park_progress(job, i, PAIRS);
        statuses |= park_ready(job);
    }
    BREAK;
    end_quietly(job);
    return statuses;
}

struct seen { long instructions, locks, calls, clocks; };

/* Looks at one instruction of x86-64: all that matters here are prefixes and a few opcodes. */
static void look(const unsigned char *code, struct seen *seen)
{
    int i = 0, lock = 0;
    for (;; i++) {
        unsigned char byte = code[i];
        if (byte == 0xF0) lock = 1;
        else if (byte != 0x66 && byte != 0x67 && byte != 0xF2 && byte != 0xF3 && byte != 0x2E && byte != 0x36 && byte != 0x3E &&
                 byte != 0x26 && byte != 0x64 && byte != 0x65 && (byte & 0xF0) != 0x40)
            break;
    }
    if ((code[i] == 0x86 || code[i] == 0x87) && code[i + 1] < 0xC0) lock = 1;       /* xchg with memory locks by itself */
    if (code[i] == 0x0F && (code[i + 1] == 0x05 || code[i + 1] == 0x34)) seen->calls++;
    if (code[i] == 0x0F && (code[i + 1] == 0x31 || (code[i + 1] == 0x01 && code[i + 2] == 0xF9))) seen->clocks++;
    seen->locks += lock;
    seen->instructions++;
}

static int stopped_by(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 78) check_not_run("this machine allows no ptrace");
    CHECK(WIFSTOPPED(status));
    return WSTOPSIG(status);
}

/* Steps to the next breakpoint. */
static struct seen step(pid_t child)
{
    struct seen seen = { 0, 0, 0, 0 };
    for (;;) {
        struct user_regs_struct registers;
        union { long words[2]; unsigned char bytes[16]; } code;
        CHECK(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0);
        code.words[0] = ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)registers.rip, NULL);
        code.words[1] = ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)(registers.rip + 8), NULL);
        if (code.bytes[0] == 0xCC) break;
        look(code.bytes, &seen);
        CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        CHECK_EQ(stopped_by(child), SIGTRAP);
    }
    CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);      /* over the breakpoint itself */
    CHECK_EQ(stopped_by(child), SIGTRAP);
    return seen;
}

TEST(no_lock_is_taken_and_no_clock_is_read)
{
    struct seen seen;
    int status = 0;
    pid_t child;
    if (strcmp(check_under(), "valgrind") == 0) check_not_run("under valgrind other instructions run");
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "ready_is_free", "traced", (char *)NULL);
        _exit(79);
    }
    CHECK_EQ(stopped_by(child), SIGSTOP);
    CHECK(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
    CHECK_EQ(stopped_by(child), SIGTRAP);                 /* the first breakpoint */
    seen = step(child);
    CHECK(seen.locks > 0);                                /* an atomic addition: a lock is seen */
    seen = step(child);
    CHECK_EQ(seen.calls, 1);                              /* a system call is seen */
    seen = step(child);
    CHECK(seen.clocks + seen.calls > 0);                  /* reading the clock is seen */
    seen = step(child);
    CHECK_EQ(seen.locks, 0);
    CHECK_EQ(seen.calls, 0);
    CHECK_EQ(seen.clocks, 0);
    printf("# park_progress and park_ready: %ld instructions in %d iterations, loop and calls included\n", seen.instructions,
           (int)PAIRS);
#ifndef SANITIZED
    CHECK(seen.instructions <= 50 * PAIRS);               /* nothing hides behind them */
#endif
    CHECK(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

#else
static int be_traced(void) { return 78; }
TEST(no_system_call_is_made) { check_not_run("written for x86-64"); }
TEST(no_lock_is_taken_and_no_clock_is_read) { check_not_run("written for x86-64"); }
#endif

static const struct check_test tests[] = {
    CASE(nothing_is_allocated),
    CASE(no_system_call_is_made),
    CASE(no_lock_is_taken_and_no_clock_is_read),
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "traced") == 0) return be_traced();
    return check_main(argc, argv, tests, (int)(sizeof tests / sizeof tests[0]));
}
