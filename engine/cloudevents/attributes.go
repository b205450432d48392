package cloudevents

import (
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// The extension attributes of our own.
const (
	// attributeHops holds engine.Event.Hops, a whole number.
	attributeHops = "scanflowhops"
	// attributeSender holds engine.Event.Sender, which is trusted from a peer only.
	attributeSender = "scanflowsender"
)

// known are the attributes that are read; any other is ignored.
var known = map[string]bool{
	"id": true, "source": true, "type": true, "specversion": true, "subject": true, "time": true,
	"datacontenttype": true, "dataschema": true, attributeHops: true, attributeSender: true,
}

// attributeName matches the names that the specification allows.
var attributeName = regexp.MustCompile(`^[a-z0-9]+$`)

// draft is an event that is being read: its attributes as strings, and the mistakes found.
type draft struct {
	attributes map[string]string
	mistakes   mistake.Collector
}

func (d *draft) bad(name, message, fix string) {
	d.mistakes.Add(mistake.Mistake{Path: name, Message: message, Fix: fix})
}

// quoteName returns a name for messages, quoted if it is not a valid one.
func quoteName(name string) string {
	if len(name) <= longestShown && attributeName.MatchString(name) {
		return name
	}
	return quote(name)
}

// checkName reports whether a name may be that of an attribute, and adds a mistake if not.
func (d *draft) checkName(name string) bool {
	if attributeName.MatchString(name) {
		return true
	}
	fix := ""
	if low := strings.ToLower(name); known[low] {
		fix = "write " + low
	}
	d.bad(quoteName(name), "is no attribute: they have lower-case letters and digits only", fix)
	return false
}

// event returns the event of the attributes, without data.
func (d *draft) event(now time.Time) engine.Event {
	if version, there := d.attributes["specversion"]; !there {
		d.bad("specversion", "is missing", "write "+event.CloudEventsVersionV1)
	} else if version != event.CloudEventsVersionV1 {
		d.bad("specversion", quote(version)+" is not read", "write "+event.CloudEventsVersionV1)
	}
	e := engine.Event{
		ID: d.text("id", true), Source: d.text("source", true), Type: d.text("type", true), Subject: d.text("subject", false),
		Time: d.time(now), Hops: d.hops(), Sender: d.text(attributeSender, false),
	}
	if _, err := url.Parse(e.Source); err != nil {
		d.bad("source", "is not a URI reference", "")
	}
	if written, there := d.attributes["datacontenttype"]; there && written != "" {
		if _, _, err := mime.ParseMediaType(written); err != nil {
			d.bad("datacontenttype", quote(written)+" is not a media type", "")
		} else if len(written) > engine.MaxAttributeBytes {
			d.tooLong("datacontenttype", written)
		}
	}
	return e
}

// text returns a string attribute, and adds a mistake if it is present and empty.
func (d *draft) text(name string, required bool) string {
	value, there := d.attributes[name]
	switch {
	case !there && required:
		d.bad(name, "is missing", "")
	case !there:
	case strings.TrimSpace(value) == "":
		d.bad(name, "is empty", "")
	case len(value) > engine.MaxAttributeBytes:
		d.tooLong(name, value)
	case strings.ContainsFunc(value, engine.Unprintable):
		d.bad(name, "holds a character that no attribute may have", "")
	}
	return value
}

func (d *draft) tooLong(name, value string) {
	d.bad(name, fmt.Sprintf("has %d bytes", len(value)), fmt.Sprintf("at most %d are read", engine.MaxAttributeBytes))
}

func (d *draft) time(now time.Time) time.Time {
	written, there := d.attributes["time"]
	if !there {
		return now
	}
	t, err := time.Parse(time.RFC3339Nano, written)
	switch {
	case err != nil:
		d.bad("time", quote(written)+" is not a time of RFC 3339", "write it like 2026-03-01T03:00:00Z")
	case t.Year() < 1970 || t.Year() > 2200:
		d.bad("time", quote(written)+" is out of range", "")
	}
	return t.UTC()
}

func (d *draft) hops() int {
	written, there := d.attributes[attributeHops]
	if !there {
		return 0
	}
	n, err := strconv.ParseInt(written, 10, 32) // an Integer of CloudEvents has 32 bits
	if err != nil || n < 0 {
		d.bad(attributeHops, quote(written)+" is not a whole number of 0 or more", "")
		return 0
	}
	return int(n)
}
