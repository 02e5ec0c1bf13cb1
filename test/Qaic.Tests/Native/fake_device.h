/* What the functions of fake_qaic.c work on: switches, messages, objects, and the device that computes. Included once, by that file, which describes the switches. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "qaic_abi.h"

#ifdef FAKE_WIDE
typedef uint64_t Count;
#else
typedef uint32_t Count;
#endif
#ifndef FAKE_PROPERTIES_SIZE
#define FAKE_PROPERTIES_SIZE 24
#endif
#ifndef FAKE_DEVINFO_SIZE
#define FAKE_DEVINFO_SIZE sizeof(QDevInfo)
#endif
#ifndef FAKE_DEVICES
#define FAKE_DEVICES 1
#endif
#ifndef FAKE_DEVICE_STATUS
#define FAKE_DEVICE_STATUS DEVICE_READY
#endif
#ifndef FAKE_DRAM_TOTAL
#define FAKE_DRAM_TOTAL 33554432
#endif
#ifdef FAKE_PARTIAL
#define IS_PARTIAL 1
#else
#define IS_PARTIAL 0
#endif
#ifndef FAKE_ASK_STATUS
#define FAKE_ASK_STATUS QS_SUCCESS
#endif

#define QPC_MAGIC 0x00A1CD7Cu
#define AUTO_LOAD_ACTIVATE 0x04u
#define ZERO_COPY_BUFFERS 0x01u
#define PAGE 4096
#define DEVICE_ERROR_TYPE 0x500u
#ifndef CORES
#define CORES 16
#endif
#define ELEMENTS 4
#define BYTES (ELEMENTS * sizeof(float))

typedef void (*ErrorCallback)(uint32_t, const char *, uint32_t, const void *, size_t, void *);
#ifdef FAKE_OLD_CONTEXT
typedef void (*LogCallback)(QLogLevel, const char *);
#else
typedef void (*LogCallback)(QLogLevel, const char *, void *);
#endif

typedef void (*EventCallback)(void *, uint32_t, void *);
typedef struct Call Call;

typedef enum { CONTEXT, QUEUE, QPC, PROGRAM, EXEC, EVENT, GROUP } Kind;
typedef enum { IDLE, RUNNING, DONE } Progress;

typedef struct Object {
    uint64_t handle;
    Kind kind;
    unsigned children;
    struct Object *context, *qpc, *program;   /* what must outlive it */
    LogCallback log;                          /* context */
    ErrorCallback error;
    void *logUser, *errorUser;
    unsigned deliveries;
    pthread_t thread;                         /* queue */
    struct Object *first, *last;
    bool stopping;
    bool loaded, active, automatic;           /* program */
    struct Object *group;                     /* queue, program: what owns it */
    bool oversubscribed;                      /* group */
    char name[32];
    bool stale;                               /* execution object: its group was disabled */
    struct Object *next;                      /* execution object */
    QBuffer buffers[2];
    float device[ELEMENTS];                   /* what x was last */
    bool bound, mismatch;
    QBuffer lent[2];                          /* the library's own buffers, if it is zero-copy */
    struct Object *event;                     /* what completes with it */
    Progress progress;                        /* execution object, event */
    QStatus result;
    uint32_t eventType;                       /* event */
    uint64_t flight;
    Call *callbacks, *due;
    EventCallback calling;
    bool isCalling, left;
    pthread_cond_t changed;                   /* queue: work or the end; execution object, event: done; context: an event has called back */
} Object;

static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t s_released = PTHREAD_COND_INITIALIZER;
static Object *s_objects[4096];
static unsigned s_live;
static uint64_t s_serial;
static unsigned s_activations, s_setDataCalls;
static bool s_hold;
static char s_failFunction[64], s_failText[256];
static QStatus s_failStatus;
static uint64_t s_contextArguments[4];

static void unlock(pthread_mutex_t **lock) { pthread_mutex_unlock(*lock); }
#define LOCKED __attribute__((cleanup(unlock))) pthread_mutex_t *lock = &s_lock; pthread_mutex_lock(lock)

/* ---- messages ---- */

static void emit(Object *context, QLogLevel level, const char *text)
{
    if (context != NULL && context->log != NULL) {
#ifdef FAKE_OLD_CONTEXT
        context->log(level, text);
#else
        context->log(level, text, context->logUser);
#endif
    }
}

static QStatus refuse(Object *context, QStatus status, const char *text)
{
    emit(context, QL_ERROR, text);
    return status;
}

static QStatus scripted(const char *function, Object *context)
{
    if (strcmp(function, s_failFunction) != 0) {
        return QS_SUCCESS;
    }
    s_failFunction[0] = '\0';
    return s_failText[0] == '\0' ? s_failStatus : refuse(context, s_failStatus, s_failText);
}
#define SCRIPTED(context) do { QStatus failure = scripted(__func__, context); if (failure != QS_SUCCESS) return failure; } while (0)

/* ---- objects: handles are numbers, so that invented and stale ones can be told ---- */

static Object *find(const void *handle, Kind kind)
{
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i]->handle == (uint64_t)(uintptr_t)handle && s_objects[i]->kind == kind) {
            return s_objects[i];
        }
    }
    return NULL;
}
#define TAKE(object, handle, kind) Object *object = find(handle, kind); if (object == NULL) return (handle) == NULL ? QS_INVAL : QS_BADFD

static Object *make(Kind kind, Object *context, Object *qpc, Object *program)
{
    Object *object = s_live == sizeof(s_objects) / sizeof(s_objects[0]) ? NULL : calloc(1, sizeof(Object));
    if (object == NULL) {
        return NULL;
    }
    object->handle = (++s_serial << 24) | 0xA1C000u;
    object->kind = kind;
    object->context = context;
    object->qpc = qpc;
    object->program = program;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&object->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    Object *parents[] = { context, qpc, program };
    for (int i = 0; i < 3; i++) {
        if (parents[i] != NULL) {
            parents[i]->children++;
        }
    }
    s_objects[s_live++] = object;
    return object;
}

static void forget(Object *object)
{
    Object *parents[] = { object->context, object->qpc, object->program };
    for (int i = 0; i < 3; i++) {
        if (parents[i] != NULL) {
            parents[i]->children--;
        }
    }
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i] == object) {
            s_objects[i] = s_objects[--s_live];
            break;
        }
    }
}

static void bury(Object *object)
{
    free(object->lent[0].buf);
    free(object->lent[1].buf);
    pthread_cond_destroy(&object->changed);
    free(object);
}

static void destroy(Object *object)
{
    forget(object);
    bury(object);
}

static void *handle_of(const Object *object) { return (void *)(uintptr_t)object->handle; }
static bool exists(QID device) { return device >= 0 && device < FAKE_DEVICES; }

#include "fake_events.h"

/* ---- the device ---- */

static void execute(Object *exec)
{
    if (exec->mismatch) {
        emit(exec->context, QL_ERROR, "No matching specialization was found for the dimensions of the buffers");
        exec->result = QS_DEV_ERROR;
    } else if ((exec->result = scripted("qaicExecObjWaitForCompletion", exec->context)) == QS_SUCCESS) {
        /* A partial input is followed by zeros; one that is left out stays what it was. */
        if (exec->buffers[0].size != 0) {
            memset(exec->device, 0, sizeof exec->device);
            memcpy(exec->device, exec->buffers[0].buf, exec->buffers[0].size);
        }
        float *y = (float *)(void *)exec->buffers[1].buf;
        for (size_t i = 0; i < exec->buffers[1].size / sizeof(float); i++) {
            y[i] = -exec->device[i];
        }
    } else if (exec->context->error != NULL) {
        exec->context->error(1, "The device failed", DEVICE_ERROR_TYPE, NULL, 0, exec->context->errorUser);
    }
    exec->progress = DONE;
    pthread_cond_broadcast(&exec->changed);
    if (exec->event != NULL) {
        complete_event(exec->event, exec->result);
        exec->event = NULL;
    }
}

static void *serve(void *argument)
{
    Object *queue = argument;
    LOCKED;
    for (;;) {
        if (s_hold && !queue->stopping) {
            pthread_cond_wait(&s_released, lock);
        } else if (queue->first != NULL) {
            Object *exec = queue->first;
            queue->first = exec->next;
            execute(exec);
        } else if (queue->stopping) {
            return NULL;
        } else {
            pthread_cond_wait(&queue->changed, lock);
        }
    }
}

/* For what a group releases, loads and activates. */
static QStatus refuse_member(Object *member)
{
    char text[96];
    snprintf(text, sizeof text, "The object belongs to the program group '%s'", member->group->name);
    return refuse(member->context, QS_INVAL, text);
}

static void deactivate(Object *program)
{
    s_activations -= program->active;
    program->active = false;
}

static QStatus activate(Object *program)
{
    if (!program->active && s_activations == CORES) {
        return refuse(program->context, QS_DEV_ERROR, "Failed to allocate NSP resources");
    }
    s_activations += !program->active;
    program->loaded = program->active = true;
    return QS_SUCCESS;
}
