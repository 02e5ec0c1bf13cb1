/* The C side of the library's binary interface, written from its published behaviour, so that a C compiler can be asked where the fields are. */
#ifndef QAIC_ABI_H
#define QAIC_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t QID;

typedef enum {
    QS_SUCCESS = 0, QS_PERM = 1, QS_AGAIN = 2, QS_NOMEM = 3, QS_BUSY = 4, QS_NODEV = 5, QS_INVAL = 6, QS_NOSPC = 7, QS_BADFD = 8, QS_TIMEDOUT = 9,
    QS_PROTOCOL = 10, QS_UNSUPPORTED = 11, QS_DATA_CRC_ERROR = 12, QS_DEV_ERROR = 300, QS_ERROR = 500
} QStatus;

typedef enum { QL_DEBUG = 0, QL_INFO = 1, QL_WARN = 2, QL_ERROR = 3 } QLogLevel;
typedef enum { DEVICE_INITIALIZING = 0, DEVICE_READY = 1, DEVICE_ERROR = 2 } QDevStatus;
typedef enum { BUFFER_HEAP = 0 } QBufferType;

typedef struct { size_t size; uint8_t *buf; uint64_t handle; uint32_t offset; QBufferType type; } QBuffer;
typedef struct { size_t size; uint8_t *data; } QData;
typedef struct { uint32_t count; uint32_t sizeOfElem; uint32_t *dims; } QBufferDimensions;
typedef struct { uint32_t properties; uint32_t numThreadsPerQueue; } QAicQueueProperties;

typedef struct { char *bufferName; uint32_t index; uint32_t ioType; uint32_t size; bool isPartialBufferAllowed; uint32_t dataType; } QAicBufferMappings;
typedef struct { uint32_t numBufferMappings; QAicBufferMappings *bufferMappings; } QAicIoBufferInfo;
typedef struct { char name[64]; uint32_t index; uint32_t size; } QAicQpcConstantsInfo;
typedef struct {
    char name[64]; uint32_t programIndex; uint32_t numCores; uint32_t size; QAicIoBufferInfo ioBufferInfo; QAicIoBufferInfo ioBufferInfoDma; int32_t batchSize;
} QAicQpcProgramInfo;
typedef struct { uint32_t numPrograms; QAicQpcProgramInfo *programInfo; uint32_t numConstants; QAicQpcConstantsInfo *constantsInfo; } QAicQpcInfo;

typedef struct {
    int32_t reservationID; uint64_t dramTotal; uint64_t dramFree; uint8_t vcTotal; uint8_t vcFree; uint8_t nspTotal; uint8_t nspFree;
    uint32_t mcidTotal; uint32_t mcidFree; uint32_t semTotal; uint32_t semFree; uint8_t pcTotal; uint8_t pcReserved; uint8_t skuType; uint8_t pad[5];
} QResourceInfo;

typedef struct { uint64_t words[4]; } QPciExt;
typedef struct {
    uint16_t domain; uint8_t bus; uint8_t device; uint8_t function; char classname[128]; char vendorname[128]; char devicename[128]; QPciExt pcieExt;
} QPciInfo;

/* Of the device's data only the place of the resources is known: 360 bytes of versions and features lie before them. */
typedef struct { uint64_t before[45]; QResourceInfo resourceInfo; uint64_t after[5]; } QDevData;
typedef struct { uint8_t bytes[196]; } QNspData;
typedef struct { QDevStatus devStatus; QPciInfo pciInfo; QID qid; QDevData devData; QNspData nspData; char name[64]; } QDevInfo;

#endif
