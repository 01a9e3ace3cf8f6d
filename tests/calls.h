/* Every function of the header that takes a handle, as a table: to call them all with a handle that will not do. */
#ifndef CALLS_H
#define CALLS_H

#include "job.h"

/* Targets for valid arguments. */
static double x, xs[2];
static int64_t n, ns[2];
static int yes;
static char text[16], buffer[64];
static atomic_int destroyed;
static park_message *message;
static park_event *out_event;

static int no_service(park_handler *job, void *request) { (void)job; (void)request; return PARK_OK; }
static int no_checkpoint(park_handler *job, int operation, void *user) { (void)job; (void)operation; (void)user; return 0; }
static int no_event(park_handler *job, const park_event *event, void *user) { (void)job; (void)event; (void)user; return 0; }
static int no_notify(void *user) { (void)user; return 0; }
static void no_reply(park_handler *job, int status, const park_message *reply, void *user)
{
    (void)job; (void)status; (void)reply; (void)user;
}
static int no_message(park_handler *job, const park_message *request, park_message *reply, void *user)
{
    (void)job; (void)request; (void)reply; (void)user;
    return 0;
}
static int no_improved(park_handler *job, double value, const void *state, int64_t bytes, void *user)
{
    (void)job; (void)value; (void)state; (void)bytes; (void)user;
    return 0;
}
static int no_progress(park_handler *job, double done, double total, double left, void *user)
{
    (void)job; (void)done; (void)total; (void)left; (void)user;
    return 0;
}
static int no_log(park_handler *job, int level, const char *line, void *user)
{
    (void)job; (void)level; (void)line; (void)user;
    return 0;
}
static int no_item(park_handler *job, const void *in, void *out, int64_t index, void *user)
{
    (void)job; (void)in; (void)out; (void)index; (void)user;
    return 0;
}
static int no_stretch(park_handler *job, int64_t begin, int64_t end, void *user)
{
    (void)job; (void)begin; (void)end; (void)user;
    return 0;
}
static int no_save(park_handler *job, park_sink *sink, void *user) { (void)job; (void)sink; (void)user; return 0; }
static int no_load(park_handler *job, const void *bytes, int64_t length, void *user)
{
    (void)job; (void)bytes; (void)length; (void)user;
    return 0;
}
static int64_t of_pointer(const void *pointer) { return pointer ? 0 : PARK_INVALID_HANDLE; }
static int64_t of_real(double real) { return real < 0 ? (int64_t)real : 0; }

/* One call for each function that takes a handle, right but for the handle. */
struct call { const char *name; int64_t (*call)(void *handle); int destroys; };
#define CALL(kind, name, expression) static int64_t call_##name(void *handle) { park_##kind *h = handle; return expression; }

#define DATA &destroyed, count_destroy
CALL(handler, name, park_name(h, buffer, sizeof buffer))
CALL(handler, handler_free, park_handler_free(h))
CALL(handler, listen, park_listen(h, NULL))
CALL(handler, listen_path, park_listen_path(h, buffer, sizeof buffer))
CALL(handler, unlisten, park_unlisten(h))
CALL(handler, attach, park_attach(h))
CALL(handler, detach, park_detach(h))
CALL(handler, start, park_start(h, no_service, DATA, 0))
CALL(handler, wait, park_wait(h, 0.01))
CALL(handler, state, park_state(h))
CALL(handler, exit_code, park_exit_code(h))
CALL(handler, set_stack_size, park_set_stack_size(h, 1 << 20))
CALL(handler, set_result, park_set_result(h, "r", 1))
CALL(handler, result, park_result(h, buffer, sizeof buffer))
CALL(handler, fail, park_fail(h, "reason"))
CALL(handler, reason, park_reason(h, buffer, sizeof buffer))
CALL(handler, ready, park_ready(h))
CALL(handler, map, park_map(h, no_item, NULL, NULL, 0, NULL, 0, 1))
CALL(handler, map_with, park_map_with(h, NULL, no_item, NULL, NULL, 0, NULL, 0, 1))
CALL(handler, for, park_for(h, 0, 1, no_stretch, NULL))
CALL(handler, for_with, park_for_with(h, NULL, 0, 1, no_stretch, NULL))
CALL(handler, map_items, park_map_items(h, PARK_ITEMS_LEFT, 0, &n, &ns[0]))
CALL(handler, set_workers, park_set_workers(h, 2))
CALL(handler, workers, park_workers(h))
CALL(handler, worker, park_worker(h))
CALL(handler, worker_local, of_pointer(park_worker_local(h)))
CALL(handler, progress, park_progress(h, 1, 2))
CALL(handler, set_units, park_set_units(h, "m"))
CALL(handler, improved, park_improved(h, 1, "s", 1))
CALL(handler, best, park_best(h, &x, buffer, sizeof buffer))
CALL(handler, log, park_log(h, PARK_LOG_INFO, "line"))
CALL(handler, set_delta, park_set_delta(h, PARK_PROGRESS_DELTA, 1))
CALL(handler, delta, of_real(park_delta(h, PARK_PROGRESS_DELTA)))
CALL(handler, protect, park_protect(h, "x", &x, PARK_F64, 1))
CALL(handler, protect_shape, park_protect_shape(h, "x", &x, PARK_F64, 0, NULL))
CALL(handler, protect_custom, park_protect_custom(h, "x", no_save, no_load, DATA))
CALL(handler, protect_was, park_protect_was(h, "x", NULL))
CALL(handler, unprotect, park_unprotect(h, "x"))
CALL(handler, checkpoint_dir, park_checkpoint_dir(h, NULL, 0))
CALL(handler, checkpoint_mode, park_checkpoint_mode(h, PARK_CHECKPOINT_COPY))
CALL(handler, checkpoint_share, park_checkpoint_share(h, 1))
CALL(handler, set_deadline, park_set_deadline(h, PARK_FOREVER, 0))
CALL(handler, checkpoint_now, park_checkpoint_now(h))
CALL(handler, checkpoint_wait, park_checkpoint_wait(h, 0))
CALL(handler, checkpoint_count, park_checkpoint_count(h))
CALL(handler, checkpoint_info, park_checkpoint_info(h, 0, message))
CALL(handler, checkpoint_clear, park_checkpoint_clear(h))
CALL(handler, checkpoint_path, park_checkpoint_path(h, buffer, sizeof buffer))
CALL(handler, on_checkpoint, park_on_checkpoint(h, no_checkpoint, DATA))
CALL(handler, restore, park_restore(h))
CALL(handler, checkpoint_due, park_checkpoint_due(h))
CALL(handler, checkpoint_done, park_checkpoint_done(h, 1))
CALL(handler, signal, park_signal(h, PARK_PAUSE))
CALL(handler, ask, park_ask(h, PARK_GET, NULL, 0.01, NULL))
CALL(handler, ask_later, park_ask_later(h, PARK_GET, NULL, no_reply, DATA))
CALL(handler, set_f64, park_set_f64(h, "x", 1, 0.01))
CALL(handler, set_i64, park_set_i64(h, "n", 1, 0.01))
CALL(handler, set_bool, park_set_bool(h, "yes", 1, 0.01))
CALL(handler, set_text, park_set_text(h, "text", "t", 0.01))
CALL(handler, get_f64, park_get_f64(h, "x", 0.01, &x))
CALL(handler, get_i64, park_get_i64(h, "n", 0.01, &n))
CALL(handler, get_bool, park_get_bool(h, "yes", 0.01, &yes))
CALL(handler, get_text, park_get_text(h, "text", 0.01, buffer, sizeof buffer))
CALL(handler, on_signal, park_on_signal(h, "m", no_message, DATA))
CALL(handler, on_ready, park_on_ready(h, "m", no_message, DATA))
CALL(handler, method, park_method(h, "m", no_message, DATA))
CALL(handler, expose_f64, park_expose_f64(h, "x", &x, 0, 1))
CALL(handler, expose_i64, park_expose_i64(h, "n", &n, 0, 1))
CALL(handler, expose_bool, park_expose_bool(h, "yes", &yes))
CALL(handler, expose_text, park_expose_text(h, "text", text, sizeof text))
CALL(handler, expose_f64s, park_expose_f64s(h, "xs", xs, 2, 0, 1))
CALL(handler, expose_i64s, park_expose_i64s(h, "ns", ns, 2, 0, 1))
CALL(handler, unexpose, park_unexpose(h, "x"))
CALL(handler, variable_read_only, park_variable_read_only(h, "x", 1))
CALL(handler, variable_describe, park_variable_describe(h, "x", "m", "length"))
CALL(handler, variable_check, park_variable_check(h, "x", no_message, DATA))
CALL(handler, variable_count, park_variable_count(h))
CALL(handler, variable_name, park_variable_name(h, 0, buffer, sizeof buffer))
CALL(handler, variable_info, park_variable_info(h, "x", message))
CALL(handler, on_event, park_on_event(h, PARK_EVENT_ALL, PARK_ON_SERVICE, no_event, DATA))
CALL(handler, off_event, park_off_event(h, 1))
CALL(handler, on_improved, park_on_improved(h, no_improved, DATA))
CALL(handler, on_progress, park_on_progress(h, no_progress, DATA))
CALL(handler, on_log, park_on_log(h, PARK_LOG_DEBUG, no_log, DATA))
CALL(handler, catch, park_catch(h, 0, PARK_CATCH_NONE))
CALL(handler, idle, of_real(park_idle(h)))
CALL(handler, client_new, of_pointer(park_client_new(h, PARK_EVENT_ALL)))
#define TABLE(name, destroys) { "park_" #name, call_##name, destroys }
static const struct call handler_calls[] = {
    TABLE(name, 0), TABLE(handler_free, 0), TABLE(attach, 0), TABLE(detach, 0), TABLE(start, 1), TABLE(wait, 0), TABLE(state, 0),
    TABLE(exit_code, 0), TABLE(set_stack_size, 0), TABLE(set_result, 0), TABLE(result, 0), TABLE(fail, 0), TABLE(reason, 0),
    TABLE(ready, 0), TABLE(map, 0), TABLE(map_with, 0), TABLE(for, 0), TABLE(for_with, 0), TABLE(map_items, 0),
    TABLE(set_workers, 0), TABLE(workers, 0), TABLE(worker, 0), TABLE(worker_local, 0), TABLE(progress, 0), TABLE(set_units, 0), TABLE(improved, 0), TABLE(best, 0), TABLE(log, 0),
    TABLE(set_delta, 0), TABLE(delta, 0), TABLE(protect, 0), TABLE(protect_shape, 0), TABLE(protect_custom, 1),
    TABLE(protect_was, 0), TABLE(unprotect, 0), TABLE(checkpoint_dir, 0), TABLE(checkpoint_mode, 0), TABLE(checkpoint_share, 0),
    TABLE(set_deadline, 0), TABLE(checkpoint_now, 0), TABLE(checkpoint_wait, 0), TABLE(checkpoint_count, 0),
    TABLE(checkpoint_info, 0), TABLE(checkpoint_clear, 0), TABLE(checkpoint_path, 0), TABLE(on_checkpoint, 1), TABLE(restore, 0), TABLE(checkpoint_due, 0),
    TABLE(checkpoint_done, 0), TABLE(signal, 0), TABLE(ask, 0), TABLE(ask_later, 1), TABLE(set_f64, 0), TABLE(set_i64, 0),
    TABLE(set_bool, 0), TABLE(set_text, 0), TABLE(get_f64, 0), TABLE(get_i64, 0), TABLE(get_bool, 0), TABLE(get_text, 0),
    TABLE(on_signal, 1), TABLE(on_ready, 1), TABLE(method, 1), TABLE(expose_f64, 0), TABLE(expose_i64, 0), TABLE(expose_bool, 0),
    TABLE(expose_text, 0), TABLE(expose_f64s, 0), TABLE(expose_i64s, 0), TABLE(unexpose, 0), TABLE(variable_read_only, 0),
    TABLE(variable_describe, 0), TABLE(variable_check, 1), TABLE(variable_count, 0), TABLE(variable_name, 0),
    TABLE(variable_info, 0), TABLE(on_event, 1), TABLE(off_event, 0), TABLE(on_improved, 1), TABLE(on_progress, 1),
    TABLE(on_log, 1), TABLE(catch, 0), TABLE(idle, 0),
    TABLE(client_new, 0),
    TABLE(listen, 0), TABLE(listen_path, 0), TABLE(unlisten, 0),
};

CALL(client, client_free, park_client_free(h))
CALL(client, client_limit, park_client_limit(h, 1, 1))
CALL(client, client_fd, park_client_fd(h))
CALL(client, on_notify, park_on_notify(h, no_notify, DATA))
CALL(client, next_event, park_next_event(h, 0.01, &out_event))
static const struct call client_calls[] = {
    TABLE(client_free, 0), TABLE(client_limit, 0), TABLE(client_fd, 0), TABLE(on_notify, 1), TABLE(next_event, 0),
};

CALL(event, event_free, park_event_free(h))
CALL(event, event_kind, park_event_kind(h))
CALL(event, event_sequence, park_event_sequence(h))
CALL(event, event_time, of_real(park_event_time(h)))
CALL(event, event_done, of_real(park_event_done(h)))
CALL(event, event_total, of_real(park_event_total(h)))
CALL(event, event_seconds_left, of_real(park_event_seconds_left(h)))
CALL(event, event_units, park_event_units(h, buffer, sizeof buffer))
CALL(event, event_value, of_real(park_event_value(h)))
CALL(event, event_state, of_pointer(park_event_state(h, &n)))
CALL(event, event_status, park_event_status(h))
CALL(event, event_job_state, park_event_job_state(h))
CALL(event, event_level, park_event_level(h))
CALL(event, event_text, park_event_text(h, buffer, sizeof buffer))
static const struct call event_calls[] = {
    TABLE(event_free, 0), TABLE(event_kind, 0), TABLE(event_sequence, 0), TABLE(event_time, 0), TABLE(event_done, 0),
    TABLE(event_total, 0), TABLE(event_seconds_left, 0), TABLE(event_units, 0), TABLE(event_value, 0), TABLE(event_state, 0),
    TABLE(event_status, 0), TABLE(event_job_state, 0), TABLE(event_level, 0), TABLE(event_text, 0),
};

CALL(sink, sink_put, park_sink_put(h, "b", 1))
static const struct call sink_calls[] = { TABLE(sink_put, 0) };

CALL(message, message_free, park_message_free(h))
CALL(message, message_clear, park_message_clear(h))
CALL(message, message_name, park_message_name(h, buffer, sizeof buffer))
CALL(message, message_put_key, park_message_put_key(h, "k"))
CALL(message, message_put_f64, park_message_put_f64(h, "k", 1))
CALL(message, message_put_i64, park_message_put_i64(h, "k", 1))
CALL(message, message_put_bool, park_message_put_bool(h, "k", 1))
CALL(message, message_put_text, park_message_put_text(h, "k", "t"))
CALL(message, message_put_f64s, park_message_put_f64s(h, "k", xs, 2))
CALL(message, message_put_i64s, park_message_put_i64s(h, "k", ns, 2))
CALL(message, message_get_f64, park_message_get_f64(h, "k", &x))
CALL(message, message_get_i64, park_message_get_i64(h, "k", &n))
CALL(message, message_get_bool, park_message_get_bool(h, "k", &yes))
CALL(message, message_get_text, park_message_get_text(h, "k", buffer, sizeof buffer))
CALL(message, message_get_f64s, park_message_get_f64s(h, "k", xs, 2))
CALL(message, message_get_i64s, park_message_get_i64s(h, "k", ns, 2))
CALL(message, message_count, park_message_count(h))
CALL(message, message_key, park_message_key(h, 0, buffer, sizeof buffer))
CALL(message, message_type, park_message_type(h, "k"))
static const struct call message_calls[] = {
    TABLE(message_free, 0), TABLE(message_clear, 0), TABLE(message_name, 0), TABLE(message_put_key, 0), TABLE(message_put_f64, 0),
    TABLE(message_put_i64, 0), TABLE(message_put_bool, 0), TABLE(message_put_text, 0), TABLE(message_put_f64s, 0),
    TABLE(message_put_i64s, 0), TABLE(message_get_f64, 0), TABLE(message_get_i64, 0), TABLE(message_get_bool, 0),
    TABLE(message_get_text, 0), TABLE(message_get_f64s, 0), TABLE(message_get_i64s, 0), TABLE(message_count, 0),
    TABLE(message_key, 0), TABLE(message_type, 0),
};

struct table { const char *handle; const struct call *calls; int count; };
#define WHOLE(handle, calls) { handle, calls, (int)(sizeof calls / sizeof calls[0]) }
static const struct table tables[] = {
    WHOLE("job", handler_calls), WHOLE("client", client_calls), WHOLE("event", event_calls), WHOLE("message", message_calls),
    WHOLE("sink", sink_calls),
};

#endif
