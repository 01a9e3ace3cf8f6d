/* The NIST reference problems of examples-c/nist: their files, models and certified answers. */
#ifndef NIST_H
#define NIST_H

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NIST_PARAMETERS 9
#define NIST_OBSERVATIONS 250
#define NIST_TOLERANCE 1e-6

struct nist_model {
    const char *dataset;
    int parameters;
    long double (*value)(const double *b, long double x);
    void (*order)(double *b); /* of equivalent solutions, chooses the one that NIST certifies; may be NULL */
};

struct nist_problem {
    const struct nist_model *model;
    int parameters, observations;
    double start[2][NIST_PARAMETERS];
    double x[NIST_OBSERVATIONS], y[NIST_OBSERVATIONS];
    double certified[NIST_PARAMETERS], certified_chi_square; /* for nist_compare only */
};

/* ---- models ---------------------------------------------------------------------------------- */

static long double nist_square(long double value)
{
    return value * value;
}

static long double nist_cycle(double cosine, double sine, long double period, long double x)
{
    static const long double two_pi = 6.283185307179586476925286766559L;

    return cosine * cosl(two_pi * x / period) + sine * sinl(two_pi * x / period);
}

static long double nist_peak(double height, double centre, double width, long double x)
{
    return height * expl(-nist_square((x - centre) / width));
}

static long double nist_enso(const double *b, long double x)
{
    return b[0] + nist_cycle(b[1], b[2], 12, x) + nist_cycle(b[4], b[5], b[3], x) + nist_cycle(b[7], b[8], b[6], x);
}

static long double nist_gauss1(const double *b, long double x)
{
    return b[0] * expl(-b[1] * x) + nist_peak(b[2], b[3], b[4], x) + nist_peak(b[5], b[6], b[7], x);
}

static long double nist_thurber(const double *b, long double x)
{
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1 + x * (b[4] + x * (b[5] + x * b[6])));
}

static long double nist_mgh09(const double *b, long double x)
{
    return b[0] * x * (x + b[1]) / (x * (x + b[2]) + b[3]);
}

static void nist_swap(double *one, double *other, int count)
{
    while (count-- > 0) {
        double kept = *one;
        *one++ = *other;
        *other++ = kept;
    }
}

/* ENSO's two free cycles may change places, which leaves the curve as it is: the longer one (b4) goes first. */
static void nist_longer_cycle_first(double *b)
{
    if (b[3] < b[6]) nist_swap(b + 3, b + 6, 3);
}

/* So may Gauss1's two peaks: the one further left (b4) goes first. And only the square of a width counts. */
static void nist_left_peak_first(double *b)
{
    if (b[3] > b[6]) nist_swap(b + 2, b + 5, 3);
    b[4] = fabs(b[4]);
    b[7] = fabs(b[7]);
}

static const struct nist_model nist_models[] = {
    {"ENSO", 9, nist_enso, nist_longer_cycle_first},
    {"Gauss1", 8, nist_gauss1, nist_left_peak_first},
    {"Thurber", 7, nist_thurber, NULL},
    {"MGH09", 4, nist_mgh09, NULL}};

/* The residual sum of squares. Near its minimum it hardly changes: a parameter that is off by 1e-6 changes ENSO's by
 * one part in 1e14, which is why it is summed, and has to be compared, in long double. */
static long double nist_chi_square(const struct nist_problem *problem, const double *b)
{
    long double sum = 0;
    int i;

    for (i = 0; i < problem->observations; i++) sum += nist_square(problem->y[i] - problem->model->value(b, problem->x[i]));
    return isfinite(sum) ? sum : (long double)INFINITY;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int nist_refuse(const char *path, const char *reason)
{
    fprintf(stderr, "%s: %s\n", path, reason);
    return -1;
}

static const struct nist_model *nist_model_named(const char *dataset)
{
    size_t i;

    for (i = 0; i < sizeof nist_models / sizeof *nist_models; i++)
        if (!strcmp(nist_models[i].dataset, dataset)) return &nist_models[i];
    return NULL;
}

/* The header says which lines hold the starting and certified values ("b1 = ...") and which hold the data. */
static int nist_read(const char *path, struct nist_problem *problem)
{
    char line[256], dataset[32] = "", reason[128];
    int number = 0, first_value = 0, last_value = 0, first_datum = 0, last_datum = 0, chi_square = 0;
    FILE *file = fopen(path, "r");

    memset(problem, 0, sizeof *problem);
    if (!file) return nist_refuse(path, strerror(errno));
    while (fgets(line, sizeof line, file)) {
        const char *text = line;

        number++;
        while (isspace((unsigned char)*text)) text++;
        if (number >= first_value && number <= last_value && problem->parameters < NIST_PARAMETERS) {
            int i = problem->parameters;
            if (sscanf(text, "b%*d = %lf %lf %lf", &problem->start[0][i], &problem->start[1][i], &problem->certified[i]) == 3)
                problem->parameters++;
        }
        if (number >= first_datum && number <= last_datum && problem->observations < NIST_OBSERVATIONS) {
            int i = problem->observations;
            if (sscanf(text, "%lf %lf", &problem->y[i], &problem->x[i]) == 2 && isfinite(problem->y[i]) && isfinite(problem->x[i]))
                problem->observations++;
        }
        sscanf(text, "Dataset Name: %31s", dataset);
        sscanf(text, "Starting Values (lines %d to %d)", &first_value, &last_value);
        sscanf(text, "Data (lines %d to %d)", &first_datum, &last_datum);
        if (sscanf(text, "Residual Sum of Squares: %lf", &problem->certified_chi_square) == 1) chi_square = 1;
    }
    if (ferror(file)) {
        fclose(file);
        return nist_refuse(path, "cannot be read");
    }
    fclose(file);

    if (!*dataset) return nist_refuse(path, "is no NIST reference dataset: it has no line \"Dataset Name:\"");
    problem->model = nist_model_named(dataset);
    if (!problem->model) {
        snprintf(reason, sizeof reason, "holds the dataset %s; this program has models for ENSO, Gauss1, Thurber and MGH09", dataset);
        return nist_refuse(path, reason);
    }
    if (problem->parameters != problem->model->parameters || !chi_square) {
        snprintf(reason, sizeof reason, "is damaged: %d of %d parameters found%s", problem->parameters, problem->model->parameters,
                 chi_square ? "" : ", and no residual sum of squares");
        return nist_refuse(path, reason);
    }
    if (last_datum < first_datum || problem->observations != last_datum - first_datum + 1 || !problem->observations) {
        snprintf(reason, sizeof reason, "is damaged: %d observations found in lines %d to %d", problem->observations, first_datum, last_datum);
        return nist_refuse(path, reason);
    }
    return 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static int nist_compare_one(const char *name, double found, double certified)
{
    double difference = fabs(found - certified) / fabs(certified);
    int agrees = difference <= NIST_TOLERANCE;

    printf("%-12s %18.12g %18.12g %12.1e%s\n", name, found, certified, difference, agrees ? "" : "  differs");
    return !agrees;
}

/* Prints found beside certified values; returns how many of them differ. */
static int nist_compare(const struct nist_problem *problem, const double *b)
{
    int i, differing = 0;
    char name[16];

    printf("%-12s %18s %18s %12s\n", problem->model->dataset, "found", "certified", "difference");
    for (i = 0; i < problem->parameters; i++) {
        snprintf(name, sizeof name, "b%d", i + 1);
        differing += nist_compare_one(name, b[i], problem->certified[i]);
    }
    differing += nist_compare_one("chi-square", (double)nist_chi_square(problem, b), problem->certified_chi_square);
    if (differing) printf("%d of these differ by more than %g.\n", differing, NIST_TOLERANCE);
    else printf("All agree within %g.\n", NIST_TOLERANCE);
    return differing;
}

#endif
