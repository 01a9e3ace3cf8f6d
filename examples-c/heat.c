/* Heat spreading through a plate: a loop that stays in main and becomes a job. From the root of the repository:
 *
 *   $ make
 *   $ mkdir -p build
 *   $ cc -O2 -std=c99 -Wall -Wextra -pedantic -Iinclude examples-c/heat.c -o build/heat \
 *        -Ltarget/release -lpark -lm -pthread -Wl,-rpath,$PWD/target/release
 *   $ build/heat
 *
 * "build/heat 5000" takes as many steps. While it runs, type commands (each ends with Enter):
 *
 *   p pause    r resume    c checkpoint    s stop    a abort    get alpha    set alpha 0.1
 *
 * In another terminal: target/release/park watch heat. Ctrl-C or SIGTERM stops, too, a second one aborts. Run it again
 * and it goes on where it was stopped. The exit code is park's: 0 done, 85 stopped with a checkpoint (run me again), 86
 * aborted. job.sbatch runs it under Slurm.
 */
#define _POSIX_C_SOURCE 200809L

#include <park.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 400
#define CHECKPOINTS "heat.ckpt"

static park_handler *job;

/* ---- the simulation ---------------------------------------------------------------------------- */

/* All that changes from step to step: park saves it, and puts it back. The border stays cold. */
static int64_t step = 0;
static double alpha = 0.2, u[SIDE][SIDE];

static void heat_the_middle(void)
{
    int i, j;

    for (i = SIDE / 4; i < 3 * SIDE / 4; i++)
        for (j = SIDE / 4; j < 3 * SIDE / 4; j++) u[i][j] = 100;
}

static void advance(void)
{
    static double next[SIDE][SIDE];
    int i, j;

    for (i = 1; i < SIDE - 1; i++)
        for (j = 1; j < SIDE - 1; j++) next[i][j] = u[i][j] + alpha * (u[i - 1][j] + u[i + 1][j] + u[i][j - 1] + u[i][j + 1] - 4 * u[i][j]);
    memcpy(u, next, sizeof next);
    step++;
}

/* ---- what one sees, and types ------------------------------------------------------------------- */

/* On a terminal the progress is kept in the line above the prompt: cursor saved, up, drawn, cursor back. */
static int draw(park_handler *handler, double done, double total, double seconds_left, void *user)
{
    static int tenths = -1;
    char left[32] = "";

    (void)handler;
    (void)user;
    if (seconds_left >= 0) snprintf(left, sizeof left, "%.0f s left", seconds_left);
    if (isatty(STDOUT_FILENO))
        printf("\0337\033[A\r%3.0f%%  %.0f of %.0f steps  %s\033[K\0338", 100 * done / total, done, total, left);
    else if ((int)(10 * done / total) > tenths)
        printf("%3.0f%%  %.0f of %.0f steps  %s\n", 100 * done / total, done, total, left);
    tenths = (int)(10 * done / total);
    fflush(stdout);
    return 0;
}

/* In one call, so that draw() cannot come between the answer and the prompt. */
static void say(const char *text)
{
    printf("%s\n%s", text, isatty(STDOUT_FILENO) ? "\n> " : "");
    fflush(stdout);
}

static void answer(const char *text, int status)
{
    char reason[256];

    if (status) park_last_error(job, reason, sizeof reason);
    say(status ? reason : text);
}

static void obey(char *line)
{
    static const struct {
        const char *name, *answer;
        int request;
    } requests[] = {{"p", "paused", PARK_PAUSE}, {"r", "running", PARK_RESUME}, {"c", "saved", PARK_CHECKPOINT}, {"s", "stopping", PARK_STOP}, {"a", "aborting", PARK_ABORT}};
    char name[32], text[64];
    double value;
    size_t i;
    int status;

    for (i = 0; i < sizeof requests / sizeof *requests; i++)
        if (!strcmp(line, requests[i].name)) {
            answer(requests[i].answer, park_ask(job, requests[i].request, NULL, 10, NULL));
            return;
        }
    if (sscanf(line, "set %31s %lf", name, &value) == 2) {
        answer("set", park_set_f64(job, name, value, 10));
    } else if (sscanf(line, "get %31s", name) == 1) {
        status = park_get_f64(job, name, 10, &value);
        snprintf(text, sizeof text, "%s = %g", name, value);
        answer(text, status);
    } else {
        say("p pause, r resume, c checkpoint, s stop, a abort, get NAME, set NAME VALUE");
    }
}

/* A second thread. By read(), because a thread that waits in fgets() would hold up exit(). Once the job is freed,
 * park answers it with PARK_INVALID_HANDLE. */
static void *listen_to_keyboard(void *unused)
{
    char line[80];
    size_t length = 0;

    while (read(STDIN_FILENO, line + length, 1) == 1) {
        if (line[length] != '\n') {
            if (length < sizeof line - 1) length++;
            continue;
        }
        line[length] = '\0';
        length = 0;
        obey(line);
    }
    return unused;
}

/* ---- the program -------------------------------------------------------------------------------- */

static int refused(void)
{
    char reason[1024];

    park_last_error(job, reason, sizeof reason);
    fprintf(stderr, "%s\n", reason);
    return 2;
}

int main(int argc, char **argv)
{
    const int64_t shape[] = {SIDE, SIDE};
    int64_t steps = 100000;
    pthread_t keyboard;
    int restored, code;
    char *end;

    if (argc > 1 && ((steps = strtoll(argv[1], &end, 10)) < 1 || *end || argc > 2)) {
        fprintf(stderr, "usage: heat [steps]\n");
        return 2;
    }
    heat_the_middle();

    job = park_handler_new("heat");
    park_expose_f64(job, "alpha", &alpha, 0.0, 0.25); /* exposed values are saved, too */
    park_variable_describe(job, "alpha", "cells^2/step", "how fast heat spreads; above 1/4 the scheme is unstable");
    park_protect_shape(job, "u", u, PARK_F64, 2, shape);
    park_protect(job, "step", &step, PARK_I64, 1);
    if (park_checkpoint_dir(job, CHECKPOINTS, 2)) return refused();
    park_set_units(job, "steps");
    park_listen(job, NULL); /* in another terminal: park watch heat */
    park_set_delta(job, PARK_PROGRESS_DELTA, 0.2);
    park_set_delta(job, PARK_CHECKPOINT_DELTA, 5); /* so that kill -9 costs at most 5 s */
    park_on_progress(job, draw, NULL, NULL);
    park_catch(job, 0, PARK_CATCH_INTERACTIVE); /* Ctrl-C */
    park_catch(job, 0, PARK_CATCH_SLURM);       /* SIGTERM */

    park_attach(job); /* this thread computes */
    restored = park_restore(job);
    if (restored < 0) return refused();
    say(restored == PARK_OK ? "going on from " CHECKPOINTS : "p pause, r resume, c checkpoint, s stop, a abort, get alpha, set alpha 0.1");
    if (!pthread_create(&keyboard, NULL, listen_to_keyboard, NULL)) pthread_detach(keyboard);
    while (step < steps) {
        advance();
        park_progress(job, (double)step, (double)steps);
        if (park_ready(job)) break; /* nonzero: time to stop */
    }
    park_detach(job);

    code = park_exit_code(job);
    if (code == 0) park_checkpoint_clear(job);
    printf("\n%s at step %lld: %.12g in the middle\n", code == 0 ? "done" : code == PARK_EXIT_CHECKPOINTED ? "stopped, checkpoint saved," : "aborted",
           (long long)step, u[SIDE / 2][SIDE / 2]);
    park_handler_free(job);
    return code;
}
