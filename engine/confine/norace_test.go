//go:build !race

package confine_test

const raceDetected = false
