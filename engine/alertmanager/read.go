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

// The versions of the payload that are read: Alertmanager's, which Mimir's is too, and
// Grafana's, which has the same fields and more.
const (
	Version        = "4"
	VersionGrafana = "1"
)

// Source is how the source of an alert's event begins; the receiver's name follows, which
// Grafana's button "Test" leaves empty.
const Source = "/alertmanager/"

var (
	// ErrTooMany is a payload with more alerts than are read.
	ErrTooMany = errors.New("too many alerts")
	// ErrTooLarge is one with more JSON values than are read, or whose events would be too
	// large.
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

// Read makes an event of each alert, engine.AlertFiring or engine.AlertResolved. Its
// id is made of the alert's fingerprint and times: Alertmanager repeats an alert that
// lasts, and each of several that run together sends it, and all that is one event. What
// it says of the alert goes with it (engine.Event.Alert), since one that fires again may
// have the times of before.
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
	if err := p.fits(len(body)); err != nil {
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

// LeftOut is how many alerts of a group its sender says to have left out (Alertmanager's and
// Grafana's max_alerts); 0 where it does not say.
func LeftOut(body []byte) uint64 {
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
		if out(a.EndsAt) {
			mistakes.Add("endsAt", "is missing or out of range, and the alert is resolved", "")
		}
	default:
		mistakes.Add("status", fmt.Sprintf("is %.20q, neither firing nor resolved", a.Status), "")
	}
	if out(a.StartsAt) {
		mistakes.Add("startsAt", "is missing or out of range", "")
	}
	if a.Fingerprint == "" {
		mistakes.Add("fingerprint", "is missing", "")
	}
	for _, f := range []struct{ name, text string }{{"fingerprint", a.Fingerprint}, {"labels.alertname", a.Labels["alertname"]}} {
		if len(f.text) > longestText || strings.ContainsFunc(f.text, odd) {
			mistakes.Add(f.name, fmt.Sprintf("is no plain text of at most %d bytes", longestText), "")
		}
	}
	return mistakes
}

// out of range is the zero time too, which Alertmanager sends for one that is not set.
func out(t time.Time) bool { return t.Year() < 1970 || t.Year() > 2200 }

// longestText is that of what becomes an id or a subject, in bytes.
const longestText = 1024

func odd(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

func (p *payload) event(a *alert, group map[string]any) engine.Event {
	e := engine.Event{
		ID: a.Fingerprint + "-" + stamp(a.StartsAt), Source: Source + url.PathEscape(plain(*p.Receiver)),
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

// plain is the receiver's name as it is configured: Alertmanager sends it escaped as
// in a regular expression, `team\.x`.
func plain(receiver string) string {
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
