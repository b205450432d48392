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

// limitData bounds how much private writable memory this process may add to what it has,
// in bytes, and makes it the first that the kernel ends where memory runs out. A limit of
// the address space would not do: Go reserves more than it uses, and so it has some 150 MB
// of data, hardly any of it touched, before it begins.
func limitData(more int64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("read the limit of memory: %w", err)
	}
	limit.Max = min(limit.Max, uint64(statusOf("self", "VmData:")+more)) // whoever started the process may have set a lower one
	limit.Cur = min(limit.Cur, limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("limit the memory: %w", err)
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // where that is not allowed, the limit remains
	return nil
}

// withParent has the kernel kill a child whose parent ends.
func withParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// ownMemory is the anonymous memory of a process that is resident, in bytes; 0 where
// the process is gone.
func ownMemory(pid int) int64 { return statusOf(strconv.Itoa(pid), "RssAnon:") }

// statusOf is a size in the status of a process, in bytes; 0 where there is none.
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

// room is how much memory the control groups of this process have left, in bytes; ok
// is false where none bounds it.
func room() (left int64, ok bool) {
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
			limit, used = inGroup("/sys/fs/cgroup", parts[2], "memory.max", "memory.current", "inactive_file")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			limit, used = inGroup("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
		}
		if limit > 0 && limit < 1<<50 { // version 1 has a number for no limit
			if !ok || limit-used < left {
				left, ok = max(0, limit-used), true
			}
		}
	}
	return left, ok
}

// inGroup reads limit and use of a group, without the file cache that the kernel gives
// back on demand. In a container its own group is mounted at the top.
func inGroup(top, path, limitFile, usedFile, cache string) (limit, used int64) {
	for _, dir := range []string{top + path, top} {
		limit, used = number(dir+"/"+limitFile), number(dir+"/"+usedFile)
		if limit <= 0 {
			continue
		}
		raw, _ := os.ReadFile(dir + "/memory.stat") // without it, less room is found
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
