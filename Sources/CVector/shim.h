// What Swift has no words for, or what its compiler does not always turn into one instruction: its multiply-add of vectors
// is a loop over lanes.

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

// Swift's product of 64-bit lanes is a full one, which takes three times as long where the compiler does not see that the
// upper halves are zero; this reads the lower halves alone.

typedef unsigned long long kiti_long8 __attribute__((ext_vector_type(8)));

/// The 64-bit products of the lower halves.
static inline __attribute__((always_inline)) kiti_long8 kiti_widening_product8(kiti_long8 x, kiti_long8 y) {
#if defined(__AVX512F__)
  typedef int words __attribute__((vector_size(64)));
  return (kiti_long8)__builtin_ia32_pmuludq512((words)x, (words)y);
#elif defined(__AVX2__)
  typedef int words __attribute__((vector_size(32)));
  typedef unsigned long long kiti_long4 __attribute__((ext_vector_type(4)));
  kiti_long4 low = (kiti_long4)__builtin_ia32_pmuludq256((words)x.lo, (words)y.lo);
  kiti_long4 high = (kiti_long4)__builtin_ia32_pmuludq256((words)x.hi, (words)y.hi);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return (x & 0xFFFFFFFF) * (y & 0xFFFFFFFF);
#endif
}

// Comparisons of vectors as whole numbers, one bit a lane; in Swift each bit would be taken out by itself.

/// The bits of the lanes where x < y.
static inline __attribute__((always_inline)) unsigned kiti_less8(kiti_float8 x, kiti_float8 y) {
  typedef _Bool bits __attribute__((ext_vector_type(8)));
  return __builtin_bit_cast(unsigned char, __builtin_convertvector(x < y, bits));
}

static inline __attribute__((always_inline)) unsigned kiti_less16(kiti_float16 x, kiti_float16 y) {
  typedef _Bool bits __attribute__((ext_vector_type(16)));
  return __builtin_bit_cast(unsigned short, __builtin_convertvector(x < y, bits));
}

// One instruction where a comparison and a choice would be two.

/// max(0, x), where NaN stays NaN.
static inline __attribute__((always_inline)) kiti_float8 kiti_rectify8(kiti_float8 x) {
#if defined(__AVX__)
  // The instruction takes its second operand where either is NaN.
  return (kiti_float8)__builtin_ia32_maxps256((kiti_float8)0, x);
#else
  return x <= 0 ? (kiti_float8)0 : x;
#endif
}
