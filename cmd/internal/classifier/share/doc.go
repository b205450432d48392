// Package share holds a program to its share of the CPU, as the kernel's CPU quota would
// (cpu.cfs_quota_us in each cpu.cfs_period_us; Linux, Documentation/scheduler/sched-bwc.rst),
// where no cgroup can be made. The program calls Quota.Pause after each piece of work of
// a few milliseconds, and waits there if it has used up its share of the period.
//
// What counts is the time for which a core worked for the process, all its threads
// together, as getrusage tells it. What a neighbour on the core takes does not count. So
// four programs of 0.15 each do four times the work of one, as long as their sum is
// well below what the cores have.
//
// It stops nobody who does not call Pause, and starts no goroutine. Start reading at
// quota.go.
package share
