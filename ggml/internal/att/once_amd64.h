// Macros that fetch lines of what is read once: past the last-level cache where that is better,
// see cpu.NonTemporal. Jumps count instructions.

#define PAST_CACHES CMPB mptgo∕ggml∕internal∕cpu·NonTemporal(SB), $0

#define ONCE1(a) \
	PAST_CACHES   \
	JEQ 3(PC)     \
	PREFETCHNTA a \
	JMP 2(PC)     \
	PREFETCHT1 a

#define ONCE2(a, b) \
	PAST_CACHES   \
	JEQ 4(PC)     \
	PREFETCHNTA a \
	PREFETCHNTA b \
	JMP 3(PC)     \
	PREFETCHT1 a  \
	PREFETCHT1 b

#define ONCE4(a, b, c, d) \
	PAST_CACHES   \
	JEQ 6(PC)     \
	PREFETCHNTA a \
	PREFETCHNTA b \
	PREFETCHNTA c \
	PREFETCHNTA d \
	JMP 5(PC)     \
	PREFETCHT1 a  \
	PREFETCHT1 b  \
	PREFETCHT1 c  \
	PREFETCHT1 d
