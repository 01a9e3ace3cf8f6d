/* rayon, from its cdylib in rayon/: entered from a thread that is not its own, and by one that is of its pool. */
#include "contest.h"

int rayon_for_outside(const task *task);
int rayon_for_inside(const task *task);
void rayon_begin_outside(int64_t threads);
void rayon_begin_inside(int64_t threads);

const way ways[] = {
    {"rayon from outside", rayon_for_outside, rayon_begin_outside, 0, 0},
    {"rayon, caller in pool", rayon_for_inside, rayon_begin_inside, 0, 0},
};
const int ways_count = 2;
