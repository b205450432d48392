package confine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitData bounds how much private writable memory this process may allocate in addition,
// in bytes, and makes it the first candidate of the kernel's OOM killer. A limit of the
// address space does not work, because Go reserves more than it uses. For the same reason
// the limit adds to the data segment at the start, which is some 150 MB of mostly untouched
// memory.
func limitData(more int64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("read the limit of memory: %w", err)
	}
	limit.Max = min(limit.Max, uint64(statusOf("self", "VmData:")+more)) // an inherited limit may be lower
	limit.Cur = min(limit.Cur, limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("limit the memory: %w", err)
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // may be forbidden; the limit applies anyway
	return nil
}

// killWithParent makes the kernel kill the child when its parent ends.
func killWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// residentMemory returns the resident anonymous memory of a process, in bytes, or 0 if
// the process has ended.
func residentMemory(pid int) int64 { return statusOf(strconv.Itoa(pid), "RssAnon:") }

// statusOf returns a size from /proc/PROCESS/status, in bytes, or 0.
func statusOf(process, name string) int64 {
	raw, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(raw) {
		if rest, is := bytes.CutPrefix(line, []byte(name)); is {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// availableMemory returns how much memory the control groups of this process have left,
// in bytes. ok is false if they have no limit.
func availableMemory() (left int64, ok bool) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var limit, used int64
		switch {
		case parts[1] == "": // version 2
			limit, used = groupMemory("/sys/fs/cgroup", parts[2], "memory.max", "memory.current", "inactive_file")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			limit, used = groupMemory("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
		}
		if limit > 0 && limit < 1<<50 { // in version 1, a larger number means no limit
			if !ok || limit-used < left {
				left, ok = max(0, limit-used), true
			}
		}
	}
	return left, ok
}

// groupMemory returns the limit and the usage of a group, without the file cache, which
// the kernel frees on demand. In a container, its own group is mounted at the top.
func groupMemory(top, path, limitFile, usedFile, cache string) (limit, used int64) {
	for _, dir := range []string{top + path, top} {
		limit, used = number(dir+"/"+limitFile), number(dir+"/"+usedFile)
		if limit <= 0 {
			continue
		}
		raw, _ := os.ReadFile(dir + "/memory.stat") // without it, the usage includes the cache
		for line := range strings.Lines(string(raw)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == cache {
				n, _ := strconv.ParseInt(value, 10, 64)
				used -= n
			}
		}
		return limit, max(0, used)
	}
	return 0, 0
}

func number(file string) int64 {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64) // "max" is 0, no limit
	return n
}
