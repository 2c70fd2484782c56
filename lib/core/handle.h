/* SPDX-License-Identifier: MIT */
/* What every handle has: a count of those who need it, and a mark of being at work. */
#ifndef EBM_CORE_HANDLE_H
#define EBM_CORE_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm__handle {
    ebm_context *context; /* kept; may be NULL */
    atomic_int references;
    atomic_int activity;  /* one of EBM__IDLE ... */
    bool poisoned;        /* an exception of a callback has passed through */
    void (*destroy)(struct ebm__handle *handle);
} ebm__handle;

enum {
    EBM__IDLE = 0,
    EBM__WORKING = 1, /* a call is changing it */
    EBM__WATCHED = 2  /* a call is at rest while the host's progress function looks at it */
};

/* The first reference belongs to the host. `destroy` frees the object that the handle is a part of. */
void ebm__handle_init(ebm__handle *handle, ebm_context *context, void (*destroy)(ebm__handle *));
void ebm__handle_keep(ebm__handle *handle);
void ebm__handle_release(ebm__handle *handle);

/*
 * How many callbacks of the host are running further up this thread's stack. A callback that throws (C++) leaves the
 * count one too high: that is how a call that is being unwound knows that it has not ended well. So every call of a
 * host's function stands between the two below; leaving also forgets what was thrown, and caught, inside the
 * callback.
 */
extern _Thread_local int ebm__callback_depth;

static inline int ebm__callback_enter(void) {
    return ebm__callback_depth++;
}

static inline void ebm__callback_leave(int depth) {
    ebm__callback_depth = depth;
}

/* One call's hold on a handle. */
typedef struct ebm__use {
    ebm__handle *handle;
    int depth;
} ebm__use;

ebm_status ebm__use_begin(ebm__use *use, ebm__handle *handle, const char *caller);
void ebm__use_end(ebm__use *use);

/* May the handle be read now? For getters, which hold nothing. */
ebm_status ebm__readable(const ebm__handle *handle, const char *caller);

/*
 * Holds a handle from here to the end of the block, also when an exception unwinds it (the library is built with
 * -fexceptions). Returns from the function that stands around it when the handle is busy or poisoned.
 */
#define EBM__USE(name, object) EBM__USE_FOR(name, object, __func__)

/* The same for a public function that this one works for: its name stands in the message. */
#define EBM__USE_FOR(name, object, caller)                                            \
    __attribute__((cleanup(ebm__use_end))) ebm__use name = {NULL, 0};                 \
    EBM__TRY(ebm__use_begin(&name, &(object)->handle, caller))

/* The same for an object that may be NULL. */
#define EBM__USE_ANY(name, object, caller)                                            \
    __attribute__((cleanup(ebm__use_end))) ebm__use name = {NULL, 0};                 \
    if ((object) != NULL) {                                                           \
        EBM__TRY(ebm__use_begin(&name, &(object)->handle, caller));                   \
    }

#endif /* EBM_CORE_HANDLE_H */
