/*
 * qaic_sim.h: the C interface of the simulated Cloud AI 100 card, libQAic.so of Qaic.ML.
 *
 * Written from published facts about the vendor's library, not from its headers. A program compiled against the vendor's QAicApi.h runs on this library as it is; a
 * program without the SDK can be compiled against this header, and then runs on both libraries as far as the remarks "not public" below allow.
 *
 * Rules that hold for every function
 *  - Status. QS_SUCCESS (0) or the reason. Null handles, null out-pointers, wrong counts, sizes and states: QS_INVAL. Handles that are stale, invented or of another
 *    kind: QS_BADFD. Devices that do not exist or are lost: QS_NODEV. After a failure out-handles are 0. The words are in the context's log and in qaicSimLastError.
 *  - Ownership. What a function creates is released by its counterpart, children first: execution object, event, program, QPC, queue, context. An object with living
 *    children is not released (QS_INVAL). Pointers that a query returns belong to the object that was asked, and live as long as it does.
 *  - Threads. Every function may be called from any thread; one execution object has one user at a time.
 *  - Callbacks of events come from threads of the library's own, under no lock, and may call every function.
 *    The log callback comes from the thread whose call failed. At levels below QL_ERROR it also comes from the middle of calls: from a thread that loads a network
 *    (qaicLoadProgram, qaicCreateExecObj, qaicProgramGroupEnable) and from a thread of the card that is about to run an inference. There it may use other objects, but not the
 *    program, group or execution object that the message is about, nor wait for a thread that does: load and inference go on only when the callback has returned.
 *    The error callback comes from a thread of the card, or of its clock, when a program goes into the error state. Whether a program sees the callback or the end of its wait
 *    for the inference first, it must not rely on.
 *  - The library writes nothing to stdout. It writes to stderr if its environment is wrong, one line, and if ONNX Runtime has an error that belongs to no program.
 *
 * Environment, read at the first call. A bad value is told on stderr, and every call then returns QS_INVAL.
 *  QAIC_SIM_CARDS                devices, QIDs from 0; default 1
 *  QAIC_SIM_CORES                AI cores of each device, 1 to 64; default 16
 *  QAIC_SIM_DRAM_MB              memory of each device in MB; default 32692
 *  QAIC_SIM_LIBRARY_GENERATION   8 (default): qaicCreateContext as declared below. 7: SDK 1.7 and before, see there
 *
 * The process
 *  - libonnxruntime.so, which computes, is loaded from the directory of libQAic.so. If it is not there every call returns QS_ERROR, and stderr says so.
 *  - The library is never unloaded: dlclose takes back dlopen, and the code stays (NODELETE).
 *  - The first load sets ORT_DISABLE_TELEMETRY=1 in the process's environment, unless the variable is set. setenv must not meet a getenv of another thread: a program
 *    with threads that read the environment sets the variable itself before it starts them.
 *  - After fork only exec is safe in the child, as with every library that has threads.
 *  - The runtime inside takes, at the first call, SIGSEGV and SIGFPE (what is not its own goes on to the handler before) and the first real-time signal, and ignores
 *    SIGPIPE, whatever the program had decided. A program that handles SIGPIPE says so again after its first call.
 *  - A process may end with living objects and running inferences: exit waits for what is on the processor at that moment, 5 seconds at most, however much was loaded.
 */
#ifndef QAIC_SIM_H
#define QAIC_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types. "Likely": from the open runtime alone. "Not public": the vendor has it, with another number or layout perhaps. ---- */

typedef int32_t QID;
typedef uint32_t QAicContextID;

/* 0, 300 and 500 are certain, the others likely. */
typedef enum {
    QS_SUCCESS = 0,
    QS_PERM = 1,
    QS_AGAIN = 2,
    QS_NOMEM = 3,
    QS_BUSY = 4,
    QS_NODEV = 5,
    QS_INVAL = 6,
    QS_NOSPC = 7,
    QS_BADFD = 8,
    QS_TIMEDOUT = 9,
    QS_PROTOCOL = 10,
    QS_UNSUPPORTED = 11,
    QS_DATA_CRC_ERROR = 12,
    QS_DEV_ERROR = 300,
    QS_ERROR = 500
} QStatus;

typedef enum { QL_DEBUG = 0, QL_INFO = 1, QL_WARN = 2, QL_ERROR = 3 } QLogLevel;
typedef enum { DEVICE_INITIALIZING = 0, DEVICE_READY = 1, DEVICE_ERROR = 2 } QDevStatus;

/* HEAP is certain, and all that the simulated library takes. The numbers of the others are not public. */
typedef enum { QBUFFER_TYPE_HEAP = 0, QBUFFER_TYPE_DMABUF = 1, QBUFFER_TYPE_PMEM = 2 } QBufferType;

/* Not the numbers of the I/O descriptor, where 0 is in and 1 is out. */
typedef enum { BUFFER_IO_TYPE_INVALID = 0, BUFFER_IO_TYPE_INPUT = 1, BUFFER_IO_TYPE_OUTPUT = 2 } QAicBufferIoTypeEnum;

typedef enum { QAIC_PROGRAM_CMD_ACTIVATE_FULL = 0, QAIC_PROGRAM_CMD_DEACTIVATE_FULL = 1 } QAicProgramActivationCmd;

/* The name is certain, the number not public. */
typedef enum { QAIC_EVENT_DEVICE_COMPLETE = 0 } QAicEventCompletionType;

/* 0x100 context, 0x200 program, 0x300 constants, 0x400 queue, 0x500 execution object, 0x600 event, each with small additions; likely. */
typedef uint32_t QAicErrorType;

/* Bit masks. */
typedef uint32_t QAicContextProperties_t;
typedef uint32_t QAicExecObjProperties_t;
#define QAIC_CONTEXT_PROPERTIES_DEFAULT 0x0u
#define QAIC_EXECOBJ_PROPERTIES_DEFAULT 0x4u           /* Loads and activates the program if nobody has; likely. */
#define QAIC_EXECOBJ_PROPERTIES_ZERO_COPY_BUFFERS 0x1u /* The number is not public. */

typedef struct QAicContext QAicContext;
typedef struct QAicQueue QAicQueue;
typedef struct QAicQpcObj QAicQpcObj;
typedef struct QAicProgram QAicProgram;
typedef struct QAicExecObj QAicExecObj;
typedef struct QAicEvent QAicEvent;
typedef struct QAicConstants QAicConstants;
typedef struct QAicProgramGroup QAicProgramGroup;

/* One buffer of an inference. handle and offset matter to DMA buffers only. */
typedef struct {
    size_t size;
    uint8_t *buf;
    uint64_t handle;
    uint32_t offset;
    QBufferType type;
} QBuffer;

/* A block of the library's memory. */
typedef struct {
    size_t size;
    uint8_t *data;
} QData;

/* Shape of one buffer. A skipped one has count 1 and dims[0] 0. */
typedef struct {
    uint32_t count;
    uint32_t sizeOfElem;
    uint32_t *dims;
} QBufferDimensions;

typedef struct {
    uint32_t properties; /* 0 one thread, 1 several; likely */
    uint32_t numThreadsPerQueue;
} QAicQueueProperties_t;

/* The vendor's is longer. Allocate QAIC_SIM_PROPERTIES_ROOM bytes if the program shall run on both; qaicProgramPropertiesInitDefault writes the library's own size. */
typedef struct {
    uint32_t selectMask;
    uint32_t SubmitNumRetries;     /* further waits for a result; 5 */
    uint32_t SubmitRetryTimeoutMs; /* of one wait; 0 is 5000 */
    const char *devMapping;        /* the place is not public */
} QAicProgramProperties_t;
#define QAIC_SIM_PROPERTIES_ROOM 512

/* The names are certain, order and sizes not public. */
typedef struct {
    bool enableOversubscription;
    uint32_t protocolSelect;
} QAicProgramGroupProperties_t;
#define QAIC_PROGRAM_GROUP_PROPERTIES_OVERSUBSCRIPTION_DISABLED false
#define QAIC_PROGRAM_GROUP_PROPERTIES_OVERSUBSCRIPTION_ENABLED true
#define QAIC_PROGRAM_GROUP_PROTOCOL_CONTROL_PATH 0u
#define QAIC_PROGRAM_GROUP_PROTOCOL_DATA_PATH 1u

/* What an inference takes and gives; index is the place in the array of QBuffers. dataType: 0 float, 1 float16, 2 int8 (quantized), 3 uint8 (quantized), 4 int16
   (quantized), 5 int32 (quantized), 6 int32, 7 int64, 8 int8; of newer SDKs, likely: 9 uint8 (booleans, too), 10 complex64, 11 bfloat16. Check it before it is used as an
   index: SDKs to come may have more. The vendor gives an output's type on the device; the I/O descriptor has the host's. */
typedef struct {
    char *bufferName;
    uint32_t index;
    uint32_t ioType; /* QAicBufferIoTypeEnum */
    uint32_t size;
    bool isPartialBufferAllowed;
    uint32_t dataType;
} QAicBufferMappings_t;

typedef struct {
    uint32_t numBufferMappings;
    QAicBufferMappings_t *bufferMappings;
} QAicIoBufferInfo_t;

/* Newer SDKs have further fields: read element 0 only. */
typedef struct {
    char name[64];
    uint32_t programIndex;
    uint32_t numCores;
    uint32_t size;
    QAicIoBufferInfo_t ioBufferInfo;
    QAicIoBufferInfo_t ioBufferInfoDma;
    int32_t batchSize;
} QAicQpcProgramInfo_t;

typedef struct {
    char name[64];
    uint32_t index;
    uint32_t size;
} QAicQpcConstantsInfo_t;

typedef struct {
    uint32_t numPrograms;
    QAicQpcProgramInfo_t *programInfo;
    uint32_t numConstants;
    QAicQpcConstantsInfo_t *constantsInfo;
} QAicQpcInfo_t;

/* Memory is in KiB here as in newer SDKs, in MB in older ones. */
typedef struct {
    int32_t reservationID;
    uint64_t dramTotal;
    uint64_t dramFree;
    uint8_t vcTotal;
    uint8_t vcFree;
    uint8_t nspTotal;
    uint8_t nspFree;
    uint32_t mcidTotal;
    uint32_t mcidFree;
    uint32_t semTotal;
    uint32_t semFree;
    uint8_t pcTotal;
    uint8_t pcReserved;
    uint8_t skuType;
    uint8_t pad[5];
} QResourceInfo;

typedef struct {
    uint64_t words[4];
} QPciExt;

typedef struct {
    uint16_t domain;
    uint8_t bus;
    uint8_t device;
    uint8_t function;
    char classname[128];
    char vendorname[128];
    char devicename[128];
    QPciExt pcieExt;
} QPciInfo;

/* 360 bytes of versions and features lie before the resources. */
typedef struct {
    uint64_t before[45];
    QResourceInfo resourceInfo;
    uint64_t after[5];
} QDevData;

typedef struct {
    uint8_t bytes[196];
} QNspData;

/* 1160 bytes as in the open runtime; the vendor's may be larger. Allocate QAIC_SIM_DEVINFO_ROOM bytes if the program shall run on both. */
typedef struct {
    QDevStatus devStatus;
    QPciInfo pciInfo;
    QID qid;
    QDevData devData;
    QNspData nspData;
    char name[64];
} QDevInfo;
#define QAIC_SIM_DEVINFO_ROOM 16384

typedef void (*QAicLogCallback)(QLogLevel level, const char *text, void *user);
typedef void (*QAicErrorCallback)(QAicContextID id, const char *info, QAicErrorType type, const void *data, size_t dataSize, void *user);
typedef void (*QAicEventCallback)(QAicEvent *event, QAicEventCompletionType type, void *user);

/* A fault that was put into the simulated machine. */
typedef struct QaicSimFault QaicSimFault;

/* Tests that declare functions of their own take the types alone. */
#ifndef QAIC_SIM_TYPES_ONLY

/* ---- Library and devices ---- */

/* Version of the library, a number space of its own; texts live for ever. All four pointers are needed. The simulated library is 10.0, variant "simulated". */
QStatus qaicGetAicVersion(uint16_t *major, uint16_t *minor, const char **patch, const char **variant);

/* A device's state, resources and name. Devices are found by asking for 0, 1, 2 … until QS_NODEV. */
QStatus qaicGetDeviceInfo(QID device, QDevInfo *info);

/* What a device has and what is free. QS_NODEV also for one that is lost. */
QStatus qaicGetResourceInfo(QID device, QResourceInfo *info);

/* ---- Contexts and queues ---- */

/* A context for devices; numDevices 0 means all. properties may be NULL, and so may the callbacks, whose user values are passed back to them. They must stay valid until
   the context is released.
   SDK 1.7 and before took seven arguments, (…, log, error, user), with a log callback of two. QAIC_SIM_LIBRARY_GENERATION=7 makes this function read its arguments so.
   A program of one generation on a library of the other jumps to a user value: the library cannot see the difference. */
QStatus qaicCreateContext(QAicContext **context, const QAicContextProperties_t *properties, uint32_t numDevices, const QID *devices, QAicLogCallback log, void *logUser,
                          QAicErrorCallback error, void *errorUser);
QStatus qaicReleaseContext(QAicContext *context);

/* Lowest level that reaches the log callback; QL_ERROR at first. */
QStatus qaicSetLogLevel(QAicContext *context, QLogLevel level);

/* A queue of a device, with threads of its own. properties may be NULL. A released queue finishes what it was given. */
QStatus qaicCreateQueue(QAicContext *context, QAicQueue **queue, const QAicQueueProperties_t *properties, QID device);
QStatus qaicReleaseQueue(QAicQueue *queue);

/* ---- QPCs and programs ---- */

/* Opens a compiled network: the path of a programqpc.bin, or its bytes. Bytes that are not copied must live until qaicCloseQpc.
   QS_INVAL: no such file. QS_ERROR: no QPC. The simulated card computes QPCs of the embedded compiler only. */
QStatus qaicOpenQpcFile(QAicQpcObj **qpc, const char *path);
QStatus qaicOpenQpc(QAicQpcObj **qpc, const uint8_t *bytes, size_t size, bool makeCopy);
QStatus qaicCloseQpc(QAicQpcObj *qpc);

/* Description of what a QPC holds; lives as long as the QPC. */
QStatus qaicQpcGetInfo(QAicQpcObj *qpc, const QAicQpcInfo_t **info);

QStatus qaicProgramPropertiesInitDefault(QAicProgramProperties_t *properties);

/* A program on a device: one activation of a network. name may be NULL. Several programs may be made of one QPC. */
QStatus qaicCreateProgram(QAicContext *context, QAicProgram **program, const QAicProgramProperties_t *properties, QID device, const char *name, QAicQpcObj *qpc);

/* Loading takes memory, activating takes cores and channels: QS_DEV_ERROR, and the log says of what there is not enough. Both may be repeated. */
QStatus qaicLoadProgram(QAicProgram *program);
QStatus qaicRunActivationCmd(QAicProgram *program, QAicProgramActivationCmd command);
QStatus qaicUnloadProgram(QAicProgram *program);
QStatus qaicReleaseProgram(QAicProgram *program);

/* The I/O descriptor, a serialized protobuf message aicapi.IoDesc; lives as long as the program. */
QStatus qaicProgramGetIoDescriptor(QAicProgram *program, QData *descriptor);

/* Names, sizes and directions of the buffers; lives as long as the program. */
QStatus qaicProgramGetIoBufferInfo(QAicProgram *program, QAicIoBufferInfo_t **info);

/* ---- Inferences ---- */

/* An execution object: what one inference at a time needs. properties NULL is QAIC_EXECOBJ_PROPERTIES_DEFAULT, ioDesc NULL the descriptor's default set. numBuffers and
   buffers may be NULL; they receive the library's buffers in the zero-copy mode. SDK 1.5 and before took numBuffers by value, which this library does not. */
QStatus qaicCreateExecObj(QAicContext *context, QAicExecObj **execObj, const QAicExecObjProperties_t *properties, QAicProgram *program, const QData *ioDesc,
                          uint32_t *numBuffers, QBuffer **buffers);

/* Released in flight, it is taken off the card first: when the function returns nobody touches its buffers. */
QStatus qaicReleaseExecObj(QAicExecObj *execObj);

/* The buffers of the next inferences, all of them, inputs first. The array is copied, the memory it points to is not: it must live until the inference is complete.
   With dimensions: for networks of several shapes. A combination that the network lacks is taken here and fails the inference with QS_DEV_ERROR. */
QStatus qaicExecObjSetData(QAicExecObj *execObj, uint32_t numBuffers, const QBuffer *buffers);
QStatus qaicExecObjSetDataExt(QAicExecObj *execObj, uint32_t numBuffers, const QBuffer *buffers, const QBufferDimensions *dimensions);

/* Zero-copy: the library's buffers, in the order of the descriptor's dma_buf; they live as long as the execution object. Whether the vendor exports this function is
   not public; it is in the vendor's function table. */
QStatus qaicExecObjGetIoBuffers(const QAicExecObj *execObj, uint32_t *numBuffers, QBuffer **buffers);

/* Starts an inference. event may be NULL; else it must be idle: new, or cleared since it was complete (QS_INVAL). */
QStatus qaicEnqueueExecObj(QAicQueue *queue, QAicExecObj *execObj, QAicEvent *event);

/* Waits for it, in microseconds (the unit is likely). QS_TIMEDOUT leaves it running. */
QStatus qaicExecObjWaitForCompletion(QAicExecObj *execObj, uint32_t timeoutUs);

/* ---- Events: idle, in flight with one inference, complete whatever its result. The vendor's behaviour at the edges is not public ---- */

/* An idle event. Any type is taken, and handed to the callbacks. */
QStatus qaicCreateEvent(QAicContext *context, QAicEvent **event, QAicEventCompletionType type);

/* QS_INVAL while it is in flight: wait for it, or release its execution object first. Waits for the call of a callback that is under way, except from inside a callback:
   do not release it under a lock that a callback takes. */
QStatus qaicReleaseEvent(QAicEvent *event);

/* Makes a complete event idle, which it must be to be enqueued again. Callbacks that are due are still called. QS_INVAL while it is in flight. */
QStatus qaicEventClear(QAicEvent *event);

/* The callback is called once per completion, on a thread of the library; at once if the event is complete. It may call every function of the library. */
QStatus qaicEventAddCallback(QAicEvent *event, QAicEventCallback callback, void *user);

/* Takes away every callback with this function. Waits for its calls that are due, so that afterwards nobody uses what user points to; from inside a callback it waits for none.
   Do not call it under a lock that the callback takes. QS_INVAL: there is none. */
QStatus qaicEventRemoveCallback(QAicEvent *event, QAicEventCallback callback);

/* Returns the inference's status. QS_INVAL also for an idle event: nothing would ever end the wait. */
QStatus qaicWaitforEvent(QAicEvent *event);

/* ---- Program groups: programs that take turns on the same cores ---- */

QStatus qaicProgramGroupPropertiesInitDefault(QAicProgramGroupProperties_t *properties);

/* The group and its queue, which belongs to it. */
QStatus qaicCreateProgramGroup(QAicContext *context, QAicProgramGroup **group, QAicQueue **queue, const QAicProgramGroupProperties_t *properties, const char *name,
                               QID device);

/* A program of the group, which owns it: to load, activate, unload or release it alone is QS_INVAL, and so is an inference of it on another queue. Programs are added while
   the group is off (QS_INVAL). */
QStatus qaicProgramGroupAddProgram(QAicProgramGroup *group, QAicQpcObj *qpc, QAicProgram **program, const QAicProgramProperties_t *properties);

/* Loads all programs and takes their cores: those of the largest if the group is oversubscribed, else those of each. All or nothing. QS_DEV_ERROR: there is not enough free.
   QS_INVAL: there are no programs, or the group is being disabled. What is enabled stays so. Execution objects are made after this. */
QStatus qaicProgramGroupEnable(QAicProgramGroup *group);

/* Without force: takes nothing new and waits for what is in flight, in microseconds. QS_TIMEDOUT, or QS_BUSY if there was no time: the group goes on. QS_DEV_ERROR: a program
   is in the error state. By force: what is in flight ends with QS_ERROR, and error states do not matter. QS_INVAL: not enabled. QS_NODEV: the device was lost, and the group
   is off. Execution objects that outlive this are of no use, even if the group is enabled again: they can only be released. */
QStatus qaicProgramGroupDisable(QAicProgramGroup *group, bool force, uint32_t timeoutUs);

/* With its queue and its programs, whose execution objects must be released before (QS_INVAL). */
QStatus qaicReleaseProgramGroup(QAicProgramGroup *group);

/* ---- What old programs call ---- */

/* Constants went with SDK 1.5, and no function here makes any: NULL is nothing to release, all else QS_BADFD. */
QStatus qaicReleaseConstants(QAicConstants *constants);

/* ---- The function table ---- */

/* THE ORDER OF THE VENDOR'S TABLE IS NOT PUBLIC. THIS ORDER IS OUR OWN: A PROGRAM COMPILED AGAINST THE VENDOR'S HEADER WOULD CALL OTHER FUNCTIONS THAN IT MEANS TO,
   AND MUST NOT USE THE TABLE OF THIS LIBRARY. Use the functions by name. New members are added at the end; size tells how many there are. */
typedef struct {
    size_t size; /* of the table, in bytes */
    QStatus (*qaicGetAicVersion)(uint16_t *, uint16_t *, const char **, const char **);
    QStatus (*qaicGetDeviceInfo)(QID, QDevInfo *);
    QStatus (*qaicGetResourceInfo)(QID, QResourceInfo *);
    QStatus (*qaicCreateContext)(QAicContext **, const QAicContextProperties_t *, uint32_t, const QID *, QAicLogCallback, void *, QAicErrorCallback, void *);
    QStatus (*qaicReleaseContext)(QAicContext *);
    QStatus (*qaicSetLogLevel)(QAicContext *, QLogLevel);
    QStatus (*qaicCreateQueue)(QAicContext *, QAicQueue **, const QAicQueueProperties_t *, QID);
    QStatus (*qaicReleaseQueue)(QAicQueue *);
    QStatus (*qaicOpenQpcFile)(QAicQpcObj **, const char *);
    QStatus (*qaicOpenQpc)(QAicQpcObj **, const uint8_t *, size_t, bool);
    QStatus (*qaicCloseQpc)(QAicQpcObj *);
    QStatus (*qaicQpcGetInfo)(QAicQpcObj *, const QAicQpcInfo_t **);
    QStatus (*qaicProgramPropertiesInitDefault)(QAicProgramProperties_t *);
    QStatus (*qaicCreateProgram)(QAicContext *, QAicProgram **, const QAicProgramProperties_t *, QID, const char *, QAicQpcObj *);
    QStatus (*qaicLoadProgram)(QAicProgram *);
    QStatus (*qaicRunActivationCmd)(QAicProgram *, QAicProgramActivationCmd);
    QStatus (*qaicUnloadProgram)(QAicProgram *);
    QStatus (*qaicReleaseProgram)(QAicProgram *);
    QStatus (*qaicProgramGetIoDescriptor)(QAicProgram *, QData *);
    QStatus (*qaicProgramGetIoBufferInfo)(QAicProgram *, QAicIoBufferInfo_t **);
    QStatus (*qaicCreateExecObj)(QAicContext *, QAicExecObj **, const QAicExecObjProperties_t *, QAicProgram *, const QData *, uint32_t *, QBuffer **);
    QStatus (*qaicReleaseExecObj)(QAicExecObj *);
    QStatus (*qaicExecObjSetData)(QAicExecObj *, uint32_t, const QBuffer *);
    QStatus (*qaicExecObjSetDataExt)(QAicExecObj *, uint32_t, const QBuffer *, const QBufferDimensions *);
    QStatus (*qaicExecObjGetIoBuffers)(const QAicExecObj *, uint32_t *, QBuffer **);
    QStatus (*qaicEnqueueExecObj)(QAicQueue *, QAicExecObj *, QAicEvent *);
    QStatus (*qaicExecObjWaitForCompletion)(QAicExecObj *, uint32_t);
    QStatus (*qaicCreateEvent)(QAicContext *, QAicEvent **, QAicEventCompletionType);
    QStatus (*qaicReleaseEvent)(QAicEvent *);
    QStatus (*qaicEventClear)(QAicEvent *);
    QStatus (*qaicEventAddCallback)(QAicEvent *, QAicEventCallback, void *);
    QStatus (*qaicEventRemoveCallback)(QAicEvent *, QAicEventCallback);
    QStatus (*qaicWaitforEvent)(QAicEvent *);
    QStatus (*qaicProgramGroupPropertiesInitDefault)(QAicProgramGroupProperties_t *);
    QStatus (*qaicCreateProgramGroup)(QAicContext *, QAicProgramGroup **, QAicQueue **, const QAicProgramGroupProperties_t *, const char *, QID);
    QStatus (*qaicProgramGroupAddProgram)(QAicProgramGroup *, QAicQpcObj *, QAicProgram **, const QAicProgramProperties_t *);
    QStatus (*qaicProgramGroupEnable)(QAicProgramGroup *);
    QStatus (*qaicProgramGroupDisable)(QAicProgramGroup *, bool, uint32_t);
    QStatus (*qaicReleaseProgramGroup)(QAicProgramGroup *);
    QStatus (*qaicReleaseConstants)(QAicConstants *);
} QAicApiFunctionTable;

/* Lives for ever. */
const QAicApiFunctionTable *qaicGetFunctionTable(void);

/* ---- Control of the simulated machine: what no card has ---- */

/*
 * Faults. occurrence counts calls or inferences from the moment the fault is added: 1 is the next one, 0 means every one. fault, which may be NULL, receives a handle
 * for qaicSimRelease; without it the fault stays until qaicSimClearFaults. function is a name of this header ("qaicLoadProgram"); a call that fails has done nothing.
 * Statuses QS_DEV_ERROR and QS_ERROR of an inference put its program into the error state, as on a card. QS_INVAL: no such function, status 0, no time.
 */
QStatus qaicSimFailCall(const char *function, QStatus status, uint32_t occurrence, QaicSimFault **fault);
QStatus qaicSimDelayCall(const char *function, uint32_t delayUs, uint32_t occurrence, QaicSimFault **fault);
QStatus qaicSimHoldCall(const char *function, uint32_t occurrence, QaicSimFault **fault);
QStatus qaicSimFailInference(QStatus status, uint32_t occurrence, QaicSimFault **fault);
QStatus qaicSimDelayInference(uint32_t delayUs, uint32_t occurrence, QaicSimFault **fault);
QStatus qaicSimHoldInference(uint32_t occurrence, QaicSimFault **fault);

/* Waits until the fault has struck for the first time, in milliseconds begun; 0 only looks. QS_TIMEDOUT: not yet. */
QStatus qaicSimWaitForFault(QaicSimFault *fault, uint32_t timeoutUs);

/* How often the fault has struck; 0 for an unknown handle. */
uint32_t qaicSimFaultHits(QaicSimFault *fault);

/* Takes the fault away and lets go of what it holds; the handle is no longer valid. */
QStatus qaicSimRelease(QaicSimFault *fault);

/* The same for all faults. Lost devices stay lost. */
QStatus qaicSimClearFaults(void);

/* A device vanishes: what is in flight on it fails with QS_DEV_ERROR, later calls return QS_NODEV. When it is back it is empty: programs have to be loaded again. */
QStatus qaicSimLoseDevice(QID device);
QStatus qaicSimRestoreDevice(QID device);

/* Objects that were created and not released, of all kinds, by this process. */
uint32_t qaicSimLiveObjects(void);

/* What the last failed call of this thread said, in UTF-8. Writes at most size bytes with the final 0 (buffer may be NULL if size is 0); returns the length without it. */
size_t qaicSimLastError(char *buffer, size_t size);

#endif

#ifdef __cplusplus
}
#endif

#endif
