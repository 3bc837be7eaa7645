package hub

import "golang.org/x/sys/windows"

// freeBytes returns how many bytes may still be written to the disk of dir.
func freeBytes(dir string) (int64, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var mine uint64
	if windows.GetDiskFreeSpaceEx(name, &mine, nil, nil) != nil {
		return 0, false
	}
	return int64(min(mine, 1<<62)), true
}
