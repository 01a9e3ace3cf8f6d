/* How fast the loop runs while others watch it: 0, 1 and 10 clients of each kind, and one that is stuck.
 *
 *   mkdir -p build/bench
 *   gcc -O2 -pthread -Iinclude benches/rate.c -o build/bench/rate -Ltarget/release -lpark -lm -Wl,-rpath,'$ORIGIN/../../target/release'
 *   build/bench/rate
 *
 * An iteration works for about a microsecond, then says its progress and calls ready; every thousandth improves (800 bytes
 * of state), which is about a thousand events a second. Slices of 20 ms of each arrangement, in random order.
 */
#include "bench.h"
#include <math.h>
#include <park.h>
#include <pthread.h>
#include <unistd.h>

#define MOST_CLIENTS 10
#define SLICE_NS 20000000
#define ROUNDS 101

enum { NONE, COMPUTATION, SERVICE, QUEUE, STUCK_QUEUE, STUCK_SERVICE };

static const struct {
    const char *what;
    int kind, clients, watched; /* watched: through park at all */
} arrangement[] = {
    {"the loop without park", NONE, 0, 0},
    {"no client", NONE, 0, 1},
    {"1 computation callback", COMPUTATION, 1, 1},
    {"10 computation callbacks", COMPUTATION, 10, 1},
    {"1 service callback", SERVICE, 1, 1},
    {"10 service callbacks", SERVICE, 10, 1},
    {"1 queue client, waiting", QUEUE, 1, 1},
    {"10 queue clients, waiting", QUEUE, 10, 1},
    {"1 queue client that never fetches", STUCK_QUEUE, 1, 1},
    {"1 service callback that sleeps 5 ms an event", STUCK_SERVICE, 1, 1},
};
#define ARRANGEMENTS ((int)(sizeof arrangement / sizeof *arrangement))

static park_handler *job;
static double u[100];

__attribute__((noinline)) static void work(void)
{
    for (int k = 0; k < 4; k++)
        for (int i = 1; i < 99; i++)
            u[i] += 0.1 * (u[i - 1] - 2 * u[i] + u[i + 1]);
}

static int taken(park_handler *unused, const park_event *event, void *user)
{
    (void)unused, (void)event, (void)user;
    return 0;
}

static int slow(park_handler *unused, const park_event *event, void *user)
{
    (void)unused, (void)event, (void)user;
    usleep(5000);
    return 0;
}

typedef struct {
    park_client *client;
    pthread_t thread;
    volatile int end;
} follower;

static void *follow(void *argument)
{
    follower *f = argument;
    park_event *event;
    while (!f->end)
        if (park_next_event(f->client, 0.01, &event) == PARK_OK)
            park_event_free(event);
    return NULL;
}

static double slice(int a)
{
    static int64_t step;
    static follower followers[MOST_CLIENTS];
    int64_t ids[MOST_CLIENTS], first = step, begin, end;

    for (int c = 0; c < arrangement[a].clients; c++)
        switch (arrangement[a].kind) {
        case COMPUTATION: MUST(ids[c] = park_on_event(job, PARK_EVENT_ALL, PARK_ON_COMPUTATION, taken, NULL, NULL)); break;
        case SERVICE: MUST(ids[c] = park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, taken, NULL, NULL)); break;
        case STUCK_SERVICE: MUST(ids[c] = park_on_event(job, PARK_EVENT_ALL, PARK_ON_SERVICE, slow, NULL, NULL)); break;
        default:
            followers[c].client = park_client_new(job, PARK_EVENT_ALL);
            followers[c].end = 0;
            if (arrangement[a].kind == QUEUE)
                pthread_create(&followers[c].thread, NULL, follow, &followers[c]);
        }
    compute_for(2000000);
    begin = now_ns();
    if (arrangement[a].watched)
        do
            for (int k = 0; k < 100; k++) {
                work();
                step++;
                MUST(park_progress(job, (double)step, 1e12));
                if (step % 1000 == 0)
                    MUST(park_improved(job, u[50], u, sizeof u));
                if (park_ready(job))
                    exit(1);
            }
        while ((end = now_ns()) < begin + SLICE_NS);
    else
        do
            for (int k = 0; k < 100; k++) {
                work();
                step++;
            }
        while ((end = now_ns()) < begin + SLICE_NS);
    for (int c = 0; c < arrangement[a].clients; c++)
        switch (arrangement[a].kind) {
        case COMPUTATION:
        case SERVICE:
        case STUCK_SERVICE: MUST(park_off_event(job, ids[c])); break;
        default:
            followers[c].end = 1;
            if (arrangement[a].kind == QUEUE)
                pthread_join(followers[c].thread, NULL);
            MUST(park_client_free(followers[c].client));
        }
    return (double)(step - first) / (double)(end - begin) * 1e3; /* iterations per microsecond */
}

int main(void)
{
    static double rate[ARRANGEMENTS][ROUNDS], ratio[ROUNDS];
    int order[ARRANGEMENTS];

    u[50] = 1;
    job = park_handler_new("rate");
    MUST(park_attach(job));
    for (int a = 0; a < ARRANGEMENTS; a++)
        order[a] = a;
    for (int r = -1; r < ROUNDS; r++) {
        shuffle(order, ARRANGEMENTS);
        for (int k = 0; k < ARRANGEMENTS; k++)
            rate[order[k]][r < 0 ? 0 : r] = slice(order[k]);
    }
    for (int a = 0; a < ARRANGEMENTS; a++) {
        for (int r = 0; r < ROUNDS; r++)
            ratio[r] = rate[a][r] / rate[1][r];
        double share = median(ratio, ROUNDS);
        static double sorted[ROUNDS];
        memcpy(sorted, rate[a], sizeof sorted);
        double middle = median(sorted, ROUNDS);
        line(text("iterations a us: %s", arrangement[a].what), text("%.3f, most %.3f", middle, sorted[ROUNDS - 1]), a == 1 ? "" : "no client", share, "", "");
    }
    MUST(park_detach(job));
    MUST(park_handler_free(job));
    return 0;
}
