/* Zero-copy: the library's DMA buffers are filled and read in place. Where a tensor lies in them is in the set "dma" of the I/O descriptor, a protobuf message. */
#include "client.h"

/* ---- As much of protobuf as that takes ---- */

typedef struct {
    const uint8_t *at, *end;
} Message;

static uint64_t varint(Message *message)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        uint8_t byte = *message->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    die("damaged", "I/O descriptor");
    return 0;
}

/* The next field: its number, and its value as a number or as a message within. */
static bool next(Message *message, uint32_t *field, uint64_t *number, Message *within)
{
    if (message->at == message->end) {
        return false;
    }
    uint64_t key = varint(message);
    *field = (uint32_t)(key >> 3);
    *number = 0;
    within->at = within->end = message->at;
    switch (key & 7) {
    case 0:
        *number = varint(message);
        return true;
    case 2:
        *number = varint(message);
        break;
    case 1:
        *number = 8;
        break;
    default:
        *number = 4;
        break;
    }
    if (*number > (uint64_t)(message->end - message->at)) {
        die("damaged", "I/O descriptor");
    }
    within->at = message->at;
    within->end = message->at += *number;
    return true;
}

static bool is(const Message *text, const char *expected)
{
    size_t length = strlen(expected);
    return (size_t)(text->end - text->at) == length && memcmp(text->at, expected, length) == 0;
}

/* ---- The example ---- */

typedef struct {
    bool found, isOutput;
    uint32_t buffer, offset, size;
} Place;

static void read_binding(Message binding, const char *name, Place *place)
{
    uint32_t field, inner;
    uint64_t number, value;
    Message within, unused;
    Place own = {false, false, 0, 0, 0};
    while (next(&binding, &field, &number, &within)) {
        if (field == 1) {
            own.found = is(&within, name);
        } else if (field == 4) {
            own.isOutput = number == 1;
        } else if (field == 8) {
            own.size = (uint32_t)number;
        } else if (field == 9) {
            while (next(&within, &inner, &value, &unused)) {
                if (inner == 1) {
                    own.buffer = (uint32_t)value;
                } else if (inner == 4) {
                    own.offset = (uint32_t)value;
                }
            }
        }
    }
    if (own.found) {
        *place = own;
    }
}

/* The place of a tensor in the DMA buffers. */
static Place find(QData descriptor, const char *name)
{
    Place place = {false, false, 0, 0, 0};
    Message io = {descriptor.data, descriptor.data + descriptor.size}, set, binding;
    uint32_t field, inner;
    uint64_t number;
    while (next(&io, &field, &number, &set)) {
        bool isDma = false;
        Message again = set;
        while (field == 1 && next(&set, &inner, &number, &binding)) {
            isDma |= inner == 1 && is(&binding, "dma");
        }
        while (isDma && next(&again, &inner, &number, &binding)) {
            if (inner == 2) {
                read_binding(binding, name, &place);
            }
        }
    }
    if (!place.found) {
        die("the set \"dma\" of the I/O descriptor has no such tensor", name);
    }
    return place;
}

int main(int argc, char **argv)
{
    usage_unless(argc >= 2, argv[0], "programqpc.bin [tensor=file ...]");
    Client client = client_open(argv[1]);
    QAicProgram *program = program_open(&client, "zero_copy");
    QData descriptor;
    CHECK(qaicProgramGetIoDescriptor(program, &descriptor));

    QAicExecObjProperties_t properties = QAIC_EXECOBJ_PROPERTIES_ZERO_COPY_BUFFERS;
    QAicExecObj *exec;
    uint32_t count;
    QBuffer *buffers;
    CHECK(qaicCreateExecObj(client.context, &exec, &properties, program, NULL, NULL, NULL));
    CHECK(qaicExecObjGetIoBuffers(exec, &count, &buffers));
    printf("%u buffers of the library\n", (unsigned)count);

    for (int isAfter = 0; isAfter < 2; isAfter++) {
        for (char **argument = argv + 2; *argument != NULL; argument++) {
            char *equals = strchr(*argument, '=');
            if (equals == NULL) {
                die("expected tensor=file", *argument);
            }
            *equals = '\0';
            Place place = find(descriptor, *argument);
            if (place.buffer >= count || (size_t)place.offset + place.size > buffers[place.buffer].size) {
                die("lies outside of the library's buffers", *argument);
            }
            uint8_t *bytes = buffers[place.buffer].buf + place.offset;
            if (place.isOutput && isAfter) {
                write_file(equals + 1, bytes, place.size);
                printf("%s: %u bytes at %u of buffer %u\n", *argument, (unsigned)place.size, (unsigned)place.offset, (unsigned)place.buffer);
            } else if (!place.isOutput && !isAfter) {
                read_file(equals + 1, bytes, place.size);
            }
            *equals = '=';
        }
        if (!isAfter) {
            CHECK(qaicEnqueueExecObj(client.queue, exec, NULL));
            CHECK(qaicExecObjWaitForCompletion(exec, ONE_MINUTE_US));
        }
    }

    CHECK(qaicReleaseExecObj(exec));
    program_close(program);
    client_close(&client);
    return 0;
}
