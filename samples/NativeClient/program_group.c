/* Two networks take turns on the same cores: a program group switches between them. */
#include "client.h"

#define ROUNDS 10

typedef struct {
    QAicQpcObj *qpc;
    QAicProgram *program;
    QAicExecObj *exec;
    Buffers buffers;
} Member;

int main(int argc, char **argv)
{
    usage_unless(argc >= 3, argv[0], "first/programqpc.bin second/programqpc.bin [tensor=file ...] (tensors that both have)");
    QID device = 0;
    QAicContext *context;
    CHECK(qaicCreateContext(&context, NULL, 1, &device, on_log, NULL, NULL, NULL));

    union {
        QAicProgramGroupProperties_t properties;
        char room[QAIC_SIM_PROPERTIES_ROOM];
    } own;
    QAicProgramGroup *group;
    QAicQueue *queue;
    CHECK(qaicProgramGroupPropertiesInitDefault(&own.properties));
    own.properties.enableOversubscription = QAIC_PROGRAM_GROUP_PROPERTIES_OVERSUBSCRIPTION_ENABLED;
    CHECK(qaicCreateProgramGroup(context, &group, &queue, &own.properties, "turns", device));

    Member members[2];
    for (int i = 0; i < 2; i++) {
        CHECK(qaicOpenQpcFile(&members[i].qpc, argv[1 + i]));
        CHECK(qaicProgramGroupAddProgram(group, members[i].qpc, &members[i].program, NULL));
    }
    CHECK(qaicProgramGroupEnable(group));
    for (int i = 0; i < 2; i++) {
        Member *member = &members[i];
        member->buffers = buffers_open(member->program);
        read_inputs(&member->buffers, argv + 3);
        CHECK(qaicCreateExecObj(context, &member->exec, NULL, member->program, NULL, NULL, NULL));
        CHECK(qaicExecObjSetData(member->exec, member->buffers.info->numBufferMappings, member->buffers.buffers));
    }

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2; i++) {
            CHECK(qaicEnqueueExecObj(queue, members[i].exec, NULL));
        }
        for (int i = 0; i < 2; i++) {
            CHECK(qaicExecObjWaitForCompletion(members[i].exec, ONE_MINUTE_US));
        }
    }
    printf("%d inferences, two networks in turn\n", 2 * ROUNDS);
    write_outputs(&members[1].buffers, argv + 3);

    /* The group owns its queue and its programs; nobody releases those. */
    for (int i = 0; i < 2; i++) {
        CHECK(qaicReleaseExecObj(members[i].exec));
        buffers_close(&members[i].buffers);
    }
    CHECK(qaicProgramGroupDisable(group, false, ONE_MINUTE_US));
    CHECK(qaicReleaseProgramGroup(group));
    for (int i = 0; i < 2; i++) {
        CHECK(qaicCloseQpc(members[i].qpc));
    }
    CHECK(qaicReleaseContext(context));
    return 0;
}
