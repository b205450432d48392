package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// ErrTooLarge is the error for a packed bundle of more than MaxBytes.
var ErrTooLarge = fmt.Errorf("the bundle is larger than %d MiB", MaxBytes>>20)

// get requests the bundle. packed is nil if the bundle still has that ETag.
func (r *Remote) get(ctx context.Context, etag string) (packed []byte, newer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return nil, "", errors.New("it is no URL")
	}
	token, err := r.token()
	if err != nil {
		return nil, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	req.Header.Set("User-Agent", "scanflow")
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, "", transportError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && etag != "":
		return nil, etag, nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return nil, "", engine.Retry(statusError(resp))
	case code != http.StatusOK:
		return nil, "", statusError(resp)
	}
	if resp.ContentLength > MaxBytes {
		return nil, "", ErrTooLarge
	}
	packed, err = io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	switch {
	case err != nil:
		return nil, "", transportError(err)
	case len(packed) > MaxBytes:
		return nil, "", ErrTooLarge
	}
	return packed, resp.Header.Get("ETag"), nil
}

func statusError(resp *http.Response) error {
	err := fmt.Errorf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if code := resp.StatusCode; code == http.StatusUnauthorized || code == http.StatusForbidden {
		err = fmt.Errorf("%w; put a bearer token that it takes into the token file", err)
	}
	return err
}

// transportError returns why a request failed, without addresses, which differ
// each time, and without the URL, whose query may be a secret. All errors but
// certificates and redirects can be retried.
func transportError(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) || errors.Is(err, errRedirect) {
		return err
	}
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no full answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the answer was cut short: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &op):
		err = fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return engine.Retry(err)
}

var errRedirect = errors.New("redirected")

const maxRedirects = 5

func newBundleClient(own *url.URL) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // a bundle is a .tar.gz, which must not be unpacked here
	transport.IdleConnTimeout = 5 * time.Second
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" && (own.Scheme == "https" || r.URL.Scheme != "http") {
			return fmt.Errorf("%w from https to %s, which is not followed", errRedirect, r.URL.Scheme)
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("%w more than %d times", errRedirect, maxRedirects)
		}
		// A registry redirects its clients to an object store. net/http would send the
		// token to other ports of the host and to its subdomains.
		if r.URL.Scheme != own.Scheme || r.URL.Host != own.Host {
			r.Header.Del("Authorization")
		}
		r.Header.Del("Referer") // it contains the URL's query
		return nil
	}}
}
