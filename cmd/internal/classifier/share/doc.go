// Package share limits a program to its share of the CPU, like the kernel's CPU quota
// (cpu.cfs_quota_us in each cpu.cfs_period_us; Linux, Documentation/scheduler/sched-bwc.rst),
// where no cgroup can be created. The program calls Quota.Pause after every few
// milliseconds of work, which waits if the share of the period is used up.
//
// It counts the CPU time of all threads of the process, by getrusage. Other processes on
// the same core don't count. So four programs with a share of 0.15 do four times the work
// of one, as long as their sum is well below the number of cores.
//
// It has no effect on code that does not call Pause, and starts no goroutine. Start
// reading at quota.go.
package share
