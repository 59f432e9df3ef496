// Every loop over a tile's registers is unrolled by force: an array that is still indexed at run time would live in
// memory.
#pragma once

#define BRAINQUANT_UNROLL _Pragma("GCC unroll 32")
