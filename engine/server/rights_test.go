package server

import (
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// serveAllRights serves one path for each right.
func serveAllRights(b *inbox) Options {
	return Options{
		API: map[string]func(*http.Request) (any, error){"/v1/seen": func(*http.Request) (any, error) { return "seen", nil }},
		Answers: map[string]func(*http.Request, Caller) (any, error){
			"/v1/approvals/{id}/approve": func(r *http.Request, who Caller) (any, error) { return who.By(r.URL.Query().Get("by")), nil },
		},
		ForPeers: map[string]func(*http.Request) (any, error){"/v1/peer/claims": func(*http.Request) (any, error) { return "claims", nil }},
		Receive:  b.take,
	}
}

func TestEachCredentialHasItsRightsAndNoOther(t *testing.T) {
	for _, name := range []string{"READER", "SENDER", "PEER", "ADA", "BOTH"} {
		t.Setenv(name, strings.ToLower(name)+"-token")
	}
	senders := sendersOf(t, `senders:
- {name: reader, rights: [read], bearerToken: {env: READER}}
- {name: sender, bearerToken: {env: SENDER}}
- {name: peer, peer: true, bearerToken: {env: PEER}}
- {name: ada, rights: [answer], bearerToken: {env: ADA}}
- {name: both, rights: [read, answer], bearerToken: {env: BOTH}}
`)
	b, clock := &inbox{}, engine.NewManualClock(start)
	data := t.TempDir()
	file, err := EnsureUserToken(data, hclog.NewNullLogger())
	require.NoError(t, err)
	own, err := os.ReadFile(file)
	require.NoError(t, err)
	of := func(address string, change func(*Options)) string {
		o := serveAllRights(b)
		o.Clock = clock
		change(&o)
		at := serveOn(t, address, o).Addr()
		if _, port, every := strings.Cut(at, "[::]:"); every {
			at = "127.0.0.1:" + port
		}
		return "http://" + at
	}
	userToken, err := ReadToken(file, engine.NewManualClock(start), hclog.NewNullLogger())
	require.NoError(t, err)
	laptop := of("127.0.0.1:0", func(o *Options) { o.UserToken, o.User = userToken, "ana" })
	beyond := of("[::]:0", func(o *Options) { o.UserToken, o.User = userToken, "ana" })
	declared := of("127.0.0.1:0", func(o *Options) { o.Senders = senders })
	whole := of("127.0.0.1:0", func(o *Options) { o.Senders, o.Token = senders, tokenOf(t, "s3cret") })
	user := strings.TrimSpace(string(own))
	for name, c := range map[string]struct {
		at, token                 string
		read, send, answer, peers int
	}{
		"nobody, on a laptop":            {laptop, "", 200, 202, 401, 200},
		"the OS user, on a laptop":       {laptop, user, 200, 202, 200, 200},
		"a wrong token, on a laptop":     {laptop, user + "x", 401, 401, 401, 401},
		"nobody, from beyond":            {beyond, "", 403, 401, 401, 403},
		"the OS user, from beyond":       {beyond, user, 200, 202, 200, 200},
		"nobody, beside senders":         {declared, "", 200, 202, 401, 200},
		"a reader":                       {declared, "reader-token", 200, 403, 403, 200},
		"a sender":                       {declared, "sender-token", 403, 202, 403, 403},
		"a peer":                         {declared, "peer-token", 403, 202, 403, 200},
		"one who answers":                {declared, "ada-token", 403, 403, 200, 403},
		"one who answers, and reads":     {declared, "both-token", 200, 403, 200, 200},
		"the token of the folder":        {declared, user, 401, 401, 401, 401},
		"nobody, beside a token":         {whole, "", 401, 401, 401, 401},
		"a sender, beside a token":       {whole, "sender-token", 403, 202, 403, 403},
		"who has the token":              {whole, "s3cret", 200, 202, 200, 200},
		"a reader, beside a token":       {whole, "reader-token", 200, 403, 403, 200},
		"one who answers, and the token": {whole, "ada-token", 403, 403, 200, 403},
	} {
		t.Run(name, func(t *testing.T) {
			status := func(method, path, body string) int {
				r, err := http.NewRequestWithContext(t.Context(), method, c.at+path, strings.NewReader(body))
				require.NoError(t, err)
				r.Header.Set("Content-Type", structured)
				if c.token != "" {
					r.Header.Set("Authorization", "Bearer "+c.token)
				}
				clock.Advance(refusalWindow) // so that none is held back
				status, _, answer := answerOf(t, http.DefaultClient, r)
				require.NotContains(t, answer, user)
				for _, secret := range []string{"reader-token", "sender-token", "peer-token", "ada-token", "both-token", "s3cret"} {
					require.NotContains(t, answer, secret)
				}
				return status
			}
			require.Equal(t, []int{c.read, c.send, c.answer, c.peers}, []int{
				status("GET", "/v1/seen", ""), status("POST", "/v1/events", event("1", "asked")),
				status("POST", "/v1/approvals/1/approve", "{}"), status("GET", "/v1/peer/claims", ""),
			})
		})
	}
}

func TestWhoAnswersIsWhatTheCredentialSays(t *testing.T) {
	ada := Caller{Sender: engine.Sender{Name: "ada"}, rights: Rights{Answer}}
	for _, c := range []struct {
		who           Caller
		claimed, want string
	}{
		{ada, "", "ada"},
		{ada, "ada", "ada"},
		{ada, "bob", `ada, for "bob" (claimed)`},
		{ada, `eve" at 12:00: yes`, `ada, for "eve\" at 12:00: yes" (claimed)`},
		{operator(""), "", "api"},
		{operator(""), "ada", `api, for "ada" (claimed)`},
		{operator("ana (OS user, claimed)"), "", "ana (OS user, claimed)"},
		{operator("ana (OS user, claimed)"), "bob", `ana (OS user, claimed), for "bob" (claimed)`},
	} {
		require.Equal(t, c.want, c.who.By(c.claimed))
	}
	u, err := user.Current()
	require.NoError(t, err)
	require.Equal(t, u.Username, UserName())
}

func TestRightsAreReadStrictly(t *testing.T) {
	t.Setenv("A", "a-token")
	for text, want := range map[string]string{
		"rights: []":                               "senders[0].rights: must not be empty; leave it out for [send], or remove the sender",
		"rights: [write]":                          `senders[0].rights[0]: "write" is none of read, send, answer`,
		"rights: [Send]":                           `"Send" is none of read, send, answer`,
		"rights: [send, read, send]":               `senders[0].rights[2]: "send" is there already; remove one`,
		"rights: send":                             "senders[0].rights: ",
		"rights: [{send: true}]":                   "senders[0].rights[0]: ",
		"right: [send]":                            "unknown field; did you mean rights?",
		"peer: true, rights: [send, answer]":       "a peer speaks for its agents, and may not answer for a person; remove answer",
		"peer: true, rights: [read]":               "a peer sends the events of its agents; add send",
		"peer: true, rights: [send, read], x: yes": "unknown field",
	} {
		t.Run(text, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "senders.yaml"), "senders: [{name: a, bearerToken: {env: A}, "+text+"}]\n")
			_, err := ReadSenders(file, nil, hclog.NewNullLogger())
			require.ErrorContains(t, err, want)
		})
	}
	for _, text := range []string{"rights: [read]", "rights: [send, read, answer]", "peer: true, rights: [read, send]", "peer: true"} {
		sendersOf(t, "senders: [{name: a, bearerToken: {env: A}, "+text+"}]\n")
	}
}

func TestTheUsersTokenIsTheUsersAlone(t *testing.T) {
	data := t.TempDir()
	make := func() (string, string) {
		var log strings.Builder
		file, err := EnsureUserToken(data, hclog.New(&hclog.LoggerOptions{Output: &log}))
		require.NoError(t, err)
		info, err := os.Lstat(file)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode())
		token, err := TokenFromFile(file)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(token), 40)
		require.NotContains(t, log.String(), token)
		return token, log.String()
	}
	first, said := make()
	require.Empty(t, said)
	again, _ := make()
	require.Equal(t, first, again, "it stays")

	file := UserTokenFile(data)
	require.NoError(t, os.Chmod(file, 0o640))
	fresh, said := make()
	require.NotEqual(t, first, fresh, "others may have read it")
	require.Contains(t, said, "is replaced")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	last, _ := make()
	require.NotEmpty(t, last)
	parts, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Len(t, parts, 1, "nothing is left beside it")

	elsewhere := write(t, filepath.Join(t.TempDir(), "planted"), "of-eve")
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Symlink(elsewhere, file))
	_, err = EnsureUserToken(data, hclog.NewNullLogger())
	require.ErrorContains(t, err, file+" is no file; remove it")
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	_, err = EnsureUserToken(data, hclog.NewNullLogger())
	require.ErrorContains(t, err, file+" is no file; remove it")
	_, err = EnsureUserToken(filepath.Join(data, "none"), hclog.NewNullLogger())
	require.ErrorContains(t, err, "the token of the data folder: ")
}
