package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/scanflow-k8s/scanflow/engine"
)

// readClaims reads a peer's answer one claim at a time: it fails at the first that is not
// valid, before many of them use much memory.
func readClaims(from io.Reader, peer string) ([]engine.HeldClaim, error) {
	d := json.NewDecoder(from)
	begin, err := d.Token()
	if err != nil {
		return nil, err
	}
	if begin == nil { // null, which some write for an empty list
		return nil, expectEnd(d)
	}
	if begin != json.Delim('[') {
		return nil, errors.New("it is not in brackets")
	}
	var claims []engine.HeldClaim
	for d.More() {
		var c engine.HeldClaim
		if err := d.Decode(&c); err != nil {
			return nil, err
		}
		if on := c.On(); on.Namespace == "" || on.Name == "" || c.Claim == "" {
			return nil, fmt.Errorf("claim %d lacks its target's namespace and name, or what is claimed", len(claims)+1)
		}
		c.Peer, c.Change = peer, engine.Clip(c.Change)
		claims = append(claims, c)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return claims, expectEnd(d)
}

// expectEnd fails if anything follows what was read.
func expectEnd(d *json.Decoder) error {
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("something follows it")
}
