/* The C side of the library's binary interface: the types of the header that goes with the simulated library, under the names of the managed structs. */
#ifndef QAIC_ABI_H
#define QAIC_ABI_H

/* The stand-in library declares its functions itself, in the widths that its switches ask for. */
#define QAIC_SIM_TYPES_ONLY
#include "../../../src/Qaic.Native/qaic_sim.h"

#define BUFFER_HEAP QBUFFER_TYPE_HEAP

typedef QAicQueueProperties_t QAicQueueProperties;
typedef QAicBufferMappings_t QAicBufferMappings;
typedef QAicIoBufferInfo_t QAicIoBufferInfo;
typedef QAicQpcConstantsInfo_t QAicQpcConstantsInfo;
typedef QAicQpcProgramInfo_t QAicQpcProgramInfo;
typedef QAicQpcInfo_t QAicQpcInfo;

#endif
