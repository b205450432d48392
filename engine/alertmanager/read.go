package alertmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// The versions of the payload that Read accepts: Alertmanager's, which Mimir sends too, and
// Grafana's, which has additional fields.
const (
	Version        = "4"
	VersionGrafana = "1"
)

// Source is the prefix of the source of an alert's event. The receiver's name follows, which is
// empty for Grafana's button "Test".
const Source = "/alertmanager/"

var (
	// ErrTooMany: the payload has too many alerts.
	ErrTooMany = errors.New("too many alerts")
	// ErrTooLarge: the payload has too many JSON values, or its events would be too large.
	ErrTooLarge = errors.New("too large")
)

// payload is the body that Alertmanager sends. Fields that it may add, and those of Grafana, are
// left out.
type payload struct {
	Version     string            `json:"version"`
	GroupKey    string            `json:"groupKey"`
	Receiver    *string           `json:"receiver"`
	GroupLabels map[string]string `json:"groupLabels"`
	ExternalURL string            `json:"externalURL"`
	Alerts      []alert           `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// Read converts each alert into an event, engine.AlertFiring or engine.AlertResolved, and refuses
// more than most alerts. The event's id consists of the alert's fingerprint and times, so that
// repeated notifications, and those of several Alertmanagers in a cluster, are one event. The
// status of the alert is in engine.Event.Alert too, since an alert that fires again may have the
// same times.
//
// The error is mistake.Mistakes, or wraps ErrTooMany or ErrTooLarge.
func Read(body []byte, most int) ([]engine.Event, error) {
	p, err := decode(body)
	if err != nil {
		return nil, err
	}
	if len(p.Alerts) > most {
		return nil, fmt.Errorf("%w: %d, and at most %d are read; have the route group them by more labels", ErrTooMany, len(p.Alerts), most)
	}
	if err := p.checkSize(len(body)); err != nil {
		return nil, err
	}
	var mistakes mistake.Collector
	mistakes.Add(p.check()...)
	for i := range p.Alerts {
		for _, m := range p.Alerts[i].check() {
			m.Path = fmt.Sprintf("alerts[%d].%s", i, m.Path)
			mistakes.Add(m)
		}
	}
	if err := mistakes.Err(); err != nil {
		return nil, err
	}
	events := make([]engine.Event, len(p.Alerts))
	group := texts(p.GroupLabels)
	for i := range p.Alerts {
		events[i] = p.event(&p.Alerts[i], group)
	}
	return events, nil
}

// Truncated returns the number of alerts that the sender left out of the payload because of its
// max_alerts.
func Truncated(body []byte) uint64 {
	var p struct {
		TruncatedAlerts uint64 `json:"truncatedAlerts"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return 0
	}
	return p.TruncatedAlerts
}

func (p *payload) check() (mistakes mistake.Mistakes) {
	if p.Version != Version && p.Version != VersionGrafana {
		mistakes.Add("version", fmt.Sprintf("is %.20q, and only %q and %q (Grafana's) are read", p.Version, Version, VersionGrafana), "")
	}
	switch {
	case p.Receiver == nil:
		mistakes.Add("receiver", "is missing", "")
	case len(*p.Receiver) > longestText/4: // escaped, it is up to three times as long
		mistakes.Add("receiver", fmt.Sprintf("has more than %d bytes", longestText/4), "")
	}
	if len(p.Alerts) == 0 {
		mistakes.Add("alerts", "there are none", "")
	}
	return mistakes
}

func (a *alert) check() (mistakes mistake.Mistakes) {
	switch a.Status {
	case "firing":
	case "resolved":
		if outOfRange(a.EndsAt) {
			mistakes.Add("endsAt", "is missing or out of range, and the alert is resolved", "")
		}
	default:
		mistakes.Add("status", fmt.Sprintf("is %.20q, neither firing nor resolved", a.Status), "")
	}
	if outOfRange(a.StartsAt) {
		mistakes.Add("startsAt", "is missing or out of range", "")
	}
	if a.Fingerprint == "" {
		mistakes.Add("fingerprint", "is missing", "")
	}
	for _, f := range []struct{ name, text string }{{"fingerprint", a.Fingerprint}, {"labels.alertname", a.Labels["alertname"]}} {
		if len(f.text) > longestText || strings.ContainsFunc(f.text, unprintable) {
			mistakes.Add(f.name, fmt.Sprintf("is no plain text of at most %d bytes", longestText), "")
		}
	}
	return mistakes
}

// outOfRange reports whether a time can't be right. Alertmanager sends the zero time for one that
// is not set.
func outOfRange(t time.Time) bool { return t.Year() < 1970 || t.Year() > 2200 }

// longestText bounds the texts that an id, a source or a subject is made of, in bytes.
const longestText = 1024

func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

func (p *payload) event(a *alert, group map[string]any) engine.Event {
	e := engine.Event{
		ID: a.Fingerprint + "-" + stamp(a.StartsAt), Source: Source + url.PathEscape(unescape(*p.Receiver)),
		Type: engine.AlertFiring, Subject: a.Labels["alertname"], Time: a.StartsAt.UTC(),
	}
	data := map[string]any{
		"alertname": a.Labels["alertname"], "status": a.Status, "labels": texts(a.Labels), "annotations": texts(a.Annotations),
		"starts_at": stamp(a.StartsAt), "generator_url": a.GeneratorURL, "fingerprint": a.Fingerprint,
		"group_labels": group, "group_key": p.GroupKey, "external_url": p.ExternalURL,
	}
	if a.Status == "resolved" {
		e.ID += "-" + stamp(a.EndsAt)
		e.Type, e.Time = engine.AlertResolved, a.EndsAt.UTC()
		data["ends_at"] = stamp(a.EndsAt)
	}
	e.Data = data
	e.Alert = &engine.AlertStatus{Name: a.Fingerprint, Resolved: e.Type == engine.AlertResolved, Starts: a.StartsAt.UTC()}
	if e.Alert.Resolved {
		e.Alert.Ends = a.EndsAt.UTC()
	}
	return e
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// unescape returns the receiver's name as it is configured: Alertmanager escapes it as in a
// regular expression, `team\.x`.
func unescape(receiver string) string {
	var out strings.Builder
	for i := 0; i < len(receiver); i++ {
		if receiver[i] == '\\' && i+1 < len(receiver) && strings.IndexByte(`\.+*?()|[]{}^$`, receiver[i+1]) >= 0 {
			i++
		}
		out.WriteByte(receiver[i])
	}
	return out.String()
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
