package alertmanager_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/alertmanager"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/server/hostile"
)

// payload is a payload of Alertmanager 0.27 for a group of two alerts, of the receiver
// "team.x/scanflow".
const payload = `{"receiver":"team\\.x/scanflow","status":"firing","alerts":[
{"status":"firing","labels":{"alertname":"LatencyHigh","deployment":"digits","namespace":"digits","severity":"page"},"annotations":{"summary":"p99 is 900 ms"},
 "startsAt":"2026-03-01T03:00:00.123+01:00","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom:9090/graph?g0.expr=a","fingerprint":"c6eadffa33fcdf37"},
{"status":"resolved","labels":{"alertname":"LatencyHigh","deployment":"other"},"annotations":{},
 "startsAt":"2026-03-01T01:00:00Z","endsAt":"2026-03-01T02:30:00Z","generatorURL":"","fingerprint":"bc97ff14869b13e3"}],
"groupLabels":{"alertname":"LatencyHigh"},"commonLabels":{"alertname":"LatencyHigh"},"commonAnnotations":{},"externalURL":"http://am:9093","version":"4","groupKey":"{}:{alertname=\"LatencyHigh\"}","truncatedAlerts":0}`

func TestAnEventOfEachAlert(t *testing.T) {
	events, err := alertmanager.Read([]byte(payload), 10)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Event{
		{
			ID: "c6eadffa33fcdf37-2026-03-01T02:00:00.123Z", Source: "/alertmanager/team.x%2Fscanflow", Type: engine.AlertFiring, Subject: "LatencyHigh",
			Time:  time.Date(2026, 3, 1, 2, 0, 0, 123e6, time.UTC),
			Alert: &engine.AlertStatus{Name: "c6eadffa33fcdf37", Starts: time.Date(2026, 3, 1, 2, 0, 0, 123e6, time.UTC)},
			Data: map[string]any{
				"alertname": "LatencyHigh", "status": "firing", "fingerprint": "c6eadffa33fcdf37",
				"labels":      map[string]any{"alertname": "LatencyHigh", "deployment": "digits", "namespace": "digits", "severity": "page"},
				"annotations": map[string]any{"summary": "p99 is 900 ms"}, "starts_at": "2026-03-01T02:00:00.123Z", "generator_url": "http://prom:9090/graph?g0.expr=a",
				"group_labels": map[string]any{"alertname": "LatencyHigh"}, "group_key": `{}:{alertname="LatencyHigh"}`, "external_url": "http://am:9093",
			},
		},
		{
			ID: "bc97ff14869b13e3-2026-03-01T01:00:00Z-2026-03-01T02:30:00Z", Source: "/alertmanager/team.x%2Fscanflow", Type: engine.AlertResolved, Subject: "LatencyHigh",
			Time:  time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC),
			Alert: &engine.AlertStatus{Name: "bc97ff14869b13e3", Resolved: true, Starts: time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC), Ends: time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)},
			Data: map[string]any{
				"alertname": "LatencyHigh", "status": "resolved", "fingerprint": "bc97ff14869b13e3",
				"labels": map[string]any{"alertname": "LatencyHigh", "deployment": "other"}, "annotations": map[string]any{},
				"starts_at": "2026-03-01T01:00:00Z", "ends_at": "2026-03-01T02:30:00Z", "generator_url": "",
				"group_labels": map[string]any{"alertname": "LatencyHigh"}, "group_key": `{}:{alertname="LatencyHigh"}`, "external_url": "http://am:9093",
			},
		},
	}, events))
}

func TestARepeatedAlertIsTheSameEvent(t *testing.T) {
	read := func(text string) engine.Event {
		events, err := alertmanager.Read([]byte(text), 10)
		require.NoError(t, err)
		return events[0]
	}
	first := read(payload)
	// Another of the cluster writes the same moment in another zone, and more fields.
	again := read(strings.NewReplacer("2026-03-01T03:00:00.123+01:00", "2026-03-01T02:00:00.123Z", `"truncatedAlerts":0`, `"truncatedAlerts":0,"new":[1]`).Replace(payload))
	require.Equal(t, first, again)
	later := read(strings.Replace(payload, "2026-03-01T03:00:00.123+01:00", "2026-03-01T04:00:00Z", 1))
	require.NotEqual(t, first.ID, later.ID, "it fired again")
	ended := read(strings.NewReplacer(`"status":"firing","labels"`, `"status":"resolved","labels"`, "0001-01-01T00:00:00Z", "2026-03-01T05:00:00Z").Replace(payload))
	require.NotEqual(t, first.ID, ended.ID, "its end is another event")
}

// grafana has the bodies that Grafana 11 sends: of an alert, and of its button "Test".
var grafana = map[string]string{
	"an alert": `{"receiver":"scanflow","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"QueueLong","grafana_folder":"serving","model":"digits"},
"annotations":{"summary":"the queue grows"},"startsAt":"2026-03-01T03:00:00.92607674+01:00","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.example/alerting/grafana/q1/view?orgId=1",
"fingerprint":"8d1c1d2a4c5a1b7e","silenceURL":"https://grafana.example/alerting/silence/new?matcher=x","dashboardURL":"https://grafana.example/d/1","panelURL":"","ruleUID":"q1",
"values":{"A":41.5,"C":1},"valueString":"[ var='A' labels={model=digits} value=41.5 ]","imageURL":"https://grafana.example/i.png","orgId":1,"enrichments":{"items":[]}}],
"groupLabels":{"alertname":"QueueLong"},"commonLabels":{},"commonAnnotations":null,"externalURL":"https://grafana.example/","appVersion":"11.6.0","version":"1","groupKey":"{}/{}:{alertname=\"QueueLong\"}",
"truncatedAlerts":0,"title":"[FIRING:1] QueueLong serving","state":"alerting","message":"**Firing**"}`,
	"no values, no annotations": `{"receiver":"scanflow","status":"resolved","orgId":1,"alerts":[{"status":"resolved","labels":{"alertname":"QueueLong"},"annotations":null,
"startsAt":"2026-03-01T03:00:00.92607674+01:00","endsAt":"2026-03-01T03:10:00.000000001+01:00","generatorURL":"","fingerprint":"8d1c1d2a4c5a1b7e","values":null,"valueString":""}],
"groupLabels":null,"externalURL":"","version":"1","groupKey":"","truncatedAlerts":2,"title":"","state":"ok","message":""}`,
	"its test": `{"receiver":"","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"TestAlert","instance":"Grafana"},"annotations":{"summary":"Notification test"},
"startsAt":"2026-03-01T02:00:00.123456789Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"57c6d9296de2ad39","silenceURL":"https://grafana.example/alerting/silence/new",
"dashboardURL":"","panelURL":"","values":null,"valueString":"[ metric='foo' labels={instance=bar} value=10 ]"}],"groupLabels":{},"commonLabels":{},"commonAnnotations":{},
"externalURL":"https://grafana.example/","version":"1","groupKey":"{alertname=\"TestAlert\", instance=\"Grafana\"}2026-03-01","truncatedAlerts":0,"orgId":1,"title":"[FIRING:1]","state":"alerting","message":"x"}`,
}

func TestWhatGrafanaSendsIsRead(t *testing.T) {
	for name, want := range map[string]engine.Event{
		"an alert": {ID: "8d1c1d2a4c5a1b7e-2026-03-01T02:00:00.92607674Z", Source: "/alertmanager/scanflow", Type: engine.AlertFiring, Subject: "QueueLong"},
		"no values, no annotations": {ID: "8d1c1d2a4c5a1b7e-2026-03-01T02:00:00.92607674Z-2026-03-01T02:10:00.000000001Z", Source: "/alertmanager/scanflow",
			Type: engine.AlertResolved, Subject: "QueueLong"},
		"its test": {ID: "57c6d9296de2ad39-2026-03-01T02:00:00.123456789Z", Source: "/alertmanager/", Type: engine.AlertFiring, Subject: "TestAlert"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := alertmanager.Read([]byte(grafana[name]), 10)
			require.NoError(t, err)
			require.Len(t, events, 1)
			got := events[0]
			require.Equal(t, want, engine.Event{ID: got.ID, Source: got.Source, Type: got.Type, Subject: got.Subject})
		})
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"all": {`{"version":"3","alerts":[{},{"status":"resolved","startsAt":"2026-03-01T01:00:00Z","fingerprint":"a\nb","labels":{"alertname":"\ud800"}},
			{"status":"firing","startsAt":"2026-03-01T01:00:00Z","fingerprint":"f"}]}`, []string{
			`version: is "3", and only "4" and "1" (Grafana's) are read`, "receiver: is missing",
			`alerts[0].status: is "", neither firing nor resolved`, "alerts[0].startsAt: is missing or out of range", "alerts[0].fingerprint: is missing",
			"alerts[1].endsAt: is missing or out of range, and the alert is resolved", "alerts[1].fingerprint: is no plain text of at most 1024 bytes",
			"alerts[1].labels.alertname: is no plain text of at most 1024 bytes",
		}},
		"a long receiver": {`{"version":"1","receiver":"` + strings.Repeat("x", 257) + `","alerts":[]}`, []string{"receiver: has more than 256 bytes", "alerts: there are none"}},
		"what vmalert and Prometheus send to an Alertmanager": {`[{"labels":{"alertname":"a"},"startsAt":"2026-03-01T01:00:00Z"}]`,
			[]string{"the body is not what Alertmanager sends: it is a list of alerts, as Prometheus and vmalert send them to an Alertmanager; have the Alertmanager send them here"}},
		"no alerts":    {`{"version":"4","receiver":"r","alerts":[]}`, []string{"alerts: there are none"}},
		"another type": {`{"version":4}`, []string{"the body is not what Alertmanager sends: version: must not be a JSON number"}},
		"cut short":    {payload[:100], []string{"the body is not what Alertmanager sends: alerts[0].labels is cut short"}},
		"no JSON":      {"<html>", []string{"the body is not what Alertmanager sends: it has '<' at byte 1, where a value belongs"}},
		"no UTF-8":     {"\xff", []string{"the body is not UTF-8"}},
		"no time":      {strings.Replace(payload, "2026-03-01T01:00:00Z", "yesterday", 1), []string{`the body is not what Alertmanager sends: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`}},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := alertmanager.Read([]byte(c.body), 10)
			var mistakes mistake.Mistakes
			require.ErrorAs(t, err, &mistakes)
			require.Equal(t, c.want, mistakes.Lines())
			require.Nil(t, events)
		})
	}
	_, err := alertmanager.Read([]byte(payload), 1)
	require.ErrorIs(t, err, alertmanager.ErrTooMany)
	require.ErrorContains(t, err, "2, and at most 1 are read")
}

// Any payload is read as one event per alert, or as an error.
func FuzzRead(f *testing.F) {
	for _, p := range hostile.Payloads(3000) {
		f.Add([]byte(p.Body))
	}
	for _, body := range grafana {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := alertmanager.Read(body, 10)
		if err != nil {
			require.Nil(t, events)
			require.NotEmpty(t, err.Error())
			require.Less(t, len(err.Error()), 20<<10, "little of what was sent comes back")
			require.False(t, strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), unicode.IsControl), "%q", err)
			return
		}
		require.NotEmpty(t, events)
		require.LessOrEqual(t, len(events), 10)
		for _, e := range events {
			require.NotEmpty(t, e.ID)
			require.True(t, strings.HasPrefix(e.Source, alertmanager.Source))
			require.Contains(t, []string{engine.AlertFiring, engine.AlertResolved}, e.Type)
			require.LessOrEqual(t, len(e.Source), 1024)
			require.False(t, e.Time.IsZero())
			require.NotEmpty(t, e.Alert.Name)
		}
	})
}

func TestTruncated(t *testing.T) {
	for body, want := range map[string]uint64{
		`{"truncatedAlerts": 3, "alerts": []}`: 3, `{"truncatedAlerts": 0}`: 0, `{}`: 0, `{"truncatedAlerts": -1}`: 0, `{"truncatedAlerts": "3"}`: 0, `no`: 0,
	} {
		require.Equal(t, want, alertmanager.Truncated([]byte(body)), body)
	}
}
