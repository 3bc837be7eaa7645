// Package sysmem tells how much memory a process may still take: what the system has
// left, or less where a control group (a container, a service) is limited.
package sysmem

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limit is an amount of memory and what sets it.
type Limit struct {
	Bytes  int64
	Source string // such as "available in the system"
}

// read returns the smallest of the limits that files of Linux tell, of which proc and
// sys/fs/cgroup are in fsys; ok is false if there is none.
func read(fsys fs.FS) (least Limit, ok bool) {
	take := func(l Limit, found bool) {
		if found && (!ok || l.Bytes < least.Bytes) {
			least, ok = l, true
		}
	}
	take(available(fsys))
	for _, g := range groups(fsys) {
		take(g.left(fsys))
	}
	return least, ok
}

// available reads how much the system could give without swapping: free memory and
// the cache of files, mapped ones included.
func available(fsys fs.FS) (Limit, bool) {
	n, ok := field(fsys, "proc/meminfo", "MemAvailable:")
	return Limit{n << 10, "available in the system"}, ok
}

// group is a control group as one of the two versions has it.
type group struct {
	dir          string
	limit, usage string   // files
	reclaimable  []string // fields of memory.stat: the cache of files
}

// groups returns the groups that the process is in, with those above them. Where the
// names of the host do not exist in a container, what is found at the top counts.
func groups(fsys fs.FS) (all []group) {
	b, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		// number:controllers:path; version 2 is number 0 without controllers
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		g := group{"sys/fs/cgroup", "memory.max", "memory.current", []string{"inactive_file", "active_file"}}
		if parts[1] != "" {
			if !slices.Contains(strings.Split(parts[1], ","), "memory") {
				continue
			}
			g = group{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
				[]string{"total_inactive_file", "total_active_file"}}
		}
		top := g.dir
		for p := path.Clean("/" + parts[2]); ; p = path.Dir(p) {
			g.dir = path.Join(top, p)
			all = append(all, g)
			if p == "/" {
				break
			}
		}
	}
	return all
}

// left returns what the group may still take. A group without a limit says "max", or
// in version 1 a number of exabytes.
func (g group) left(fsys fs.FS) (Limit, bool) {
	limit, ok1 := number(fsys, path.Join(g.dir, g.limit))
	usage, ok2 := number(fsys, path.Join(g.dir, g.usage))
	if !ok1 || !ok2 || limit >= 1<<60 {
		return Limit{}, false
	}
	for _, name := range g.reclaimable {
		n, _ := field(fsys, path.Join(g.dir, "memory.stat"), name)
		usage -= n
	}
	return Limit{max(limit-max(usage, 0), 0), "left of the limit of the control group (container or service)"}, true
}

// number reads a file that holds a number.
func number(fsys fs.FS, name string) (int64, bool) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n, err == nil && n >= 0
}

// field reads the number that follows a name at the beginning of a line.
func field(fsys fs.FS, file, name string) (int64, bool) {
	b, err := fs.ReadFile(fsys, file)
	if err != nil {
		return 0, false
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) >= 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}
