// Package hosts says to which hosts something may be sent: lists of hosts as a person
// writes them, and the origin (scheme, host, port) of a URL as an HTTP client dials it.
//
// It never resolves a name and never sends anything. Two spellings are the same host
// only where an HTTP client would dial the same address for both, and whatever is in
// doubt is refused.
//
// Start reading at List.Allows.
package hosts
