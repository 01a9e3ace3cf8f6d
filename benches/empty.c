/* Functions that do nothing, in a shared library of their own: what any call into a library costs.
 *
 *   gcc -O2 -fPIC -shared benches/empty.c -o build/bench/libempty.so
 */
void empty_call(void) {}

/* The shapes of park_progress and park_ready: their arguments cost the caller the same. */
int empty_progress(void *job, double done, double total) { return (void)job, (void)done, (void)total, 0; }
int empty_ready(void *job) { return (void)job, 0; }
