// Package installation prevents agents from using the API of the Scanflow that runs them, or
// of one of its peers. Each installation has an id. Every request that an agent makes carries
// it, and a server rejects a request with its own id or a peer's, whatever name, address,
// redirect or proxy was used. The id is not secret: forging it only gets a request rejected.
//
// A relay that removes headers defeats this check. Such a request still has no credential
// that may answer an approval.
//
// Start reading at installation.go.
package installation
