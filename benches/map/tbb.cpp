// oneTBB's parallel_for, and std::execution::par, which in gcc's library runs on oneTBB.
#include "contest.h"
#include <algorithm>
#include <execution>
#include <tbb/parallel_for.h>
#include <tbb/task_group.h>

static tbb::task_group_context context;

static int loop_tbb(const task *given)
{
    tbb::parallel_for(
        tbb::blocked_range<int64_t>(0, given->n),
        [given](const tbb::blocked_range<int64_t> &range) {
            const task t = *given;
            for (int64_t i = range.begin(), end = range.end(); i < end; i++)
                run_item(&t, i);
        },
        tbb::auto_partitioner(), context);
    return context.is_group_execution_cancelled();
}

static void cancel() { context.cancel_group_execution(); }
static void again() { context.reset(); }

namespace {
struct counting { // just enough of a random access iterator
    using iterator_category = std::random_access_iterator_tag;
    using value_type = int64_t;
    using difference_type = int64_t;
    using pointer = const int64_t *;
    using reference = int64_t;
    int64_t i = 0;
    int64_t operator*() const { return i; }
    int64_t operator[](int64_t k) const { return i + k; }
    counting &operator++() { return ++i, *this; }
    counting operator++(int) { return counting{i++}; }
    counting &operator--() { return --i, *this; }
    counting &operator+=(int64_t k) { return i += k, *this; }
    counting &operator-=(int64_t k) { return i -= k, *this; }
    counting operator+(int64_t k) const { return counting{i + k}; }
    counting operator-(int64_t k) const { return counting{i - k}; }
    int64_t operator-(const counting &o) const { return i - o.i; }
    bool operator==(const counting &o) const { return i == o.i; }
    bool operator!=(const counting &o) const { return i != o.i; }
    bool operator<(const counting &o) const { return i < o.i; }
};
}

static int loop_std(const task *given)
{
    std::for_each(std::execution::par, counting{0}, counting{given->n}, [t = *given](int64_t i) { run_item(&t, i); });
    return 0;
}

extern "C" {
const way ways[] = {
    {"TBB auto", loop_tbb, nullptr, cancel, again},
    {"std::par", loop_std, nullptr, nullptr, nullptr},
};
const int ways_count = 2;
}
