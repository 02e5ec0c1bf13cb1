/* One inference: reads raw inputs, writes raw outputs. */
#include "client.h"

int main(int argc, char **argv)
{
    usage_unless(argc >= 2, argv[0], "programqpc.bin [tensor=file ...]");
    Client client = client_open(argv[1]);
    QAicProgram *program = program_open(&client, "single");
    Buffers buffers = buffers_open(program);
    read_inputs(&buffers, argv + 2);

    QAicExecObj *exec;
    CHECK(qaicCreateExecObj(client.context, &exec, NULL, program, NULL, NULL, NULL));
    CHECK(qaicExecObjSetData(exec, buffers.info->numBufferMappings, buffers.buffers));
    CHECK(qaicEnqueueExecObj(client.queue, exec, NULL));
    CHECK(qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US));
    write_outputs(&buffers, argv + 2);

    CHECK(qaicReleaseExecObj(exec));
    buffers_close(&buffers);
    program_close(program);
    client_close(&client);
    return 0;
}
