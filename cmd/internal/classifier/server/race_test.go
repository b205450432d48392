//go:build race

package server

// raceFactor is about how much slower the race detector makes an image.
const raceFactor = 10
