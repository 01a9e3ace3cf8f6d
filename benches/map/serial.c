/* One thread: what everybody is measured against. */
#include "contest.h"

static int loop(const task *given)
{
    const task t = *given;
    for (int64_t i = 0; i < t.n; i++)
        run_item(&t, i);
    return 0;
}

const way ways[] = {{"serial", loop, 0, 0, 0}};
const int ways_count = 1;
