/* NLopt made interruptible, with progress and the best so far, from inside the objective function: NLopt itself (Debian's
 * libnlopt-dev) stays as it is. From the root of the repository:
 *
 *   $ make
 *   $ mkdir -p build
 *   $ cc -O2 -std=c99 -Wall -Wextra -pedantic -Iinclude examples-c/nlopt.c -o build/nlopt \
 *        -Ltarget/release -lpark -lnlopt -lm -Wl,-rpath,$PWD/target/release
 *   $ build/nlopt
 *
 * It looks for the shape of least energy of a cluster of atoms (Lennard-Jones): "build/nlopt 7 20000" for 7 atoms in
 * 20000 evaluations. Ctrl-C stops it and prints the best shape so far. Exit codes: 0 found the known minimum, 1 not,
 * 2 bad input, 86 stopped early.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <nlopt.h>
#include <park.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ATOMS_MOST 30

/* Energies of the best clusters known: Cambridge Cluster Database, https://www-wales.ch.cam.ac.uk/~jon/structures/LJ.html */
static const double known_energy[ATOMS_MOST + 1] = {
    0, 0, -1, -3, -6, -9.103852, -12.712062, -16.505384, -19.821489, -24.113360, -28.422532, -32.765970, -37.967600, -44.326801,
    -47.845157, -52.322627, -56.815742, -61.317995, -66.530949, -72.659782, -77.177043, -81.684571, -86.809782, -92.844472, -97.348815, -102.372663, -108.315616, -112.873584, -117.822402,
    -123.587371, -128.286571};

struct search {
    park_handler *job;
    nlopt_opt optimiser;
    int64_t evaluations, evaluations_most;
    double best;
};

/* ---- the problem -------------------------------------------------------------------------------- */

/* 4 (r^-12 - r^-6), but straight on below r = 0.8: no infinity there, and still a slope that leads out. */
static double pair_energy(double r, double *slope)
{
    double s = fmax(r, 0.8), s6 = 1 / (s * s * s * s * s * s);

    *slope = -24 * (2 * s6 * s6 - s6) / s;
    return 4 * (s6 * s6 - s6) + *slope * (r - s);
}

static double cluster_energy(unsigned coordinates, const double *x, double *gradient)
{
    double energy = 0;
    unsigned i, j, k;

    if (gradient)
        for (i = 0; i < coordinates; i++) gradient[i] = 0;
    for (i = 0; i < coordinates; i += 3)
        for (j = i + 3; j < coordinates; j += 3) {
            double apart[3], slope, r;

            for (k = 0; k < 3; k++) apart[k] = x[i + k] - x[j + k];
            r = sqrt(apart[0] * apart[0] + apart[1] * apart[1] + apart[2] * apart[2]) + 1e-12;
            energy += pair_energy(r, &slope);
            if (gradient)
                for (k = 0; k < 3; k++) {
                    gradient[i + k] += slope * apart[k] / r;
                    gradient[j + k] -= slope * apart[k] / r;
                }
        }
    return energy;
}

/* ---- where NLopt and park meet ------------------------------------------------------------------ */

static double objective(unsigned coordinates, const double *x, double *gradient, void *data)
{
    struct search *search = data;
    double energy = cluster_energy(coordinates, x, gradient);

    if (energy < search->best) {
        search->best = energy;
        park_improved(search->job, energy, x, (int64_t)(coordinates * sizeof *x));
    }
    park_progress(search->job, (double)++search->evaluations, (double)search->evaluations_most);
    if (park_ready(search->job)) nlopt_force_stop(search->optimiser);
    return energy;
}

/* Many local searches by gradient (L-BFGS), their starts chosen so that no valley is searched twice (MLSL). */
static nlopt_opt make_optimiser(struct search *search, unsigned coordinates, double radius)
{
    nlopt_opt optimiser = nlopt_create(NLOPT_G_MLSL_LDS, coordinates), local = nlopt_create(NLOPT_LD_LBFGS, coordinates);

    nlopt_set_ftol_rel(local, 1e-9);
    nlopt_set_local_optimizer(optimiser, local); /* copied */
    nlopt_destroy(local);
    nlopt_set_lower_bounds1(optimiser, -radius);
    nlopt_set_upper_bounds1(optimiser, radius);
    nlopt_set_maxeval(optimiser, (int)search->evaluations_most);
    nlopt_set_min_objective(optimiser, objective, search);
    return optimiser;
}

/* ---- what one sees ------------------------------------------------------------------------------ */

static int draw(park_handler *job, double done, double total, double seconds_left, void *user)
{
    static int tenths = -1;
    const struct search *search = user;
    char left[32] = "";
    int terminal = isatty(STDERR_FILENO);

    (void)job;
    if (seconds_left >= 0) snprintf(left, sizeof left, "%.0f s left", seconds_left);
    if (terminal || (int)(10 * done / total) > tenths)
        fprintf(stderr, "%s%3.0f%%  %-11s  energy %.6f%s", terminal ? "\r" : "", 100 * done / total, left, search->best, terminal ? "\033[K" : "\n");
    tenths = (int)(10 * done / total);
    return 0;
}

static void print_best(park_handler *job, unsigned atoms)
{
    double energy, x[3 * ATOMS_MOST];
    unsigned i;

    if (park_best(job, &energy, x, sizeof x) <= 0) return;
    printf("%u atoms, energy %.6f, the best known %.6f\n", atoms, energy, known_energy[atoms]);
    for (i = 0; i < 3 * atoms; i += 3) printf("%12.6f %12.6f %12.6f\n", x[i], x[i + 1], x[i + 2]);
}

/* ---- the program -------------------------------------------------------------------------------- */

static int whole_number(const char *text, long least, long most, int64_t *value)
{
    char *end;

    *value = strtol(text, &end, 10);
    return *text && !*end && *value >= least && *value <= most;
}

int main(int argc, char **argv)
{
    struct search search = {NULL, NULL, 0, 300000, INFINITY};
    int64_t atoms = 24;
    double x[3 * ATOMS_MOST], energy, radius;
    int i, result, code;

    if (argc > 3 || (argc > 1 && !whole_number(argv[1], 2, ATOMS_MOST, &atoms)) || (argc > 2 && !whole_number(argv[2], 1, 2000000000, &search.evaluations_most))) {
        fprintf(stderr, "usage: nlopt [atoms, 2 to %d [evaluations, 1 to 2000000000]]\n", ATOMS_MOST);
        return 2;
    }
    search.job = park_handler_new("nlopt");
    if (!search.job) {
        fprintf(stderr, "nlopt: no handler to be had\n");
        return 1;
    }
    radius = 0.8 * cbrt((double)atoms); /* of a ball that holds them all, with some room */
    search.optimiser = make_optimiser(&search, (unsigned)(3 * atoms), radius);
    for (i = 0; i < 3 * atoms; i++) x[i] = radius * sin(i * i); /* somewhere in the box */

    park_set_units(search.job, "evaluations");
    park_listen(search.job, NULL); /* in another terminal: park watch nlopt */
    park_set_delta(search.job, PARK_PROGRESS_DELTA, 0.1);
    park_on_progress(search.job, draw, &search, NULL);
    park_catch(search.job, 0, PARK_CATCH_INTERACTIVE); /* Ctrl-C */
    park_catch(search.job, 0, PARK_CATCH_SLURM);       /* SIGTERM */

    park_attach(search.job);
    result = nlopt_optimize(search.optimiser, x, &energy);
    if (result < 0 && result != NLOPT_FORCED_STOP && result != NLOPT_ROUNDOFF_LIMITED) {
        fprintf(stderr, "nlopt: %s\n", nlopt_result_to_string(result));
        park_fail(search.job, nlopt_result_to_string(result));
    }
    park_detach(search.job);
    fputc('\n', stderr);

    print_best(search.job, (unsigned)atoms);
    code = park_exit_code(search.job);
    if (code == 0 && search.best > known_energy[atoms] + 1e-5) code = 1;
    nlopt_destroy(search.optimiser);
    park_handler_free(search.job);
    return code;
}
