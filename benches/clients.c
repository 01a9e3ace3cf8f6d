/* What other programs cost the loop: its rate with 200 clients that subscribe, stall, flood and vanish, beside that with none.
 *
 *   mkdir -p build/bench
 *   gcc -O2 -pthread -Iinclude benches/clients.c -o build/bench/clients -Ltarget/release -lpark -lm -Wl,-rpath,'$ORIGIN/../../target/release'
 *   build/bench/clients
 *
 * An iteration works for about a microsecond, then says its progress and calls ready; every thousandth improves. The clients
 * are another process, on another processor than the loop: 50 read events, 50 subscribe and never read, 50 send all that
 * is taken (half of them never read), 50 come, ask, and go in the middle of a line. One more asks now and then, and waits.
 * Slices of 1 s without and with them, in turns; the clients have half a second before to use up what the endpoint has in
 * stock. Once park's threads may run where they like, and once on the loop's own processor.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <park.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 200
#define ROUNDS 15
#define SLICE_NS INT64_C(1000000000)
#define MOST_ASKED 4096

static struct sockaddr_un address;

static int come(int type)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void on_processor(int number)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void anywhere(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    sched_setaffinity(0, sizeof set, &set);
}

/* The clients. */

static const char subscribe[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n";
static char flood[16384];
static volatile int storming;

static void make_flood(void)
{
    static const char *requests[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"get\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"set\",\"params\":{\"values\":{\"alpha\":0.2}}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"info\"}\n",
        "garbage\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n",
    };
    for (int i = 0; strlen(flood) + 100 < sizeof flood; i++)
        strcat(flood, requests[i % 5]);
}

static void storm(void)
{
    static char heard[1 << 16];
    int fd[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fd[i] = -1;
    while (storming) {
        for (int i = 0; i < CLIENTS; i++) {
            int kind = i % 4;
            if (fd[i] < 0) {
                if ((fd[i] = come(SOCK_NONBLOCK)) < 0)
                    continue;
                if (kind < 2)
                    send(fd[i], subscribe, sizeof subscribe - 1, MSG_NOSIGNAL);
            }
            int over = 0;
            if (kind == 2 && send(fd[i], flood, strlen(flood), MSG_NOSIGNAL) < 0)
                over = errno != EAGAIN;
            if (kind == 3) {
                send(fd[i], flood, 150, MSG_NOSIGNAL); /* ends in the middle of a line */
                over = 1;
            }
            if (kind == 0 || (kind == 2 && i % 8 == 2)) {
                ssize_t got = recv(fd[i], heard, sizeof heard, 0);
                over |= got == 0 || (got < 0 && errno != EAGAIN);
            }
            if (over) {
                close(fd[i]);
                fd[i] = -1;
            }
        }
        usleep(1000);
    }
    for (int i = 0; i < CLIENTS; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

/* Asks every 50 ms, and waits for the answer; writes how long it took. */
static void *ask_politely(void *to)
{
    static const char *asked[] = {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"get\"}\n"};
    int fd = -1;
    for (int i = 0; storming; i++) {
        char byte;
        int64_t begin = now_ns();
        while (fd < 0 && storming)
            fd = come(0);
        const char *line = asked[i % 2];
        send(fd, line, strlen(line), MSG_NOSIGNAL);
        do
            if (recv(fd, &byte, 1, 0) != 1) {
                printf("a polite client's connection was closed\n");
                exit(1);
            }
        while (byte != '\n');
        double took = (double)(now_ns() - begin);
        if (write(*(int *)to, &took, sizeof took) != sizeof took)
            exit(1);
        usleep(50000);
    }
    close(fd);
    return NULL;
}

static void be_the_clients(int commands, int times)
{
    char command;
    make_flood();
    on_processor(1);
    while (read(commands, &command, 1) == 1) {
        pthread_t polite, others;
        (void)others;
        storming = 1;
        pthread_create(&polite, NULL, ask_politely, &times);
        pthread_create(&others, NULL, (void *(*)(void *))(void (*)(void))storm, NULL);
        if (read(commands, &command, 1) != 1)
            exit(1);
        storming = 0;
        pthread_join(others, NULL);
        pthread_join(polite, NULL);
        double end = -1;
        if (write(times, &end, sizeof end) != sizeof end)
            exit(1);
    }
    exit(0);
}

/* The job. */

static park_handler *job;
static double u[100], alpha = 0.1;

__attribute__((noinline)) static void work(void)
{
    for (int k = 0; k < 4; k++)
        for (int i = 1; i < 99; i++)
            u[i] += 0.1 * (u[i - 1] - 2 * u[i] + u[i + 1]);
}

static double rate_for(int64_t ns)
{
    static int64_t step;
    int64_t first = step, begin = now_ns(), end;
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
    while ((end = now_ns()) < begin + ns);
    return (double)(step - first) / (double)(end - begin) * 1e3;
}

static double memory_mib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        exit(1);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

int main(void)
{
    static double took[MOST_ASKED];
    char place[] = "/tmp/park-bench-XXXXXX";
    if (!mkdtemp(place))
        return 1;
    for (int together = 0; together < 2; together++) {
        int commands[2], times[2];
        double ratio[ROUNDS], with[ROUNDS], without[ROUNDS], memory = 0, most = 0;
        int asked = 0;
        address.sun_family = AF_UNIX;
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%d", place, together);
        if (pipe(commands) || pipe(times))
            return 1;
        pid_t clients = fork();
        if (clients == 0) {
            close(commands[1]);
            be_the_clients(commands[0], times[1]);
        }
        close(commands[0]);
        close(times[1]);
        if (together)
            on_processor(0);
        else
            anywhere();
        job = park_handler_new("clients");
        MUST(park_expose_f64(job, "alpha", &alpha, 0, 1));
        if (park_listen(job, address.sun_path) != PARK_OK)
            return 1;
        on_processor(0);
        u[50] = 1;
        MUST(park_attach(job));
        rate_for(SLICE_NS / 2);
        for (int r = 0; r < ROUNDS; r++) {
            without[r] = rate_for(SLICE_NS);
            if (write(commands[1], "g", 1) != 1)
                return 1;
            rate_for(SLICE_NS / 2);
            with[r] = rate_for(SLICE_NS);
            ratio[r] = with[r] / without[r];
            if (r == 1)
                memory = memory_mib();
            if (r > 1 && memory_mib() > most)
                most = memory_mib();
            if (write(commands[1], "s", 1) != 1)
                return 1;
            for (;;) { /* the loop goes on: they end when they are answered */
                struct pollfd wait = {.fd = times[0], .events = POLLIN};
                rate_for(1000000);
                double one;
                if (poll(&wait, 1, 0) != 1)
                    continue;
                if (read(times[0], &one, sizeof one) != sizeof one)
                    return 1;
                if (one < 0)
                    break;
                if (asked < MOST_ASKED)
                    took[asked++] = one * 1e-6;
            }
            rate_for(SLICE_NS / 10);
        }
        MUST(park_detach(job));
        MUST(park_handler_free(job));
        close(commands[1]);
        waitpid(clients, NULL, 0);
        double share = median(ratio, ROUNDS);
        line(text("iterations a us with 200 clients, park's threads %s", together ? "on the loop's processor" : "anywhere"),
             text("%.4f", median(with, ROUNDS)), text("no client: %.4f", median(without, ROUNDS)), share, ">= 0.99", met(share >= 0.99));
        line("  quartiles of the rounds' ratios", text("%.4f to %.4f", quantile(ratio, ROUNDS, 0.25), quantile(ratio, ROUNDS, 0.75)), "", -1, "", "");
        line("  memory of the job, MiB", text("%.1f at most later", most), text("%.1f in the second round", memory), most / memory, "<= 1.1", met(most <= 1.1 * memory));
        line("  ms until another client is answered", text("median %.1f, 99%% %.0f", quantile(took, asked, 0.5), quantile(took, asked, 0.99)), text("%d requests", asked), -1, "", "");
    }
    return rmdir(place);
}
