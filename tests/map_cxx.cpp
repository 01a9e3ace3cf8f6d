/* Maps and streams from C++: lambdas as the functions, and an exception that comes out of the call. park.hpp will do this for
 * its users.
 *   g++ -std=c++17 -Iinclude tests/map_cxx.cpp -Ltarget/release -lpark -Wl,-rpath,target/release -pthread -o map_cxx && ./map_cxx
 *   ./map_cxx stray     an exception that escapes from an item ends the program with a message, and no other way */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <park.h>
#include <stdexcept>
#include <string>
#include <vector>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::printf("not ok: %s:%d: %s\n", __FILE__, __LINE__, #condition);                                       \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

/* The first exception of an item is kept, ends the map, and is thrown again by the caller. */
template <typename Function> int map(park_handler *job, std::int64_t n, Function function)
{
    struct Call {
        Function &function;
        std::once_flag once;
        std::exception_ptr thrown;
    } call{function, {}, nullptr};
    int status = park_map(
        job,
        [](park_handler *, const void *, void *, std::int64_t index, void *user) -> int {
            Call &call = *static_cast<Call *>(user);
            try {
                call.function(index);
                return 0;
            } catch (...) {
                std::call_once(call.once, [&] { call.thrown = std::current_exception(); });
                return 1;
            }
        },
        &call, nullptr, 0, nullptr, 0, n);
    if (call.thrown) std::rethrow_exception(call.thrown);
    return status;
}

/* A stream: `source(item)` yields items until it says false, `function` runs on several threads, `take` gets the results in
 * order. The first exception of any of them ends it, and comes out. */
template <typename Item, typename Result, typename Source, typename Function, typename Take>
int stream(park_handler *job, Source source, Function function, Take take)
{
    struct Call {
        Source &source;
        Function &function;
        std::once_flag once;
        std::exception_ptr thrown;
        int fails()
        {
            std::call_once(once, [&] { thrown = std::current_exception(); });
            return 1;
        }
    } call{source, function, {}, nullptr};
    park_imap *imap = park_imap_new(
        job, nullptr,
        [](park_handler *, const void *item, void *result, std::int64_t, void *user) -> int {
            Call &call = *static_cast<Call *>(user);
            try {
                *static_cast<Result *>(result) = call.function(*static_cast<const Item *>(item));
                return PARK_OK;
            } catch (...) {
                return call.fails();
            }
        },
        &call,
        [](park_handler *, void *item, std::int64_t, void *user) -> int {
            Call &call = *static_cast<Call *>(user);
            try {
                return call.source(*static_cast<Item *>(item)) ? PARK_OK : PARK_END;
            } catch (...) {
                return call.fails();
            }
        },
        &call, sizeof(Item), sizeof(Result));
    CHECK(imap);
    Result result;
    std::int64_t index;
    int status;
    try {
        while ((status = park_imap_next(imap, PARK_FOREVER, &result, &index, nullptr)) == PARK_OK) take(index, result);
    } catch (...) {
        park_imap_free(imap);
        throw;
    }
    CHECK(park_imap_free(imap) == PARK_OK);
    if (call.thrown) std::rethrow_exception(call.thrown);
    return status;
}

template <typename Action> std::string thrown_by(Action action)
{
    try {
        action();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "nothing";
}

static void streams(park_handler *job)
{
    const auto fails_at = [](int at, const char *text) {
        return [=](int i) { return i == at ? throw std::runtime_error(text) : 0.5 * i; };
    };
    for (const char *where : {"nowhere", "the source", "an item", "the taker"}) {
        int next = 0, taken = 0;
        const bool in_source = where == std::string("the source"), in_item = where == std::string("an item"),
                   in_taker = where == std::string("the taker");
        std::string thrown = thrown_by([&] {
            const int status = stream<int, double>(
                job,
                [&](int &item) {
                    if (in_source && next == 700) throw std::runtime_error("the source");
                    item = next++;
                    return item < 1000;
                },
                fails_at(in_item ? 700 : -1, "an item"),
                [&](std::int64_t index, double result) {
                    if (in_taker && taken == 700) throw std::runtime_error("the taker");
                    CHECK(index == taken++ && result == 0.5 * double(index));
                });
            CHECK(status == PARK_END);
        });
        const bool in_none = !in_source && !in_item && !in_taker;
        CHECK(thrown == (in_none ? "nothing" : where) && taken == (in_none ? 1000 : 700));
    }
}

int main(int argc, char **argv)
{
    park_handler *job = park_handler_new("map");
    CHECK(job && park_set_workers(job, 2) == PARK_OK && park_attach(job) == PARK_OK);

    if (argc > 1 && !std::strcmp(argv[1], "stray")) {
        park_map(
            job, [](park_handler *, const void *, void *, std::int64_t, void *) -> int { throw 1; }, nullptr, nullptr, 0,
            nullptr, 0, 1000);
        std::printf("not ok: it went on\n");
        return 0;
    }

    std::vector<double> squares(10000);
    CHECK(map(job, 10000, [&](std::int64_t i) { squares[i] = double(i) * double(i); }) == PARK_OK);
    for (std::size_t i = 0; i < squares.size(); i++) CHECK(squares[i] == double(i) * double(i));

    std::atomic<int> begun{0};
    std::string caught;
    try {
        map(job, 1000000, [&](std::int64_t i) {
            begun++;
            if (i == 500) throw std::runtime_error("item 500");
        });
    } catch (const std::runtime_error &error) {
        caught = error.what();
    }
    CHECK(caught == "item 500");
    CHECK(begun < 1000000);
    CHECK(map(job, 100, [](std::int64_t) {}) == PARK_OK);
    streams(job);
    CHECK(park_detach(job) == PARK_OK && park_handler_free(job) == PARK_OK);
    std::printf("ok map_cxx\n");
    return 0;
}
