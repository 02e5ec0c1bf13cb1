/* What the examples share: checked calls, buffers of a network, raw files. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qaic_sim.h"

#define ONE_MINUTE_US 60000000u

/* Ends the program with the call and its status if it failed. */
#define CHECK(call)                                                                                                                          \
    do {                                                                                                                                     \
        QStatus check_status = (call);                                                                                                       \
        if (check_status != QS_SUCCESS) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s returned %d\n", __FILE__, __LINE__, #call, (int)check_status);                                         \
            exit(1);                                                                                                                         \
        }                                                                                                                                    \
    } while (0)

static inline void die(const char *what, const char *which)
{
    fprintf(stderr, "%s: %s\n", which, what);
    exit(1);
}

static inline void on_log(QLogLevel level, const char *text, void *user)
{
    (void)user;
    fprintf(stderr, "qaic: %s %s\n", level == QL_ERROR ? "error:" : "note:", text);
}

/* Context and queue of device 0, and a QPC. */
typedef struct {
    QAicContext *context;
    QAicQueue *queue;
    QAicQpcObj *qpc;
} Client;

static inline Client client_open(const char *qpc)
{
    Client client;
    QID device = 0;
    CHECK(qaicCreateContext(&client.context, NULL, 1, &device, on_log, NULL, NULL, NULL));
    CHECK(qaicCreateQueue(client.context, &client.queue, NULL, device));
    CHECK(qaicOpenQpcFile(&client.qpc, qpc));
    return client;
}

static inline void client_close(Client *client)
{
    CHECK(qaicReleaseQueue(client->queue));
    CHECK(qaicCloseQpc(client->qpc));
    CHECK(qaicReleaseContext(client->context));
}

/* A program of the QPC, loaded and activated. The vendor's properties are longer than ours, so there is room. */
static inline QAicProgram *program_open(Client *client, const char *name)
{
    union {
        QAicProgramProperties_t properties;
        char room[QAIC_SIM_PROPERTIES_ROOM];
    } own;
    QAicProgram *program;
    CHECK(qaicProgramPropertiesInitDefault(&own.properties));
    CHECK(qaicCreateProgram(client->context, &program, &own.properties, 0, name, client->qpc));
    CHECK(qaicLoadProgram(program));
    CHECK(qaicRunActivationCmd(program, QAIC_PROGRAM_CMD_ACTIVATE_FULL));
    return program;
}

static inline void program_close(QAicProgram *program)
{
    CHECK(qaicRunActivationCmd(program, QAIC_PROGRAM_CMD_DEACTIVATE_FULL));
    CHECK(qaicUnloadProgram(program));
    CHECK(qaicReleaseProgram(program));
}

/* The buffers of one inference, inputs first, and what the library tells of them. */
typedef struct {
    QAicIoBufferInfo_t *info;
    QBuffer *buffers;
} Buffers;

static inline Buffers buffers_open(QAicProgram *program)
{
    Buffers own;
    CHECK(qaicProgramGetIoBufferInfo(program, &own.info));
    own.buffers = calloc(own.info->numBufferMappings, sizeof *own.buffers);
    if (own.buffers == NULL) {
        die("no memory", "buffers");
    }
    for (uint32_t i = 0; i < own.info->numBufferMappings; i++) {
        const QAicBufferMappings_t *mapping = &own.info->bufferMappings[i];
        QBuffer *buffer = &own.buffers[mapping->index];
        buffer->size = mapping->size;
        buffer->type = QBUFFER_TYPE_HEAP;
        /* Pages are the cheapest to pin. */
        buffer->buf = aligned_alloc(4096, ((size_t)mapping->size + 4095u) / 4096u * 4096u);
        if (buffer->buf == NULL) {
            die("no memory for the tensor", mapping->bufferName);
        }
        memset(buffer->buf, 0, mapping->size);
    }
    return own;
}

static inline void buffers_close(Buffers *own)
{
    for (uint32_t i = 0; i < own->info->numBufferMappings; i++) {
        free(own->buffers[i].buf);
    }
    free(own->buffers);
}

static inline const QAicBufferMappings_t *mapping_of(const Buffers *own, const char *name)
{
    for (uint32_t i = 0; i < own->info->numBufferMappings; i++) {
        if (strcmp(own->info->bufferMappings[i].bufferName, name) == 0) {
            return &own->info->bufferMappings[i];
        }
    }
    die("the network has no such tensor", name);
    return NULL;
}

/* Reads exactly size bytes. */
static inline void read_file(const char *path, void *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die("cannot be read", path);
    }
    if (fread(bytes, 1, size, file) != size || fgetc(file) != EOF) {
        fprintf(stderr, "%s: the tensor has %zu bytes, the file another length\n", path, size);
        exit(1);
    }
    fclose(file);
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        die("cannot be written", path);
    }
}

/* Arguments "name=file": reads inputs into their buffers. */
static inline void read_inputs(const Buffers *own, char **arguments)
{
    for (; *arguments != NULL; arguments++) {
        char *equals = strchr(*arguments, '=');
        if (equals == NULL) {
            die("expected tensor=file", *arguments);
        }
        *equals = '\0';
        const QAicBufferMappings_t *mapping = mapping_of(own, *arguments);
        *equals = '=';
        if (mapping->ioType == BUFFER_IO_TYPE_INPUT) {
            read_file(equals + 1, own->buffers[mapping->index].buf, mapping->size);
        }
    }
}

/* The same arguments, for outputs: writes them. */
static inline void write_outputs(const Buffers *own, char **arguments)
{
    for (; *arguments != NULL; arguments++) {
        char *equals = strchr(*arguments, '=');
        *equals = '\0';
        const QAicBufferMappings_t *mapping = mapping_of(own, *arguments);
        *equals = '=';
        if (mapping->ioType == BUFFER_IO_TYPE_OUTPUT) {
            write_file(equals + 1, own->buffers[mapping->index].buf, mapping->size);
            printf("%s: %u bytes\n", mapping->bufferName, (unsigned)mapping->size);
        }
    }
}

/* Outputs of one inference equal those of another. */
static inline bool same_outputs(const Buffers *a, const Buffers *b)
{
    for (uint32_t i = 0; i < a->info->numBufferMappings; i++) {
        const QAicBufferMappings_t *mapping = &a->info->bufferMappings[i];
        if (mapping->ioType == BUFFER_IO_TYPE_OUTPUT && memcmp(a->buffers[mapping->index].buf, b->buffers[mapping->index].buf, mapping->size) != 0) {
            return false;
        }
    }
    return true;
}

/* Copies the outputs of one inference into another's buffers. */
static inline void copy_outputs(const Buffers *from, const Buffers *to)
{
    for (uint32_t i = 0; i < from->info->numBufferMappings; i++) {
        const QAicBufferMappings_t *mapping = &from->info->bufferMappings[i];
        if (mapping->ioType == BUFFER_IO_TYPE_OUTPUT) {
            memcpy(to->buffers[mapping->index].buf, from->buffers[mapping->index].buf, mapping->size);
        }
    }
}

static inline void usage_unless(bool right, const char *program, const char *arguments)
{
    if (!right) {
        fprintf(stderr, "usage: %s %s\n", program, arguments);
        exit(2);
    }
}

#endif
