// oneTBB's parallel_pipeline: indices in, items in parallel, results out.
#include "stream.h"
#include <tbb/parallel_pipeline.h>

namespace {

struct done {
    int64_t index;
    uint64_t result;
};

uint64_t run(tbb::filter_mode out, const task *given, int64_t bound, int64_t *first)
{
    const task t = *given;
    int64_t next = 0;
    uint64_t sum = 0;
    tbb::parallel_pipeline(
        bound,
        tbb::make_filter<void, int64_t>(tbb::filter_mode::serial_in_order,
                                        [&](tbb::flow_control &control) -> int64_t {
                                            if (next == t.n)
                                                control.stop();
                                            return next++;
                                        }) &
            tbb::make_filter<int64_t, done>(tbb::filter_mode::parallel,
                                            [&](int64_t i) {
                                                uint64_t result = 0;
                                                t.fn(nullptr, t.in + i * t.in_stride, &result, i, t.user);
                                                return done{i, result};
                                            }) &
            tbb::make_filter<done, void>(out, [&](done d) {
                if (*first == 0)
                    *first = now_ns();
                sum += d.result + (uint64_t)d.index;
            }));
    return sum;
}

uint64_t ordered(const task *t, int64_t bound, int64_t, int64_t *first)
{
    return run(tbb::filter_mode::serial_in_order, t, bound, first);
}

uint64_t as_completed(const task *t, int64_t bound, int64_t, int64_t *first)
{
    return run(tbb::filter_mode::serial_out_of_order, t, bound, first);
}

}

extern "C" {
const stream streams[] = {
    {"TBB pipeline, as completed", as_completed},
    {"TBB pipeline, ordered", ordered},
};
const int streams_count = 2;
}
