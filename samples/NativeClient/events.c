/* An event that the inference completes, with a callback on a thread of the library, and a wait for the event. */
#include <pthread.h>
#include "client.h"

static pthread_t s_main;
static int s_called, s_elsewhere;
static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t s_changed = PTHREAD_COND_INITIALIZER;

static void on_complete(QAicEvent *event, QAicEventCompletionType type, void *user)
{
    (void)event;
    (void)type;
    pthread_mutex_lock(&s_mutex);
    s_called += *(const int *)user;
    s_elsewhere += !pthread_equal(pthread_self(), s_main);
    pthread_cond_broadcast(&s_changed);
    pthread_mutex_unlock(&s_mutex);
}

int main(int argc, char **argv)
{
    usage_unless(argc >= 2, argv[0], "programqpc.bin [tensor=file ...]");
    Client client = client_open(argv[1]);
    QAicProgram *program = program_open(&client, "events");
    Buffers buffers = buffers_open(program);
    read_inputs(&buffers, argv + 2);
    QAicExecObj *exec;
    CHECK(qaicCreateExecObj(client.context, &exec, NULL, program, NULL, NULL, NULL));
    CHECK(qaicExecObjSetData(exec, buffers.info->numBufferMappings, buffers.buffers));

    int one = 1;
    QAicEvent *event;
    s_main = pthread_self();
    CHECK(qaicCreateEvent(client.context, &event, QAIC_EVENT_DEVICE_COMPLETE));
    CHECK(qaicEventAddCallback(event, on_complete, &one));
    for (int i = 1; i <= 5; i++) {
        CHECK(qaicEnqueueExecObj(client.queue, exec, event));
        CHECK(qaicWaitforEvent(event));
        pthread_mutex_lock(&s_mutex);
        while (s_called < i) {
            pthread_cond_wait(&s_changed, &s_mutex);
        }
        pthread_mutex_unlock(&s_mutex);
        CHECK(qaicEventClear(event));
    }
    CHECK(qaicEventRemoveCallback(event, on_complete));
    printf("%d completions, %d callbacks on threads of the library\n", s_called, s_elsewhere);
    write_outputs(&buffers, argv + 2);

    CHECK(qaicReleaseExecObj(exec));
    CHECK(qaicReleaseEvent(event));
    buffers_close(&buffers);
    program_close(program);
    client_close(&client);
    return s_elsewhere == 5 ? 0 : 1;
}
