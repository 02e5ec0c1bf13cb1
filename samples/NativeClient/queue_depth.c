/* Ten execution objects in flight: this thread enqueues, another one waits. */
#include <pthread.h>
#include "client.h"

#define DEPTH 10
#define ROUNDS 20

typedef struct {
    Buffers buffers;
    QAicExecObj *exec;
} Slot;

static Slot s_slots[DEPTH];

/* What the first inference gave. Its slot's own buffers are written again as soon as it is in flight again. */
static Buffers s_first;
static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t s_changed = PTHREAD_COND_INITIALIZER;
static unsigned s_submitted, s_completed;

/* Waits in the order of submission. One activation computes in that order, too; a queue of several activations does not, as it has several threads. */
static void *wait_for_all(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < DEPTH * ROUNDS; i++) {
        pthread_mutex_lock(&s_mutex);
        while (s_submitted == i) {
            pthread_cond_wait(&s_changed, &s_mutex);
        }
        pthread_mutex_unlock(&s_mutex);

        Slot *slot = &s_slots[i % DEPTH];
        CHECK(qaicExecObjWaitForCompletion(slot->exec, ONE_MINUTE_US));
        if (i == 0) {
            copy_outputs(&slot->buffers, &s_first);
        }
        if (!same_outputs(&slot->buffers, &s_first)) {
            die("an inference gave another answer", "queue_depth");
        }

        pthread_mutex_lock(&s_mutex);
        s_completed++;
        pthread_cond_broadcast(&s_changed);
        pthread_mutex_unlock(&s_mutex);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    usage_unless(argc >= 2, argv[0], "programqpc.bin [tensor=file ...]");
    Client client = client_open(argv[1]);
    QAicProgram *program = program_open(&client, "queue_depth");
    for (int i = 0; i < DEPTH; i++) {
        Slot *slot = &s_slots[i];
        slot->buffers = buffers_open(program);
        read_inputs(&slot->buffers, argv + 2);
        CHECK(qaicCreateExecObj(client.context, &slot->exec, NULL, program, NULL, NULL, NULL));
        CHECK(qaicExecObjSetData(slot->exec, slot->buffers.info->numBufferMappings, slot->buffers.buffers));
    }

    s_first = buffers_open(program);

    pthread_t waiter;
    pthread_create(&waiter, NULL, wait_for_all, NULL);
    for (unsigned i = 0; i < DEPTH * ROUNDS; i++) {
        /* The slot is free when the inference before the last DEPTH ones is complete. */
        pthread_mutex_lock(&s_mutex);
        while (i - s_completed >= DEPTH) {
            pthread_cond_wait(&s_changed, &s_mutex);
        }
        pthread_mutex_unlock(&s_mutex);

        CHECK(qaicEnqueueExecObj(client.queue, s_slots[i % DEPTH].exec, NULL));

        pthread_mutex_lock(&s_mutex);
        s_submitted++;
        pthread_cond_broadcast(&s_changed);
        pthread_mutex_unlock(&s_mutex);
    }
    pthread_join(waiter, NULL);
    printf("%u inferences, %d at a time\n", s_completed, DEPTH);
    write_outputs(&s_slots[DEPTH - 1].buffers, argv + 2);

    for (int i = 0; i < DEPTH; i++) {
        CHECK(qaicReleaseExecObj(s_slots[i].exec));
        buffers_close(&s_slots[i].buffers);
    }
    buffers_close(&s_first);
    program_close(program);
    client_close(&client);
    return 0;
}
