package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// errStalled: a transfer made no progress within Options.Timeout.
var errStalled = errors.New("nothing moved for too long")

// UploadArtifact writes a file of a run through the server's proxy (mlflow-artifacts), and
// replaces one of that path. The Content-Length is sent if body has a Len or can seek.
func (c *Client) UploadArtifact(ctx context.Context, runID, file string, body io.Reader) error {
	address, err := c.artifactURL(ctx, runID, file)
	if err != nil {
		return err
	}
	w := c.watch(ctx)
	defer w.end()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPut, address, io.NopCloser(&watchedReader{w, body}))
	if err != nil {
		return fmt.Errorf("artifact %s: the request can't be written", file)
	}
	if r.ContentLength, err = length(body); err != nil {
		return fmt.Errorf("artifact %s: %w", file, err)
	}
	if r.ContentLength == 0 {
		r.Body = http.NoBody // else 0 would mean an unknown length
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, sent, err := c.send(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return &transportError{place(r), explain(w.ctx, err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return answerError(r, resp, raw, sent)
	}
	return nil
}

// DownloadArtifact opens a file of a run through the server's proxy. The caller closes it, and
// bounds how much it reads.
func (c *Client) DownloadArtifact(ctx context.Context, runID, file string) (io.ReadCloser, error) {
	address, err := c.artifactURL(ctx, runID, file)
	if err != nil {
		return nil, err
	}
	w := c.watch(ctx)
	r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, address, nil)
	if err != nil {
		w.end()
		return nil, fmt.Errorf("artifact %s: the request can't be written", file)
	}
	resp, sent, err := c.send(r)
	if err != nil {
		w.end()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // the status says enough
		_ = resp.Body.Close()
		w.end()
		return nil, answerError(r, resp, raw, sent)
	}
	return &download{watchedReader{w, resp.Body}, r, resp.Body}, nil
}

// artifactURL returns the proxy's address of a file of a run.
func (c *Client) artifactURL(ctx context.Context, runID, file string) (string, error) {
	if file == "" || file != path.Clean(file) || path.IsAbs(file) || file == ".." || strings.HasPrefix(file, "../") {
		return "", fmt.Errorf("artifact %q: must be a path below the run's, as in model/weights", file)
	}
	run, err := c.Run(ctx, runID)
	if err != nil {
		return "", err
	}
	root, err := url.Parse(run.ArtifactURI)
	if err != nil || root.Scheme != "mlflow-artifacts" || root.Host != "" && root.Host != c.host {
		return "", fmt.Errorf("run %s keeps its artifacts at %q, which this server does not pass on; start it with --serve-artifacts and a default root of mlflow-artifacts:/", runID, PublicURL(run.ArtifactURI))
	}
	return c.base + "/api/2.0/mlflow-artifacts/artifacts" + (&url.URL{Path: path.Join("/", root.Path, file)}).EscapedPath(), nil
}

// length returns the length of a body in bytes; -1 if it is unknown.
func length(body io.Reader) (int64, error) {
	if l, ok := body.(interface{ Len() int }); ok {
		return int64(l.Len()), nil
	}
	s, ok := body.(io.Seeker)
	if !ok {
		return -1, nil
	}
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1, nil // a pipe
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return -1, nil
	}
	_, err = s.Seek(at, io.SeekStart)
	return end - at, err
}

// watched cancels a transfer that makes no progress.
type watched struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

func (c *Client) watch(ctx context.Context) *watched {
	w := &watched{timeout: c.timeout}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(c.timeout, func() { w.cancel(errStalled) })
	return w
}

func (w *watched) end() {
	w.timer.Stop()
	w.cancel(nil)
}

type watchedReader struct {
	*watched
	from io.Reader
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.timer.Reset(r.timeout)
	}
	return n, err
}

// download is the body of an artifact.
type download struct {
	watchedReader
	of   *http.Request
	body io.Closer
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.watchedReader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &transportError{place(d.of), explain(d.ctx, err)}
	}
	return n, err
}

func (d *download) Close() error {
	err := d.body.Close()
	d.end()
	return err
}
