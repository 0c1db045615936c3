// The best instruction set that this processor and its operating system offer.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bayesgmm {

#if defined(__x86_64__)

// XCR0: one bit per kind of register that the operating system keeps across a change of process.
inline unsigned kept_registers() {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

// Read from the processor itself: __builtin_cpu_supports is a stub in some compilers' libraries.
inline const char *best_instruction_set() {
    constexpr unsigned AVX512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512VL | bit_AVX512BW;
    constexpr unsigned YMM = 0x06, ZMM = 0xe6;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return "baseline";
    const bool fma = c & bit_FMA;
    const unsigned kept = kept_registers();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return "baseline";
    if (!fma || !(b & bit_AVX2) || (kept & YMM) != YMM) return "baseline";
    return (b & AVX512) == AVX512 && (kept & ZMM) == ZMM ? "avx512" : "avx2";
}

#else

inline const char *best_instruction_set() { return "baseline"; }

#endif

}  // namespace bayesgmm
