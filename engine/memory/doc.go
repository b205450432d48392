// Package memory keeps what an agent remembers of its targets: the acts that its guards
// count, the outcomes and notes that its documents have, the baselines that its sensors
// count from, and repeated failures. The journal is its durable form. It calls no adapter
// and starts no goroutine; the time is a parameter.
//
// Start reading at book.go, then target.go.
package memory
