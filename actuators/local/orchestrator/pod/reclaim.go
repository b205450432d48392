package pod

import "syscall"

// Reclaim returns the pod's main process among the running processes of one UID (see
// ProcessesByUID): the leader of their process group, whose PID was not recorded because
// the orchestrator died in between. Without a leader the others are orphans of an ended
// pod, and are killed.
func Reclaim(processes []Handle) (Handle, bool) {
	for _, s := range processes {
		if group, err := syscall.Getpgid(s.PID); err == nil && group == s.PID {
			return s, true
		}
	}
	for _, s := range processes {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
	}
	return Handle{}, false
}
