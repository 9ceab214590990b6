// All kernels, for nvcc.
#include "elements.h"
#include "hash.h"
#include "product.h"
#include "rows.h"
#include "sample.h"
