package server

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const twoAlerts = `{"version":"4","receiver":"scanflow","status":"firing","groupKey":"{}:{}","groupLabels":{},"externalURL":"http://am","alerts":[
{"status":"firing","labels":{"alertname":"High"},"annotations":{},"startsAt":"2026-03-01T02:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"f1"},
{"status":"resolved","labels":{"alertname":"Low"},"annotations":{},"startsAt":"2026-03-01T01:00:00Z","endsAt":"2026-03-01T01:30:00Z","generatorURL":"","fingerprint":"f2"}]}`

func TestAlertsComeInAsEvents(t *testing.T) {
	b := &inbox{verdict: map[string]engine.ReceiptVerdict{}}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take}).Addr() + "/v1/alerts"
	send := func(body, kind string) (int, string) {
		status, _, answer := post(t, http.DefaultClient, address, body, "Content-Type", kind)
		return status, answer
	}
	status, answer := send(twoAlerts, "application/json")
	require.Equal(t, 202, status)
	require.Equal(t, `{"receipts":[{"id":"f1-2026-03-01T02:00:00Z","source":"/alertmanager/scanflow","verdict":"accepted"},`+
		`{"id":"f2-2026-03-01T01:00:00Z-2026-03-01T01:30:00Z","source":"/alertmanager/scanflow","verdict":"accepted"}]}`, answer)
	require.Equal(t, []string{engine.AlertFiring, engine.AlertResolved}, []string{b.events[0].Type, b.events[1].Type})
	require.Equal(t, []engine.Sender{{Name: engine.OperatorSender}}, b.from)

	b.verdict[engine.AlertFiring], b.verdict[engine.AlertResolved] = engine.UnwantedEvent, engine.UnwantedEvent
	status, _ = send(twoAlerts, "application/json")
	require.Equal(t, 202, status, "alerts that nobody waits for are no failed notification")
	b.verdict[engine.AlertFiring] = engine.RefusedEvent
	status, _ = send(twoAlerts, "application/json")
	require.Equal(t, 202, status)
	b.verdict[engine.AlertResolved] = engine.RefusedEvent
	status, answer = send(twoAlerts, "application/json; charset=utf-8")
	require.Equal(t, 403, status, "one from whom nothing is taken should hear of it")
	require.Contains(t, answer, "as told")

	status, answer = send(`{"version":"3","receiver":"r","alerts":[{}]}`, "application/json")
	require.Equal(t, 400, status)
	require.Contains(t, answer, `"mistakes":["version: is \"3\", and only \"4\" and \"1\" (Grafana's) are read","alerts[0].status: `)
	status, answer = send(twoAlerts, "text/plain")
	require.Equal(t, 415, status)
	require.Contains(t, answer, "alerts come as application/json")
	status, answer = send(strings.Replace(twoAlerts, "[", "["+strings.Repeat("{},", maxGroupAlerts), 1), "application/json")
	require.Equal(t, 413, status)
	require.Contains(t, answer, "too many alerts: 5002, and at most 5000 are read")
	b.err = engine.Retry(engine.ErrFull)
	status, _ = send(twoAlerts, "application/json")
	require.Equal(t, 503, status, "Alertmanager tries again")
}

// A notification says how many alerts the sender left out, which is logged.
func TestAlertsThatAreLeftOutAreSaid(t *testing.T) {
	log := &bytes.Buffer{}
	b := &inbox{verdict: map[string]engine.ReceiptVerdict{}}
	address := "http://" + serveOn(t, "127.0.0.1:0", Options{Receive: b.take, Log: hclog.New(&hclog.LoggerOptions{Output: log})}).Addr() + "/v1/alerts"
	for _, left := range []string{"0", "17", "18"} {
		status, _, _ := post(t, http.DefaultClient, address, strings.Replace(twoAlerts, `{"version"`, `{"truncatedAlerts":`+left+`,"version"`, 1), "Content-Type", "application/json")
		require.Equal(t, 202, status)
	}
	require.Equal(t, 1, strings.Count(log.String(), "their sender leaves them out"), "one line in a while: %s", log)
	require.Contains(t, log.String(), "alerts=17")
}
