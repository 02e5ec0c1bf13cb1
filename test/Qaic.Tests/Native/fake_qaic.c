/*
 * A small libQAic.so: the network "y = -x" on four floats, really computed, on a queue's own thread. It stands in for the vendor's library where the binding to C is
 * tested: loading, symbols, calling convention, generations of the interface. Switches, given with -D:
 *   FAKE_OLD_CONTEXT        the 7-argument generation of qaicCreateContext, whose log callback takes 2 arguments
 *   FAKE_WIDE               64-bit counts and time-outs instead of 32-bit ones
 *   FAKE_PROPERTIES_SIZE=n  bytes of the program properties, 24 or more
 *   FAKE_PCI_BUS=n          device i is at 0000:<n - i>:00.0; else the library does not tell
 *   FAKE_DEVINFO_SIZE=n     bytes of QDevInfo, sizeof(QDevInfo) or more
 *   FAKE_DEVICES=n          devices; FAKE_DEVICE_STATUS=s their state; FAKE_DRAM_TOTAL=n memory, in a unit that the client has to guess
 *   FAKE_ASK_STATUS=s       what qaicGetDeviceInfo returns for a device that is there
 *   FAKE_SHAPES             three sets of shapes, for x and y alike: [4], [2] and [1, 3]
 *   FAKE_PARTIAL            x may be given in part, or left out
 *   FAKE_VARIANT=s          the variant that the library tells, a literal; "fake" if nobody says
 *   CORES=n                 cores of the device, 16 if nobody says; the network takes one
 *   qaicX=hiddenX           a library without qaicX
 * Functions fake… are for tests.
 */
#include "fake_device.h"

#ifndef FAKE_VARIANT
#define FAKE_VARIANT "fake"
#endif

/* ---- library and devices ---- */

QStatus qaicGetAicVersion(uint16_t *major, uint16_t *minor, const char **patch, const char **variant)
{
    if (major == NULL || minor == NULL || patch == NULL || variant == NULL) {
        return QS_INVAL;
    }
    LOCKED;
    SCRIPTED(NULL);
    *major = 10;
    *minor = 7;
    *patch = "3";
    *variant = FAKE_VARIANT;
    return QS_SUCCESS;
}

static QResourceInfo resources(void)
{
    QResourceInfo info;
    memset(&info, 0, sizeof info);
    info.reservationID = -1;
    info.dramTotal = FAKE_DRAM_TOTAL;
    info.dramFree = FAKE_DRAM_TOTAL / 2;
    info.vcTotal = info.nspTotal = CORES;
    info.vcFree = info.nspFree = (uint8_t)(CORES - s_activations);
    return info;
}

QStatus qaicGetResourceInfo(QID device, QResourceInfo *out)
{
    if (out == NULL) {
        return QS_INVAL;
    }
    if (!exists(device)) {
        return QS_NODEV;
    }
    LOCKED;
    SCRIPTED(NULL);
    *out = resources();
    return QS_SUCCESS;
}

QStatus qaicGetDeviceInfo(QID device, QDevInfo *out)
{
    if (out == NULL) {
        return QS_INVAL;
    }
    if (!exists(device)) {
        return QS_NODEV;
    }
    if (FAKE_ASK_STATUS != QS_SUCCESS) {
        return FAKE_ASK_STATUS;
    }
    LOCKED;
    SCRIPTED(NULL);
    memset(out, 0xAB, FAKE_DEVINFO_SIZE);
    memset(out, 0, sizeof *out);
    out->devStatus = FAKE_DEVICE_STATUS;
    out->qid = device;
#ifdef FAKE_PCI_BUS
    out->pciInfo.bus = (uint8_t)(FAKE_PCI_BUS - device);
#endif
    out->devData.resourceInfo = resources();
    strcpy(out->name, "fake");
    return QS_SUCCESS;
}

/* ---- contexts and queues ---- */

#ifdef FAKE_OLD_CONTEXT
QStatus qaicCreateContext(void **out, const uint32_t *properties, Count numDevices, const QID *devices, LogCallback log, ErrorCallback error, void *user)
{
    void *logUser = user, *errorUser = user;
#else
QStatus qaicCreateContext(
    void **out, const uint32_t *properties, Count numDevices, const QID *devices, LogCallback log, void *logUser, ErrorCallback error, void *errorUser)
{
#endif
    (void)properties;
    if (out == NULL || (devices == NULL && numDevices != 0)) {
        return QS_INVAL;
    }
    LOCKED;
    *out = NULL;
    for (Count i = 0; i < numDevices; i++) {
        if (!exists(devices[i])) {
            return QS_NODEV;
        }
    }
    Object early = { .log = log, .logUser = logUser };
    SCRIPTED(&early);
    Object *context = make(CONTEXT, NULL, NULL, NULL);
    if (context == NULL) {
        return QS_NOMEM;
    }
    context->log = log;
    context->logUser = logUser;
    context->error = error;
    context->errorUser = errorUser;
    s_contextArguments[0] = numDevices;
    s_contextArguments[1] = (uint64_t)(uintptr_t)logUser;
    s_contextArguments[2] = (uint64_t)(uintptr_t)error;
    s_contextArguments[3] = (uint64_t)(uintptr_t)errorUser;
    emit(context, QL_INFO, "Context created");
    *out = handle_of(context);
    return QS_SUCCESS;
}

static QStatus release(const void *handle, Kind kind, pthread_mutex_t *lock)
{
    TAKE(object, handle, kind);
    if (object->group != NULL) {
        return refuse_member(object);
    }
    if (object->children != 0) {
        return refuse(object->context, QS_INVAL, "The object has children that were not released");
    }
    if (kind == EXEC && object->progress == RUNNING) {
        return refuse(object->context, QS_BUSY, "The execution object is running");
    }
    while (kind == CONTEXT && object->deliveries != 0 && !s_isCallback) {
        pthread_cond_wait(&object->changed, lock);
    }
    if (kind == PROGRAM) {
        deactivate(object);
    }
    if (kind == EXEC && object->program->automatic && object->program->children == 1) {
        object->program->automatic = false;
        deactivate(object->program);
    }
    destroy(object);
    return QS_SUCCESS;
}

QStatus qaicReleaseContext(void *context) { LOCKED; return release(context, CONTEXT, lock); }
QStatus qaicCloseQpc(void *qpc) { LOCKED; return release(qpc, QPC, lock); }
QStatus qaicReleaseProgram(void *program) { LOCKED; return release(program, PROGRAM, lock); }
QStatus qaicReleaseExecObj(void *exec) { LOCKED; return release(exec, EXEC, lock); }

QStatus qaicSetLogLevel(void *handle, QLogLevel level)
{
    (void)level;
    LOCKED;
    TAKE(context, handle, CONTEXT);
    SCRIPTED(context);
    return QS_SUCCESS;
}

static QStatus make_queue(Object *context, Object **out)
{
    Object *queue = make(QUEUE, context, NULL, NULL);
    if (queue == NULL) {
        return QS_NOMEM;
    }
    if (pthread_create(&queue->thread, NULL, serve, queue) != 0) {
        destroy(queue);
        return QS_AGAIN;
    }
    *out = queue;
    return QS_SUCCESS;
}

QStatus qaicCreateQueue(void *handle, void **out, const QAicQueueProperties *properties, QID device)
{
    (void)properties;
    LOCKED;
    TAKE(context, handle, CONTEXT);
    if (out == NULL) {
        return QS_INVAL;
    }
    if (!exists(device)) {
        return QS_NODEV;
    }
    SCRIPTED(context);
    Object *queue;
    QStatus status = make_queue(context, &queue);
    if (status == QS_SUCCESS) {
        *out = handle_of(queue);
    }
    return status;
}

static void release_queue(Object *queue, pthread_mutex_t *lock)
{
    queue->stopping = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_cond_broadcast(&s_released);
    pthread_mutex_unlock(lock);
    pthread_join(queue->thread, NULL);
    pthread_mutex_lock(lock);
    destroy(queue);
}

QStatus qaicReleaseQueue(void *handle)
{
    LOCKED;
    TAKE(queue, handle, QUEUE);
    if (queue->group != NULL) {
        return refuse_member(queue);
    }
    if (queue->stopping) {
        return QS_INVAL;
    }
    release_queue(queue, lock);
    return QS_SUCCESS;
}

/* ---- containers ---- */

static QStatus open_qpc(void **out, const void *bytes, size_t size)
{
    uint32_t magic = 0;
    if (size >= sizeof magic) {
        memcpy(&magic, bytes, sizeof magic);
    }
    *out = NULL;
    if (magic != QPC_MAGIC) {
        return QS_ERROR;
    }
    Object *qpc = make(QPC, NULL, NULL, NULL);
    if (qpc == NULL) {
        return QS_NOMEM;
    }
    *out = handle_of(qpc);
    return QS_SUCCESS;
}

QStatus qaicOpenQpc(void **out, const uint8_t *bytes, size_t size, bool makeCopy)
{
    (void)makeCopy;
    if (out == NULL || bytes == NULL) {
        return QS_INVAL;
    }
    LOCKED;
    SCRIPTED(NULL);
    return open_qpc(out, bytes, size);
}

QStatus qaicOpenQpcFile(void **out, const char *path)
{
    if (out == NULL || path == NULL) {
        return QS_INVAL;
    }
    LOCKED;
    *out = NULL;
    SCRIPTED(NULL);
    uint8_t head[sizeof(uint32_t)];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return QS_INVAL;
    }
    size_t size = fread(head, 1, sizeof head, file);
    fclose(file);
    return open_qpc(out, head, size);
}

static QAicBufferMappings s_mappings[] = {
    { .bufferName = "x", .index = 0, .ioType = 1, .size = BYTES }, { .bufferName = "y", .index = 1, .ioType = 2, .size = BYTES }
};
static QAicIoBufferInfo s_bufferInfo = { 2, s_mappings };

QStatus qaicQpcGetInfo(void *handle, const QAicQpcInfo **out)
{
    static QAicQpcProgramInfo program = { .name = "negate", .numCores = 1, .ioBufferInfo = { 2, s_mappings }, .ioBufferInfoDma = { 2, s_mappings }, .batchSize = 1 };
    static const QAicQpcInfo info = { .numPrograms = 1, .programInfo = &program };
    LOCKED;
    TAKE(qpc, handle, QPC);
    if (out == NULL) {
        return QS_INVAL;
    }
    (void)qpc;
    *out = &info;
    return QS_SUCCESS;
}

/* ---- programs ---- */

static uint8_t property_byte(size_t i) { return (uint8_t)(0x40 + i * 7); }

/* Twelve bytes that are known (mask 0, 5 retries, time-out 0), and a pattern that qaicCreateProgram wants to see again. */
QStatus qaicProgramPropertiesInitDefault(void *out)
{
    if (out == NULL) {
        return QS_INVAL;
    }
    const uint32_t known[] = { 0, 5, 0 };
    uint8_t *bytes = out;
    memcpy(bytes, known, sizeof known);
    for (size_t i = sizeof known; i < FAKE_PROPERTIES_SIZE; i++) {
        bytes[i] = property_byte(i);
    }
    return QS_SUCCESS;
}

QStatus qaicCreateProgram(void *contextHandle, void **out, const void *properties, QID device, const char *name, void *qpcHandle)
{
    (void)name;
    LOCKED;
    TAKE(context, contextHandle, CONTEXT);
    TAKE(qpc, qpcHandle, QPC);
    if (out == NULL) {
        return QS_INVAL;
    }
    if (!exists(device)) {
        return QS_NODEV;
    }
    for (size_t i = 12; properties != NULL && i < FAKE_PROPERTIES_SIZE; i++) {
        if (((const uint8_t *)properties)[i] != property_byte(i)) {
            return refuse(context, QS_INVAL, "The program properties were not those that qaicProgramPropertiesInitDefault wrote");
        }
    }
    SCRIPTED(context);
    *out = NULL;
    if (s_activations == CORES) {
        return refuse(context, QS_DEV_ERROR, "The device does not satisfy the resource requirements of the program");
    }
    Object *program = make(PROGRAM, context, qpc, NULL);
    if (program == NULL) {
        return QS_NOMEM;
    }
    *out = handle_of(program);
    return QS_SUCCESS;
}

QStatus qaicLoadProgram(void *handle)
{
    LOCKED;
    TAKE(program, handle, PROGRAM);
    SCRIPTED(program->context);
    if (program->group != NULL) {
        return refuse_member(program);
    }
    program->loaded = true;
    return QS_SUCCESS;
}

QStatus qaicUnloadProgram(void *handle)
{
    LOCKED;
    TAKE(program, handle, PROGRAM);
    SCRIPTED(program->context);
    if (program->group != NULL) {
        return refuse_member(program);
    }
    if (!program->loaded || program->active) {
        return refuse(program->context, QS_INVAL, "The program is not loaded, or it is active");
    }
    program->loaded = false;
    return QS_SUCCESS;
}

QStatus qaicRunActivationCmd(void *handle, uint32_t command)
{
    LOCKED;
    TAKE(program, handle, PROGRAM);
    SCRIPTED(program->context);
    if (program->group != NULL) {
        return refuse_member(program);
    }
    if (command == 0) {
        program->automatic = false;
        return activate(program);
    }
    if (command != 1 || !program->active) {
        return refuse(program->context, QS_INVAL, "There is no such command, or the program is not active");
    }
    if (program->children != 0) {
        return refuse(program->context, QS_INVAL, "Cannot deactivate program, it has active ExecObj");
    }
    deactivate(program);
    return QS_SUCCESS;
}

/* IoBinding: 1 name, 2 index, 4 direction (1 output), 7 dimensions, 8 size in bytes, 10 partial allowed, 20 valid. Zeros are absent; false may be written. */
#define BINDING_X 0x0A, 1, 'x', 0x3A, 1, ELEMENTS, 0x40, BYTES, 0x50, IS_PARTIAL, 0xA0, 1, 1
#define BINDING_Y 0x0A, 1, 'y', 0x10, 1, 0x20, 1, 0x3A, 1, ELEMENTS, 0x40, BYTES, 0xA0, 1, 1
#define DEFAULT_SET 41, 0x0A, 7, 'd', 'e', 'f', 'a', 'u', 'l', 't', 0x12, 13, BINDING_X, 0x12, 15, BINDING_Y

/* DmaBufInfo, field 9 of a binding: 1 buffer, 2 its size. DmaBuf: 1 index, 2 size, 3 direction. x is buffer 0, y is buffer 1. */
#define DMA_SET 47, 0x0A, 3, 'd', 'm', 'a', 0x12, 17, BINDING_X, 0x4A, 2, 0x10, BYTES, 0x12, 21, BINDING_Y, 0x4A, 4, 0x08, 1, 0x10, BYTES
#define DMA_BUFFERS 0x22, 2, 0x10, BYTES, 0x22, 6, 0x08, 1, 0x10, BYTES, 0x18, 1

/* IoShapes: 1 shapes, of TensorShape: 2 dimensions. One shape for x, one for y. */
#define SHAPES_OF_1(d) 0x42, 10, 0x0A, 3, 0x12, 1, d, 0x0A, 3, 0x12, 1, d
#define SHAPES_OF_2(d, e) 0x42, 12, 0x0A, 4, 0x12, 2, d, e, 0x0A, 4, 0x12, 2, d, e
#ifdef FAKE_SHAPES
#define ALLOWED_SHAPES , SHAPES_OF_1(4), SHAPES_OF_1(2), SHAPES_OF_2(1, 3)
#else
#define ALLOWED_SHAPES
#endif

QStatus qaicProgramGetIoDescriptor(void *handle, QData *out)
{
    /* IoDesc: 1 io_sets, 2 selected_set, 4 DMA buffers, 8 allowed_shapes. */
    static uint8_t descriptor[] = { 0x0A, DEFAULT_SET, 0x0A, DMA_SET, 0x12, DEFAULT_SET, DMA_BUFFERS ALLOWED_SHAPES };
    LOCKED;
    TAKE(program, handle, PROGRAM);
    if (out == NULL) {
        return QS_INVAL;
    }
    SCRIPTED(program->context);
    out->size = sizeof descriptor;
    out->data = descriptor;
    return QS_SUCCESS;
}

QStatus qaicProgramGetIoBufferInfo(void *handle, QAicIoBufferInfo **out)
{
    LOCKED;
    TAKE(program, handle, PROGRAM);
    if (out == NULL) {
        return QS_INVAL;
    }
    SCRIPTED(program->context);
    *out = &s_bufferInfo;
    return QS_SUCCESS;
}

/* ---- execution objects ---- */

static uint64_t varint(const uint8_t **bytes, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *bytes < end && shift < 64; shift += 7) {
        uint8_t next = *(*bytes)++;
        value |= (uint64_t)(next & 0x7F) << shift;
        if (next < 0x80) {
            break;
        }
    }
    return value;
}

/* The payload of the last field of a message that has a number and a length; NULL if it is not there. */
static const uint8_t *field(const uint8_t *bytes, size_t size, unsigned number, size_t *length)
{
    const uint8_t *found = NULL, *end = bytes + size;
    while (bytes < end) {
        uint64_t tag = varint(&bytes, end);
        uint64_t value = (tag & 7) == 5 ? 4 : varint(&bytes, end);
        if ((tag & 7) != 0) {
            if (value > (uint64_t)(end - bytes)) {
                return NULL;
            }
            if (tag == (number << 3 | 2)) {
                found = bytes;
                *length = value;
            }
            bytes += value;
        }
    }
    return found;
}

static bool selects(const QData *descriptor, const char *name)
{
    size_t setLength = 0, length = 0;
    const uint8_t *set = field(descriptor->data, descriptor->size, 2, &setLength);
    const uint8_t *given = set == NULL ? NULL : field(set, setLength, 1, &length);
    return given != NULL && length == strlen(name) && memcmp(given, name, length) == 0;
}

static QBuffer own_buffer(void)
{
    QBuffer own = { .size = BYTES, .buf = aligned_alloc(PAGE, PAGE) };
    memset(own.buf, 0, PAGE);
    return own;
}

QStatus qaicCreateExecObj(void *contextHandle, void **out, const uint32_t *properties, void *programHandle, const QData *ioDesc, uint32_t *numBuffers, QBuffer **buffers)
{
    LOCKED;
    TAKE(context, contextHandle, CONTEXT);
    TAKE(program, programHandle, PROGRAM);
    if (out == NULL) {
        return QS_INVAL;
    }
    *out = NULL;
    if (ioDesc != NULL && !selects(ioDesc, "default") && !selects(ioDesc, "dma")) {
        return refuse(context, QS_INVAL, "The program has no such I/O set; it has 'default', 'dma'");
    }
    SCRIPTED(context);
    if (program->context != context) {
        return refuse(context, QS_INVAL, "The program belongs to another context");
    }
    if (!program->active && program->group != NULL) {
        return refuse(context, QS_INVAL, "The program is not active. Enable the program group first");
    }
    if (!program->active) {
        if (properties != NULL && (*properties & AUTO_LOAD_ACTIVATE) == 0) {
            return refuse(context, QS_INVAL, "The program is not active");
        }
        QStatus status = activate(program);
        if (status != QS_SUCCESS) {
            return status;
        }
        program->automatic = true;
    }
    Object *exec = make(EXEC, context, NULL, program);
    if (exec == NULL) {
        return QS_NOMEM;
    }
    bool isZeroCopy = properties != NULL && (*properties & ZERO_COPY_BUFFERS) != 0;
    if (isZeroCopy) {
        exec->buffers[0] = exec->lent[0] = own_buffer();
        exec->buffers[1] = exec->lent[1] = own_buffer();
        exec->bound = true;
    }
    if (numBuffers != NULL) {
        *numBuffers = isZeroCopy ? 2 : 0;
    }
    if (buffers != NULL) {
        *buffers = isZeroCopy ? exec->lent : NULL;
    }
    *out = handle_of(exec);
    return QS_SUCCESS;
}

QStatus qaicExecObjGetIoBuffers(const void *handle, uint32_t *count, QBuffer **buffers)
{
    LOCKED;
    TAKE(exec, handle, EXEC);
    if (count == NULL || buffers == NULL) {
        return QS_INVAL;
    }
    *count = 0;
    *buffers = NULL;
    SCRIPTED(exec->context);
    if (exec->lent[0].buf == NULL) {
        return refuse(exec->context, QS_INVAL, "The execution object has no zero-copy buffers");
    }
    *count = 2;
    *buffers = exec->lent;
    return QS_SUCCESS;
}

/* Buffers are whole, but for an input that may be partial, and where dimensions say how much is meant. */
static QStatus set_data(Object *exec, Count count, const QBuffer *buffers, bool hasDimensions)
{
    if (buffers == NULL || count != 2) {
        return refuse(exec->context, QS_INVAL, "The network has two buffers");
    }
    if (exec->lent[0].buf != NULL) {
        return refuse(exec->context, QS_INVAL, "The execution object was made with zero-copy buffers");
    }
    if (exec->progress == RUNNING) {
        return refuse(exec->context, QS_BUSY, "The execution object is running");
    }
    for (Count i = 0; i < count; i++) {
        if (buffers[i].type != BUFFER_HEAP) {
            return refuse(exec->context, QS_UNSUPPORTED, "Only heap buffers are supported");
        }
        bool mayBeLess = hasDimensions || (IS_PARTIAL && i == 0);
        if (buffers[i].size > BYTES || buffers[i].size % sizeof(float) != 0 || (buffers[i].size != BYTES && !mayBeLess)) {
            return refuse(exec->context, QS_INVAL, "A buffer has not the size of its binding");
        }
        if (buffers[i].buf == NULL && buffers[i].size != 0) {
            return refuse(exec->context, QS_INVAL, "A buffer is null");
        }
    }
    s_setDataCalls++;
    memcpy(exec->buffers, buffers, sizeof exec->buffers);
    exec->bound = true;
    exec->mismatch = false;
    return QS_SUCCESS;
}

QStatus qaicExecObjSetData(void *handle, Count count, const QBuffer *buffers)
{
    LOCKED;
    TAKE(exec, handle, EXEC);
    SCRIPTED(exec->context);
    return set_data(exec, count, buffers, false);
}

/* Whether a buffer has a shape. Of an input that may be partial the buffer may be smaller, and with the one dimension 0 it is left out. */
static bool is_shaped(const QBuffer *buffer, const QBufferDimensions *given, const uint32_t *dims, uint32_t rank, bool isPartial)
{
    if (isPartial && buffer->size == 0 && given->count == 1 && given->dims[0] == 0) {
        return true;
    }
    size_t bytes = sizeof(float);
    bool isEqual = given->count == rank && given->sizeOfElem == sizeof(float);
    for (uint32_t d = 0; d < rank; d++) {
        bytes *= dims[d];
        isEqual = isEqual && given->dims[d] == dims[d];
    }
    return isEqual && (buffer->size == bytes || (isPartial && buffer->size < bytes));
}

QStatus qaicExecObjSetDataExt(void *handle, Count count, const QBuffer *buffers, const QBufferDimensions *dimensions)
{
    LOCKED;
    TAKE(exec, handle, EXEC);
    SCRIPTED(exec->context);
#ifdef FAKE_SHAPES
    static const struct { uint32_t rank, dims[2]; } sets[] = { { 1, { 4 } }, { 1, { 2 } }, { 2, { 1, 3 } } };
#else
    static const struct { uint32_t rank, dims[2]; } sets[] = { { 1, { ELEMENTS } } };
#endif
    QStatus status = dimensions == NULL ? QS_INVAL : set_data(exec, count, buffers, true);
    if (status == QS_SUCCESS) {
        exec->mismatch = true;
        for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
            if (is_shaped(&buffers[0], &dimensions[0], sets[s].dims, sets[s].rank, IS_PARTIAL) && is_shaped(&buffers[1], &dimensions[1], sets[s].dims, sets[s].rank, false)) {
                exec->mismatch = false;
            }
        }
    }
    return status;
}

QStatus qaicEnqueueExecObj(void *queueHandle, void *execHandle, void *eventHandle)
{
    LOCKED;
    TAKE(queue, queueHandle, QUEUE);
    TAKE(exec, execHandle, EXEC);
    Object *event = eventHandle == NULL ? NULL : find(eventHandle, EVENT);
    if (eventHandle != NULL && event == NULL) {
        return QS_BADFD;
    }
    SCRIPTED(exec->context);
    if (event != NULL && event->context != exec->context) {
        return refuse(exec->context, QS_INVAL, "The event belongs to another context");
    }
    if (!exec->bound) {
        return refuse(exec->context, QS_INVAL, "The execution object has no data");
    }
    if (queue->group != exec->program->group) {
        return refuse(exec->context, QS_INVAL, "Inferences of a program group go to the group's queue, and no others do");
    }
    if (!exec->program->active || exec->stale) {
        return refuse(exec->context, QS_INVAL, "The program is not active, or was deactivated meanwhile");
    }
    if (exec->progress == RUNNING) {
        return refuse(exec->context, QS_BUSY, "The execution object is running");
    }
    QStatus begun = event == NULL ? QS_SUCCESS : begin_event(event);
    if (begun != QS_SUCCESS) {
        return begun;
    }
    exec->event = event;
    exec->progress = RUNNING;
    exec->next = NULL;
    if (queue->first == NULL) {
        queue->first = exec;
    } else {
        queue->last->next = exec;
    }
    queue->last = exec;
    pthread_cond_signal(&queue->changed);
    return QS_SUCCESS;
}

QStatus qaicExecObjWaitForCompletion(void *handle, Count microseconds)
{
    LOCKED;
    TAKE(exec, handle, EXEC);
    if (exec->progress == IDLE) {
        return refuse(exec->context, QS_INVAL, "Nothing was submitted");
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + (uint64_t)microseconds % 1000000 * 1000;
    until.tv_sec += (time_t)((uint64_t)microseconds / 1000000 + nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    while (exec->progress == RUNNING) {
        if (pthread_cond_timedwait(&exec->changed, lock, &until) == ETIMEDOUT && exec->progress == RUNNING) {
            return QS_TIMEDOUT;
        }
    }
    return exec->result;
}

#include "fake_groups.h"

/* ---- for tests ---- */

/* Calls of qaicExecObjSetData and qaicExecObjSetDataExt so far. */
uint32_t fakeSetDataCalls(void) { LOCKED; return s_setDataCalls; }

/* Objects that were created and not released. */
uint32_t fakeLiveObjects(void) { LOCKED; return s_live; }

/* The next call of a function fails with a status, after an error message if text is not empty. qaicExecObjWaitForCompletion: the next inference fails. */
void fakeFail(const char *function, QStatus status, const char *text)
{
    LOCKED;
    snprintf(s_failFunction, sizeof s_failFunction, "%s", function);
    snprintf(s_failText, sizeof s_failText, "%s", text);
    s_failStatus = status;
}

/* Whether the queues' threads stand still. */
void fakeHold(uint32_t hold)
{
    LOCKED;
    s_hold = hold != 0;
    pthread_cond_broadcast(&s_released);
}

/* What the last qaicCreateContext got: device count, log user, error callback, error user. */
void fakeContextArguments(uint64_t *out) { LOCKED; memcpy(out, s_contextArguments, sizeof s_contextArguments); }

typedef struct { QLogLevel level; const char *text; } Message;

static void *log_everywhere(void *argument)
{
    const Message *message = argument;
    LOCKED;
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i]->kind == CONTEXT) {
            emit(s_objects[i], message->level, message->text);
        }
    }
    return NULL;
}

/* Logs a message to every context, from a thread of the library's own. Returns when that is done. */
void fakeLog(QLogLevel level, const char *text)
{
    Message message = { level, text };
    pthread_t thread;
    if (pthread_create(&thread, NULL, log_everywhere, &message) == 0) {
        pthread_join(thread, NULL);
    }
}
