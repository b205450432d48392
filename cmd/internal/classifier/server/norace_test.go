//go:build !race

package server

// raceFactor: nothing is slower without the race detector.
const raceFactor = 1
