package sysmem

import (
	"runtime"
	"testing"
	"testing/fstest"
)

// files is a tree of files with the given contents.
func files(content map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range content {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

const meminfo = "MemTotal:       24000000 kB\nMemFree:          500000 kB\nMemAvailable:   16000000 kB\n"

func TestRead(t *testing.T) {
	const system, group = "available in the system", "left of the limit of the control group (container or service)"
	for name, c := range map[string]struct {
		files map[string]string
		want  Limit
		ok    bool
	}{
		"nothing":        {nil, Limit{}, false},
		"an old kernel":  {map[string]string{"proc/meminfo": "MemTotal: 1 kB\n"}, Limit{}, false},
		"nonsense":       {map[string]string{"proc/meminfo": "MemAvailable: -1 kB\n", "proc/self/cgroup": "x\n0:\n::\n"}, Limit{}, false},
		"no group":       {map[string]string{"proc/meminfo": meminfo}, Limit{16000000 << 10, system}, true},
		"version 2, max": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": "5\n"}, Limit{16000000 << 10, system}, true},
		"version 2": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "4000\n", "sys/fs/cgroup/a/b/memory.current": "3000\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 900\ninactive_file 1500\nactive_file 500\n"}, Limit{3000, group}, true},
		"version 2, the limit is above": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max": "4000\n", "sys/fs/cgroup/a/memory.current": "3000\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "3000\n"}, Limit{1000, group}, true},
		"version 2, in a container with the names of the host": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/docker/1234\n",
			"sys/fs/cgroup/memory.max": "4000\n", "sys/fs/cgroup/memory.current": "5000\n"}, Limit{0, group}, true},
		"version 1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "11:cpu,cpuacct:/x\n7:memory:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4000\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "3500\n",
			"sys/fs/cgroup/memory/a/memory.stat":         "inactive_file 7\ntotal_inactive_file 1000\ntotal_active_file 0\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n"}, Limit{1500, group}, true},
		"a limit above what there is": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "99000000000\n", "sys/fs/cgroup/memory.current": "0\n"}, Limit{16000000 << 10, system}, true},
		"a name that leads out": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../..\n"}, Limit{16000000 << 10, system}, true},
	} {
		if got, ok := read(files(c.files)); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestAvailable(t *testing.T) {
	l, ok := Available()
	if runtime.GOOS == "linux" && (!ok || l.Bytes <= 0 || l.Source == "") {
		t.Errorf("%v %v", l, ok)
	}
}
