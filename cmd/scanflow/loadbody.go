package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// contentTypes maps file extensions to content types; other files are sent as
// application/octet-stream.
var contentTypes = map[string]string{".json": "application/json", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".txt": "text/plain", ".csv": "text/csv"}

// bodyFunc returns the function that makes the body of a query: the same for all.
func (p *loadPlan) bodyFunc() func(int) (string, []byte) {
	kind, body := p.contentType, []byte(nil)
	if p.body != "" {
		var err error
		if body, err = readBody(p.body); err != nil {
			p.errorf("--body: %w", err)
		}
		if kind == "" {
			kind = contentTypes[strings.ToLower(filepath.Ext(p.body))]
		}
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	if !httpguts.ValidHeaderFieldValue(kind) {
		p.errorf("--content-type: it has a character that no header may have")
	}
	return func(int) (string, []byte) { return kind, body }
}

// maxLoadBody bounds --body, which is held in memory.
const maxLoadBody = 128 << 20

func readBody(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, maxLoadBody+1))
	if len(body) > maxLoadBody {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxLoadBody)
	}
	return body, err
}

// headerFunc parses --header ("Name: value") and returns the function that makes the
// headers of a query: the same for all.
func (p *loadPlan) headerFunc() func(int) map[string]string {
	all, seen := map[string]string{}, map[string]bool{}
	for i, h := range p.headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch key := http.CanonicalHeaderKey(name); {
		case !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			p.errorf("--header: number %d is not \"Name: value\"", i+1) // the value is not shown: it may be a secret
		case key == "Content-Type":
			p.errorf("--header: Content-Type is what --content-type says; use that")
		case key == "Content-Length" || key == "Transfer-Encoding" || key == "Trailer" || key == "Connection":
			p.errorf("--header: %s is the connection's own; leave it out", key)
		case seen[key]:
			p.errorf("--header: %s is given twice; a query has one", key)
		default:
			all[key], seen[key] = value, true
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(int) map[string]string { return all }
}
