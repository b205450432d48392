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
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Senders are those who may send events, or more, as a file declares them. The file is read
// again when it changes, and so is each token.
type Senders struct {
	current *reread[[]declared]
	log     hclog.Logger

	mu     sync.Mutex
	silent map[string]string // what is wrong with a sender's token: told once
}

// sendersFile is the file.
type sendersFile struct {
	Senders []declared `json:"senders" required:"true" doc:"who may send events, or more"`
}

// declared is one of them: by a token, by a certificate, or by either.
type declared struct {
	Name              string           `json:"name" required:"true" doc:"what triggers call it under from"`
	Peer              bool             `json:"peer,omitempty" doc:"another Scanflow, which speaks for its agents"`
	Rights            Rights           `json:"rights,omitempty" doc:"what it may do: read (see the API), send (events and alerts), answer (approve, deny, cancel, resend); absent: send"`
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
func (f *sendersFile) Check() (mistakes mistake.Mistakes) {
	for i, s := range f.Senders {
		for _, before := range f.Senders[:i] {
			if s.Name != "" && s.Name == before.Name {
				mistakes.Add(fmt.Sprintf("senders[%d].name", i), fmt.Sprintf("%q is there already", s.Name), "rename one")
			}
			if c, b := s.ClientCertificate, before.ClientCertificate; c != nil && b != nil && *c == *b {
				mistakes.Add(fmt.Sprintf("senders[%d].clientCertificate", i), fmt.Sprintf("is that of %q already", before.Name), "keep one")
			}
		}
	}
	return mistakes
}

// Check finds a name that can't be one, and a sender that nobody could be.
func (s *declared) Check() (mistakes mistake.Mistakes) {
	switch {
	case s.Name == engine.OperatorSender:
		mistakes.Add("name", fmt.Sprintf("%q is who holds the process's own token", s.Name), "choose another")
	case s.Name != "" && !senderName.MatchString(s.Name):
		mistakes.Add("name", fmt.Sprintf("%q is not a name", s.Name), "use lower-case letters, digits, - and .")
	}
	if s.BearerToken == nil && s.ClientCertificate == nil {
		mistakes.Add("", "wants bearerToken or clientCertificate", "")
	}
	if s.BearerToken != nil && s.BearerToken.SecretKeyRef != nil {
		mistakes.Add("bearerToken", "a Kubernetes Secret is not read here", "mount it, and give the file")
	}
	mistakes = append(mistakes, s.Rights.mistakes()...)
	if s.Peer && s.rights().has(Answer) {
		mistakes.Add("rights", "a peer speaks for its agents, and may not answer for a person", "remove answer, or give the person a sender of its own")
	}
	if s.Peer && !s.rights().has(Send) {
		mistakes.Add("rights", "a peer sends the events of its agents", "add send, or remove `peer: true`")
	}
	return mistakes
}

// rights are what it may do.
func (s *declared) rights() Rights {
	if s.Rights == nil {
		return Rights{Send}
	}
	return s.Rights
}

func (s *declared) caller() Caller {
	return Caller{Sender: engine.Sender{Name: s.Name, Peer: s.Peer}, rights: s.rights()}
}

// Check wants one of the two names.
func (c *certificate) Check() mistake.Mistakes {
	if (c.DNSName == "") == (c.URI == "") {
		return mistake.Mistakes{{Message: "wants exactly one of dnsName and uri"}}
	}
	return nil
}

// ReadSenders reads the file. The error is mistake.Mistakes, with every mistake and
// its line; or a token can't be read, or is that of two, or the process's own (nil is
// none).
func ReadSenders(file string, own *Token, log hclog.Logger) (*Senders, error) {
	s := &Senders{log: log, silent: map[string]string{}}
	var err error
	s.current, err = newReread([]string{file}, log, func() ([]declared, error) {
		var read sendersFile
		if err := manifest.ReadInto(file, &read); err != nil {
			return nil, err
		}
		return read.Senders, tokensDiffer(file, read.Senders, own.current())
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
		token = strings.TrimSpace(token)
		switch first, twice := owner[token]; {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: bearerToken of %s: %w", file, s.Name, err))
		case own != "" && token == own:
			problems = append(problems, fmt.Errorf("%s: bearerToken of %s: is that of --token-file, which opens the whole API; give the sender one of its own", file, s.Name))
		case twice:
			problems = append(problems, fmt.Errorf("%s: %s and %s have the same bearerToken, and could not be told apart", file, first, s.Name))
		default:
			owner[token] = s.Name
		}
	}
	return errors.Join(problems...)
}

// withToken are the senders of a token: one, or none, or several where a token was
// changed to that of another. It compares with all of them, so that the time it takes
// says nothing.
func (s *Senders) withToken(ctx context.Context, shown string) (found []Caller) {
	if s == nil || shown == "" {
		return nil
	}
	for _, d := range s.current.get() {
		if d.BearerToken == nil {
			continue
		}
		token, err := d.BearerToken.Read(ctx, "", nil)
		s.tell(d.Name, "a sender's token can't be read; nobody is that sender", err)
		if err == nil && sameSecret(shown, strings.TrimSpace(token)) {
			found = append(found, d.caller())
		}
	}
	return found
}

// tell logs what is wrong with a sender's token, once.
func (s *Senders) tell(name, message string, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	key := name + ": " + message
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem != "" && s.silent[key] != problem {
		s.log.Error(message, "sender", name, "error", err)
	}
	s.silent[key] = problem
}

// withCertificate is the first sender that a verified certificate names.
func (s *Senders) withCertificate(c *x509.Certificate) (Caller, bool) {
	if s == nil {
		return Caller{}, false
	}
	for _, d := range s.current.get() {
		if want := d.ClientCertificate; want != nil && want.in(c) {
			return d.caller(), true
		}
	}
	return Caller{}, false
}

// mayAny reports whether some sender has a right.
func (s *Senders) mayAny(right Right) bool {
	return s != nil && slices.ContainsFunc(s.current.get(), func(d declared) bool { return d.rights().has(right) })
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
