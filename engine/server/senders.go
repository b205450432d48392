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

// Senders are the declared senders of events and users of the API. The file and the tokens are
// read again when they change.
type Senders struct {
	current *reloadedFiles[[]senderConfig]
	log     hclog.Logger

	mu     sync.Mutex
	logged map[string]string // the last problem by sender and message, to log each once
}

// sendersFile is the declaration of senders.
type sendersFile struct {
	Senders []senderConfig `json:"senders" required:"true" doc:"who may send events, or more"`
}

// senderConfig declares a sender with a token, a certificate, or both.
type senderConfig struct {
	Name              string           `json:"name" required:"true" doc:"what triggers call it under from"`
	Peer              bool             `json:"peer,omitempty" doc:"another Scanflow, which speaks for its agents"`
	Rights            Rights           `json:"rights,omitempty" doc:"what it may do: read (see the API), send (events and alerts), answer (approve, deny, cancel, resend); absent: send"`
	BearerToken       *manifest.Secret `json:"bearerToken,omitempty" doc:"what it sends as Authorization: Bearer"`
	ClientCertificate *certificate     `json:"clientCertificate,omitempty" doc:"what the certificate that it shows names"`
}

// certificate is a subject alternative name in a certificate. Exactly one field is set.
type certificate struct {
	DNSName string `json:"dnsName,omitempty" doc:"a DNS name in it"`
	URI     string `json:"uri,omitempty" doc:"a URI in it, such as a SPIFFE ID"`
}

// senderName matches valid names. The name of an agent has a slash, so no sender has it.
var senderName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Check returns senders that can't be distinguished.
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

// Check returns an invalid name, missing credentials, and invalid rights.
func (s *senderConfig) Check() (mistakes mistake.Mistakes) {
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

// rights returns the sender's rights.
func (s *senderConfig) rights() Rights {
	if s.Rights == nil {
		return Rights{Send}
	}
	return s.Rights
}

func (s *senderConfig) caller() Caller {
	return Caller{Sender: engine.Sender{Name: s.Name, Peer: s.Peer}, rights: s.rights()}
}

// Check returns a certificate without exactly one name.
func (c *certificate) Check() mistake.Mistakes {
	if (c.DNSName == "") == (c.URI == "") {
		return mistake.Mistakes{{Message: "wants exactly one of dnsName and uri"}}
	}
	return nil
}

// ReadSenders reads the file. The error is manifest.Mistakes, with every mistake and its line;
// or that a token can't be read, or is shared by two senders or with the process's own token
// (nil if there is none).
func ReadSenders(file string, own *Token, log hclog.Logger) (*Senders, error) {
	s := &Senders{log: log, logged: map[string]string{}}
	var err error
	s.current, err = newReloadedFiles([]string{file}, log, func() ([]senderConfig, error) {
		var read sendersFile
		if err := manifest.DecodeFile(file, &read); err != nil {
			return nil, err
		}
		return read.Senders, checkTokens(file, read.Senders, own.current())
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// checkTokens reads each token once, so that a missing one is an error at start instead of a
// refused event later. A sender with the process's own token would have all its rights.
func checkTokens(file string, list []senderConfig, own string) error {
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

// byToken returns the senders with a token: usually at most one, and several if a token was
// changed to that of another sender. It compares all tokens, so that the time does not depend
// on the match.
func (s *Senders) byToken(ctx context.Context, shown string) (found []Caller) {
	if s == nil || shown == "" {
		return nil
	}
	for _, d := range s.current.get() {
		if d.BearerToken == nil {
			continue
		}
		token, err := d.BearerToken.Read(ctx, "", nil)
		s.logOnce(d.Name, "a sender's token can't be read; nobody is that sender", err)
		if err == nil && equalSecrets(shown, strings.TrimSpace(token)) {
			found = append(found, d.caller())
		}
	}
	return found
}

// logOnce logs a problem with a sender's token once; a nil error clears it.
func (s *Senders) logOnce(name, message string, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	key := name + ": " + message
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem != "" && s.logged[key] != problem {
		s.log.Error(message, "sender", name, "error", err)
	}
	s.logged[key] = problem
}

// byCertificate returns the first sender that a verified certificate names.
func (s *Senders) byCertificate(c *x509.Certificate) (Caller, bool) {
	if s == nil {
		return Caller{}, false
	}
	for _, d := range s.current.get() {
		if want := d.ClientCertificate; want != nil && want.matches(c) {
			return d.caller(), true
		}
	}
	return Caller{}, false
}

// anyHas reports whether a sender has a right.
func (s *Senders) anyHas(right Right) bool {
	return s != nil && slices.ContainsFunc(s.current.get(), func(d senderConfig) bool { return d.rights().has(right) })
}

func (c *certificate) matches(shown *x509.Certificate) bool {
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
