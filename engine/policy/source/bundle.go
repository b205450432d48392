package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ReadBundle reads an OPA bundle, a .tar.gz. Its signature is verified later,
// when the source is compiled.
func ReadBundle(name string) (Source, error) {
	f, err := openPlain(name, name)
	if err != nil {
		return Source{}, fmt.Errorf("read bundle: %w", err)
	}
	var c collector
	if err := c.add(name, f); err != nil {
		return Source{}, fmt.Errorf("read bundle: %w", err)
	}
	return Unpack(name, c.beside[0].Content)
}

// Unpack reads a bundle in memory. name is its origin, for messages.
func Unpack(name string, packed []byte) (Source, error) {
	c, err := unpack(packed, false)
	if err == nil && newSource(name, c.files).signatureFile() != nil {
		c, err = unpack(packed, true)
	}
	if err != nil {
		return Source{}, fmt.Errorf("read bundle %s: %w", name, err)
	}
	src := newSource(name, c.files)
	src.Packed, src.Beside = packed, c.beside
	return src, nil
}

// checkBundle validates the manifest with OPA's own reader. OPA's reader stops
// at the first file that does not parse; those errors are left to the compiler,
// which reports all of them.
func checkBundle(s Source) mistake.Mistakes {
	_, err := bundle.NewReader(bytes.NewReader(s.Packed)).WithSizeLimitBytes(MaxBytes).WithRegoVersion(ast.RegoV1).WithSkipBundleVerification(true).Read()
	var parse ast.Errors
	if err != nil && !errors.As(err, &parse) {
		return mistake.Mistakes{{Message: fmt.Sprintf("read bundle %s: %s", s.Origin, err)}}
	}
	return nil
}

// unpack reads the policy files of a bundle. With all, it reads the other files
// too, because a signature lists them.
func unpack(packed []byte, all bool) (*collector, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: it is no .tar.gz as opa build makes it", err)
	}
	c := &collector{}
	seen := map[string]bool{}
	limited := &io.LimitedReader{R: zr, N: 2 * MaxBytes} // other files are unpacked too
	tr := tar.NewReader(limited)
	for {
		h, err := tr.Next()
		switch {
		case err != nil && limited.N <= 0: // the limit can look like the end of the archive
			return nil, fmt.Errorf("it unpacks to more than %d MiB", 2*MaxBytes>>20)
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if name == "patch.json" {
			return nil, errors.New("it is a delta bundle; build a whole one")
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if !IsPolicyFile(name) && (!all || h.Typeflag != tar.TypeReg) {
			c.beside = append(c.beside, File{Path: name})
			continue
		}
		if h.Typeflag != tar.TypeReg { // skipping it could drop a guard silently
			return nil, fmt.Errorf("%s is no plain file; pack what a link leads to", name)
		}
		// With two files of one name, two readers could disagree on which counts.
		if seen[name] {
			return nil, fmt.Errorf("%s is in it twice", name)
		}
		seen[name] = true
		if err := c.add(name, io.NopCloser(tr)); err != nil {
			return nil, err
		}
	}
}
