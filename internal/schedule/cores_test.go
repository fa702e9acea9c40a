package schedule

import (
	"math"
	"os"
	"runtime"
	"testing"
	"testing/fstest"
)

const (
	v1Mount = "36 25 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
	v2Mount = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
)

func TestTheQuotaOfTheCgroupIsRead(t *testing.T) {
	for _, c := range []struct {
		name, mounts, group string
		files               map[string]string
		want                float64
	}{
		{"version 2, half a core", v2Mount, "0::/", map[string]string{"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5},
		{"version 2, in a group", v2Mount, "0::/kube/pod\n", map[string]string{"sys/fs/cgroup/kube/pod/cpu.max": "100000 100000\n"}, 1},
		{"version 2, no bound", v2Mount, "0::/", map[string]string{"sys/fs/cgroup/cpu.max": "max 100000\n"}, math.Inf(1)},
		{"version 1", v1Mount, "3:cpuset:/\n2:cpuacct,cpu:/x\n", map[string]string{
			"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "150000\n", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
		}, 1.5},
		{"version 1, no bound", v1Mount, "2:cpu:/\n", map[string]string{
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, math.Inf(1)},
		{"version 1, a container's part of it", "36 25 0:31 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "2:cpu:/docker/abc\n", map[string]string{
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, 1},
		{"both versions, the bound in the first", v1Mount + v2Mount, "2:cpu:/a\n0::/a\n", map[string]string{
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "100000\n", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
		}, 1},
		{"none", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n", nil, math.Inf(1)},
		{"nonsense", "x - \n - cgroup2\n", "y\n", nil, math.Inf(1)},
	} {
		root := fstest.MapFS{"proc/self/mountinfo": {Data: []byte(c.mounts)}, "proc/self/cgroup": {Data: []byte(c.group)}}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := quota(root); got != c.want {
			t.Errorf("%s: %v cores, want %v: lanes above the quota stop each other", c.name, got, c.want)
		}
	}
	if got := quota(fstest.MapFS{}); !math.IsInf(got, 1) {
		t.Errorf("without /proc: %v, want no bound", got)
	}
}

func TestLanesAreTheQuotaRoundedUp(t *testing.T) {
	for quota, want := range map[float64]int{0.1: 1, 1: 1, 1.5: 2, 2: 2, 8: 2, math.Inf(1): 2} {
		if got := within(2, quota); got != want {
			t.Errorf("of 2 cores with a quota of %v: %d lanes, want %d", quota, got, want)
		}
	}
	if n := Cores(); n < 1 || n > runtime.NumCPU() && os.Getenv("GOMAXPROCS") == "" {
		t.Errorf("Cores() = %d on a machine of %d", n, runtime.NumCPU())
	}
}
