package policy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// signatures is the file in which `opa sign` lists what was signed.
const signatures = ".signatures.json"

// keyName is the name of the one key: a signature may not choose another.
const keyName = "policies"

// signed is the signatures file of a part, nil where there is none.
func (s Source) signed() *File {
	for i := range s.Files {
		if s.Files[i].Path == signatures {
			return &s.Files[i]
		}
	}
	return nil
}

// checkSigned finds what is signed without a key, and what is not signed though there is one.
func (p *part) checkSigned() mistake.Mistakes {
	var out mistake.Mistakes
	for _, f := range p.Files {
		if path.Base(f.Path) == signatures && f.Path != signatures {
			out = append(out, mistake.Mistake{File: p.name(f.Path), Message: "signatures in a sub-folder", Fix: "sign the whole folder: move it to the top"})
		}
	}
	switch signed := p.signed() != nil; {
	case p.Shipped || p.Taken:
	case signed && p.Key == nil:
		out = append(out, mistake.Mistake{File: p.name(signatures), Message: p.Origin + " is signed: verification key not provided", Fix: "pass --policies-key FILE with the public key or the secret; or delete the file, if nobody is to look at it"})
	case !signed && p.Key != nil:
		out = append(out, mistake.Mistake{Message: p.Origin + " is not signed, and --policies-key wants it to be", Fix: "sign it in its folder by `scanflow opa sign --bundle --signing-key KEY .`, or leave --policies-key out"})
	}
	return out
}

// verify holds a signed part against its key, by OPA's own means: each file must be
// listed with what it holds, and each that is listed must be there.
func (p *part) verify() mistake.Mistakes {
	f := p.signed()
	if f == nil || p.Key == nil || p.Taken {
		return nil
	}
	refuse := func(err error) mistake.Mistakes {
		return mistake.Mistakes{{File: p.name(signatures), Message: "the signature does not hold: " + err.Error(), Fix: "take the policies as they were signed, or sign them anew; if another key signed them, give that one as --policies-key"}}
	}
	var list bundle.SignaturesConfig
	if err := json.NewDecoder(bytes.NewReader(f.Content)).Decode(&list); err != nil {
		return refuse(err)
	}
	files, err := p.Key.listed(list)
	if err != nil {
		return refuse(err)
	}
	if wrong := unboundClaims(list.Signatures[0]); len(wrong) > 0 {
		return mistake.Mistakes{{File: p.name(signatures), Message: fmt.Sprintf("the signature has %s, which nobody looks at", strings.Join(wrong, " and ")), Fix: "sign without it; to end what was signed, sign with another key"}}
	}
	files = p.named(files)
	for _, f := range p.Files {
		if f.Path == signatures {
			continue
		}
		if err := bundle.VerifyBundleFile(listedAs(f.Path, files), *bytes.NewBuffer(f.Content), files); err != nil {
			return refuse(err)
		}
	}
	for _, f := range p.Beside {
		name := listedAs(f.Path, files)
		if _, listed := files[name]; !listed && hidden(f.Path) {
			continue // an editor's, say; nothing reads it
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(f.Content), files); err != nil {
			return refuse(err)
		}
	}
	delete(files, strings.TrimPrefix(signatures, ".")) // the one before, where a folder is signed anew
	if len(files) > 0 {
		return refuse(fmt.Errorf("it lists %s, which is not there", strings.Join(slices.Sorted(maps.Keys(files)), ", ")))
	}
	return nil
}

// listedAs is the name by which a signature lists a file: `opa sign .` takes the dot away
// from a hidden one.
func listedAs(file string, files map[string]bundle.FileInfo) string {
	if without, dot := strings.CutPrefix(file, "."); dot {
		if _, listed := files[file]; !listed {
			if _, listed := files[without]; listed {
				return without
			}
		}
	}
	return file
}

// named are the files by their paths below the folder. `opa sign` calls them by the path
// that it was given, as OPA does that reads them from there.
func (p *part) named(files map[string]bundle.FileInfo) map[string]bundle.FileInfo {
	from := strings.TrimLeft(path.Clean(p.Origin), "./") + "/"
	out := map[string]bundle.FileInfo{}
	for name, info := range files {
		if !strings.HasPrefix(name, from) {
			return files
		}
		out[strings.TrimPrefix(name, from)] = info
	}
	return out
}

// listed are the files that a signature of this key lists. A secret may end with a new
// line in its file that it had not when it signed.
func (k *Key) listed(list bundle.SignaturesConfig) (map[string]bundle.FileInfo, error) {
	files, err := bundle.VerifyBundleSignature(list, k.config(k.Text))
	if text := strings.TrimRight(k.Text, "\r\n"); err != nil && k.secret() && text != k.Text {
		if again, err := bundle.VerifyBundleSignature(list, k.config(text)); err == nil {
			return again, nil
		}
	}
	return files, err
}

// unboundClaims are the claims of a signature that look as if they bounded it: OPA, and so
// this, holds the scope against what is wanted, and looks at no other.
func unboundClaims(token string) []string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return nil
	}
	return slices.DeleteFunc([]string{"exp", "nbf", "aud"}, func(name string) bool { return claims[name] == nil })
}

func (k *Key) secret() bool { return slices.Contains(secretAlgorithms, k.Algorithm) }

func (k *Key) config(text string) *bundle.VerificationConfig {
	return bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{keyName: {Key: text, Algorithm: k.Algorithm}}, keyName, k.Scope, nil)
}
