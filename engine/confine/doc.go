// Package confine runs this very program once more, in a child process under limits:
// of memory, of one core, and of time, step by step. It is for work on input that may
// exhaust whoever looks at it. A child that goes over a limit is killed, and the
// parent learns what it was doing; the parent itself is never at risk.
//
// It knows nothing of what the child does. A child can't be confined twice, and it
// ends with its parent, whatever becomes of either.
//
// Start reading at Child.Run, which is the parent's side; Enter is the child's.
package confine
