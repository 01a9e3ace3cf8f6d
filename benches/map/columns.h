/* The columns of the table: how many items, what they cost on average, and how their costs vary (100 times). Serially each takes
 * about 20 ms. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdint.h>

enum { EMPTY, UNIFORM, RANDOM, RISING, FALLING };

typedef struct {
    const char *name;
    int shape;
    double ns;
    int64_t n;
} column;

static const column columns[] = {
    {"empty, 1e7", EMPTY, 0, 10000000},
    {"100 ns, 2e5", UNIFORM, 100, 200000},
    {"1 us, 2e4", UNIFORM, 1000, 20000},
    {"10 us, 2000", UNIFORM, 10000, 2000},
    {"1 ms, 20", UNIFORM, 1000000, 20},
    {"10 ms, 2", UNIFORM, 10000000, 2},
    {"random 1 us", RANDOM, 1000, 20000},
    {"rising 1 us", RISING, 1000, 20000},
    {"falling 1 us", FALLING, 1000, 20000},
    {"rising 100 ns", RISING, 100, 200000},
    {"falling 100 ns", FALLING, 100, 200000},
    {"rising 0.5 ms, 40", RISING, 500000, 40},
};

#define COLUMNS ((int)(sizeof columns / sizeof columns[0]))

#endif
