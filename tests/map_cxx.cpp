/* Maps from C++: a lambda as the function, and an exception that comes out of the map call. park.hpp will do this for its users.
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
    CHECK(park_detach(job) == PARK_OK && park_handler_free(job) == PARK_OK);
    std::printf("ok map_cxx\n");
    return 0;
}
