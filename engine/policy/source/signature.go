package source

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

// signaturesFile is the file in which `opa sign` lists the signed files.
const signaturesFile = ".signatures.json"

// keyName is the name of the only key; a signature can't choose another.
const keyName = "policies"

// signatureFile returns the signatures file of a source, or nil.
func (s Source) signatureFile() *File {
	for i := range s.Files {
		if s.Files[i].Path == signaturesFile {
			return &s.Files[i]
		}
	}
	return nil
}

// checkSigned reports a signed source without a key, and an unsigned source with one.
func (p *Part) checkSigned() mistake.Mistakes {
	var out mistake.Mistakes
	for _, f := range p.Files {
		if path.Base(f.Path) == signaturesFile && f.Path != signaturesFile {
			out = append(out, mistake.Mistake{File: p.Name(f.Path), Message: "signatures in a sub-folder", Fix: "sign the whole folder: move it to the top"})
		}
	}
	switch signed := p.signatureFile() != nil; {
	case p.Shipped || p.Taken:
	case signed && p.Key == nil:
		out = append(out, mistake.Mistake{File: p.Name(signaturesFile), Message: p.Origin + " is signed: verification key not provided", Fix: "pass --policies-key FILE with the public key or the secret; or delete the file, if nobody is to look at it"})
	case !signed && p.Key != nil:
		out = append(out, mistake.Mistake{Message: p.Origin + " is not signed, and --policies-key wants it to be", Fix: "sign it in its folder by `scanflow opa sign --bundle --signing-key KEY .`, or leave --policies-key out"})
	}
	return out
}

// verifySignature verifies a signed part with OPA's own functions: each file must be
// listed with its content, and each listed file must exist.
func (p *Part) verifySignature() mistake.Mistakes {
	f := p.signatureFile()
	if f == nil || p.Key == nil || p.Taken {
		return nil
	}
	refuse := func(err error) mistake.Mistakes {
		return mistake.Mistakes{{File: p.Name(signaturesFile), Message: "the signature does not hold: " + err.Error(), Fix: "take the policies as they were signed, or sign them anew; if another key signed them, give that one as --policies-key"}}
	}
	var list bundle.SignaturesConfig
	if err := json.NewDecoder(bytes.NewReader(f.Content)).Decode(&list); err != nil {
		return refuse(err)
	}
	files, err := p.Key.signedFiles(list)
	if err != nil {
		return refuse(err)
	}
	if wrong := ignoredClaims(list.Signatures[0]); len(wrong) > 0 {
		return mistake.Mistakes{{File: p.Name(signaturesFile), Message: fmt.Sprintf("the signature has %s, which nobody looks at", strings.Join(wrong, " and ")), Fix: "sign without it; to end what was signed, sign with another key"}}
	}
	files = p.relativeNames(files)
	for _, f := range p.Files {
		if f.Path == signaturesFile {
			continue
		}
		if err := bundle.VerifyBundleFile(listedName(f.Path, files), *bytes.NewBuffer(f.Content), files); err != nil {
			return refuse(err)
		}
	}
	for _, f := range p.Beside {
		name := listedName(f.Path, files)
		if _, listed := files[name]; !listed && hidden(f.Path) {
			continue // for example an editor's file, which is not read
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(f.Content), files); err != nil {
			return refuse(err)
		}
	}
	delete(files, strings.TrimPrefix(signaturesFile, ".")) // present if a folder was signed again
	if len(files) > 0 {
		return refuse(fmt.Errorf("it lists %s, which is not there", strings.Join(slices.Sorted(maps.Keys(files)), ", ")))
	}
	return nil
}

// listedName returns the name under which a signature lists a file: `opa sign .`
// removes the dot of hidden files.
func listedName(file string, files map[string]bundle.FileInfo) string {
	if without, dot := strings.CutPrefix(file, "."); dot {
		if _, listed := files[file]; !listed {
			if _, listed := files[without]; listed {
				return without
			}
		}
	}
	return file
}

// relativeNames returns the files by their paths relative to the folder. `opa sign`
// lists them with the path of the folder that it was given.
func (p *Part) relativeNames(files map[string]bundle.FileInfo) map[string]bundle.FileInfo {
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

// signedFiles verifies a signature with the key and returns the files that it lists.
// The file of a secret may end with a newline that the signing key did not have.
func (k *Key) signedFiles(list bundle.SignaturesConfig) (map[string]bundle.FileInfo, error) {
	files, err := bundle.VerifyBundleSignature(list, k.config(k.Text))
	if text := strings.TrimRight(k.Text, "\r\n"); err != nil && k.isSecret() && text != k.Text {
		if again, err := bundle.VerifyBundleSignature(list, k.config(text)); err == nil {
			return again, nil
		}
	}
	return files, err
}

// ignoredClaims returns the claims of a signature that would restrict it but have no
// effect: OPA checks the scope only.
func ignoredClaims(token string) []string {
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

func (k *Key) isSecret() bool { return slices.Contains(secretAlgorithms, k.Algorithm) }

func (k *Key) config(text string) *bundle.VerificationConfig {
	return bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{keyName: {Key: text, Algorithm: k.Algorithm}}, keyName, k.Scope, nil)
}
