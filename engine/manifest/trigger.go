package manifest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	// The host may have no time zone database.
	_ "time/tzdata"

	"github.com/robfig/cron/v3"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// minEvery prevents a busy loop because of a typing error, such as 1ms for 1m.
const minEvery = 100 * time.Millisecond

var triggerKinds = []string{"every", "cron", "at", "event", "alert", "watch"}

func (v *validator) triggers(p *fieldPath) {
	names := map[string]int{}
	for i, t := range v.agent.Spec.Triggers {
		at := p.item(i)
		v.uniqueName(at.field("name"), t.Name, names, "a trigger")
		v.triggerKind(at)
		v.every(at, t)
		v.cron(at, t)
		v.watch(at.field("watch"), t.Watch)
		v.wait(at, t)
		if t.Event != nil {
			v.event(at.field("event"), t.Event)
		}
		if t.Alert != nil {
			v.alert(at.field("alert"), t.Alert)
		}
	}
}

// minWait is about the first interval at which a waiting event is retried.
const minWait = time.Second

func (v *validator) wait(p *fieldPath, t Trigger) {
	at := p.field("wait")
	switch {
	case !v.written(at):
	case !v.has(p.field("event")) && !v.has(p.field("alert")):
		v.reject(at, "goes with event or alert only", "leave it out")
	case v.readable(at) && t.Wait.Duration < minWait:
		v.reject(at, t.Wait.String()+" is too short", "write "+minWait.String()+" or more, or leave it out")
	}
}

func (v *validator) event(p *fieldPath, e *EventTrigger) {
	if v.readable(p) && strings.TrimSpace(e.Type) != e.Type {
		v.reject(p.field("type"), "has white space around it", "cut it")
	}
	v.senders(p.field("from"), e.From)
}

const alertNameFix = "write one of the two"

func (v *validator) alert(p *fieldPath, a *AlertTrigger) {
	if label := p.field("matchLabels").field("alertname"); v.has(label) && v.has(p.field("name")) {
		v.reject(label, "is the alert's name, as name is", alertNameFix)
	}
	v.senders(p.field("from"), a.From)
}

const (
	sendersEmpty = "names nobody, so that nothing would ever fire"
	senderFix    = "write an agent as namespace/name, or the name of a sender in --senders"
)

func (v *validator) senders(p *fieldPath, from []string) {
	if v.written(p) && len(from) == 0 {
		v.reject(p, sendersEmpty, senderFix)
	}
	names := map[string]bool{}
	for i, name := range from {
		at := p.item(i)
		v.distinct(at, name, names)
		if v.readable(at) && !senderName.MatchString(name) {
			v.rejectForm(at, name, senderName)
		}
	}
}

func (v *validator) triggerKind(p *fieldPath) {
	set, complete := v.presentKeys(p, triggerKinds, fieldNames(fieldsOf(reflect.TypeFor[Trigger]())))
	switch {
	case len(set) > 1:
		v.reject(p, "has "+list(set)+" together", "keep one, and make a trigger of each other")
	case len(set) == 0 && complete:
		v.reject(p, "says not when to fire", "add one of "+list(triggerKinds))
	}
}

func (v *validator) every(p *fieldPath, t Trigger) {
	every, jitter := p.field("every"), p.field("jitter")
	if v.written(every) && t.Every.Duration < minEvery {
		v.reject(every, t.Every.String()+" is too short", "write "+minEvery.String()+" or more")
	}
	switch {
	case !v.written(jitter):
	case !v.has(every):
		v.reject(jitter, "goes with every only", "leave it out")
	case v.readable(every) && t.Jitter.Duration >= t.Every.Duration:
		v.reject(jitter, fmt.Sprintf("%s is not less than every (%s)", t.Jitter, t.Every), "make it shorter")
	}
}

func (v *validator) cron(p *fieldPath, t Trigger) {
	expression, zone := p.field("cron"), p.field("timezone")
	if v.written(zone) {
		if !v.has(expression) {
			v.reject(zone, "goes with cron only", "leave it out")
		}
		if _, err := location(t.Timezone); err != nil {
			v.rejectError(zone, err)
		}
	}
	if v.written(expression) {
		if _, err := schedule(t.Cron, "UTC"); err != nil {
			v.rejectError(expression, err)
		}
	}
}

func (v *validator) watch(p *fieldPath, w *WatchTrigger) {
	if w == nil {
		return
	}
	if w.Namespace != allNamespaces {
		v.dnsLabel(p.field("namespace"), w.Namespace)
	}
	v.dnsName(p.field("name"), w.Name)
	if at := p.field("field"); v.written(at) && !watchedField.MatchString(w.Field) {
		v.rejectForm(at, w.Field, watchedField)
	}
}

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || loc == time.Local {
		return nil, mistake.Mistake{Message: quote(zone) + " is not a time zone", Fix: "write a name of the IANA database, like Europe/Madrid"}
	}
	return loc, nil
}

const cronFix = "write five fields (minute hour day month weekday), like 0 3 * * *, or one of @hourly, @daily, @weekly, @monthly, @yearly"

// leapYear is before a 29th of February, so that an expression for that day has a next time.
var leapYear = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// schedule parses a cron expression. It rejects a time zone or an interval inside it, which
// have their own fields.
func schedule(expression, zone string) (engine.Schedule, error) {
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	trimmed := strings.TrimSpace(expression)
	switch {
	case strings.HasPrefix(trimmed, "TZ="), strings.HasPrefix(trimmed, "CRON_TZ="):
		return nil, mistake.Mistake{Message: quote(expression) + " has its time zone inside", Fix: "write it in timezone"}
	case strings.HasPrefix(trimmed, "@every"):
		return nil, mistake.Mistake{Message: quote(expression) + " is an interval", Fix: "write it in every"}
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(trimmed)
	if err != nil {
		return nil, mistake.Mistake{Message: fmt.Sprintf("%s is not a cron expression (%v)", quote(expression), err), Fix: cronFix}
	}
	times, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, mistake.Mistake{Message: quote(expression) + " is not a cron expression", Fix: cronFix}
	}
	times.Location = time.UTC
	if times.Next(leapYear).IsZero() {
		return nil, mistake.Mistake{Message: quote(expression) + " never comes", Fix: cronFix}
	}
	return &wallClock{times: times, zone: loc}, nil
}
