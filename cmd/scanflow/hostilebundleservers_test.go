package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// teller is a server whose answer is changed.
type teller struct {
	mu     sync.Mutex
	answer http.HandlerFunc
}

func (s *teller) set(h http.HandlerFunc) { s.mu.Lock(); defer s.mu.Unlock(); s.answer = h }

func (s *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.answer
	s.mu.Unlock()
	h(w, r)
}

// serves answers with a bundle.
func serves(packed []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(packed) }
}

// rawly answers with bytes that net/http would not send.
func rawly(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, text)
	}
}

// A server of bundles that does what no server should costs nothing but its bundle.
func TestHostileServersOfBundles(t *testing.T) {
	good := beside()(1)
	n := 0
	for group := range slices.Chunk([]struct {
		name   string
		answer http.HandlerFunc
		says   string // "" where it is taken
	}{
		{"a body without end", func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, 1<<16); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "larger than 32 MiB"},
		{"one byte too many", serves(make([]byte, 32<<20+1)), "larger than 32 MiB"},
		{"a length that is too long", rawly(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(good)+100, good)), "the answer was cut short"},
		{"a length that is too short", rawly(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(good)/2, good)), "unexpected EOF"},
		{"a length beyond all", rawly("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx"), "larger than 32 MiB"},
		{"a length that is negative", rawly("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"), "fetch http"},
		{"two lengths", rawly("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "fetch http"},
		{"headers without end", rawly("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20_000)), "fetch http"},
		{"no HTTP", rawly("SSH-2.0-OpenSSH_9.6\r\n"), "fetch http"},
		{"chunks that are none", rawly("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"), "fetch http"},
		{"nothing at all", rawly(""), "fetch http"},
		{"a loop of redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirected more than 5 times"},
		{"a redirect to a file", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "fetch http"},
		{"packed once more on the way", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped(good))
		}, "read bundle"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>log in</html>")
		}, "it is no .tar.gz as opa build makes it"},
		{"a part", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(good)
		}, "answered 206"},
		{"no change that nobody asked for", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "answered 304"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "answered 204"},
		{"a failure", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(make([]byte, 1<<20))
		}, "answered 500"},
		{"1 GB of zeros", serves(zeros(64)), "holds no .rego file"},
		{"a mark of 5 KB", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"`+strings.Repeat("e", 5000)+`"`)
			_, _ = w.Write(beside()(1_000_000))
		}, ""},
		{"drop by drop", func(w http.ResponseWriter, r *http.Request) {
			drops := time.NewTicker(100 * time.Millisecond)
			defer drops.Stop()
			for i := 0; ; i++ {
				select {
				case <-r.Context().Done():
					return
				case <-drops.C:
					_, _ = w.Write(good[i%len(good) : i%len(good)+1])
					w.(http.Flusher).Flush()
				}
			}
		}, "no full answer in time"},
	}, 8) {
		n++
		t.Run(fmt.Sprintf("daemon %d", n), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			server := &teller{answer: serves(good)}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			a.d = startDaemon(t, "-f", a.agents, "--policies", web.URL+"/b.tar.gz", "--data", a.data, "--policies-interval", "1s")
			a.meter = newMeter(t, a.d.cmd.Process.Pid)
			a.ticks("healthy", 1)
			for i, h := range group {
				t.Run(h.name, func(t *testing.T) {
					outer := a.t
					a.t, a.d.t = t, t
					defer func() { a.t, a.d.t = outer, outer }()
					said := a.put(judged, func() { server.set(h.answer) })
					if h.says == "" {
						require.Contains(t, said, "policies live")
					} else {
						require.Contains(t, said, "policies refused")
						require.Contains(t, said, h.says)
					}
					a.ticks("healthy", 3)
					mended := filepath.Join(a.dir, "mended.tar.gz")
					require.NoError(t, os.WriteFile(mended, beside()(i+2), 0o644))
					server.set(serves(beside()(i + 2)))
					a.becomesLive(revisionOf(t, mended))
					a.requireUnharmed()
				})
				if a.d.ended() {
					return
				}
			}
			a.d.stop()
		})
	}
}
