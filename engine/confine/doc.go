// Package confine runs this program again in a child process with limits: of memory, of
// one core, and of the time for each step. It is for work on foreign input that may use
// up memory or time. A child that exceeds a limit is killed, and the parent learns in
// which step; the parent itself is never at risk.
//
// It does not depend on what the child does. A confined child can't start another one
// under looser limits, and it always ends with its parent.
//
// Start reading at Child.Run, the parent's side; Enter is the child's.
package confine
