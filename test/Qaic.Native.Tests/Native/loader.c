/*
 * A program that is not linked to the library: loader <directory of libQAic.so> <programqpc.bin>. It opens it by a relative name, goes elsewhere, and closes it while an
 * inference is on the card. The network has one input and one output of four floats, y = -x.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "qaic_sim.h"

#define ONE_MINUTE_US 60000000u

#define EXPECT(condition)                                                                                                                    \
    do {                                                                                                                                     \
        if (!(condition)) {                                                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                                          \
            exit(1);                                                                                                                         \
        }                                                                                                                                    \
    } while (0)

static void *function(void *library, const char *name)
{
    void *address = dlsym(library, name);
    EXPECT(address != NULL);
    return address;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 3 && chdir(argv[1]) == 0);
    void *library = dlopen("./libQAic.so", RTLD_NOW);
    EXPECT(library != NULL && chdir("/") == 0);

    const QAicApiFunctionTable *(*get_table)(void);
    QStatus (*hold)(uint32_t, QaicSimFault **), (*wait_for)(QaicSimFault *, uint32_t), (*let_go)(QaicSimFault *);
    uint32_t (*live)(void);
    *(void **)&get_table = function(library, "qaicGetFunctionTable");
    *(void **)&hold = function(library, "qaicSimHoldInference");
    *(void **)&wait_for = function(library, "qaicSimWaitForFault");
    *(void **)&let_go = function(library, "qaicSimRelease");
    *(void **)&live = function(library, "qaicSimLiveObjects");
    const QAicApiFunctionTable *api = get_table();

    QID device = 0;
    QAicContext *context;
    QAicQueue *queue;
    QAicQpcObj *qpc;
    QAicProgram *program;
    QAicExecObj *exec;
    QaicSimFault *fault;
    float x[4] = {1, 2, 3, 4}, y[4] = {0};
    QBuffer buffers[2] = {{sizeof x, (uint8_t *)x, 0, 0, QBUFFER_TYPE_HEAP}, {sizeof y, (uint8_t *)y, 0, 0, QBUFFER_TYPE_HEAP}};
    EXPECT(api->qaicCreateContext(&context, NULL, 1, &device, NULL, NULL, NULL, NULL) == QS_SUCCESS);
    EXPECT(api->qaicCreateQueue(context, &queue, NULL, device) == QS_SUCCESS);
    EXPECT(api->qaicOpenQpcFile(&qpc, argv[2]) == QS_SUCCESS);
    EXPECT(api->qaicCreateProgram(context, &program, NULL, device, "loader", qpc) == QS_SUCCESS);
    EXPECT(api->qaicCreateExecObj(context, &exec, NULL, program, NULL, NULL, NULL) == QS_SUCCESS);
    EXPECT(api->qaicExecObjSetData(exec, 2, buffers) == QS_SUCCESS);
    EXPECT(hold(1, &fault) == QS_SUCCESS);
    EXPECT(api->qaicEnqueueExecObj(queue, exec, NULL) == QS_SUCCESS);
    EXPECT(wait_for(fault, ONE_MINUTE_US) == QS_SUCCESS);

    /* The only reference. The code stays, and the inference with it. */
    EXPECT(dlclose(library) == 0);
    EXPECT(let_go(fault) == QS_SUCCESS);
    EXPECT(api->qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US) == QS_SUCCESS);
    EXPECT(y[0] == -1 && y[3] == -4);
    EXPECT(api->qaicReleaseExecObj(exec) == QS_SUCCESS && api->qaicReleaseProgram(program) == QS_SUCCESS && api->qaicCloseQpc(qpc) == QS_SUCCESS);
    EXPECT(api->qaicReleaseQueue(queue) == QS_SUCCESS && api->qaicReleaseContext(context) == QS_SUCCESS && live() == 0);
    return 0;
}
