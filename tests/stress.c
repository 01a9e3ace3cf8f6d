/* A storm. Eight threads send pauses, sets, gets, messages, invokes, checkpoints, stops and aborts to two running
 * loops, which report improved results all the while and start again whenever they were ended. One loop stays in a
 * thread of ours (park_attach), the other runs in park's (park_start).
 *
 *     stress [OPERATIONS [FAULT]]      operations: requests and improved events together; default 50000
 *
 * What must hold, counted and compared at the end:
 *   - each request gets exactly one reply, its own, and is served once when the reply says so, else never;
 *   - a set is done whole or not at all;
 *   - each of three receivers a loop (queue, computation thread, service thread) sees every improved event, every
 *     start and every end, in order, with increasing sequence numbers, and the last best in each final event;
 *   - park_best is what was reported last, also after an abort;
 *   - clients that come, go, or do not read disturb nobody; those that do not read are cut off;
 *   - memory is flat after the warm-up.
 * FAULT plants a mistake (lose, twice, swap, half, best, grow) that must be noticed: exit code 1 then.
 */
#define _POSIX_C_SOURCE 200809L
#include <park.h>

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOBS 2
#define THREADS 8
#define LATER 32              /* requests of a thread that may be under way at once */
#define AHEAD 1000            /* improved events that the loop may be ahead of its slowest fast receiver */
#define PATIENCE 60.0         /* a reply that takes longer is lost */
#define FLAT (4096L * 1024)   /* bytes that memory may grow after the warm-up */
#define UNSERVED 127          /* in status[]: no reply yet */

struct point {                /* the state of an improved event */
    int64_t job, run, serial, check;
};

struct receiver {             /* one way to receive; all but `serial` belongs to one thread at a time */
    const char *way;
    struct job *job;
    int64_t sequence, starts, ends, events;
    double done;
    atomic_long serial;       /* of the last improved event seen */
};

struct job {
    park_handler *handler;
    int number, own_thread;
    double alpha;             /* exposed */
    int64_t a, b;             /* exposed; always set together to one value */
    int flag;
    char note[32];
    int64_t run, serial, run_first;   /* the computation's */
    atomic_long reported;
    long ended[3];            /* by PARK_OK, PARK_ABORTED, PARK_STOPPED */
    long saves;
    struct receiver queue, computation, service;
    park_client *client;
};

struct thread {
    int number;
    uint64_t random;
    atomic_int under_way;
    park_client *slow;        /* not read for a while */
    int64_t slow_since;
    long cut_off;
};

struct later {                /* one request whose reply comes by callback */
    int64_t id;
    int kind;
    struct thread *thread;
};

enum { SET_PAIR, SET_REFUSED, SET_UNKNOWN, SET_ALPHA, GET_PAIR, GET_ALL, GET_ALPHA, INVOKE, NOW, AT_READY, DELAYED, NOBODY,
       PAUSE, RESUME, CHECKPOINT, STOP, ABORT, KINDS };
static const char *const kind_name[KINDS] = {
    "set two", "set refused", "set unknown", "set one", "get two", "get all", "get one", "invoke", "message at once", "message at ready",
    "message delayed", "message to nobody", "pause", "resume", "checkpoint", "stop", "abort"};

static struct job jobs[JOBS];
static struct thread threads[THREADS];
static int64_t requests, improved_each;
static const char *fault = "";

static atomic_long next_id, handed_in, failures, registered, destroyed, signals, clients, pairs_seen;
static atomic_long answered[KINDS], refused_full, expired, not_running;
static atomic_uchar *replies, *served, *destroys;
static signed char *status_of;    /* written once, by whoever gets the reply */
static unsigned char *kind_of;
static atomic_int finish, ended, planted;

/* ---- reporting ---------------------------------------------------------------------------------- */

static void fail(const char *format, ...)
{
    if (atomic_fetch_add(&failures, 1) < 20) {
        char line[256];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(line, sizeof line, format, arguments);
        va_end(arguments);
        fprintf(stderr, "stress: %s\n", line);
    }
}

#define CHECK(that, ...) do { if (!(that)) fail(__VA_ARGS__); } while (0)

/* True once, when this fault is asked for. */
static int plant(const char *name)
{
    return strcmp(fault, name) == 0 && atomic_exchange(&planted, 1) == 0;
}

static long resident(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &size, &pages) != 2)
            pages = 0;
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void rest(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
    nanosleep(&time, NULL);
}

static uint32_t dice(struct thread *thread, uint32_t sides)
{
    thread->random ^= thread->random << 13;
    thread->random ^= thread->random >> 7;
    thread->random ^= thread->random << 17;
    return (uint32_t)(thread->random >> 33) % sides;
}

/* ---- receivers ---------------------------------------------------------------------------------- */

static void receive(struct receiver *r, const park_event *event)
{
    const int kind = park_event_kind(event);
    int64_t sequence = park_event_sequence(event);
    int64_t bytes = -1;
    const struct point *p = park_event_state(event, &bytes);

    r->events++;
    if (r->events > 10 && plant("swap"))
        sequence = 1;
    CHECK(sequence > r->sequence, "%s %d: event %lld after %lld", r->way, r->job->number, (long long)sequence, (long long)r->sequence);
    r->sequence = sequence;
    CHECK(kind != PARK_EVENT_CUT_OFF, "%s %d: a fast receiver was cut off", r->way, r->job->number);

    if (kind == PARK_EVENT_START) {
        r->starts++;
        r->done = 0;
        CHECK(r->starts == r->ends + 1, "%s %d: start %ld after end %ld", r->way, r->job->number, (long)r->starts, (long)r->ends);
    } else if (kind == PARK_EVENT_IMPROVED) {
        const long seen = atomic_load(&r->serial);
        if (bytes != sizeof *p || p == NULL) {
            fail("%s %d: state of %lld bytes", r->way, r->job->number, (long long)bytes);
            return;
        }
        if (r->events > 10 && plant("lose"))
            return;
        CHECK(p->serial == seen + 1, "%s %d: improved %ld after %ld", r->way, r->job->number, (long)p->serial, seen);
        CHECK(p->job == r->job->number && p->check == (p->job ^ p->run ^ p->serial), "%s %d: another state", r->way, r->job->number);
        CHECK(p->run == r->starts, "%s %d: improved of run %ld in run %ld", r->way, r->job->number, (long)p->run, (long)r->starts);
        CHECK(park_event_value(event) == -(double)p->serial, "%s %d: value of another event", r->way, r->job->number);
        atomic_store(&r->serial, (long)p->serial);
    } else if (kind == PARK_EVENT_PROGRESS) {
        CHECK(park_event_done(event) >= r->done, "%s %d: progress goes back", r->way, r->job->number);
        r->done = park_event_done(event);
    } else if (kind == PARK_EVENT_COMPLETE || kind == PARK_EVENT_ABORT || kind == PARK_EVENT_ERROR) {
        r->ends++;
        CHECK(r->ends == r->starts, "%s %d: end %ld after start %ld", r->way, r->job->number, (long)r->ends, (long)r->starts);
        CHECK(kind != PARK_EVENT_ERROR, "%s %d: a run failed", r->way, r->job->number);
        CHECK(park_event_value(event) == -(double)atomic_load(&r->serial), "%s %d: the final event says %g, the last improved was %ld",
              r->way, r->job->number, park_event_value(event), atomic_load(&r->serial));
    }
}

static int on_event(park_handler *handler, const park_event *event, void *user)
{
    (void)handler;
    receive(user, event);
    return 0;
}

static void *drain(void *user)
{
    struct job *job = user;
    const int by_descriptor = job->number == 1;   /* the other one waits inside park_next_event */
    for (;;) {
        park_event *event = NULL;
        int woken = 1, status;
        if (by_descriptor) {
            struct pollfd waiting = {park_client_fd(job->client), POLLIN, 0};
            woken = poll(&waiting, 1, 1000);
        }
        status = park_next_event(job->client, by_descriptor ? 0.0 : 1.0, &event);
        CHECK(woken || status != PARK_OK, "queue %d: an event, and the descriptor did not tell", job->number);
        if (status == PARK_OK) {
            receive(&job->queue, event);
            park_event_free(event);
        } else if (status == PARK_CLOSED) {
            return NULL;
        } else if (status != PARK_TIMEOUT) {
            fail("queue %d: %s", job->number, park_status_string(status));
            return NULL;
        }
    }
}

/* ---- the computation ---------------------------------------------------------------------------- */

static void check_best(struct job *job, const char *when)
{
    double value = NAN;
    struct point point = {-1, -1, -1, -1};
    const int64_t bytes = park_best(job->handler, &value, &point, sizeof point);
    const int64_t serial = job->serial + (plant("best") ? 1 : 0);
    CHECK(bytes == sizeof point && point.serial == serial && value == -(double)serial, "job %d: %s park_best has %ld, reported was %ld (%lld)",
          job->number, when, (long)point.serial, (long)serial, (long long)bytes);
}

static void report(struct job *job)
{
    struct point point = {job->number, job->run, ++job->serial, 0};
    point.check = point.job ^ point.run ^ point.serial;
    const int status = park_improved(job->handler, -(double)point.serial, &point, sizeof point);
    CHECK(status == PARK_OK, "job %d: park_improved: %s", job->number, park_status_string(status));
    atomic_store(&job->reported, (long)job->serial);
}

/* Improved events keep pace with the requests, so that both go on to the end, and with the receivers. */
static int may_report(struct job *job)
{
    const long pace = (long)((double)improved_each * (double)atomic_load(&handed_in) / (double)requests);
    if (job->serial >= pace)
        return 0;
    return job->serial - atomic_load(&job->queue.serial) < AHEAD && job->serial - atomic_load(&job->service.serial) < AHEAD;
}

static int loop(park_handler *handler, void *user)
{
    struct job *job = user;
    int64_t i;

    job->run++;
    job->run_first = job->serial + 1;
    report(job);
    for (i = 1;; i++) {
        if (may_report(job))
            report(job);
        CHECK(park_progress(handler, (double)i, 0.0) == PARK_OK, "job %d: park_progress", job->number);
        const int status = park_ready(handler);
        if (i > 100 && plant("half"))
            job->a++;
        if (i > 100 && strcmp(fault, "grow") == 0 && i % 64 == 0) {
            static char *volatile kept;
            kept = malloc(65536);
            memset(kept, 1, 65536);
        }
        CHECK(job->a == job->b, "job %d: half a set: %lld and %lld", job->number, (long long)job->a, (long long)job->b);
        CHECK(job->alpha >= 0 && job->alpha <= 1, "job %d: alpha %g is out of its limits", job->number, job->alpha);
        if (i % 512 == 0)
            check_best(job, "in the loop");
        if (status != PARK_OK)
            return status;
        if (atomic_load(&finish) && job->serial >= improved_each)
            return PARK_OK;
        sched_yield();
    }
}

static void *run(void *user)
{
    struct job *job = user;
    int status;
    do {
        if (job->own_thread) {
            status = park_attach(job->handler);
            CHECK(status == PARK_OK, "park_attach: %s", park_status_string(status));
            const int outcome = loop(job->handler, job);
            CHECK(park_detach(job->handler) >= 0, "park_detach");
            status = park_wait(job->handler, 0);
            /* An abort that comes when a stop has saved makes the end come sooner, and what was saved counts. */
            const int counts = outcome == PARK_ABORTED && status == PARK_STOPPED && park_exit_code(job->handler) == PARK_EXIT_CHECKPOINTED;
            CHECK(status == outcome || counts, "the loop ended by %d, park_wait says %s", outcome, park_status_string(status));
        } else {
            status = park_start(job->handler, loop, job, NULL, 0);
            CHECK(status == PARK_OK, "park_start: %s", park_status_string(status));
            status = park_wait(job->handler, PARK_FOREVER);
        }
        if (status < PARK_OK || status > PARK_STOPPED) {
            fail("job %d ended by %s", job->number, park_status_string(status));
            return NULL;
        }
        job->ended[status]++;
        check_best(job, "after the end");
    } while (!atomic_load(&finish) || job->serial < improved_each);
    return NULL;
}

static int save(park_handler *handler, int operation, void *user)
{
    (void)handler;
    if (operation == PARK_SAVE)
        ((struct job *)user)->saves++;
    return PARK_OK;
}

/* The methods and message handlers: count, and send the id back. */
static int echo(park_handler *handler, const park_message *request, park_message *reply, void *user)
{
    int64_t id = -1;
    (void)handler, (void)user;
    if (park_message_get_i64(request, "id", &id) != PARK_OK || id < 0 || id >= requests) {
        fail("a request without its id");
        return 1;
    }
    atomic_fetch_add(&served[id], 1);
    return park_message_put_i64(reply, "id", id);
}

static int not_now(park_handler *handler, const park_message *request, park_message *reply, void *user)
{
    (void)handler, (void)request, (void)reply, (void)user;
    return PARK_DELAY;
}

/* ---- the requests ------------------------------------------------------------------------------- */

static int code_of(int kind)
{
    switch (kind) {
    case SET_PAIR: case SET_REFUSED: case SET_UNKNOWN: case SET_ALPHA: return PARK_SET;
    case GET_PAIR: case GET_ALL: case GET_ALPHA: return PARK_GET;
    case INVOKE: return PARK_INVOKE;
    case NOW: case AT_READY: case DELAYED: case NOBODY: return PARK_MESSAGE;
    case PAUSE: return PARK_PAUSE;
    case RESUME: return PARK_RESUME;
    case CHECKPOINT: return PARK_CHECKPOINT;
    case STOP: return PARK_STOP;
    default: return PARK_ABORT;
    }
}

static park_message *message_of(int kind, int64_t id)
{
    static const char *const names[KINDS] = {[INVOKE] = "echo", [NOW] = "now", [AT_READY] = "at ready", [DELAYED] = "delayed", [NOBODY] = "nobody"};
    park_message *message;
    if (kind >= PAUSE || kind == GET_ALL)
        return NULL;
    message = park_message_new(names[kind] ? names[kind] : "values");
    if (message == NULL) {
        fail("park_message_new");
        return NULL;
    }
    switch (kind) {
    case SET_PAIR:
        park_message_put_i64(message, "a", id);
        park_message_put_i64(message, "b", id);
        if (id % 5 == 0)
            park_message_put_f64(message, "progress_delta", 0.001 * (double)(id % 7));
        break;
    case SET_REFUSED:             /* a is fine, b is not: neither may change */
        park_message_put_i64(message, "a", id);
        park_message_put_i64(message, "b", -1);
        break;
    case SET_UNKNOWN:
        park_message_put_i64(message, "a", id);
        park_message_put_i64(message, "b", id);
        park_message_put_i64(message, "nothing", id);
        break;
    case SET_ALPHA:
        park_message_put_f64(message, "alpha", (double)(id % 1000) / 1000);
        park_message_put_bool(message, "flag", (int)(id & 1));
        park_message_put_text(message, "note", "a short text");
        break;
    case GET_PAIR:
        park_message_put_key(message, "a");
        park_message_put_key(message, "b");
        break;
    case GET_ALPHA:
        park_message_put_key(message, "alpha");
        break;
    default:
        park_message_put_i64(message, "id", id);
    }
    return message;
}

/* A reply came: is it this request's, and may it say what it says? */
static void check_reply(int64_t id, int kind, int status, const park_message *reply)
{
    int64_t a = -1, b = -2;
    int fine;

    atomic_fetch_add(&replies[id], 1);
    if (plant("twice"))
        atomic_fetch_add(&replies[id], 1);
    status_of[id] = (signed char)status;

    switch (kind) {
    case SET_REFUSED: fine = status == PARK_REFUSED; break;
    case SET_UNKNOWN: case NOBODY: fine = status == PARK_UNKNOWN; break;
    default: fine = status == PARK_OK;
    }
    if (fine) {
        atomic_fetch_add(&answered[kind], 1);
        if (kind == GET_PAIR || kind == GET_ALL) {
            CHECK(park_message_get_i64(reply, "a", &a) == PARK_OK && park_message_get_i64(reply, "b", &b) == PARK_OK && a == b,
                  "%s: %lld and %lld", kind_name[kind], (long long)a, (long long)b);
            atomic_fetch_add(&pairs_seen, 1);
        } else if (kind >= INVOKE && kind <= DELAYED) {
            CHECK(park_message_get_i64(reply, "id", &a) == PARK_OK && a == id, "%s: the reply of %lld went to %lld", kind_name[kind], (long long)a, (long long)id);
        }
        return;
    }
    switch (status) {             /* the job ended, or is between two runs, or has too many requests already */
    case PARK_EXPIRED: atomic_fetch_add(&expired, 1); break;
    case PARK_NOT_RUNNING: atomic_fetch_add(&not_running, 1); break;
    case PARK_FULL: atomic_fetch_add(&refused_full, 1); break;
    default: {
        char reason[128] = "";
        if (reply != NULL)
            park_message_get_text(reply, "reason", reason, sizeof reason);
        fail("%s: %s (%s)", kind_name[kind], park_status_string(status), reason);
    }
    }
}

static void on_reply(park_handler *handler, int status, const park_message *reply, void *user)
{
    const struct later *later = user;
    (void)handler;
    check_reply(later->id, later->kind, status, reply);
}

static void free_later(void *user)
{
    struct later *later = user;
    atomic_fetch_add(&destroys[later->id], 1);
    atomic_fetch_sub(&later->thread->under_way, 1);
    free(later);
}

static void send(struct thread *thread, struct job *job, int kind, int by_callback)
{
    const int64_t id = atomic_fetch_add(&next_id, 1);
    park_message *message;
    int status;

    if (id >= requests) {         /* enough; but who paused still resumes, and by the same way: a signal would overtake */
        if (kind == RESUME)
            park_ask(job->handler, PARK_RESUME, NULL, PATIENCE, NULL);
        return;
    }
    kind_of[id] = (unsigned char)kind;
    message = message_of(kind, id);
    if (by_callback) {
        struct later *later = malloc(sizeof *later);
        later->id = id;
        later->kind = kind;
        later->thread = thread;
        while (atomic_load(&thread->under_way) >= LATER)
            rest(50e-6);
        atomic_fetch_add(&thread->under_way, 1);
        status = park_ask_later(job->handler, code_of(kind), message, on_reply, later, free_later);
        if (status != PARK_OK) {  /* refused at once: this is the reply, and no callback may come */
            check_reply(id, kind, status, NULL);
        }
    } else {
        park_message *reply = park_message_new("reply");
        atomic_fetch_add(&destroys[id], 1);
        status = park_ask(job->handler, code_of(kind), message, PATIENCE, reply);
        check_reply(id, kind, status, reply);
        park_message_free(reply);
    }
    park_message_free(message);
    atomic_fetch_add(&handed_in, 1);
}

/* ---- clients that come and go ------------------------------------------------------------------- */

static int on_passing(park_handler *handler, const park_event *event, void *user)
{
    (void)handler, (void)event;
    return *(int *)user == 42 ? 0 : 1;
}

static void free_passing(void *user)
{
    free(user);
    atomic_fetch_add(&destroyed, 1);
}

static void come_and_go(struct thread *thread, struct job *job)
{
    atomic_fetch_add(&clients, 1);
    if (dice(thread, 2)) {
        park_client *client = park_client_new(job->handler, PARK_EVENT_ALL);
        int64_t sequence = -1;
        int i;
        if (client == NULL) {
            fail("park_client_new");
            return;
        }
        for (i = 0; i < 4; i++) {
            park_event *event = NULL;
            if (park_next_event(client, i == 0 ? 0.001 : 0.0, &event) != PARK_OK)
                break;
            if (i == 0)
                CHECK(park_event_kind(event) & (PARK_EVENT_JOIN | PARK_EVENT_START), "a client that came late got event %d first", park_event_kind(event));
            CHECK(park_event_sequence(event) > sequence, "a passing client: event %lld after %lld", (long long)park_event_sequence(event), (long long)sequence);
            sequence = park_event_sequence(event);
            park_event_free(event);
        }
        CHECK(park_client_free(client) == PARK_OK, "park_client_free");
    } else {
        int *user = malloc(sizeof *user);
        int64_t number;
        *user = 42;
        atomic_fetch_add(&registered, 1);
        number = park_on_event(job->handler, PARK_EVENT_ALL, dice(thread, 2) ? PARK_ON_SERVICE : PARK_ON_COMPUTATION, on_passing, user, free_passing);
        CHECK(number > 0, "park_on_event: %s", park_status_string((int)number));
        if (dice(thread, 2))
            sched_yield();
        CHECK(park_off_event(job->handler, number) == PARK_OK, "park_off_event");
    }
}

/* A client with room for 16 events that is left alone for a while. */
static void leave_unread(struct thread *thread, struct job *job, int64_t turn)
{
    int64_t sequence = -1, events = 0;
    int status;

    if (thread->slow == NULL) {
        thread->slow = park_client_new(job->handler, PARK_EVENT_ALL);
        CHECK(thread->slow != NULL && park_client_limit(thread->slow, 16, 4096) == PARK_OK, "park_client_limit");
        thread->slow_since = turn;
        return;
    }
    if (turn - thread->slow_since < 200)
        return;
    for (;;) {
        park_event *event = NULL;
        status = park_next_event(thread->slow, 0.0, &event);
        if (status != PARK_OK)
            break;
        CHECK(park_event_sequence(event) > sequence, "a slow client: event %lld after %lld", (long long)park_event_sequence(event), (long long)sequence);
        sequence = park_event_sequence(event);
        park_event_free(event);
        if (++events > 1000) {
            fail("a client with room for 16 events got %lld", (long long)events);
            break;
        }
    }
    if (status == PARK_CUT_OFF) {
        park_event *event = NULL;
        thread->cut_off++;
        CHECK(park_next_event(thread->slow, 0.0, &event) == PARK_CUT_OFF, "events after the cut");
    } else {
        CHECK(status == PARK_TIMEOUT || status > 0, "a slow client: %s", park_status_string(status));
    }
    park_client_free(thread->slow);
    thread->slow = NULL;
}

/* ---- the storm ---------------------------------------------------------------------------------- */

static void *storm(void *user)
{
    struct thread *thread = user;
    int64_t turn;

    for (turn = 0; atomic_load(&next_id) < requests; turn++) {
        struct job *job = &jobs[dice(thread, JOBS)];
        const int later = dice(thread, 3) != 0;
        const uint32_t chance = dice(thread, 1000);
        if (chance < 300) {
            static const int sets[] = {SET_PAIR, SET_PAIR, SET_PAIR, SET_REFUSED, SET_UNKNOWN, SET_ALPHA, SET_ALPHA};
            send(thread, job, sets[dice(thread, 7)], later);
        } else if (chance < 450) {
            send(thread, job, GET_PAIR + (int)dice(thread, 3), later);
        } else if (chance < 570) {
            send(thread, job, INVOKE, later);
        } else if (chance < 700) {
            send(thread, job, NOW + (int)dice(thread, 4), later);
        } else if (chance < 850) {        /* who pauses also resumes */
            send(thread, job, PAUSE, later);
            if (dice(thread, 4) == 0)
                send(thread, job, GET_PAIR, 0);
            if (dice(thread, 4) == 0)
                send(thread, job, SET_PAIR, 0);
            send(thread, job, RESUME, later);
        } else if (chance < 900) {
            send(thread, job, CHECKPOINT, later);
        } else if (chance < 940) {
            static const int fire[] = {PARK_PAUSE, PARK_CHECKPOINT};
            const int signal = fire[dice(thread, 2)];
            int status = park_signal(job->handler, signal);
            if (status == PARK_OK && signal == PARK_PAUSE)
                status = park_signal(job->handler, PARK_RESUME);
            CHECK(status == PARK_OK || status == PARK_EXPIRED || status == PARK_NOT_RUNNING, "park_signal: %s", park_status_string(status));
            atomic_fetch_add(&signals, 1);
        } else if (chance < 970) {
            come_and_go(thread, job);
        } else if (chance < 985) {
            leave_unread(thread, job, turn);
        } else {
            send(thread, job, chance < 995 ? ABORT : STOP, later);
        }
    }
    while (atomic_load(&thread->under_way) > 0)
        rest(0.001);
    park_client_free(thread->slow);
    return NULL;
}

/* Stands by: a storm in which nothing moves any more is a failure, not a hang. Gives the memory after the warm-up. */
static void *watch(void *user)
{
    long *warm = user;
    long before = -1;
    double since = now();

    while (!atomic_load(&ended)) {
        const long there = atomic_load(&handed_in);
        if (*warm == 0 && there > requests / 3)
            *warm = resident();
        if (there != before) {
            before = there;
            since = now();
        } else if (now() - since > 2 * PATIENCE) {
            int i;
            fprintf(stderr, "stress: nothing moves any more after %ld of %lld requests\n", there, (long long)requests);
            for (i = 0; i < JOBS; i++)
                fprintf(stderr, "stress: job %d: state %d, run %lld, %ld improved\n", i, park_state(jobs[i].handler), (long long)jobs[i].run, atomic_load(&jobs[i].reported));
            for (i = 0; i < THREADS; i++)
                fprintf(stderr, "stress: thread %d: %d requests under way\n", i, atomic_load(&threads[i].under_way));
            _Exit(1);
        }
        rest(0.02);
    }
    return NULL;
}

static void prepare(struct job *job, int number)
{
    char name[32];
    int good = 0;

    snprintf(name, sizeof name, "stress%d", number);
    job->number = number;
    job->own_thread = number % 2 == 0;
    job->handler = park_handler_new(name);
    if (job->handler == NULL) {
        fprintf(stderr, "stress: park_handler_new\n");
        exit(1);
    }
    job->queue.way = "queue", job->computation.way = "computation callback", job->service.way = "service callback";
    job->queue.job = job->computation.job = job->service.job = job;
    job->queue.sequence = job->computation.sequence = job->service.sequence = -1;

    good += park_set_delta(job->handler, PARK_PROGRESS_DELTA, 0.001) == PARK_OK;
    good += park_expose_f64(job->handler, "alpha", &job->alpha, 0.0, 1.0) == PARK_OK;
    good += park_expose_i64(job->handler, "a", &job->a, 0, INT64_MAX) == PARK_OK;
    good += park_expose_i64(job->handler, "b", &job->b, 0, INT64_MAX) == PARK_OK;
    good += park_expose_bool(job->handler, "flag", &job->flag) == PARK_OK;
    good += park_expose_text(job->handler, "note", job->note, sizeof job->note) == PARK_OK;
    good += park_method(job->handler, "echo", echo, NULL, NULL) == PARK_OK;
    good += park_on_signal(job->handler, "now", echo, NULL, NULL) == PARK_OK;
    good += park_on_ready(job->handler, "at ready", echo, NULL, NULL) == PARK_OK;
    good += park_on_signal(job->handler, "delayed", not_now, NULL, NULL) == PARK_OK;
    good += park_on_ready(job->handler, "delayed", echo, NULL, NULL) == PARK_OK;
    good += park_on_checkpoint(job->handler, save, job, NULL) == PARK_OK;
    good += park_on_event(job->handler, PARK_EVENT_ALL, PARK_ON_COMPUTATION, on_event, &job->computation, NULL) > 0;
    good += park_on_event(job->handler, PARK_EVENT_ALL, PARK_ON_SERVICE, on_event, &job->service, NULL) > 0;
    job->client = park_client_new(job->handler, PARK_EVENT_ALL);
    good += job->client != NULL;
    CHECK(good == 15, "preparing job %d: %d of 15 calls went well", number, good);
}

int main(int count, char **arguments)
{
    const int64_t operations = count > 1 ? atoll(arguments[1]) : 50000;
    pthread_t storms[THREADS], runners[JOBS], drains[JOBS], watcher;
    long warm = 0, end, total_improved = 0, runs = 0, events = 0, cut_off = 0, saves = 0;
    const int under = getenv("PARK_TEST_UNDER") != NULL;   /* a detector keeps freed memory: no statement about growth */
    double start, took;
    int64_t id;
    int i, kind;

    if (count > 2)
        fault = arguments[2];
    if (operations < 100) {
        fprintf(stderr, "usage: stress [OPERATIONS [FAULT]], at least 100\n");
        return 2;
    }
    requests = operations / 2;
    improved_each = (operations - requests) / JOBS;
    replies = calloc((size_t)requests, 1);
    served = calloc((size_t)requests, 1);
    destroys = calloc((size_t)requests, 1);
    status_of = malloc((size_t)requests);
    kind_of = calloc((size_t)requests, 1);
    if (!replies || !served || !destroys || !status_of || !kind_of)
        return 2;
    for (id = 0; id < requests; id++) {   /* touched now, so that it does not count as growth */
        atomic_store(&replies[id], 0);
        atomic_store(&served[id], 0);
        atomic_store(&destroys[id], 0);
        status_of[id] = UNSERVED;
        kind_of[id] = KINDS;
    }

    start = now();
    for (i = 0; i < JOBS; i++) {
        prepare(&jobs[i], i);
        pthread_create(&drains[i], NULL, drain, &jobs[i]);
        pthread_create(&runners[i], NULL, run, &jobs[i]);
    }
    pthread_create(&watcher, NULL, watch, &warm);
    for (i = 0; i < THREADS; i++) {
        threads[i].number = i;
        threads[i].random = 88172645463325252u + 7919u * (uint64_t)i;
        pthread_create(&storms[i], NULL, storm, &threads[i]);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(storms[i], NULL);
    atomic_store(&handed_in, requests);
    atomic_store(&finish, 1);
    for (i = 0; i < JOBS; i++)
        pthread_join(runners[i], NULL);
    end = resident();

    for (i = 0; i < JOBS; i++) {
        CHECK(park_handler_free(jobs[i].handler) == PARK_OK, "park_handler_free");
        pthread_join(drains[i], NULL);   /* ends by PARK_CLOSED, with the queue drained */
        CHECK(park_client_free(jobs[i].client) == PARK_OK, "park_client_free after the handler");
    }
    atomic_store(&ended, 1);
    pthread_join(watcher, NULL);
    took = now() - start;

    /* one reply a request, its own; served when it says so */
    for (id = 0; id < requests; id++) {
        const int status = status_of[id];
        kind = kind_of[id];
        CHECK(replies[id] == 1, "request %lld (%s): %d replies", (long long)id, kind_name[kind % KINDS], replies[id]);
        CHECK(destroys[id] == 1, "request %lld: destroyed %d times", (long long)id, destroys[id]);
        CHECK(served[id] == (kind >= INVOKE && kind <= DELAYED && status == PARK_OK), "request %lld (%s): answered %s, served %d times", (long long)id,
              kind_name[kind % KINDS], park_status_string(status), served[id]);
    }
    for (i = 0; i < JOBS; i++) {
        struct job *job = &jobs[i];
        struct receiver *all[] = {&job->queue, &job->computation, &job->service};
        int way;
        for (way = 0; way < 3; way++) {
            struct receiver *r = all[way];
            CHECK(atomic_load(&r->serial) == job->serial, "%s %d: %ld improved events of %ld", r->way, i, atomic_load(&r->serial), (long)job->serial);
            CHECK(r->starts == job->run && r->ends == job->run, "%s %d: %ld starts and %ld ends of %ld runs", r->way, i, (long)r->starts, (long)r->ends, (long)job->run);
            events += r->events;
        }
        total_improved += job->serial;
        runs += job->run;
        saves += job->saves;
    }
    for (i = 0; i < THREADS; i++)
        cut_off += threads[i].cut_off;
    CHECK(atomic_load(&registered) == atomic_load(&destroyed), "%ld callbacks registered, %ld destroyed", atomic_load(&registered), atomic_load(&destroyed));
    CHECK(cut_off > 0 || operations < 20000, "no client that did not read was cut off");
    CHECK(under || warm == 0 || end - warm < FLAT, "memory grew from %ld to %ld KiB", warm / 1024, end / 1024);

    printf("%lld requests and %ld improved events in %.1f s, from %d threads, against %d loops in %ld runs\n", (long long)requests, total_improved, took,
           THREADS, JOBS, runs);
    printf("ended: complete %ld, aborted %ld, stopped %ld; checkpoints %ld\n", jobs[0].ended[0] + jobs[1].ended[0], jobs[0].ended[1] + jobs[1].ended[1],
           jobs[0].ended[2] + jobs[1].ended[2], saves);
    printf("replies as they should be:");
    for (kind = 0; kind < KINDS; kind++)
        printf("%s %s %ld", kind ? "," : "", kind_name[kind], atomic_load(&answered[kind]));
    printf("\nexpired with the run %ld, between two runs %ld, too many %ld; sets seen whole %ld\n", atomic_load(&expired), atomic_load(&not_running),
           atomic_load(&refused_full), atomic_load(&pairs_seen));
    printf("events received %ld; passing clients %ld, cut off %ld; signals without a reply %ld\n", events, atomic_load(&clients), cut_off, atomic_load(&signals));
    if (!under)
        printf("memory after the warm-up %ld KiB, at the end %ld KiB\n", warm / 1024, end / 1024);
    printf("failures %ld\n", atomic_load(&failures));
    free((void *)replies), free((void *)served), free((void *)destroys), free(status_of), free(kind_of);
    return atomic_load(&failures) == 0 ? 0 : 1;
}
