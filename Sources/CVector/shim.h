// What Swift has no words for: its multiply-add of vectors is a loop over lanes, which the compiler does not always turn
// into one instruction, and it cannot ask for memory ahead of time.

typedef float kiti_float8 __attribute__((ext_vector_type(8)));
typedef float kiti_float16 __attribute__((ext_vector_type(16)));

/// x · y + z, rounded once.
static inline __attribute__((always_inline)) kiti_float8 kiti_fma8(kiti_float8 x, kiti_float8 y, kiti_float8 z) {
  return __builtin_elementwise_fma(x, y, z);
}

static inline __attribute__((always_inline)) kiti_float16 kiti_fma16(kiti_float16 x, kiti_float16 y, kiti_float16 z) {
  return __builtin_elementwise_fma(x, y, z);
}

/// Asks for the line of the cache at an address to be brought into the second level.
static inline __attribute__((always_inline)) void kiti_fetch(const void *address) { __builtin_prefetch(address, 0, 2); }
