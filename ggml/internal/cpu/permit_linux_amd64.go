package cpu

import (
	"sync"
	"syscall"
)

// permitTiles asks Linux to save the tiles of AMX for this process, without which the first instruction that
// touches one ends it. Kernels before 5.16 do not know the request, and sandboxes may refuse it. The kernel also
// refuses if a thread has a stack for signals on which the tiles would not fit: they take 11 KB, Go's are 32 KB.
var permitTiles = sync.OnceValue(func() bool {
	const (
		request  = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData = 18     // its number in XCR0
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, request, tileData, 0)
	return errno == 0
})
