//go:build race

package server

// raceFactor is how much more memory the race detector has a process take.
const raceFactor = 10
