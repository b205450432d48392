//go:build !linux

package policy

// onKernelFS always reports false: only on Linux are such file systems reachable by a path.
func onKernelFS(string) bool { return false }
