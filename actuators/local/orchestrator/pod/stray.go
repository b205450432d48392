package pod

import "syscall"

// Reclaim looks among the running processes of one UID (see Tagged) for the pod's own,
// which leads their group: its number was never written down, because whoever started
// it died in between. Where there is none, the others are what a dead pod left behind,
// and are killed.
func Reclaim(strays []Resume) (Resume, bool) {
	for _, s := range strays {
		if group, err := syscall.Getpgid(s.PID); err == nil && group == s.PID {
			return s, true
		}
	}
	for _, s := range strays {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
	}
	return Resume{}, false
}
