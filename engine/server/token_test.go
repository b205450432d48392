package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestTheTokenIsReadAgainWhenItChanges(t *testing.T) {
	clock, log := engine.NewManualClock(start), &lockedLog{}
	logger := hclog.New(&hclog.LoggerOptions{Output: log})
	file := write(t, filepath.Join(t.TempDir(), "token"), "first\n")
	token, err := ReadToken(file, clock, logger)
	require.NoError(t, err)
	ada := write(t, filepath.Join(t.TempDir(), "ada"), "of-ada")
	senders, err := ReadSenders(write(t, filepath.Join(t.TempDir(), "senders.yaml"), "senders: [{name: ada, bearerToken: {file: "+ada+"}}]"), token, logger)
	require.NoError(t, err)
	o := serveAllRights(&inbox{})
	o.Token, o.Senders, o.Clock, o.Log = token, senders, clock, logger
	at := "http://" + serveOn(t, "127.0.0.1:0", o).Addr()
	status := func(token string) int {
		clock.Advance(refusalWindow) // so that none is slowed
		status, _ := get(t, at+"/v1/seen", token, "")
		return status
	}
	require.Equal(t, 200, status("first"))
	write(t, file, "second")
	require.Equal(t, 401, status("first"))
	require.Equal(t, 200, status("second"))

	// After an invalid file the last token is accepted for ten minutes.
	for name, broken := range map[string]func(){
		"gone": func() { require.NoError(t, os.Remove(file)) }, "empty": func() { write(t, file, " \n") }, "of two words": func() { write(t, file, "one two") },
	} {
		write(t, file, "second")
		require.Equal(t, 200, status("second"), name)
		broken()
		require.Equal(t, 200, status("second"), name)
		require.Equal(t, 401, status(""), "%s: it never opens", name)
		clock.Advance(tokenGracePeriod)
		require.Equal(t, 401, status("second"), name)
		require.Equal(t, 401, status(""), name)
	}
	require.Contains(t, log.String(), "the last good token is good for another 10m0s")
	require.Contains(t, log.String(), "a token is not taken any more")
	write(t, file, "third")
	require.Equal(t, 200, status("third"))

	// A token of both a sender and the operator has the rights of the sender.
	write(t, ada, "third")
	require.Equal(t, 403, status("third"))
	require.Contains(t, log.String(), "the token of a sender is that of --token-file by now")
	write(t, ada, "of-ada")
	require.Equal(t, 200, status("third"))
	write(t, file, "of-ada")
	require.Equal(t, 403, status("of-ada"))
	for _, secret := range []string{"first", "second", "third"} {
		require.NotContains(t, log.String(), secret)
	}
}

func TestATokenOfTwoSendersIsNobodys(t *testing.T) {
	a, b := write(t, filepath.Join(t.TempDir(), "a"), "of-a"), write(t, filepath.Join(t.TempDir(), "b"), "of-b")
	o := serveAllRights(&inbox{})
	o.Senders = sendersOf(t, "senders: [{name: a, rights: [read], bearerToken: {file: "+a+"}}, {name: b, bearerToken: {file: "+b+"}}]")
	at := "http://" + serveOn(t, "127.0.0.1:0", o).Addr()
	status, _ := get(t, at+"/v1/seen", "of-a", "")
	require.Equal(t, 200, status)
	write(t, b, "of-a")
	status, answer := get(t, at+"/v1/seen", "of-a", "")
	require.Equal(t, 401, status)
	require.Contains(t, answer, "a and b have the same token by now, and can't be told apart; change one")
}

func TestATokenThatIsNoneIsAnErrorAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for text, want := range map[string]string{"": " is empty", "\n": " is empty", "hunter2 hunter2": " is no token", "hunter2\nhunter2": " is no token", "hunter\u00e9": " is no token"} {
		write(t, file, text)
		_, err := ReadToken(file, engine.NewManualClock(start), hclog.NewNullLogger())
		require.ErrorContains(t, err, file+want)
		require.NotContains(t, err.Error(), "hunter")
	}
	require.NoError(t, os.Remove(file))
	_, err := ReadToken(file, engine.NewManualClock(start), hclog.NewNullLogger())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, "", (*Token)(nil).current())
	require.False(t, (*Token)(nil).matches(""))
}
