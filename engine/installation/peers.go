package installation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	// maxIDsPerPeer bounds the ids of a peer, of which the newest are kept: it may be
	// reinstalled while its old requests are in flight.
	maxIDsPerPeer = 8
	// maxPeers bounds the number of peers. They are declared, so there are few.
	maxPeers = 256
)

// AddPeerID adds an id of a peer and writes the file of peers. by identifies the peer. If the
// file can't be written, it returns an error and keeps the id until the process restarts.
func (i *Installation) AddPeerID(by, id string) error {
	id = strings.ToLower(id)
	if !validID.MatchString(id) {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	said := i.peers[by]
	if id == i.id || slices.Contains(said, id) || said == nil && len(i.peers) >= maxPeers {
		return nil
	}
	if said = append(slices.Clone(said), id); len(said) > maxIDsPerPeer {
		said = said[len(said)-maxIDsPerPeer:]
	}
	i.peers[by] = said
	if i.file == "" {
		return nil
	}
	raw, err := json.Marshal(i.peers)
	if err == nil {
		err = writeFile(i.file, string(raw)+"\n")
	}
	if err != nil {
		return fmt.Errorf("remember the id of the peer %s: %w", by, err)
	}
	return nil
}

// readPeers reads the file of peers.
func (i *Installation) readPeers() error {
	raw, err := os.ReadFile(i.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	said := map[string][]string{}
	if err == nil {
		err = json.Unmarshal(raw, &said)
	}
	if err != nil {
		return fmt.Errorf("the ids of peers in %s: %w; remove the file, and they are learnt anew", i.file, err)
	}
	for by, list := range said {
		for _, id := range list {
			if !validID.MatchString(id) {
				return fmt.Errorf("the ids of peers in %s: %s has %q, which is none; remove the file, and they are learnt anew", i.file, by, id)
			}
		}
	}
	i.peers = said
	return nil
}
