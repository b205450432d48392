//go:build !linux

package source

// onKernelFS always reports false: only on Linux are such file systems reachable by a path.
func onKernelFS(string) bool { return false }
