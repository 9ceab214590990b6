// All kernels as functions of the host, to hold them against the reference where there is no device.
#include "kernels.cu"
