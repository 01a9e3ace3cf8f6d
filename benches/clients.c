/* What other programs cost the loop: its rate with 200 clients that subscribe, stall, flood and vanish, beside that with none.
 *
 *   mkdir -p build/bench
 *   gcc -O2 -pthread -Iinclude benches/clients.c -o build/bench/clients -Ltarget/release -lpark -lm -Wl,-rpath,'$ORIGIN/../../target/release'
 *   build/bench/clients 3
 *
 * An iteration works for about a microsecond, then says its progress and calls ready; every thousandth improves. The clients
 * are another process, on a processor of its own: 50 read events, 50 subscribe, never read, and go after a while, 50 send
 * all that is taken (half of them never read), 50 come, ask, and go in the middle of a line. One more stays, and asks now and then, and one
 * comes to ask and goes, as `park set` does.
 *
 * Slices of 1 s without clients, with them, and with the same clients at a decoy, a job in another process: what two
 * processors share slows the loop whomever the clients ask. Before each slice the clients have half a second in which
 * they use up what the endpoint has in stock. The loop has one processor. Park's threads run where they like; and then, which
 * is the worst, on the loop's.
 *
 * Then the memory of the job while the clients come and go for so many minutes, 2 or more: the mean over the first and over
 * the last. They are at it for three minutes before: then the queues of those who do not read are full.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <park.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 200
#define ROUNDS 11
#define SLICE_NS INT64_C(1000000000)
#define MOST_ASKED 4096

static struct sockaddr_un jobs_address, decoys_address;

static int come(const struct sockaddr_un *to, int type)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
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
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"curve\"}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n",
    };
    for (int i = 0; strlen(flood) + 100 < sizeof flood; i++)
        strcat(flood, requests[i % 6]);
}

static void storm(const struct sockaddr_un *to)
{
    static char heard[1 << 16];
    int fd[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fd[i] = -1;
    for (long round = 0; storming; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            int kind = i % 4;
            if (fd[i] < 0) {
                if ((fd[i] = come(to, SOCK_NONBLOCK)) < 0)
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
                if (kind == 0 && got > 0 && memmem(heard, (size_t)got, "cut_off", 7))
                    send(fd[i], subscribe, sizeof subscribe - 1, MSG_NOSIGNAL);
            }
            over |= kind == 1 && (round + 100 * i) % 10000 == 0;
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

struct answer { double ms; int stayed; };
static int answers;               /* where they are written */
static volatile int at_the_job; /* whom the storm is at */

static void *storm_at_the_job(void *nothing) { storm(&jobs_address); return nothing; }
static void *storm_at_the_decoy(void *nothing) { storm(&decoys_address); return nothing; }

/* One of those who mean well: all the time there, or anew for each request. Asks, and waits for the reply. */
static void *ask_politely(void *stays)
{
    static const char *asked[] = {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"get\"}\n"};
    int fd = -1;
    while (stays && (fd = come(&jobs_address, 0)) < 0)
        usleep(10000);
    for (int i = 0;; i++) {
        char byte = 0;
        usleep(250000);
        if (!at_the_job)
            continue;
        int64_t begin = now_ns();
        while (fd < 0)
            fd = come(&jobs_address, 0);
        send(fd, asked[i % 2], strlen(asked[i % 2]), MSG_NOSIGNAL);
        while (byte != '\n')
            if (recv(fd, &byte, 1, 0) != 1) {
                fprintf(stderr, "the connection of one who %s was closed after %.0f ms\n", stays ? "stays" : "comes anew",
                        (double)(now_ns() - begin) * 1e-6);
                exit(1);
            }
        struct answer answer = {(double)(now_ns() - begin) * 1e-6, stays != NULL};
        if (write(answers, &answer, sizeof answer) != sizeof answer)
            exit(1);
        if (!stays) {
            close(fd);
            fd = -1;
        }
    }
}

/* Takes commands: 'g' go at the job, 'd' at the decoy, 's' stop. */
static void be_the_clients(int commands)
{
    char command;
    pthread_t others, staying, coming;
    make_flood();
    on_processor(1);
    pthread_create(&staying, NULL, ask_politely, "stays");
    pthread_create(&coming, NULL, ask_politely, NULL);
    while (read(commands, &command, 1) == 1) {
        storming = 1;
        at_the_job = command == 'g';
        pthread_create(&others, NULL, at_the_job ? storm_at_the_job : storm_at_the_decoy, NULL);
        if (read(commands, &command, 1) != 1)
            break;
        storming = at_the_job = 0;
        pthread_join(others, NULL);
    }
    exit(0);
}

static void be_the_decoy(void)
{
    double beta = 0.1;
    park_handler *decoy = park_handler_new("decoy");
    on_processor(1);
    MUST(park_expose_f64(decoy, "alpha", &beta, 0, 1));
    if (park_listen(decoy, decoys_address.sun_path) != PARK_OK)
        exit(1);
    MUST(park_attach(decoy));
    while (park_ready(decoy) == PARK_OK)
        usleep(1000);
    exit(1);
}

/* The job. */

static park_handler *job;
static double u[100], alpha = 0.1;

__attribute__((noinline)) static void work(void)
{
    for (int k = 0; k < 4; k++) {
        u[50] = 1; /* held: what cools down to denormal numbers becomes slow */
        for (int i = 1; i < 99; i++)
            u[i] += 0.1 * (u[i - 1] - 2 * u[i] + u[i + 1]);
    }
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
                MUST(park_improved(job, -(double)step, u, sizeof u));
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

static int to_clients, from_clients;
static double took[2][MOST_ASKED]; /* ms until those were answered who came anew, and who stayed */
static int asked[2];

static void command(char what)
{
    if (write(to_clients, &what, 1) != 1)
        exit(1);
}

static void take_answers(void)
{
    struct answer answer;
    ssize_t got;
    while ((got = read(from_clients, &answer, sizeof answer)) == sizeof answer)
        if (asked[answer.stayed] < MOST_ASKED)
            took[answer.stayed][asked[answer.stayed]++] = answer.ms;
    if (got == 0) /* the clients have ended */
        exit(1);
}

static int64_t processor_ns(clockid_t of)
{
    struct timespec t;
    clock_gettime(of, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What the threads of the process but this one have used. */
static int64_t others_ns(void) { return processor_ns(CLOCK_PROCESS_CPUTIME_ID) - processor_ns(CLOCK_THREAD_CPUTIME_ID); }

static double rate_under(char whom, double *share)
{
    command(whom);
    rate_for(SLICE_NS / 2);
    int64_t used = others_ns();
    double rate = rate_for(SLICE_NS);
    *share = (double)(others_ns() - used) / (double)SLICE_NS;
    command('s');
    rate_for(SLICE_NS / 5);
    take_answers();
    return rate;
}

static void begin(const char *place, int together, pid_t *clients)
{
    int commands[2], times[2];
    snprintf(jobs_address.sun_path, sizeof jobs_address.sun_path, "%s/%d", place, together);
    if (pipe(commands) || pipe2(times, O_NONBLOCK))
        exit(1);
    if ((*clients = fork()) == 0) {
        close(commands[1]);
        answers = times[1];
        be_the_clients(commands[0]);
    }
    close(commands[0]);
    close(times[1]);
    to_clients = commands[1], from_clients = times[0];
    asked[0] = asked[1] = 0;
    if (together)
        on_processor(0);
    else
        anywhere();
    job = park_handler_new("clients");
    MUST(park_expose_f64(job, "alpha", &alpha, 0, 1));
    MUST(park_listen(job, jobs_address.sun_path));
    on_processor(0);
    MUST(park_attach(job));
    rate_for(SLICE_NS / 2);
}

static void end(pid_t clients)
{
    kill(clients, SIGKILL);
    waitpid(clients, NULL, 0);
    close(to_clients);
    close(from_clients);
    MUST(park_detach(job));
    MUST(park_handler_free(job));
}

static void compare(const char *place, int together)
{
    double without[ROUNDS], with[ROUNDS], elsewhere[ROUNDS], ratio[ROUNDS], machine[ROUNDS], own[ROUNDS], used[ROUNDS], nothing, before, after;
    pid_t clients;
    begin(place, together, &clients);
    after = rate_for(SLICE_NS);
    for (int r = 0; r < ROUNDS; r++) {
        /* Each is compared with the mean of what was before and after it: the machine's own speed drifts. */
        before = after;
        elsewhere[r] = rate_under('d', &nothing);
        without[r] = rate_for(SLICE_NS);
        with[r] = rate_under('g', &used[r]);
        after = rate_for(SLICE_NS);
        machine[r] = elsewhere[r] / ((before + without[r]) / 2);
        ratio[r] = with[r] / ((without[r] + after) / 2);
        own[r] = ratio[r] / machine[r];
    }
    end(clients);
    double share = median(ratio, ROUNDS), of_the_job = median(own, ROUNDS);
    line(text("iterations a us with 200 clients, park's threads %s", together ? "on the loop's processor" : "anywhere"),
         text("%.4f", median(with, ROUNDS)), text("no client: %.4f", median(without, ROUNDS)), share, ">= 0.99", met(share >= 0.99));
    line("  quartiles of the rounds' ratios", text("%.4f to %.4f", quantile(ratio, ROUNDS, 0.25), quantile(ratio, ROUNDS, 0.75)),
         text("median %.4f", share), -1, "", "");
    line("  the same clients at another job", text("%.4f", median(elsewhere, ROUNDS)), "no client, as above", median(machine, ROUNDS), "", "");
    line("  quartiles: clients of this job beside those of another", text("%.4f to %.4f", quantile(own, ROUNDS, 0.25), quantile(own, ROUNDS, 0.75)),
         text("median %.4f", of_the_job), of_the_job, ">= 0.99", met(of_the_job >= 0.99));
    line("  % of a processor that park's threads used", text("median %.2f", 100 * median(used, ROUNDS)), text("most %.2f", 100 * quantile(used, ROUNDS, 1)), -1, "", "");
    for (int stayed = 1; stayed >= 0; stayed--)
        line(stayed ? "  ms until one who stays is answered" : "  ms until one who comes anew is answered",
             text("median %.1f, 99%% %.0f", quantile(took[stayed], asked[stayed], 0.5), quantile(took[stayed], asked[stayed], 0.99)),
             text("%d requests", asked[stayed]), -1, "", "");
}

static void watch_memory(const char *place, int minutes)
{
    double first = 0, last = 0;
    pid_t clients;
    begin(place, 2, &clients);
    command('g');
    for (int s = 0; s < 180; s++) {
        rate_for(SLICE_NS);
        take_answers();
    }
    for (int s = 0; s < 60 * minutes; s++) {
        rate_for(SLICE_NS);
        take_answers();
        if (s < 60)
            first += memory_mib() / 60;
        if (s >= 60 * (minutes - 1))
            last += memory_mib() / 60;
    }
    command('s');
    end(clients);
    line(text("MiB of the job, while clients come and go for %d minutes", minutes), text("last minute %.2f", last), text("first minute %.2f", first),
         last / first, "<= 1.05", met(last <= 1.05 * first));
}

int main(int argc, char **argv)
{
    char place[] = "/tmp/park-bench-XXXXXX";
    int minutes = argc > 1 ? atoi(argv[1]) : 0;
    if (!mkdtemp(place))
        return 1;
    jobs_address.sun_family = decoys_address.sun_family = AF_UNIX;
    snprintf(decoys_address.sun_path, sizeof decoys_address.sun_path, "%s/decoy", place);
    pid_t decoy = fork();
    if (decoy == 0)
        be_the_decoy();
    compare(place, 0);
    compare(place, 1);
    if (minutes > 1)
        watch_memory(place, minutes);
    kill(decoy, SIGKILL);
    waitpid(decoy, NULL, 0);
    unlink(decoys_address.sun_path);
    return rmdir(place);
}
