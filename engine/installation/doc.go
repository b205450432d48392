// Package installation keeps agents from using the API of the Scanflow that runs them, or
// of one of its peers. Each installation has an id. What an agent sends to an address
// carries it, and a server refuses what carries its own id, or that of a peer, whatever
// name, address, redirect or proxy lies between. The id is no secret: who forges it is
// refused.
//
// It does not find an agent behind a relay that removes headers. Such a request has no
// credential that may answer for a person, and that is what holds there.
//
// Start reading at installation.go.
package installation
