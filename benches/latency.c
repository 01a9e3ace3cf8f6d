/* How soon the loop sees a pause, how soon a callback sees an event, and what an event costs the loop.
 *
 *   mkdir -p build/bench
 *   gcc -O2 -pthread -Iinclude benches/latency.c -o build/bench/latency -Ltarget/release -lpark -Wl,-rpath,'$ORIGIN/../../target/release'
 *   build/bench/latency pause        # iterations from the end of park_signal(PARK_PAUSE) until the loop halts
 *   build/bench/latency event        # park_improved to a callback on the service thread, beside a mailbox with a futex
 *   build/bench/latency cost         # what park_improved costs its caller, beside a copy of the state
 */
#define _GNU_SOURCE
#include "bench.h"
#include <linux/futex.h>
#include <park.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- how often this thread wakes another --------------------------------------------------------- */

/* libpark.so reaches the kernel's futex through libc's syscall(), and so finds this one, which counts. */
static _Thread_local int64_t wakes;

long syscall(long number, ...)
{
    long a[6], result;
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE)
        wakes += result > 0; /* a call that finds nobody asleep is cheap */
    if (result < 0 && result > -4096) {
        extern int *__errno_location(void);
        *__errno_location() = (int)-result;
        return -1;
    }
    return result;
}

/* ---- pause --------------------------------------------------------------------------------------- */

#define PAUSES 10000
#define STAMPS 4096 /* a power of two */

/* The loop notes when each iteration begins, in memory that nobody reads until it has halted. A counter that the other thread
 * reads would not do: its newest values are still in the loop's store buffer when they are asked for, and make iterations
 * from before the signal look as if they came after it. The processor's time stamps are the same on all cores. */
static park_handler *job;
static int64_t stamps[STAMPS], iterations;
static atomic_int attached;

static inline int64_t stamp(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (int64_t)((uint64_t)high << 32 | low);
}

static inline int64_t stamp_of_loop(void) /* without the fence: nothing in the loop waits for it */
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (int64_t)((uint64_t)high << 32 | low);
}

static void *loop_without_pause(void *unused)
{
    MUST(park_attach(job));
    atomic_store(&attached, 1);
    for (;;) {
        stamps[iterations++ % STAMPS] = stamp_of_loop();
        if (park_ready(job))
            break;
    }
    MUST(park_detach(job));
    return unused;
}

static void await_state(int state)
{
    while (park_state(job) != state)
        ;
}

static void pause_latency(void)
{
    static double after[PAUSES], during[PAUSES], nanoseconds[PAUSES], each[PAUSES];
    int64_t late = 0;
    pthread_t loop;

    /* What a stamp is in ns. */
    int64_t t = now_ns(), s = stamp();
    compute_for(20000000);
    double tick = (double)(now_ns() - t) / (double)(stamp() - s);

    job = park_handler_new("pause");
    pthread_create(&loop, NULL, loop_without_pause, NULL);
    while (!atomic_load(&attached))
        ;
    for (int i = 0; i < PAUSES; i++) {
        compute_for(10000 + (int64_t)random_below(20000)); /* it runs */
        int64_t called = stamp();
        MUST(park_signal(job, PARK_PAUSE));
        int64_t returned = stamp();
        await_state(PARK_STATE_PAUSED); /* the loop has halted: its stamps can be read */
        int64_t last = iterations - 1, begun = 0, since_call = 0;
        for (int64_t k = last; k > last - STAMPS && k >= 0 && stamps[k % STAMPS] > called; k--) {
            since_call++;
            begun += stamps[k % STAMPS] > returned;
        }
        after[i] = (double)begun;
        during[i] = (double)since_call;
        nanoseconds[i] = (double)(stamps[last % STAMPS] - returned) * tick;
        each[i] = (double)(stamps[last % STAMPS] - stamps[(last - 100) % STAMPS]) * tick / 100;
        late += begun > 2;
        MUST(park_signal(job, PARK_RESUME));
        await_state(PARK_STATE_RUNNING);
    }
    MUST(park_signal(job, PARK_ABORT));
    pthread_join(loop, NULL);
    MUST(park_handler_free(job));

    double middle = median(after, PAUSES);
    line("iterations begun after park_signal(PARK_PAUSE) returned",
         text("median %.0f, 99.9%% %.0f, most %.0f", middle, quantile(after, PAUSES, 0.999), after[PAUSES - 1]),
         text("%d pauses, %lld above 2", PAUSES, (long long)late), -1.0, "<= 2", met(late == 0));
    middle = median(during, PAUSES);
    line("  begun after it was called", text("median %.0f, 99%% %.0f", middle, quantile(during, PAUSES, 0.99)),
         text("an iteration takes %.1f ns", median(each, PAUSES)), -1.0, "", "");
    middle = median(nanoseconds, PAUSES);
    line("  ns from its return to the begin of the last iteration", text("median %.0f, most %.0f", middle, nanoseconds[PAUSES - 1]),
         "negative: before it returned", -1.0, "", "");
}

/* ---- event --------------------------------------------------------------------------------------- */

/* All receivers on one processor, the loop on another: else it is chance which of them shares its processor with whom. And
 * before whatever else runs here, where that is allowed: else the tail is that of the machine's other work. */
static void stay_on(int processor, int receives)
{
    cpu_set_t one;
    struct sched_param least = {.sched_priority = 1};
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    sched_setaffinity(0, sizeof one, &one);
    if (receives)
        (void)sched_setscheduler(0, SCHED_RR, &least);
    else
        (void)setpriority(PRIO_PROCESS, 0, -20);
}

/* What one would write by hand for one message: a slot, a word to sleep on. */
typedef struct {
    _Alignas(128) atomic_uint word;
    int64_t slot;
    char state[80];
    atomic_int end;
    pthread_t thread;
    _Alignas(128) atomic_llong seen; /* when the receiver had it; 0 before */
} mailbox;

static long futex(atomic_uint *word, int operation, unsigned value)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void *receive(void *argument)
{
    mailbox *box = argument;
    unsigned last = 0;
    stay_on(1, 1);
    for (;;) {
        unsigned now = atomic_load_explicit(&box->word, memory_order_acquire);
        if (now == last) {
            futex(&box->word, FUTEX_WAIT, last);
            continue;
        }
        last = now;
        if (atomic_load(&box->end))
            return NULL;
        atomic_store_explicit(&box->seen, now_ns(), memory_order_release);
    }
}

static void post(mailbox *box, const void *state, size_t bytes)
{
    memcpy(box->state, state, bytes);
    atomic_fetch_add_explicit(&box->word, 1, memory_order_release);
    futex(&box->word, FUTEX_WAKE, 1);
}

static _Alignas(128) atomic_llong callback_saw;

static int on_service(park_handler *unused, const park_event *event, void *user)
{
    static _Thread_local int stays;
    (void)unused, (void)event, (void)user;
    if (!stays)
        stay_on(stays = 1, 1);
    atomic_store_explicit(&callback_saw, now_ns(), memory_order_release);
    return 0;
}

#define BLOCKS 31
#define A_BLOCK 500
enum { PARK, FUTEX, FUTEX_AGAIN, RECEIVERS };

static void event_latency(void)
{
    static double sample[RECEIVERS][BLOCKS][A_BLOCK], all[RECEIVERS][BLOCKS * A_BLOCK];
    static mailbox box[RECEIVERS];
    double middle[RECEIVERS][BLOCKS], tail[RECEIVERS][BLOCKS], ratio[BLOCKS];
    char state[80] = "the best so far";
    static int order[RECEIVERS * A_BLOCK];

    job = park_handler_new("event");
    MUST(park_attach(job));
    stay_on(0, 0);
    MUST(park_on_event(job, PARK_EVENT_IMPROVED, PARK_ON_SERVICE, on_service, NULL, NULL));
    for (int r = FUTEX; r < RECEIVERS; r++)
        pthread_create(&box[r].thread, NULL, receive, &box[r]);
    /* In random order altogether: what came before, and when, must be the same for all. */
    for (int b = -1; b < BLOCKS; b++) { /* the first one warms up */
        int had[RECEIVERS] = {0};
        for (int k = 0; k < RECEIVERS * A_BLOCK; k++)
            order[k] = k % RECEIVERS;
        shuffle(order, RECEIVERS * A_BLOCK);
        for (int k = 0; k < RECEIVERS * A_BLOCK; k++) {
            int r = order[k], i = had[r]++;
            atomic_llong *seen = r == PARK ? &callback_saw : &box[r].seen;
            compute_for(200000 + (int64_t)random_below(300000));
            atomic_store(seen, 0);
            int64_t begin = now_ns(), end;
            if (r == PARK)
                MUST(park_improved(job, -(double)i, state, sizeof state));
            else
                post(&box[r], state, sizeof state);
            while ((end = atomic_load_explicit(seen, memory_order_acquire)) == 0)
                ;
            if (b >= 0)
                all[r][b * A_BLOCK + i] = sample[r][b][i] = (double)(end - begin) / 1000;
        }
    }
    for (int r = FUTEX; r < RECEIVERS; r++) {
        atomic_store(&box[r].end, 1);
        post(&box[r], state, sizeof state);
        pthread_join(box[r].thread, NULL);
    }
    MUST(park_detach(job));
    MUST(park_handler_free(job));
    (void)setpriority(PRIO_PROCESS, 0, 0);

    for (int r = 0; r < RECEIVERS; r++)
        for (int b = 0; b < BLOCKS; b++) {
            middle[r][b] = median(sample[r][b], A_BLOCK);
            tail[r][b] = quantile(sample[r][b], A_BLOCK, 0.99);
        }
    double pooled_median = quantile(all[FUTEX], BLOCKS * A_BLOCK, 0.5);
    for (int which = 0; which < 2; which++) {
        double(*of)[BLOCKS] = which ? tail : middle;
        double p = which ? 0.99 : 0.5, pooled[RECEIVERS], control;
        for (int r = 0; r < RECEIVERS; r++)
            pooled[r] = quantile(all[r], BLOCKS * A_BLOCK, p);
        for (int b = 0; b < BLOCKS; b++)
            ratio[b] = of[FUTEX_AGAIN][b] / of[FUTEX][b];
        control = median(ratio, BLOCKS);
        for (int b = 0; b < BLOCKS; b++)
            ratio[b] = of[PARK][b] / ((of[FUTEX][b] + of[FUTEX_AGAIN][b]) / 2);
        double result = median(ratio, BLOCKS);
        line(which ? "us from park_improved to a service callback, 99th percentile" : "us from park_improved to a service callback, median",
             text("%.1f (all together %.1f)", median(of[PARK], BLOCKS), pooled[PARK]),
             text("futex mailbox: %.1f (all together %.1f, %.1f)", median(of[FUTEX], BLOCKS), pooled[FUTEX], pooled[FUTEX_AGAIN]),
             result, "<= 1.1", control < 1 / 1.1 || control > 1.1 || pooled[FUTEX] > 20 * pooled_median ? "not to be told: too noisy" : met(result <= 1.1));
        line("  a second futex mailbox beside the first: what the machine leaves open",
             text("park's ratio in blocks of %d: %.2f to %.2f (quartiles)", A_BLOCK, quantile(ratio, BLOCKS, 0.25), quantile(ratio, BLOCKS, 0.75)),
             "", control, "", "");
    }
}

/* ---- cost ---------------------------------------------------------------------------------------- */

enum { NO_CLIENT, COMPUTATION, SERVICE, QUEUE, KINDS };
static const char *const kind_name[KINDS] = {"no client", "computation callback", "service callback", "queue client"};

static atomic_llong arrived; /* events at the client */

static int taken(park_handler *unused, const park_event *event, void *user)
{
    (void)unused;
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    if (park_event_kind(event) == PARK_EVENT_CUT_OFF)
        *(int *)user = 1; /* then the numbers are not those of a client that keeps up */
    return 0;
}

static void *drain(void *argument)
{
    park_client *client = argument;
    park_event *event;
    int status;
    while ((status = park_next_event(client, PARK_FOREVER, &event)) == PARK_OK) {
        park_event_free(event);
        atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    }
    return status == PARK_CUT_OFF ? argument : NULL;
}

static const int64_t sizes[] = {0, 80, 8 << 10, 1 << 20};
static const char *const size_name[] = {"0", "80 B", "8 kB", "1 MiB"};
#define SIZES 4
#define BURSTS 200
#define MOST 100

static char *source, *copies;
#define COPIES 4 /* the copies of a burst go round, as they would in any queue */

static void copy(int64_t bytes, int i)
{
    memcpy(copies + (i % COPIES) * bytes, source, (size_t)bytes);
    __asm__ volatile("" : : "r"(copies) : "memory");
}

/* One burst: the first call by itself, then the others, `gap` ns of computing between them. */
static void burst(int64_t bytes, int events, int64_t gap, double clock, double *out_first, double *out_other)
{
    int64_t begin, other = 0;
    begin = now_ns();
    MUST(park_improved(job, 0, source, bytes));
    *out_first = (double)(now_ns() - begin) - clock;
    if (gap == 0) {
        begin = now_ns();
        for (int i = 1; i < events; i++)
            MUST(park_improved(job, -i, source, bytes));
        other = now_ns() - begin;
        *out_other = ((double)other - clock) / (events - 1);
    } else {
        static double each[MOST];
        for (int i = 1; i < events; i++) {
            compute_for(gap);
            begin = now_ns();
            MUST(park_improved(job, -i, source, bytes));
            each[i - 1] = (double)(now_ns() - begin) - clock;
        }
        *out_other = median(each, events - 1); /* most of the time passes outside the calls, and others' work falls there too */
    }
}

/* Another one, in which the wake-ups are counted that come after the first event. Where the machine held the loop up for longer
 * than PAUSE_NS, a new burst begins: its first event may pay again. */
#define PAUSE_NS 80000

static int64_t wakes_within(int64_t bytes, int events, int64_t gap)
{
    int64_t within = 0, last = 0;
    for (int i = 0; i < events; i++) {
        int64_t before = wakes, begin;
        if (i)
            compute_for(gap);
        begin = now_ns();
        MUST(park_improved(job, -i, source, bytes));
        if (i && now_ns() - last < PAUSE_NS) /* since the call before began */
            within += wakes - before;
        last = begin;
    }
    return within;
}

/* Between two bursts the receiver gets all that was sent, however busy the machine is, and goes to sleep. */
static void rest(int kind, int64_t sent)
{
    for (int64_t end = now_ns() + INT64_C(2000000000); kind != NO_CLIENT && atomic_load(&arrived) < sent && now_ns() < end;)
        ;
    compute_for(300000 + (int64_t)random_below(200000));
}

static void cost_of(int kind, int s, int64_t gap, double clock)
{
    static double first[BURSTS], other[BURSTS], copied[BURSTS], ratio[BURSTS];
    int64_t bytes = sizes[s], most_wakes = 0, woke = 0;
    int events = bytes > 100000 ? 16 : MOST, bursts = bytes > 100000 ? BURSTS / 4 : BURSTS;
    int64_t sent = 0;
    int cut_off = 0;
    park_client *client = NULL;
    pthread_t drainer;

    atomic_store(&arrived, 0);
    job = park_handler_new("cost");
    MUST(park_attach(job));
    if (kind == COMPUTATION)
        MUST(park_on_event(job, PARK_EVENT_IMPROVED, PARK_ON_COMPUTATION, taken, &cut_off, NULL));
    if (kind == SERVICE)
        MUST(park_on_event(job, PARK_EVENT_IMPROVED, PARK_ON_SERVICE, taken, &cut_off, NULL));
    if (kind == QUEUE) {
        client = park_client_new(job, PARK_EVENT_IMPROVED);
        pthread_create(&drainer, NULL, drain, client);
    }
    for (int b = -5; b < bursts; b++) {
        int i = b < 0 ? 0 : b;
        rest(kind, sent);
        sent += events;
        burst(bytes, events, gap, clock, &first[i], &other[i]);
        int64_t begin = now_ns();
        for (int k = 1; k < events; k++)
            copy(bytes, k);
        copied[i] = bytes ? ((double)(now_ns() - begin) - clock) / (events - 1) : 0;
        ratio[i] = other[i] / (3 * copied[i] + 100);
        MUST(park_ready(job));
    }
    for (int b = 0; b < bursts && (kind == SERVICE || kind == QUEUE); b++) {
        rest(kind, sent);
        sent += events;
        int64_t count = wakes_within(bytes, events, gap);
        woke += count;
        most_wakes = count > most_wakes ? count : most_wakes;
    }
    MUST(park_detach(job));
    MUST(park_handler_free(job));
    if (client) {
        void *status;
        pthread_join(drainer, &status);
        cut_off = status != NULL;
        MUST(park_client_free(client));
    }
    double share = median(ratio, bursts), one = median(first, bursts), next = median(other, bursts), plain = median(copied, bursts);
    line(text("ns a park_improved, %s, %s%s", size_name[s], kind_name[kind], gap ? text(", %g us apart", (double)gap / 1000) : ""),
         text("first %.0f, then %.0f (least %.0f)", one, next, other[0]), text("copy %.0f (least %.0f)", plain, copied[0]), share,
         "<= 1 x (3 copies + 100 ns)", cut_off ? "not measured: the client was cut off" : met(share <= 1));
    if (kind == SERVICE || kind == QUEUE)
        line("  wake-ups after the first event of a burst", text("mean %.3f, most %lld", (double)woke / bursts, (long long)most_wakes),
             text("%d events a burst, %d bursts", events, bursts), -1.0, "0", met(woke == 0));
}

static void cost(void)
{
    double reads[1001];
    source = malloc(1 << 20);
    copies = malloc(COPIES << 20);
    memset(source, 1, 1 << 20);
    memset(copies, 1, COPIES << 20);
    for (int i = 0; i < 1001; i++) {
        int64_t begin = now_ns();
        reads[i] = (double)(now_ns() - begin);
    }
    double clock = median(reads, 1001);
    for (int kind = 0; kind < KINDS; kind++)
        for (int s = 0; s < SIZES; s++)
            cost_of(kind, s, 0, clock);
    /* A burst with work between its events: the receiver is faster than the loop, and must not fall asleep each time. */
    for (int kind = SERVICE; kind <= QUEUE; kind++) {
        cost_of(kind, 1, 2000, clock);
        cost_of(kind, 1, 20000, clock);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "pause") == 0)
            pause_latency();
        else if (strcmp(argv[i], "event") == 0)
            event_latency();
        else if (strcmp(argv[i], "cost") == 0)
            cost();
        else
            return 2;
    return argc < 2 ? 2 : 0;
}
