// Package lease elects one leader among the processes of an install, by a Lease of
// coordination.k8s.io, and gives the leader a fence that closes before another can lead.
//
// Two limits separate two leaders. They count from the moment before a renewal was sent:
//
//	0 -------- Retry -------- Renew ------------ Duration
//	renewed    renewed again  the fence closes   another may take the lease
//
// The other process counts Duration from when it saw the renewal, which is even later. Clocks of
// two machines are never compared. The time between Renew and Duration allows for clocks that
// run at different rates, so Renew is at most nine tenths of Duration (two thirds by default). A
// fence uses the monotonic clock or the wall clock, whichever has advanced more, because the
// monotonic clock stops while a machine is suspended. No clock shows that a whole virtual machine
// was paused. Then the request already on the wire is limited by what it writes to
// (resourceVersions, and sealed segments of the ledger).
//
// The package knows nothing of what the leader does. It is not client-go's LeaderElector, which
// fails the tests here: that waits up to 2.2 times its retry period between attempts, truncates
// the duration to seconds, detects a renewal only if the second has changed, and releases a lease
// by the holder that it last saw, which may have changed. It imports the engine and apiclient.
//
// An Election says who holds the lease as this process sees it, since when it was not renewed, and
// why this process can't have it. The Lease has the scope of its holder as an annotation, so that
// two installations under one name find each other (scope.go).
//
// Start reading at run.go, then leadership.go.
package lease
