// Package lease elects one leader among the processes of an install, by a Lease of
// coordination.k8s.io, and tells the leader up to which moment it may still write.
//
// Two bounds keep two leaders apart, counted from the moment before a renewal was
// sent:
//
//	0 -------- Retry -------- Renew ------------ Duration
//	renewed    renewed again  the fence closes   another may take the lease
//
// Another counts Duration from when it saw the renewal, which is later still. No
// clock of one machine is compared with that of another; what is between Renew and
// Duration allows for clocks that run at different rates, which is why Renew is at
// most nine tenths of Duration (by default two thirds). A fence counts both the
// monotonic clock and the wall clock, whichever went further: the first stands still
// while a machine is suspended. What no clock shows is a virtual machine that is
// paused whole: then the request already on the wire is bounded by what it writes to
// (resourceVersions, and the sealing of the ledger's segments).
//
// The package never acts, and knows nothing of what the leader does. It is not
// client-go's LeaderElector, for which the tests here are too strict: that one waits up
// to 2.2 times its retry period between tries, cuts the fraction of a second from the
// duration, sees a renewal only if it changed the second, and gives a lease up by what
// it last knew of its holder, which may be somebody else by then. Start reading at
// run.go, then term.go.
package lease
