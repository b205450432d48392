//go:build race

package server

// raceFactor is the memory overhead of the race detector.
const raceFactor = 10
