/* Prints "<struct> <field> <offset>" for each field that the managed structs declare, and "<struct> - <size>" for each struct. Field names are the managed ones. */
#include <stdio.h>
#include "qaic_abi.h"

#define SIZE(managed, type) printf("%s - %zu\n", #managed, sizeof(type))
#define FIELD(managed, name, type, member) printf("%s %s %zu\n", #managed, #name, offsetof(type, member))

int main(void)
{
    SIZE(QBuffer, QBuffer);
    FIELD(QBuffer, Size, QBuffer, size);
    FIELD(QBuffer, Buf, QBuffer, buf);
    FIELD(QBuffer, Handle, QBuffer, handle);
    FIELD(QBuffer, Offset, QBuffer, offset);
    FIELD(QBuffer, Type, QBuffer, type);

    SIZE(QData, QData);
    FIELD(QData, Size, QData, size);
    FIELD(QData, Data, QData, data);

    SIZE(QBufferDimensions, QBufferDimensions);
    FIELD(QBufferDimensions, Count, QBufferDimensions, count);
    FIELD(QBufferDimensions, SizeOfElem, QBufferDimensions, sizeOfElem);
    FIELD(QBufferDimensions, Dims, QBufferDimensions, dims);

    SIZE(QAicQueueProperties, QAicQueueProperties);
    FIELD(QAicQueueProperties, Properties, QAicQueueProperties, properties);
    FIELD(QAicQueueProperties, NumThreadsPerQueue, QAicQueueProperties, numThreadsPerQueue);

    SIZE(QAicQpcInfo, QAicQpcInfo);
    FIELD(QAicQpcInfo, NumPrograms, QAicQpcInfo, numPrograms);
    FIELD(QAicQpcInfo, ProgramInfo, QAicQpcInfo, programInfo);
    FIELD(QAicQpcInfo, NumConstants, QAicQpcInfo, numConstants);
    FIELD(QAicQpcInfo, ConstantsInfo, QAicQpcInfo, constantsInfo);

    SIZE(QAicQpcProgramInfo, QAicQpcProgramInfo);
    FIELD(QAicQpcProgramInfo, Name, QAicQpcProgramInfo, name);
    FIELD(QAicQpcProgramInfo, ProgramIndex, QAicQpcProgramInfo, programIndex);
    FIELD(QAicQpcProgramInfo, NumCores, QAicQpcProgramInfo, numCores);
    FIELD(QAicQpcProgramInfo, Size, QAicQpcProgramInfo, size);
    FIELD(QAicQpcProgramInfo, IoBufferInfo, QAicQpcProgramInfo, ioBufferInfo);
    FIELD(QAicQpcProgramInfo, IoBufferInfoDma, QAicQpcProgramInfo, ioBufferInfoDma);
    FIELD(QAicQpcProgramInfo, BatchSize, QAicQpcProgramInfo, batchSize);

    SIZE(QAicQpcConstantsInfo, QAicQpcConstantsInfo);
    FIELD(QAicQpcConstantsInfo, Name, QAicQpcConstantsInfo, name);
    FIELD(QAicQpcConstantsInfo, Index, QAicQpcConstantsInfo, index);
    FIELD(QAicQpcConstantsInfo, Size, QAicQpcConstantsInfo, size);

    SIZE(QAicIoBufferInfo, QAicIoBufferInfo);
    FIELD(QAicIoBufferInfo, NumBufferMappings, QAicIoBufferInfo, numBufferMappings);
    FIELD(QAicIoBufferInfo, BufferMappings, QAicIoBufferInfo, bufferMappings);

    SIZE(QAicBufferMappings, QAicBufferMappings);
    FIELD(QAicBufferMappings, BufferName, QAicBufferMappings, bufferName);
    FIELD(QAicBufferMappings, Index, QAicBufferMappings, index);
    FIELD(QAicBufferMappings, IoType, QAicBufferMappings, ioType);
    FIELD(QAicBufferMappings, Size, QAicBufferMappings, size);
    FIELD(QAicBufferMappings, IsPartialBufferAllowed, QAicBufferMappings, isPartialBufferAllowed);
    FIELD(QAicBufferMappings, DataType, QAicBufferMappings, dataType);

    SIZE(QResourceInfo, QResourceInfo);
    FIELD(QResourceInfo, ReservationId, QResourceInfo, reservationID);
    FIELD(QResourceInfo, DramTotal, QResourceInfo, dramTotal);
    FIELD(QResourceInfo, DramFree, QResourceInfo, dramFree);
    FIELD(QResourceInfo, VcTotal, QResourceInfo, vcTotal);
    FIELD(QResourceInfo, VcFree, QResourceInfo, vcFree);
    FIELD(QResourceInfo, NspTotal, QResourceInfo, nspTotal);
    FIELD(QResourceInfo, NspFree, QResourceInfo, nspFree);
    FIELD(QResourceInfo, McidTotal, QResourceInfo, mcidTotal);
    FIELD(QResourceInfo, McidFree, QResourceInfo, mcidFree);
    FIELD(QResourceInfo, SemTotal, QResourceInfo, semTotal);
    FIELD(QResourceInfo, SemFree, QResourceInfo, semFree);
    FIELD(QResourceInfo, PcTotal, QResourceInfo, pcTotal);
    FIELD(QResourceInfo, PcReserved, QResourceInfo, pcReserved);
    FIELD(QResourceInfo, SkuType, QResourceInfo, skuType);

    SIZE(QDevInfo, QDevInfo);
    FIELD(QDevInfo, DevStatus, QDevInfo, devStatus);
    FIELD(QDevInfo, PciDomain, QDevInfo, pciInfo.domain);
    FIELD(QDevInfo, PciBus, QDevInfo, pciInfo.bus);
    FIELD(QDevInfo, PciDevice, QDevInfo, pciInfo.device);
    FIELD(QDevInfo, PciFunction, QDevInfo, pciInfo.function);
    FIELD(QDevInfo, Qid, QDevInfo, qid);
    FIELD(QDevInfo, ResourceInfo, QDevInfo, devData.resourceInfo);
    FIELD(QDevInfo, Name, QDevInfo, name);
    return 0;
}
