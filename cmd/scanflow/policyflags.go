package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// policyFlags select the policies of a command.
type policyFlags struct {
	set       *pflag.FlagSet
	paths     []string
	without   bool
	tokenFile string
	key       policysource.KeyFile
}

func (p *policyFlags) add(f *pflag.FlagSet) {
	p.set = f
	listFlag(f, &p.paths, "policies", "", `folders of policies, bundles .tar.gz, and http(s) URLs of bundles, which make one revision; one with a comma stands in double quotes of its own. Absent: the ones that ship`)
	f.BoolVar(&p.without, "without-shipped-guards", false, "with --policies: the guards that ship don't bind, those of --policies alone do")
	f.StringVar(&p.key.Path, "policies-key", "", "with --policies: file with the public key (PEM) or the secret that signatures of all of them are held against; what is not signed is refused. Read again when it changes. Absent: what is signed is refused")
	f.StringVar(&p.key.Algorithm, "policies-key-alg", "", "with --policies-key: "+strings.Join(source.Algorithms(), ", ")+"; absent: RS256, ES256, ES384, ES512 or HS256, as fits the key")
	f.StringVar(&p.key.Scope, "policies-key-scope", "", "with --policies-key: the scope that the signatures must be for; absent: none")
	f.StringVar(&p.tokenFile, "policies-token-file", "", "with a URL in --policies: file with the bearer token to show to its server; of several URLs, all are of one server")
}

// source checks the flags and returns the source of the policies.
func (p *policyFlags) source() (policysource.Source, error) {
	out := policysource.Source{Paths: p.paths, WithoutShippedGuards: p.without, TokenFile: p.tokenFile, Key: p.key}
	return out, errors.Join(p.checkPaths(), p.checkToken(), p.checkKey())
}

func (p *policyFlags) checkPaths() error {
	if p.without && len(p.paths) == 0 {
		return errors.New("--without-shipped-guards: goes with --policies; to leave guards out, write what ships to a folder by `scanflow policies export`, and edit it")
	}
	seen := map[string]bool{}
	for _, path := range p.paths {
		plain := strings.TrimRight(path, "/")
		if seen[plain] {
			return fmt.Errorf("--policies: %s is given twice; leave one out", redactedPath(path))
		}
		seen[plain] = true
	}
	return nil
}

// checkToken refuses a token that would be sent to more than one server.
func (p *policyFlags) checkToken() error {
	if p.tokenFile == "" {
		return nil
	}
	first := ""
	for _, path := range p.paths {
		if !source.IsURL(path) {
			continue
		}
		u, err := url.Parse(path)
		if err != nil {
			continue // the request for it fails with an error
		}
		server := strings.ToLower(u.Scheme + "://" + u.Host)
		if first == "" {
			first = server
		}
		if server != first {
			return fmt.Errorf("--policies-token-file: the URLs in --policies are of %s and of %s, and each would be shown the other's token; put all bundles on one server, or fetch the others without a token by a process of your own", first, server)
		}
	}
	if first == "" {
		return errors.New("--policies-token-file: goes with a URL in --policies")
	}
	return nil
}

// checkKey refuses flags for a key that have no effect.
func (p *policyFlags) checkKey() error {
	switch {
	case p.set.Changed("policies-key") && p.key.Path == "":
		return errors.New("--policies-key: is empty; name the file with the key, or leave the flag out")
	case p.key.Path == "" && (p.key.Algorithm != "" || p.key.Scope != ""):
		return errors.New("--policies-key-alg and --policies-key-scope: go with --policies-key")
	case p.key.Path != "" && len(p.paths) == 0:
		return errors.New("--policies-key: goes with --policies; what ships is part of this program, and is not signed")
	case p.key.Algorithm != "" && !slices.Contains(source.Algorithms(), p.key.Algorithm):
		return fmt.Errorf("--policies-key-alg: %q is none of %s", p.key.Algorithm, strings.Join(source.Algorithms(), ", "))
	}
	return nil
}

// redactedPath returns a path without the query of a URL, which may hold a secret.
func redactedPath(path string) string {
	if source.IsURL(path) {
		path, _, _ = strings.Cut(path, "?")
	}
	return path
}
