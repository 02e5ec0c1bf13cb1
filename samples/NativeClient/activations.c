/* Four activations: programs of one QPC, each on cores of its own, with a queue and a thread of its own. */
#include <pthread.h>
#include "client.h"

#define ACTIVATIONS 4
#define ROUNDS 25

typedef struct {
    QAicProgram *program;
    QAicQueue *queue;
    QAicExecObj *exec;
    Buffers buffers;
} Activation;

static void *run(void *argument)
{
    Activation *own = argument;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(qaicEnqueueExecObj(own->queue, own->exec, NULL));
        CHECK(qaicExecObjWaitForCompletion(own->exec, ONE_MINUTE_US));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    usage_unless(argc >= 2, argv[0], "programqpc.bin [tensor=file ...]");
    Client client = client_open(argv[1]);
    QResourceInfo idle, busy;
    CHECK(qaicGetResourceInfo(0, &idle));

    Activation activations[ACTIVATIONS];
    for (int i = 0; i < ACTIVATIONS; i++) {
        Activation *own = &activations[i];
        own->program = program_open(&client, "activation");
        CHECK(qaicCreateQueue(client.context, &own->queue, NULL, 0));
        own->buffers = buffers_open(own->program);
        read_inputs(&own->buffers, argv + 2);
        CHECK(qaicCreateExecObj(client.context, &own->exec, NULL, own->program, NULL, NULL, NULL));
        CHECK(qaicExecObjSetData(own->exec, own->buffers.info->numBufferMappings, own->buffers.buffers));
    }
    CHECK(qaicGetResourceInfo(0, &busy));
    printf("%d activations take %d of %d cores\n", ACTIVATIONS, idle.nspFree - busy.nspFree, idle.nspTotal);

    pthread_t threads[ACTIVATIONS];
    for (int i = 0; i < ACTIVATIONS; i++) {
        pthread_create(&threads[i], NULL, run, &activations[i]);
    }
    for (int i = 0; i < ACTIVATIONS; i++) {
        pthread_join(threads[i], NULL);
        if (!same_outputs(&activations[i].buffers, &activations[0].buffers)) {
            die("an activation gave another answer", "activations");
        }
    }
    printf("%d inferences\n", ACTIVATIONS * ROUNDS);
    write_outputs(&activations[ACTIVATIONS - 1].buffers, argv + 2);

    for (int i = 0; i < ACTIVATIONS; i++) {
        CHECK(qaicReleaseExecObj(activations[i].exec));
        buffers_close(&activations[i].buffers);
        CHECK(qaicReleaseQueue(activations[i].queue));
        program_close(activations[i].program);
    }
    client_close(&client);
    return 0;
}
