/* OpenMP's three schedules, by gcc with libgomp and by clang with libomp. */
#include "contest.h"

static int loop_static(const task *given)
{
    const task t = *given;
#pragma omp parallel for schedule(static) firstprivate(t)
    for (int64_t i = 0; i < t.n; i++)
        run_item(&t, i);
    return 0;
}

static int loop_dynamic(const task *given)
{
    const task t = *given;
#pragma omp parallel for schedule(dynamic, 1) firstprivate(t)
    for (int64_t i = 0; i < t.n; i++)
        run_item(&t, i);
    return 0;
}

static int loop_guided(const task *given)
{
    const task t = *given;
#pragma omp parallel for schedule(guided) firstprivate(t)
    for (int64_t i = 0; i < t.n; i++)
        run_item(&t, i);
    return 0;
}

const way ways[] = {
    {"static", loop_static, 0, 0, 0},
    {"dynamic,1", loop_dynamic, 0, 0, 0},
    {"guided", loop_guided, 0, 0, 0},
};
const int ways_count = 3;
