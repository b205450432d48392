package installation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

const (
	// Header is on each request that an agent has made, with the id of its installation.
	Header = "Scanflow-Installation"
	// PeerHeader is how an installation says its id to a peer, in requests and answers.
	PeerHeader = "Scanflow-Peer"
	// RefusedHeader is on the answer to a request that was refused because an agent made it.
	RefusedHeader = "Scanflow-Refused"
)

// Installation is this process' own, and those of its peers.
type Installation struct {
	listeners listeners

	mu    sync.Mutex
	id    string
	file  string              // of peers; "" keeps them in memory alone
	peers map[string][]string // ids by who said them, the newest last
}

// New is an installation that is not opened yet: it marks and refuses nothing.
func New() *Installation { return &Installation{peers: map[string][]string{}} }

// Derived is an id that is the same wherever the parts are: for replicas that share no
// folder.
func Derived(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Open reads from a data folder what is known. The id is the one given, or, where that is
// "", the folder's own, which is made at random once.
func (i *Installation) Open(data, id string) error {
	if id == "" {
		var err error
		if id, err = ownID(filepath.Join(data, "installation")); err != nil {
			return fmt.Errorf("the id of this installation: %w", err)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.id, i.file = id, filepath.Join(data, "peers")
	return i.readPeers()
}

// ID is the id of this installation, "" before it is opened.
func (i *Installation) ID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.id
}

// ids are what an id may look like.
var ids = regexp.MustCompile(`^[a-z0-9]{16,64}$`)

// ownID is the id in a file, which is made if it isn't there.
func ownID(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		id := strings.ToLower(rand.Text())
		if err = replace(file, id+"\n"); err == nil {
			return id, nil
		}
	}
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(raw))
	if !ids.MatchString(id) {
		return "", fmt.Errorf("%s holds no id; remove it, and one is made at the next start", file)
	}
	return id, nil
}

// replace writes a file as a whole, for its owner alone.
func replace(file, text string) error {
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	_, err = part.WriteString(text)
	err = errors.Join(err, part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// FromAgent reports whether an agent of any installation made a request, and ours whether
// it was one of this installation or of a peer's.
func (i *Installation) FromAgent(r *http.Request) (any, ours bool) {
	values, any := r.Header[Header]
	for _, value := range values {
		for id := range strings.SplitSeq(value, ",") { // a proxy may join two
			ours = ours || i.knows(strings.ToLower(strings.TrimSpace(id)))
		}
	}
	return any, ours
}

func (i *Installation) knows(id string) bool {
	if i == nil || id == "" {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if id == i.id {
		return true
	}
	for _, said := range i.peers {
		for _, one := range said {
			if one == id {
				return true
			}
		}
	}
	return false
}
