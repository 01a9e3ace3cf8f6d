/* The items that all contestants run, compiled once (item.c), and called through a pointer by everybody. Their shape is that of
 * park_map_fn. */
#ifndef ITEM_H
#define ITEM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct park_handler;
typedef int (*item_fn)(struct park_handler *job, const void *in, void *out, int64_t index, void *user);

/* in: uint32_t, how many steps of a chain in which each waits for the one before. out: uint64_t, where the chain ends. */
int item_busy(struct park_handler *job, const void *in, void *out, int64_t index, void *user);

/* Nothing at all. */
int item_empty(struct park_handler *job, const void *in, void *out, int64_t index, void *user);

/* user: uint8_t[n], how often each index was run. */
int item_count(struct park_handler *job, const void *in, void *out, int64_t index, void *user);

/* user: int64_t[n], when each index was begun; runs *in steps as item_busy does. */
int item_stamp(struct park_handler *job, const void *in, void *out, int64_t index, void *user);

#ifdef __cplusplus
}
#endif
#endif
