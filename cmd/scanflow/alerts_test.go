package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// receivedIDs returns the ids of the events that triggered the worker, each once, in order.
func (s *site) receivedIDs() (ids []string) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	for _, body := range s.app.body {
		var told struct{ Event string }
		require.NoError(s.t, json.Unmarshal([]byte(body), &told))
		if !slices.Contains(ids, told.Event) {
			ids = append(ids, told.Event)
		}
	}
	return ids
}

// A Prometheus that was cut off from its Alertmanager keeps the old startsAt. The alert
// fires, ends and fires again, and the agent gets each of them, whatever is killed
// meanwhile and however often each is sent.
func TestAnAlertThatFiresAgainIsHeardThroughKills(t *testing.T) {
	for name, c := range map[string]struct {
		trigger string
		want    int
	}{
		"both":            {"alert: {status: any}", 6},
		"when it begins":  {"alert: {name: ModelDown}", 3},
		"when it is over": {"alert: {status: resolved}", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.worker("enforce", c.trigger)
			send := func(d *daemon, status, ends string) {
				t.Helper()
				code, body := d.post("/v1/alerts", "application/json", fmt.Sprintf(`{"receiver": "scanflow", "status": %[1]q, "version": "4", "groupKey": "g", "alerts": [{"status": %[1]q,
					"labels": {"alertname": "ModelDown"}, "annotations": {}, "startsAt": "2026-11-29T20:00:00Z", "endsAt": %[2]q, "generatorURL": "", "fingerprint": "ff"}]}`, status, ends))
				require.Equal(t, http.StatusAccepted, code, body)
			}
			for _, ends := range []string{"", "20:10", "", "20:20", "", "20:30"} {
				for range 2 {
					d := startDaemon(t, s.workerArgs()...)
					if ends == "" {
						send(d, "firing", "0001-01-01T00:00:00Z")
					} else {
						send(d, "resolved", "2026-11-29T"+ends+":00Z")
					}
					d.kill()
				}
			}
			d := startDaemon(t, s.workerArgs()...)
			require.Eventually(t, func() bool { return len(s.receivedIDs()) >= c.want }, 20*time.Second, 10*time.Millisecond)
			d.stop()
			require.Len(t, s.receivedIDs(), c.want, strings.Join(s.receivedIDs(), "\n"))
		})
	}
}
