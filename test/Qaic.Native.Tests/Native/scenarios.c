/*
 * What only a C program can show of the library: scenarios <name> <programqpc.bin>. The network has one input and one output of four floats, y = -x.
 * Prints what the test reads; ends with 1 and a line on stderr if something is not as it has to be.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>
#include "client.h"

#define EXPECT(condition)                                                                                                                    \
    do {                                                                                                                                     \
        if (!(condition)) {                                                                                                                  \
            char text[512];                                                                                                                  \
            qaicSimLastError(text, sizeof text);                                                                                             \
            fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #condition, text);                                    \
            exit(1);                                                                                                                         \
        }                                                                                                                                    \
    } while (0)

/* Everything that one inference needs. */
typedef struct {
    Client client;
    QAicProgram *program;
    QAicExecObj *exec;
    Buffers buffers;
} Life;

static Life life_open(const char *qpc)
{
    Life life;
    life.client = client_open(qpc);
    life.program = program_open(&life.client, "scenarios");
    life.buffers = buffers_open(life.program);
    CHECK(qaicCreateExecObj(life.client.context, &life.exec, NULL, life.program, NULL, NULL, NULL));
    CHECK(qaicExecObjSetData(life.exec, 2, life.buffers.buffers));
    return life;
}

static void life_close(Life *life)
{
    CHECK(qaicReleaseExecObj(life->exec));
    buffers_close(&life->buffers);
    program_close(life->program);
    client_close(&life->client);
    EXPECT(qaicSimLiveObjects() == 0);
}

static float *input(const Life *life) { return (float *)(void *)life->buffers.buffers[0].buf; }
static const float *output(const Life *life) { return (const float *)(const void *)life->buffers.buffers[1].buf; }

static void run(const Life *life, float x)
{
    for (int i = 0; i < 4; i++) {
        input(life)[i] = x + (float)i;
    }
    CHECK(qaicEnqueueExecObj(life->client.queue, life->exec, NULL));
    CHECK(qaicExecObjWaitForCompletion(life->exec, ONE_MINUTE_US));
    for (int i = 0; i < 4; i++) {
        EXPECT(output(life)[i] == -(x + (float)i));
    }
}

static void on_complete(QAicEvent *event, QAicEventCompletionType type, void *user)
{
    (void)event;
    *(atomic_uint *)user += type == QAIC_EVENT_DEVICE_COMPLETE;
}

/* An event with a callback. */
static void event_life(const Life *life, QStatus (*create)(QAicContext *, QAicEvent **, uint64_t), uint64_t type)
{
    QAicEvent *event;
    atomic_uint calls = 0;
    CHECK(create(life->client.context, &event, type));
    CHECK(qaicEventAddCallback(event, on_complete, &calls));
    CHECK(qaicEnqueueExecObj(life->client.queue, life->exec, event));
    CHECK(qaicWaitforEvent(event));

    /* Waits for the call. */
    CHECK(qaicEventRemoveCallback(event, on_complete));
    EXPECT(calls == 1);
    CHECK(qaicEventClear(event));
    CHECK(qaicReleaseEvent(event));
}

/* Buffers with dimensions, then the library's own buffers. */
static void buffers_life(const Life *life)
{
    uint32_t four[1] = {4}, count;
    QBufferDimensions dimensions[2] = {{1, sizeof(float), four}, {1, sizeof(float), four}};
    CHECK(qaicExecObjSetDataExt(life->exec, 2, life->buffers.buffers, dimensions));
    run(life, 7);

    QAicExecObjProperties_t properties = QAIC_EXECOBJ_PROPERTIES_ZERO_COPY_BUFFERS;
    QAicExecObj *exec;
    QBuffer *buffers;
    CHECK(qaicCreateExecObj(life->client.context, &exec, &properties, life->program, NULL, NULL, NULL));
    CHECK(qaicExecObjGetIoBuffers(exec, &count, &buffers));
    EXPECT(count == 2 && buffers[0].size >= 4 * sizeof(float) && buffers[1].size >= 4 * sizeof(float));
    for (int i = 0; i < 4; i++) {
        ((float *)(void *)buffers[0].buf)[i] = (float)i;
    }
    CHECK(qaicEnqueueExecObj(life->client.queue, exec, NULL));
    CHECK(qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US));
    EXPECT(((const float *)(const void *)buffers[1].buf)[3] == -3);
    CHECK(qaicReleaseExecObj(exec));
}

/* A group of two programs. Functions with numbers are given: one scenario calls them by other prototypes. */
typedef QStatus (*CreateGroup)(QAicContext *, QAicProgramGroup **, QAicQueue **, const QAicProgramGroupProperties_t *, const char *, uint64_t);
typedef QStatus (*DisableGroup)(QAicProgramGroup *, uint64_t, uint64_t);

static void group_life(const Life *life, CreateGroup create, uint64_t device, DisableGroup disable, uint64_t force, uint64_t timeout)
{
    QAicProgramGroupProperties_t properties;
    CHECK(qaicProgramGroupPropertiesInitDefault(&properties));
    properties.enableOversubscription = QAIC_PROGRAM_GROUP_PROPERTIES_OVERSUBSCRIPTION_ENABLED;
    Life members[2] = {*life, *life};
    QAicProgramGroup *group;
    QAicQueue *queue;
    CHECK(create(life->client.context, &group, &queue, &properties, "turns", device));
    for (int i = 0; i < 2; i++) {
        members[i].client.queue = queue;
        CHECK(qaicProgramGroupAddProgram(group, life->client.qpc, &members[i].program, NULL));
    }
    CHECK(qaicProgramGroupEnable(group));
    for (int i = 0; i < 2; i++) {
        CHECK(qaicCreateExecObj(life->client.context, &members[i].exec, NULL, members[i].program, NULL, NULL, NULL));
        CHECK(qaicExecObjSetData(members[i].exec, 2, life->buffers.buffers));
        run(&members[i], (float)i);
    }

    /* What is on the card is waited for, and not ended by force. */
    QaicSimFault *fault;
    CHECK(qaicSimDelayInference(20000, 1, &fault));
    CHECK(qaicEnqueueExecObj(queue, members[0].exec, NULL));
    CHECK(qaicSimWaitForFault(fault, ONE_MINUTE_US));
    CHECK(disable(group, force, timeout));
    CHECK(qaicExecObjWaitForCompletion(members[0].exec, ONE_MINUTE_US));
    CHECK(qaicSimRelease(fault));
    for (int i = 0; i < 2; i++) {
        CHECK(qaicReleaseExecObj(members[i].exec));
    }
    CHECK(qaicReleaseProgramGroup(group));
}

static QStatus create_event(QAicContext *context, QAicEvent **event, uint64_t type) { return qaicCreateEvent(context, event, (QAicEventCompletionType)type); }

static QStatus create_group(QAicContext *context, QAicProgramGroup **group, QAicQueue **queue, const QAicProgramGroupProperties_t *properties, const char *name, uint64_t device)
{
    return qaicCreateProgramGroup(context, group, queue, properties, name, (QID)device);
}

static QStatus disable_group(QAicProgramGroup *group, uint64_t force, uint64_t timeout) { return qaicProgramGroupDisable(group, force != 0, (uint32_t)timeout); }

/* What a tool that follows memory looks at: an object of every kind. */
static void whole_life(const char *qpc)
{
    for (int i = 0; i < 3; i++) {
        Life life = life_open(qpc);
        run(&life, (float)i);
        event_life(&life, create_event, QAIC_EVENT_DEVICE_COMPLETE);
        buffers_life(&life);
        group_life(&life, create_group, 0, disable_group, false, ONE_MINUTE_US);
        QData descriptor;
        const QAicQpcInfo_t *info;
        CHECK(qaicProgramGetIoDescriptor(life.program, &descriptor));
        CHECK(qaicQpcGetInfo(life.client.qpc, &info));
        EXPECT(descriptor.size > 0 && info->numPrograms == 1);
        life_close(&life);
    }
}

/* Callers leave anything in the upper half of a register that carries 32 bits or a bool. These prototypes are wrong on purpose, to do it for certain. */
static void garbage(const char *qpc)
{
    const uint64_t junk = 0xdeadbeef00000000u;
    void *library = dlopen("libQAic.so", RTLD_NOW);
    EXPECT(library != NULL);
    QStatus (*createContext)(QAicContext **, const uint32_t *, uint64_t, const QID *, void *, void *, void *, void *);
    QStatus (*createQueue)(QAicContext *, QAicQueue **, const void *, uint64_t);
    QStatus (*openQpc)(QAicQpcObj **, const uint8_t *, size_t, uint64_t);
    QStatus (*createProgram)(QAicContext *, QAicProgram **, const void *, uint64_t, const char *, QAicQpcObj *);
    QStatus (*activate)(QAicProgram *, uint64_t);
    QStatus (*setData)(QAicExecObj *, uint64_t, const QBuffer *);
    QStatus (*waitFor)(QAicExecObj *, uint64_t);
    QStatus (*setLogLevel)(QAicContext *, uint64_t);
    QStatus (*failInference)(uint64_t, uint64_t, void *);
    QStatus (*createEvent)(QAicContext *, QAicEvent **, uint64_t);
    CreateGroup createGroup;
    DisableGroup disableGroup;
    *(void **)&createContext = dlsym(library, "qaicCreateContext");
    *(void **)&createQueue = dlsym(library, "qaicCreateQueue");
    *(void **)&openQpc = dlsym(library, "qaicOpenQpc");
    *(void **)&createProgram = dlsym(library, "qaicCreateProgram");
    *(void **)&activate = dlsym(library, "qaicRunActivationCmd");
    *(void **)&setData = dlsym(library, "qaicExecObjSetData");
    *(void **)&waitFor = dlsym(library, "qaicExecObjWaitForCompletion");
    *(void **)&setLogLevel = dlsym(library, "qaicSetLogLevel");
    *(void **)&failInference = dlsym(library, "qaicSimFailInference");
    *(void **)&createEvent = dlsym(library, "qaicCreateEvent");
    *(void **)&createGroup = dlsym(library, "qaicCreateProgramGroup");
    *(void **)&disableGroup = dlsym(library, "qaicProgramGroupDisable");

    FILE *file = fopen(qpc, "rb");
    EXPECT(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    uint8_t *bytes = malloc(size);
    rewind(file);
    EXPECT(fread(bytes, 1, size, file) == size);
    fclose(file);

    Life life;
    QID device = 0;
    CHECK(createContext(&life.client.context, NULL, junk | 1, &device, NULL, NULL, NULL, NULL));
    CHECK(setLogLevel(life.client.context, junk | QL_DEBUG));
    CHECK(createQueue(life.client.context, &life.client.queue, NULL, junk));

    /* A bool is one byte: this is true, so the bytes may go. */
    CHECK(openQpc(&life.client.qpc, bytes, size, junk | 0xabcdef01u));
    memset(bytes, 0xee, size);
    free(bytes);
    CHECK(createProgram(life.client.context, &life.program, NULL, junk, "garbage", life.client.qpc));
    CHECK(activate(life.program, junk | QAIC_PROGRAM_CMD_ACTIVATE_FULL));
    life.buffers = buffers_open(life.program);
    CHECK(qaicCreateExecObj(life.client.context, &life.exec, NULL, life.program, NULL, NULL, NULL));
    CHECK(setData(life.exec, junk | 2, life.buffers.buffers));
    run(&life, 5);
    CHECK(waitFor(life.exec, junk | 1000));
    CHECK(failInference(junk | QS_BUSY, junk | 1, NULL));
    CHECK(qaicEnqueueExecObj(life.client.queue, life.exec, NULL));
    EXPECT(waitFor(life.exec, junk | ONE_MINUTE_US) == QS_BUSY);
    CHECK(qaicSimClearFaults());
    event_life(&life, createEvent, junk | QAIC_EVENT_DEVICE_COMPLETE);

    /* A bool is one byte here, too: this is false. */
    group_life(&life, createGroup, junk, disableGroup, junk | 0xabcdef00u, junk | ONE_MINUTE_US);
    life_close(&life);
}

static atomic_uint s_logs, s_errors;
static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t s_changed = PTHREAD_COND_INITIALIZER;
static char s_user[] = "user";

static void old_log(QLogLevel level, const char *text) { s_logs += level == QL_ERROR && strlen(text) > 0; }

static void old_error(QAicContextID id, const char *info, QAicErrorType type, const void *data, size_t size, void *user)
{
    (void)data;
    EXPECT(id != 0 && strlen(info) > 0 && type == 0x202 && size == 0 && user == s_user);
    pthread_mutex_lock(&s_mutex);
    s_errors++;
    pthread_cond_broadcast(&s_changed);
    pthread_mutex_unlock(&s_mutex);
}

/* SDK 1.7 and before: seven arguments, a log callback of two. */
static void old_generation(const char *qpc)
{
    QStatus (*createContext)(QAicContext **, const uint32_t *, uint32_t, const QID *, void (*)(QLogLevel, const char *), QAicErrorCallback, void *);
    *(void **)&createContext = dlsym(dlopen("libQAic.so", RTLD_NOW), "qaicCreateContext");
    Life life;
    QID device = 0;
    CHECK(createContext(&life.client.context, NULL, 1, &device, old_log, old_error, s_user));
    CHECK(qaicCreateQueue(life.client.context, &life.client.queue, NULL, 0));
    CHECK(qaicOpenQpcFile(&life.client.qpc, qpc));
    life.program = program_open(&life.client, "old");
    life.buffers = buffers_open(life.program);
    CHECK(qaicCreateExecObj(life.client.context, &life.exec, NULL, life.program, NULL, NULL, NULL));
    CHECK(qaicExecObjSetData(life.exec, 2, life.buffers.buffers));
    run(&life, 1);
    EXPECT(s_logs == 0 && s_errors == 0);
    CHECK(qaicReleaseConstants(NULL));
    CHECK(qaicSimFailInference(QS_DEV_ERROR, 1, NULL));
    CHECK(qaicEnqueueExecObj(life.client.queue, life.exec, NULL));
    EXPECT(qaicExecObjWaitForCompletion(life.exec, ONE_MINUTE_US) == QS_DEV_ERROR);

    /* The callback comes from another thread. */
    pthread_mutex_lock(&s_mutex);
    while (s_errors == 0) {
        pthread_cond_wait(&s_changed, &s_mutex);
    }
    pthread_mutex_unlock(&s_mutex);
    EXPECT(s_logs == 1 && s_errors == 1);

    /* The program is in the error state: only release is left. */
    CHECK(qaicReleaseExecObj(life.exec));
    buffers_close(&life.buffers);
    CHECK(qaicReleaseProgram(life.program));
    client_close(&life.client);
    EXPECT(qaicSimLiveObjects() == 0);
}

static bool last_error_has(const char *word)
{
    char text[1024];
    size_t length = qaicSimLastError(text, sizeof text);
    return length == strlen(text) && strstr(text, word) != NULL;
}

static void faults(const char *qpc)
{
    Life life = life_open(qpc);
    QaicSimFault *fault;

    CHECK(qaicSimFailCall("qaicEnqueueExecObj", QS_AGAIN, 2, &fault));
    run(&life, 1);
    EXPECT(qaicEnqueueExecObj(life.client.queue, life.exec, NULL) == QS_AGAIN);
    EXPECT(qaicSimFaultHits(fault) == 1);
    CHECK(qaicSimRelease(fault));
    EXPECT(qaicSimRelease(fault) == QS_BADFD && qaicSimRelease(NULL) == QS_INVAL && qaicSimRelease((QaicSimFault *)0x1234) == QS_BADFD);
    run(&life, 2);

    CHECK(qaicSimHoldInference(1, &fault));
    EXPECT(qaicSimWaitForFault(fault, 0) == QS_TIMEDOUT);
    CHECK(qaicEnqueueExecObj(life.client.queue, life.exec, NULL));
    CHECK(qaicSimWaitForFault(fault, ONE_MINUTE_US));
    EXPECT(qaicExecObjWaitForCompletion(life.exec, 1000) == QS_TIMEDOUT);
    CHECK(qaicSimRelease(fault));
    CHECK(qaicExecObjWaitForCompletion(life.exec, ONE_MINUTE_US));

    CHECK(qaicSimDelayInference(1000, 1, NULL));
    CHECK(qaicSimDelayCall("ExecObjSetData", 1000, 0, NULL));
    CHECK(qaicExecObjSetData(life.exec, 2, life.buffers.buffers));
    run(&life, 3);
    CHECK(qaicSimClearFaults());

    EXPECT(qaicSimFailCall("qaicMakeTea", QS_BUSY, 0, NULL) == QS_INVAL && last_error_has("no function 'qaicMakeTea'"));
    EXPECT(qaicSimFailCall(NULL, QS_BUSY, 0, NULL) == QS_INVAL && qaicSimFailCall("qaicLoadProgram", QS_SUCCESS, 0, NULL) == QS_INVAL);
    EXPECT(qaicSimDelayInference(0, 1, NULL) == QS_INVAL && qaicSimHoldInference(0x80000000u, NULL) == QS_INVAL);
    EXPECT(qaicSimLoseDevice(1) == QS_NODEV && last_error_has("no device 1") && qaicSimLoseDevice(-1) == QS_NODEV);

    CHECK(qaicSimLoseDevice(0));
    QResourceInfo resources;
    QDevInfo info;
    EXPECT(qaicGetResourceInfo(0, &resources) == QS_NODEV);
    EXPECT(qaicGetDeviceInfo(0, &info) == QS_SUCCESS && info.devStatus == DEVICE_ERROR);
    EXPECT(qaicEnqueueExecObj(life.client.queue, life.exec, NULL) == QS_NODEV);
    CHECK(qaicSimRestoreDevice(0));
    CHECK(qaicReleaseExecObj(life.exec));
    buffers_close(&life.buffers);
    CHECK(qaicReleaseProgram(life.program));
    client_close(&life.client);
    EXPECT(qaicSimLiveObjects() == 0);

    life = life_open(qpc);
    run(&life, 4);
    life_close(&life);

    /* A text that does not fit is cut, and its length told. */
    char small[4];
    EXPECT(qaicSimRelease(NULL) == QS_INVAL);
    EXPECT(qaicSimLastError(small, sizeof small) == strlen("The fault is null.") && strcmp(small, "The") == 0);
    EXPECT(qaicSimLastError(NULL, 0) == strlen("The fault is null."));
}

/* An exception that escaped would end the process: every function is called with every kind of nonsense. */
static void nonsense(const char *qpc)
{
    const QAicApiFunctionTable *table = qaicGetFunctionTable();
    QStatus (**functions)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    size_t count = table->size / sizeof(void *) - 1;
    functions = (QStatus(**)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))(void *)((const size_t *)(const void *)table + 1);
    Life life = life_open(qpc);

    /* Nulls, invented handles, small numbers; never an address, since a wrong one may crash any library. */
    const uint64_t first[] = {0, 1, 7, 0x7fffffffffffffffu, 0xffffffffffffffffu, (uint64_t)(uintptr_t)life.client.context ^ 0x100000000u};
    size_t refused = 0, calls = 0;
    for (size_t i = 0; i < count; i++) {
        if (functions[i] == (void *)qaicProgramPropertiesInitDefault || functions[i] == (void *)qaicProgramGroupPropertiesInitDefault) {
            EXPECT(functions[i](0, 0, 0, 0, 0, 0, 0, 0) != QS_SUCCESS);
            continue;
        }
        bool isHandle = functions[i] != (void *)qaicCreateContext && functions[i] != (void *)qaicOpenQpc && functions[i] != (void *)qaicOpenQpcFile
            && functions[i] != (void *)qaicGetAicVersion;
        for (size_t j = 0; j < (isHandle ? sizeof first / sizeof *first : 1); j++) {
            QStatus status = functions[i](first[j], 0, 0, 0, 0, 0, 0, 0);
            refused += status != QS_SUCCESS;
            calls++;
        }
    }

    /* Constants that are null are released. */
    EXPECT(refused == calls - 1);
    run(&life, 9);
    life_close(&life);
    printf("%zu calls\n", calls);
}

/* The process ends while the card computes and nothing is released. */
static void leave(const char *qpc)
{
    Life life = life_open(qpc);
    QaicSimFault *fault;
    run(&life, 1);
    CHECK(qaicSimHoldInference(0, &fault));
    CHECK(qaicEnqueueExecObj(life.client.queue, life.exec, NULL));
    CHECK(qaicSimWaitForFault(fault, ONE_MINUTE_US));
}

static void *busy(void *argument)
{
    Life *life = argument;
    for (;;) {
        if (qaicEnqueueExecObj(life->client.queue, life->exec, NULL) != QS_SUCCESS || qaicExecObjWaitForCompletion(life->exec, ONE_MINUTE_US) != QS_SUCCESS) {
            return NULL;
        }
    }
}

/* The same with threads in the middle of calls. */
static void leave_busy(const char *qpc)
{
    static Life lives[4];
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        lives[i] = life_open(qpc);
        run(&lives[i], 1);
        pthread_create(&thread, NULL, busy, &lives[i]);
    }
    QaicSimFault *fault;
    CHECK(qaicSimHoldInference(200, &fault));
    CHECK(qaicSimWaitForFault(fault, ONE_MINUTE_US));
}

static Life s_other;
static QAicExecObj *s_made;

/* Called in the middle of a load, it uses another program. */
static void log_of_a_load(QLogLevel level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
    if (s_other.program != NULL && s_made == NULL) {
        CHECK(qaicCreateExecObj(s_other.client.context, &s_made, NULL, s_other.program, NULL, NULL, NULL));
    }
}

static void log_calls(const char *qpc)
{
    QID device = 0;
    Client client = {NULL, NULL, NULL};
    CHECK(qaicCreateContext(&client.context, NULL, 1, &device, log_of_a_load, NULL, NULL, NULL));
    s_other.client.context = client.context;
    CHECK(qaicOpenQpcFile(&s_other.client.qpc, qpc));
    s_other.program = program_open(&s_other.client, "other");

    /* A QPC of its own, so that the network is loaded once more. */
    CHECK(qaicOpenQpcFile(&client.qpc, qpc));
    CHECK(qaicSetLogLevel(client.context, QL_DEBUG));
    QAicProgram *program = program_open(&client, "loaded");
    CHECK(qaicSetLogLevel(client.context, QL_ERROR));
    EXPECT(s_made != NULL);
    CHECK(qaicReleaseExecObj(s_made));
    program_close(program);
    program_close(s_other.program);
    CHECK(qaicCloseQpc(client.qpc));
    CHECK(qaicCloseQpc(s_other.client.qpc));
    CHECK(qaicReleaseContext(client.context));
    EXPECT(qaicSimLiveObjects() == 0);
}

/* Which signals are handled after the first calls that were not before. */
static void signals(const char *qpc)
{
    struct sigaction before[65], after;
    for (int i = 1; i < 65; i++) {
        /* Whoever started this program may have ignored some. */
        signal(i, SIG_DFL);
        sigaction(i, NULL, &before[i]);
    }
    Life life = life_open(qpc);
    run(&life, 1);
    for (int i = 1; i < 65; i++) {
        if (sigaction(i, NULL, &after) == 0 && after.sa_handler != before[i].sa_handler) {
            printf("%s%d", after.sa_handler == SIG_IGN ? "ignored " : "", i);
            printf(" %s\n", i < SIGRTMIN ? strsignal(i) : "real-time");
        }
    }
    life_close(&life);
}

/* Many threads make the first call at once. */
static pthread_barrier_t s_start;

static void *first_call(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&s_start);
    QID device = 0;
    QAicContext *context;
    CHECK(qaicCreateContext(&context, NULL, 1, &device, NULL, NULL, NULL, NULL));
    CHECK(qaicReleaseContext(context));
    return NULL;
}

static void race(const char *qpc)
{
    (void)qpc;
    pthread_t threads[8];
    pthread_barrier_init(&s_start, NULL, 8);
    for (int i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, first_call, NULL);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    QDevInfo info;
    EXPECT(qaicGetDeviceInfo(0, &info) == QS_SUCCESS && qaicGetDeviceInfo(1, &info) == QS_NODEV);
}

/* Prints what the devices have. */
static void devices(const char *qpc)
{
    (void)qpc;
    QDevInfo info;
    QStatus status;
    QID device = 0;
    for (; (status = qaicGetDeviceInfo(device, &info)) == QS_SUCCESS; device++) {
        const QResourceInfo *has = &info.devData.resourceInfo;
        printf("%d: %s, %u cores, %u KiB\n", (int)info.qid, info.name, has->nspTotal, (unsigned)has->dramTotal);
    }
    printf("%d devices, then %d\n", (int)device, (int)status);
}

/* dlclose and dlopen again: the library has to go on. */
static void unload(const char *qpc)
{
    Life life = life_open(qpc);
    for (int i = 0; i < 3; i++) {
        void *library = dlopen("libQAic.so", RTLD_NOW);
        EXPECT(library != NULL && dlclose(library) == 0);
        run(&life, (float)i);
    }
    life_close(&life);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const char *);
    } scenarios[] = {
        {"whole_life", whole_life}, {"garbage", garbage}, {"old_generation", old_generation}, {"faults", faults}, {"nonsense", nonsense}, {"leave", leave},
        {"leave_busy", leave_busy}, {"signals", signals}, {"log_calls", log_calls}, {"race", race}, {"devices", devices}, {"unload", unload},
    };
    for (size_t i = 0; argc == 3 && i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run(argv[2]);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s scenario programqpc.bin\n", argv[0]);
    return 2;
}
