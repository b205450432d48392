package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// clientFlags configure how a command connects to a running scanflow.
type clientFlags struct {
	server, tokenFile, caFile string
	timeout                   time.Duration // of one request; 0 takes clientTimeout
	// userToken reads the token of a data folder; nil for a command that does not send it.
	userToken func(host string) (token, shown string, err error)
}

// defaultServer is where a scanflow listens by default.
const defaultServer = "http://127.0.0.1:8282"

func (o *clientFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.server, "server", defaultServer, "address of the running scanflow")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the bearer token that it was started with")
	f.StringVar(&o.caFile, "ca-file", "", "file with the certificate authority of its certificate; absent: the system's")
}

// token returns the bearer token for a server, "" for none. shown describes it for the error
// message of a request that is refused.
func (o *clientFlags) token(host string) (token, shown string, err error) {
	switch {
	case o.tokenFile != "":
		token, err = readToken("--token-file", o.tokenFile)
		return token, "the token in " + o.tokenFile + " was shown", err
	case o.userToken != nil:
		return o.userToken(host)
	}
	return "", "no token was shown: pass --token-file", nil
}

// base parses --server.
func (o *clientFlags) base() (*url.URL, error) {
	base, err := url.Parse(o.server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, errors.New("--server: wants an address like http://127.0.0.1:8282, without a user")
	}
	return base, nil
}

// errNoAnswer matches the errors of requests that nobody answered.
var errNoAnswer = errors.New("no scanflow answers")

type noAnswerError struct{ error }

func (e noAnswerError) Is(target error) bool { return target == errNoAnswer }
func (e noAnswerError) Unwrap() error        { return e.error }

// clientTimeout bounds one request.
const clientTimeout = 15 * time.Second

// maxResponseBytes bounds the size of a response.
const maxResponseBytes = 64 << 20

// get decodes the JSON response of a GET request.
func (o *clientFlags) get(ctx context.Context, path string, query url.Values, into any) error {
	if q := query.Encode(); q != "" {
		path += "?" + q
	}
	return o.do(ctx, http.MethodGet, path, nil, into)
}

// post sends a JSON body and decodes the JSON response.
func (o *clientFlags) post(ctx context.Context, path string, body, into any) error {
	return o.do(ctx, http.MethodPost, path, body, into)
}

func (o *clientFlags) do(ctx context.Context, method, path string, body, into any) error {
	base, err := o.base()
	if err != nil {
		return err
	}
	token, shown, err := o.token(base.Hostname())
	if err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.timeout, clientTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base.String(), "/")+path, content)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return noAnswerError{fmt.Errorf("no scanflow answers at %s within %s; where its process runs, it hangs or the machine is overloaded: look at its log", base.Host, cmp.Or(o.timeout, clientTimeout))}
	}
	if err != nil {
		return noAnswerError{fmt.Errorf("no scanflow answers at %s: %w; start `scanflow run`, or give its address with --server", base.Host, errors.Unwrap(err))}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes))
	if err != nil {
		return noAnswerError{fmt.Errorf("%s %s: no whole answer from %s: %w", method, path, base.Host, err)}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%w; %s", responseError(resp.Status, raw), shown)
	}
	if resp.StatusCode/100 != 2 {
		return responseError(resp.Status, raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not what a scanflow answers: %w", method, path, err)
	}
	return nil
}

func (o *clientFlags) client() (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	if o.caFile != "" {
		pool, err := readCertPool("--ca-file", o.caFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	// Following a redirect would send the token to another server.
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// responseError is the error of a request that was refused: the server's message if the
// response has one, and the status otherwise.
func responseError(status string, raw []byte) error {
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &body) == nil && body.Error != "" {
		return errors.New(engine.Clip(plot.Line(body.Error)))
	}
	return fmt.Errorf("the server answered %s", engine.Clip(plot.Line(status)))
}
