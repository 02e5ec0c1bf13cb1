/* A network of several sets of shapes: buffers as large as the largest shape, and per inference how much of them is used. */
#include "client.h"

#define MAX_TENSORS 32
#define MAX_RANK 8

/* By QAicBufferMappings_t.dataType. */
static const uint32_t s_elementSize[] = {4, 2, 1, 1, 2, 4, 4, 8, 1, 1, 8, 2};

/* "2x8:file" into dimensions; returns the file. */
static const char *parse(const char *text, uint32_t *dims, uint32_t *count)
{
    *count = 0;
    for (;;) {
        char *end;
        unsigned long dim = strtoul(text, &end, 10);
        if (end == text || *count == MAX_RANK || (*end != 'x' && *end != ':')) {
            die("expected tensor=2x8:file", text);
        }
        dims[(*count)++] = (uint32_t)dim;
        text = end + 1;
        if (*end == ':') {
            return text;
        }
    }
}

int main(int argc, char **argv)
{
    usage_unless(argc >= 3, argv[0], "programqpc.bin tensor=2x8:file ... (every tensor)");
    Client client = client_open(argv[1]);
    QAicProgram *program = program_open(&client, "dynamic_shapes");
    Buffers buffers = buffers_open(program);
    uint32_t tensors = buffers.info->numBufferMappings;
    QBufferDimensions dimensions[MAX_TENSORS];
    uint32_t dims[MAX_TENSORS][MAX_RANK];
    const char *files[MAX_TENSORS] = {NULL};
    if (tensors > MAX_TENSORS) {
        die("too many tensors", argv[1]);
    }

    for (char **argument = argv + 2; *argument != NULL; argument++) {
        char *equals = strchr(*argument, '=');
        if (equals == NULL) {
            die("expected tensor=2x8:file", *argument);
        }
        *equals = '\0';
        const QAicBufferMappings_t *mapping = mapping_of(&buffers, *argument);
        if (mapping->dataType >= sizeof s_elementSize / sizeof *s_elementSize) {
            die("the tensor's data type is newer than this program", *argument);
        }
        uint32_t index = mapping->index;
        QBufferDimensions *shape = &dimensions[index];
        files[index] = parse(equals + 1, dims[index], &shape->count);
        shape->dims = dims[index];
        shape->sizeOfElem = s_elementSize[mapping->dataType];
        size_t size = shape->sizeOfElem;
        for (uint32_t i = 0; i < shape->count; i++) {
            size *= dims[index][i];
        }
        if (size > mapping->size) {
            die("the shape is larger than the largest of the network", *argument);
        }
        buffers.buffers[index].size = size;
        if (mapping->ioType == BUFFER_IO_TYPE_INPUT) {
            read_file(files[index], buffers.buffers[index].buf, size);
        }
    }

    QAicExecObj *exec;
    CHECK(qaicCreateExecObj(client.context, &exec, NULL, program, NULL, NULL, NULL));
    for (uint32_t i = 0; i < tensors; i++) {
        if (files[buffers.info->bufferMappings[i].index] == NULL) {
            die("the tensor needs a shape", buffers.info->bufferMappings[i].bufferName);
        }
    }
    CHECK(qaicExecObjSetDataExt(exec, tensors, buffers.buffers, dimensions));
    CHECK(qaicEnqueueExecObj(client.queue, exec, NULL));

    /* Shapes that the network was not compiled for fail here, with QS_DEV_ERROR, and not before. */
    CHECK(qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US));
    for (uint32_t i = 0; i < tensors; i++) {
        const QAicBufferMappings_t *mapping = &buffers.info->bufferMappings[i];
        if (mapping->ioType == BUFFER_IO_TYPE_OUTPUT) {
            const QBuffer *buffer = &buffers.buffers[mapping->index];
            write_file(files[mapping->index], buffer->buf, buffer->size);
            printf("%s: %zu of %u bytes\n", mapping->bufferName, buffer->size, (unsigned)mapping->size);
        }
    }

    CHECK(qaicReleaseExecObj(exec));
    buffers_close(&buffers);
    program_close(program);
    client_close(&client);
    return 0;
}
