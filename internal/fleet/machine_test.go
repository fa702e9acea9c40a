package fleet

import (
	"testing"
	"testing/fstest"
)

func TestTheMemoryOfTheCgroupIsRead(t *testing.T) {
	const (
		v1 = "36 25 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
		v2 = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for _, c := range []struct {
		name, mounts, group string
		files               map[string]string
		want                int64
	}{
		{"version 2", v2, "0::/\n", map[string]string{"sys/fs/cgroup/memory.max": "2000000000\n"}, 2e9},
		{"version 2, in a group", v2, "0::/pod/one\n", map[string]string{"sys/fs/cgroup/pod/one/memory.max": "1000000\n", "sys/fs/cgroup/pod/memory.max": "max\n"}, 1e6},
		{"version 2, bounded from above", v2, "0::/pod/one\n", map[string]string{"sys/fs/cgroup/pod/one/memory.max": "max\n", "sys/fs/cgroup/pod/memory.max": "3000000\n"}, 3e6},
		{"version 2, no bound", v2, "0::/\n", map[string]string{"sys/fs/cgroup/memory.max": "max\n"}, 8 << 30},
		{"version 1", v1, "4:cpu:/y\n3:memory,x:/y\n", map[string]string{"sys/fs/cgroup/memory/y/memory.limit_in_bytes": "500000\n"}, 5e5},
		{"version 1, no bound", v1, "3:memory:/\n", map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8 << 30},
		{
			"version 1, a container's part of it", "36 25 0:31 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "3:memory:/docker/abc\n",
			map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "700000\n"},
			7e5,
		},
		{"nonsense", "x - \n - cgroup2\n", "y\n", nil, 8 << 30},
	} {
		root := fstest.MapFS{
			"proc/self/mountinfo": {Data: []byte(c.mounts)}, "proc/self/cgroup": {Data: []byte(c.group)},
			"proc/meminfo": {Data: []byte("MemTotal:        8388608 kB\nMemFree: 1 kB\n")},
		}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryOf(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d: models above it would get the process killed", c.name, got, c.want)
		}
	}
	if got := memoryOf(fstest.MapFS{}); got != 0 {
		t.Errorf("without /proc: %d bytes, want 0: unknown", got)
	}
}
