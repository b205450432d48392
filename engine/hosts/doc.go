// Package hosts decides to which hosts something may be sent. It has lists of hosts as a
// person writes them, and the origin (scheme, host, port) of a URL as an HTTP client dials
// it.
//
// It never resolves a name and never sends anything. Two spellings are the same host only if
// an HTTP client dials the same address for both. What is ambiguous is rejected.
//
// Start reading at List.Allows.
package hosts
