package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestWhoSendsIsFoundOut(t *testing.T) {
	token := write(t, filepath.Join(t.TempDir(), "am"), " am-token\n")
	t.Setenv("EAST_TOKEN", "east-token")
	senders := sendersOf(t, "senders:\n- {name: am, bearerToken: {file: "+token+"}}\n- {name: east, peer: true, bearerToken: {env: EAST_TOKEN}}\n- {name: edge, clientCertificate: {dnsName: edge}}\n")
	b := &inbox{}
	open := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Senders: senders}).Addr()
	guarded := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Senders: senders, Token: tokenOf(t, "s3cret")}).Addr()
	_, port, err := net.SplitHostPort(serveOn(t, "0.0.0.0:0", Options{Receive: b.take, Senders: senders}).Addr())
	require.NoError(t, err)
	wide := "http://127.0.0.1:" + port
	nobody := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr()

	api, am, east := engine.Sender{Name: "api"}, engine.Sender{Name: "am"}, engine.Sender{Name: "east", Peer: true}
	none := engine.Sender{}
	for name, c := range map[string]struct {
		to            string
		authorization string
		header, value string
		want          engine.Sender
		status        int
	}{
		"loopback":                       {open, "", "", "", api, 202},
		"loopback, as a declared sender": {open, "Bearer am-token", "", "", am, 202},
		"loopback, with a wrong token":   {open, "Bearer am-toke", "", "", none, 401},
		"loopback, by another name":      {open, "", "Host", "evil.example", none, 401},
		"loopback, by a page":            {open, "", "Origin", "https://evil.example", none, 403},
		"loopback, by a page's frame":    {open, "", "Sec-Fetch-Site", "cross-site", none, 403},
		"the process's token":            {guarded, "Bearer s3cret", "", "", api, 202},
		"a scheme in small letters":      {guarded, "bearer s3cret", "", "", api, 202},
		"another scheme":                 {guarded, "Basic s3cret", "", "", none, 401},
		"an empty token":                 {guarded, "Bearer ", "", "", none, 401},
		"a peer":                         {guarded, "Bearer east-token", "", "", east, 202},
		"nothing, where a token is set":  {guarded, "", "", "", none, 401},
		"nothing, from beyond":           {wide, "", "", "", none, 401},
		"a sender, from beyond":          {wide, "Bearer am-token", "", "", am, 202},
		"an empty token, from beyond":    {wide, "Bearer", "", "", none, 401},
		"no senders declared":            {nobody, "Bearer am-token", "", "", none, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b.from = nil
			headers := []string{"Content-Type", structured}
			if c.authorization != "" {
				headers = append(headers, "Authorization", c.authorization)
			}
			if c.header != "" {
				headers = append(headers, c.header, c.value)
			}
			status, header, answer := post(t, http.DefaultClient, c.to+"/v1/events", event("1", "asked"), headers...)
			require.Equal(t, c.status, status, answer)
			require.Equal(t, c.status == 401, header.Get("WWW-Authenticate") != "")
			if c.status == 202 {
				require.Equal(t, []engine.Sender{c.want}, b.from)
			} else {
				require.Empty(t, b.from)
			}
			for _, secret := range []string{"s3cret", "am-tok", "east-token"} {
				require.NotContains(t, answer, secret)
			}
		})
	}
}

func TestATokenIsReadAgainWhenItChanges(t *testing.T) {
	token := write(t, filepath.Join(t.TempDir(), "am"), "first")
	var log strings.Builder
	file := write(t, filepath.Join(t.TempDir(), "senders.yaml"), "senders: [{name: am, bearerToken: {file: "+token+"}}]")
	senders, err := ReadSenders(file, tokenOf(t, "s3cret"), hclog.New(&hclog.LoggerOptions{Output: &log}))
	require.NoError(t, err)
	b := &inbox{}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Senders: senders, Token: tokenOf(t, "s3cret")}).Addr() + "/v1/events"
	status := func(token string) int {
		status, _, _ := post(t, http.DefaultClient, address, event("1", "asked"), "Content-Type", structured, "Authorization", "Bearer "+token)
		return status
	}
	require.Equal(t, 202, status("first"))
	write(t, token, "second")
	require.Equal(t, 401, status("first"))
	require.Equal(t, 202, status("second"))

	require.NoError(t, os.Remove(token))
	for range 3 {
		require.Equal(t, 401, status("second"))
	}
	require.Equal(t, 1, strings.Count(log.String(), "token can't be read"), log.String())
	write(t, token, "third")
	require.Equal(t, 202, status("third"))

	// The file of senders itself changes.
	other := write(t, filepath.Join(t.TempDir(), "edge"), "edge-token")
	require.Equal(t, 401, status("edge-token"))
	write(t, file, "senders: [{name: edge, bearerToken: {file: "+other+"}}]")
	require.Equal(t, 202, status("edge-token"))
	require.Equal(t, 401, status("third"))
	write(t, file, "senders: [{name: edge}]")
	require.Equal(t, 202, status("edge-token"), "a broken file is not taken")
	require.Contains(t, log.String(), "wants bearerToken or clientCertificate")
	api := write(t, filepath.Join(t.TempDir(), "api"), "s3cret\n")
	write(t, file, "senders: [{name: grafana, bearerToken: {file: "+api+"}}]")
	require.Equal(t, 202, status("edge-token"), "nor one that gives a sender the API's token")
	require.Contains(t, log.String(), file+": bearerToken of grafana: is that of --token-file")
	require.NotContains(t, log.String(), "s3cret")
}

func TestTheSendersFileIsReadStrictly(t *testing.T) {
	dir := t.TempDir()
	token := write(t, filepath.Join(dir, "token"), "hunter2")
	own := write(t, filepath.Join(dir, "own"), "s3cret\n")
	t.Setenv("SCANFLOW_OWN", " s3cret ")
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"everything wrong": {`senders:
- {name: api, bearerToken: {env: A, file: b}}
- {name: ns/agent, bearerToken: hunter2}
- {name: edge}
- {name: edge, clientCertificate: {dnsName: a, uri: b}, peers: true}
- {bearerToken: {secretKeyRef: {name: a, key: b}}}
`, []string{
			`senders.yaml:2:4: senders[0].name: "api" is who holds the process's own token; choose another`,
			`senders.yaml:2:15: senders[0].bearerToken: wants exactly one of env, file, secretKeyRef`,
			`senders.yaml:3:4: senders[1].name: "ns/agent" is not a name; use lower-case letters, digits, - and .`,
			`senders.yaml:3:20: senders[1].bearerToken: must be a reference, not text`,
			`senders.yaml:4:3: senders[2]: wants bearerToken or clientCertificate`,
			`senders.yaml:5:16: senders[3].clientCertificate: wants exactly one of dnsName and uri`,
			`senders.yaml:5:57: senders[3].peers: unknown field; did you mean peer?`,
			`senders.yaml:6:3: senders[4].name: is missing`,
			`senders[4].bearerToken: a Kubernetes Secret is not read here; mount it, and give the file`,
		}},
		"twice": {`senders:
- {name: a, clientCertificate: {dnsName: edge}}
- {name: a, bearerToken: {env: A}}
- {name: b, clientCertificate: {dnsName: edge}}
`, []string{`senders.yaml:3:4: senders[1].name: "a" is there already; rename one`, `senders.yaml:4:13: senders[2].clientCertificate: is that of "a" already; keep one`}},
		"nobody":   {"senders: []\n", []string{"senders.yaml:1:1: senders: must not be empty"}},
		"empty":    {"", []string{"senders.yaml: is empty"}},
		"no YAML":  {"senders: [\n", []string{"senders.yaml:2:1: is not YAML"}},
		"no token": {"senders: [{name: a, bearerToken: {file: " + dir + "/none}}, {name: b, bearerToken: {env: SCANFLOW_NONE}}]", []string{"senders.yaml: bearerToken of a: read secret: open " + dir + "/none", "bearerToken of b: environment variable SCANFLOW_NONE is not set"}},
		"the process's own": {"senders: [{name: a, bearerToken: {file: " + own + "}}, {name: b, bearerToken: {env: SCANFLOW_OWN}}, {name: c, bearerToken: {file: " + token + "}}]", []string{
			"senders.yaml: bearerToken of a: is that of --token-file, which opens the whole API; give the sender one of its own", "senders.yaml: bearerToken of b: is that of --token-file",
		}},
		"one for two": {"senders: [{name: a, bearerToken: {file: " + token + "}}, {name: b, bearerToken: {file: " + token + "}}]", []string{"a and b have the same bearerToken, and could not be told apart"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(dir, "senders.yaml"), c.text)
			_, err := ReadSenders(file, tokenOf(t, "s3cret"), hclog.NewNullLogger())
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestACertificateSaysWhoSends(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, caFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
	servers, clients, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	servers.server(t, certFile, keyFile)
	write(t, caFile, clients.pem)
	var log strings.Builder
	config, err := TLS(certFile, keyFile, caFile, hclog.New(&hclog.LoggerOptions{Output: &log}))
	require.NoError(t, err)
	senders := sendersOf(t, "senders:\n- {name: edge, clientCertificate: {dnsName: Edge.example.com}}\n- {name: mesh, peer: true, clientCertificate: {uri: spiffe://cluster.local/ns/x/sa/scanflow}}\n")
	b := &inbox{}
	s := serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Senders: senders, Token: tokenOf(t, "s3cret"), TLS: config})
	address := "https://" + s.Addr() + "/v1/events"
	send := func(client *http.Client, headers ...string) (int, string) {
		b.from = nil
		status, _, answer := post(t, client, address, event("1", "asked"), append([]string{"Content-Type", structured}, headers...)...)
		return status, answer
	}

	status, answer := send(servers.trusting(t, clients.client(t, []string{"other.example.com", "edge.example.com"}, nil)))
	require.Equal(t, 202, status, answer)
	require.Equal(t, []engine.Sender{{Name: "edge"}}, b.from)
	mesh := clients.client(t, nil, []string{"spiffe://cluster.local/ns/x/sa/scanflow"})
	status, _ = send(servers.trusting(t, mesh))
	require.Equal(t, 202, status)
	require.Equal(t, []engine.Sender{{Name: "mesh", Peer: true}}, b.from)

	status, answer = send(servers.trusting(t, clients.client(t, []string{"sub.edge.example.com"}, []string{"spiffe://cluster.local/ns/x/sa/other"})))
	require.Equal(t, 401, status)
	require.Contains(t, answer, "is of no sender that --senders names")
	status, _ = send(servers.trusting(t, clients.client(t, []string{"who"}, nil)), "Authorization", "Bearer s3cret")
	require.Equal(t, 401, status, "a certificate decides alone")
	status, _ = send(servers.trusting(t), "Authorization", "Bearer s3cret")
	require.Equal(t, 202, status, "without one, a token does")
	require.Equal(t, []engine.Sender{{Name: "api"}}, b.from)
	status, _ = send(servers.trusting(t))
	require.Equal(t, 401, status)

	err = connectionError(t, forced(servers.trusting(t), strangers.client(t, []string{"edge.example.com"}, nil)), address)
	require.ErrorContains(t, err, "certificate", "one that nobody vouches for does not get in")
	status, _, answer = post(t, http.DefaultClient, "http://"+s.Addr()+"/v1/events", event("1", "asked"), "Content-Type", structured)
	require.Equal(t, 400, status, "plain HTTP is not understood")
	require.Contains(t, answer, "HTTP request to an HTTPS server")

	// New authorities and a new certificate are loaded; a broken key is not.
	require.NoError(t, os.WriteFile(keyFile, []byte("hunter2"), 0o600))
	status, _ = send(servers.trusting(t, mesh))
	require.Equal(t, 202, status)
	require.Contains(t, log.String(), "what was read before goes on")
	require.NotContains(t, log.String(), "hunter2")
	strangers.server(t, certFile, keyFile)
	write(t, caFile, strangers.pem)
	status, _ = send(strangers.trusting(t, strangers.client(t, []string{"edge.example.com"}, nil)))
	require.Equal(t, 202, status)
	require.Error(t, connectionError(t, forced(strangers.trusting(t), mesh), address), "the authority of before counts no more")
	require.ErrorContains(t, connectionError(t, servers.trusting(t), address), "certificate", "the certificate of before is shown no more")
}

// connectionError returns why a connection fails.
func connectionError(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	resp, err := client.Post(address, structured, strings.NewReader(event("1", "asked")))
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	return err
}

// forced presents a certificate even if the server asks for one of other authorities.
func forced(client *http.Client, show tls.Certificate) *http.Client {
	client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &show, nil
	}
	return client
}

func TestTLSThatCanNotBeReadIsAnErrorAtOnce(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	_, err := TLS(certFile, keyFile, "", hclog.NewNullLogger())
	require.ErrorContains(t, err, "certificate "+certFile+" with key "+keyFile+": open "+certFile)
	newAuthority(t).server(t, certFile, keyFile)
	_, err = TLS(certFile, keyFile, keyFile, hclog.NewNullLogger())
	require.ErrorContains(t, err, keyFile+" has no certificate in PEM")
	_, err = TLS(certFile, keyFile, filepath.Join(dir, "none"), hclog.NewNullLogger())
	require.ErrorContains(t, err, "authorities of clients: open ")
	_, err = TLS(certFile, keyFile, "", hclog.NewNullLogger())
	require.NoError(t, err)
}

func TestPeersReadWhatIsForThem(t *testing.T) {
	t.Setenv("EAST_TOKEN", "east-token")
	t.Setenv("AM_TOKEN", "am-token")
	o := Options{
		Token: tokenOf(t, "s3cret"), Senders: sendersOf(t, "senders:\n- {name: am, bearerToken: {env: AM_TOKEN}}\n- {name: east, peer: true, bearerToken: {env: EAST_TOKEN}}\n"),
		API:      map[string]func(*http.Request) (any, error){"/v1/all": func(*http.Request) (any, error) { return "all", nil }},
		ForPeers: map[string]func(*http.Request) (any, error){"/v1/peer/some": func(*http.Request) (any, error) { return "some", nil }},
	}
	at := "http://" + serveOn(t, "127.0.0.1:0", o).Addr()
	for name, c := range map[string]struct {
		path, token string
		status      int
	}{
		"a peer":                        {"/v1/peer/some", "east-token", 200},
		"who may use the API":           {"/v1/peer/some", "s3cret", 200},
		"a sender that is no peer":      {"/v1/peer/some", "am-token", 403},
		"nobody":                        {"/v1/peer/some", "", 401},
		"a peer, of what is not for it": {"/v1/all", "east-token", 403},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+c.path, nil)
			require.NoError(t, err)
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, c.status, res.StatusCode)
		})
	}
}
