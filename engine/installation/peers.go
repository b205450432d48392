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
	// idsOfOne is how many ids of one peer are remembered, the newest: it may be set up
	// anew, and its old requests be on their way.
	idsOfOne = 8
	// mostPeers bounds the peers that are remembered. They are declared, so few.
	mostPeers = 256
)

// Learn remembers the id of a peer, across restarts. by is how the peer is known here. It
// returns an error where it can't be written down; it is known until the restart then.
func (i *Installation) Learn(by, id string) error {
	id = strings.ToLower(id)
	if !ids.MatchString(id) {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	said := i.peers[by]
	if id == i.id || slices.Contains(said, id) || said == nil && len(i.peers) >= mostPeers {
		return nil
	}
	if said = append(slices.Clone(said), id); len(said) > idsOfOne {
		said = said[len(said)-idsOfOne:]
	}
	i.peers[by] = said
	if i.file == "" {
		return nil
	}
	raw, err := json.Marshal(i.peers)
	if err == nil {
		err = replace(i.file, string(raw)+"\n")
	}
	if err != nil {
		return fmt.Errorf("remember the id of the peer %s: %w", by, err)
	}
	return nil
}

// readPeers reads what was learnt before.
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
			if !ids.MatchString(id) {
				return fmt.Errorf("the ids of peers in %s: %s has %q, which is none; remove the file, and they are learnt anew", i.file, by, id)
			}
		}
	}
	i.peers = said
	return nil
}
