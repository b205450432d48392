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
	// Header has the id of the installation, on each request that an agent makes.
	Header = "Scanflow-Installation"
	// PeerHeader has the id of an installation, on requests to a peer and responses to it.
	PeerHeader = "Scanflow-Peer"
	// RefusedHeader is on the response to a request that was rejected because an agent made it.
	RefusedHeader = "Scanflow-Refused"
)

// Installation has the id of this process's installation, and those of its peers.
type Installation struct {
	listeners listeners

	mu    sync.Mutex
	id    string
	file  string              // of peers; "" keeps them in memory only
	peers map[string][]string // ids by peer, the newest last
}

// New returns an installation that must be opened. Until then it rejects nothing.
func New() *Installation { return &Installation{peers: map[string][]string{}} }

// DeriveID derives an id from parts, for replicas that share no folder.
func DeriveID(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Open reads the ids from a data folder. If id is "", it uses the one in the folder, which is
// generated the first time.
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

var validID = regexp.MustCompile(`^[a-z0-9]{16,64}$`)

// ownID reads the id from a file, and generates the file if it does not exist.
func ownID(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		id := strings.ToLower(rand.Text())
		if err = writeFile(file, id+"\n"); err == nil {
			return id, nil
		}
	}
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(raw))
	if !validID.MatchString(id) {
		return "", fmt.Errorf("%s holds no id; remove it, and one is made at the next start", file)
	}
	return id, nil
}

// writeFile replaces a file atomically. Only its owner can read it.
func writeFile(file, text string) error {
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

// FromAgent reports whether an agent of any installation made a request, and whether that
// installation is this one or a peer.
func (i *Installation) FromAgent(r *http.Request) (any, ours bool) {
	values, any := r.Header[Header]
	for _, value := range values {
		for id := range strings.SplitSeq(value, ",") { // a proxy may join two headers
			ours = ours || i.isOwnOrPeer(strings.ToLower(strings.TrimSpace(id)))
		}
	}
	return any, ours
}

func (i *Installation) isOwnOrPeer(id string) bool {
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
