// Package claim records which agent holds which field of each target: while its act runs,
// and then for the verb's cooldown. Table is for the agents of this process, Remote for
// those of other processes, and View combines the tables that one agent sees and takes
// from. It calls no adapter and starts no goroutine; the time is a parameter.
//
// Start reading at table.go.
package claim
