// Package claim records which agent holds which field of each target: while its act runs,
// then for the verb's cooldown, and against other agents for the hold of the agent that
// wrote it. An agent of a higher priority may write over what is no longer running. Table
// is for the agents of this process, Remote for those of other processes, and View combines
// the tables that one agent sees and takes from. It calls no adapter and starts no
// goroutine; the time is a parameter.
//
// Start reading at hold.go, then table.go.
package claim
