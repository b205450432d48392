package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Senders are those who may send events, as a file declares them. The file is read
// again when it changes, and so is each token.
type Senders struct {
	current *reread[[]declared]
	log     hclog.Logger

	mu     sync.Mutex
	silent map[string]string // what is wrong with a sender's token, by name: told once
}

// sendersFile is the file.
type sendersFile struct {
	Senders []declared `json:"senders" required:"true" doc:"who may send events"`
}

// declared is one of them: by a token, by a certificate, or by either.
type declared struct {
	Name              string           `json:"name" required:"true" doc:"what triggers call it under from"`
	Peer              bool             `json:"peer,omitempty" doc:"another Scanflow, which speaks for its agents"`
	BearerToken       *manifest.Secret `json:"bearerToken,omitempty" doc:"what it sends as Authorization: Bearer"`
	ClientCertificate *certificate     `json:"clientCertificate,omitempty" doc:"what the certificate that it shows names"`
}

// certificate is a name in a certificate (a subject alternative name): one of the two.
type certificate struct {
	DNSName string `json:"dnsName,omitempty" doc:"a DNS name in it"`
	URI     string `json:"uri,omitempty" doc:"a URI in it, such as a SPIFFE ID"`
}

// senderName is as manifests have it: an agent's name has a slash, and none of these.
var senderName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Check finds two senders that can't be told apart.
func (f *sendersFile) Check() (mistakes []string) {
	for i, s := range f.Senders {
		for _, before := range f.Senders[:i] {
			if s.Name != "" && s.Name == before.Name {
				mistakes = append(mistakes, fmt.Sprintf("senders[%d].name: %q is there already; rename one", i, s.Name))
			}
			if c, b := s.ClientCertificate, before.ClientCertificate; c != nil && b != nil && *c == *b {
				mistakes = append(mistakes, fmt.Sprintf("senders[%d].clientCertificate: is that of %q already; keep one", i, before.Name))
			}
		}
	}
	return mistakes
}

// Check finds a name that can't be one, and a sender that nobody could be.
func (s *declared) Check() (mistakes []string) {
	switch {
	case s.Name == engine.OperatorSender:
		mistakes = append(mistakes, fmt.Sprintf("name: %q is who holds the process's own token; choose another", s.Name))
	case s.Name != "" && !senderName.MatchString(s.Name):
		mistakes = append(mistakes, fmt.Sprintf("name: %q is not a name; use lower-case letters, digits, - and .", s.Name))
	}
	if s.BearerToken == nil && s.ClientCertificate == nil {
		mistakes = append(mistakes, "wants bearerToken or clientCertificate")
	}
	if s.BearerToken != nil && s.BearerToken.SecretKeyRef != nil {
		mistakes = append(mistakes, "bearerToken: a Kubernetes Secret is not read here; mount it, and give the file")
	}
	return mistakes
}

// Check wants one of the two names.
func (c *certificate) Check() []string {
	if (c.DNSName == "") == (c.URI == "") {
		return []string{"wants exactly one of dnsName and uri"}
	}
	return nil
}

// ReadSenders reads the file. The error is manifest.Mistakes, with every mistake and
// its line; or a token can't be read, or is that of two, or the process's own ("" is none).
func ReadSenders(file, own string, log hclog.Logger) (*Senders, error) {
	s := &Senders{log: log, silent: map[string]string{}}
	var err error
	s.current, err = newReread([]string{file}, log, func() ([]declared, error) {
		var read sendersFile
		if err := manifest.ReadInto(file, &read); err != nil {
			return nil, err
		}
		return read.Senders, tokensDiffer(file, read.Senders, own)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// tokensDiffer reads each token once: one that isn't there is a mistake now, and
// later, when it is replaced, an event refused. A sender with the process's own token would
// have its rights.
func tokensDiffer(file string, list []declared, own string) error {
	var problems []error
	owner := map[string]string{}
	for _, s := range list {
		if s.BearerToken == nil {
			continue
		}
		token, err := s.BearerToken.Read(context.Background(), "", nil)
		switch first, twice := owner[token]; {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: bearerToken of %s: %w", file, s.Name, err))
		case own != "" && strings.TrimSpace(token) == own:
			problems = append(problems, fmt.Errorf("%s: bearerToken of %s: is that of --token-file, which opens the whole API; give the sender one of its own", file, s.Name))
		case twice:
			problems = append(problems, fmt.Errorf("%s: %s and %s have the same bearerToken, and could not be told apart", file, first, s.Name))
		default:
			owner[token] = s.Name
		}
	}
	return errors.Join(problems...)
}

// withToken is the sender of a token. It compares with all of them, so that the time
// it takes says nothing.
func (s *Senders) withToken(ctx context.Context, shown string) (found engine.Sender, ok bool) {
	if s == nil || shown == "" {
		return engine.Sender{}, false
	}
	for _, d := range s.current.get() {
		if d.BearerToken == nil {
			continue
		}
		token, err := d.BearerToken.Read(ctx, "", nil)
		s.tell(d.Name, err)
		if err == nil && sameSecret(shown, token) && !ok {
			found, ok = engine.Sender{Name: d.Name, Peer: d.Peer}, true
		}
	}
	return found, ok
}

// tell logs a token that can't be read, once.
func (s *Senders) tell(name string, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem != "" && s.silent[name] != problem {
		s.log.Error("a sender's token can't be read; nobody is that sender", "sender", name, "error", err)
	}
	s.silent[name] = problem
}

// withCertificate is the first sender that a verified certificate names.
func (s *Senders) withCertificate(c *x509.Certificate) (engine.Sender, bool) {
	if s == nil {
		return engine.Sender{}, false
	}
	for _, d := range s.current.get() {
		if want := d.ClientCertificate; want != nil && want.in(c) {
			return engine.Sender{Name: d.Name, Peer: d.Peer}, true
		}
	}
	return engine.Sender{}, false
}

func (c *certificate) in(shown *x509.Certificate) bool {
	if c.URI != "" {
		for _, uri := range shown.URIs {
			if uri.String() == c.URI {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(shown.DNSNames, func(name string) bool { return strings.EqualFold(name, c.DNSName) })
}
