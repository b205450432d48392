package hostile

import (
	"fmt"
	"strings"
)

// alert is a valid alert, if the additional fields are valid.
func alert(fingerprint, more string) string {
	return `{"status":"firing","startsAt":"2026-03-01T02:00:00Z","fingerprint":"` + fingerprint + `"` + more + `}`
}

func group(more string, alerts ...string) string {
	return `{"version":"4","receiver":"hostile"` + more + `,"alerts":[` + strings.Join(alerts, ",") + `]}`
}

// alerts are notifications that Alertmanager does not send.
func alerts(large int) (out []Payload) {
	add := func(name, body string, status ...int) {
		out = append(out, Payload{Name: name, Path: "/v1/alerts", Headers: []string{"Content-Type", "application/json"}, Body: body, Status: status})
	}
	labels := func(n int) string {
		return `,"labels":{"alertname":"` + Secret + `",` + members(n, `"l%d":"x"`) + "}"
	}
	several := func(n int, more string) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = alert(fmt.Sprintf("%d-%d", n, i), more)
		}
		return all
	}
	add("thousands of labels", group("", alert("labels", labels(min(large/20, 20_000)))), 202)
	add("hundred thousands of labels", group("", alert("many labels", labels(large/16))), 413)
	add("thousands of labels of the group", group(`,"groupLabels":{`+members(min(large/20, 20_000), `"l%d":"x"`)+"}", several(50, "")...), 202, 413)
	add("large labels of the group for many alerts", group(`,"groupLabels":{"l":"`+repeat("x", large/2)+`"}`, several(1000, "")...), 413)
	add("a large key of the group for many alerts", group(`,"groupKey":"`+repeat("x", large/2)+`"`, several(1000, "")...), 413)
	add("a huge annotation", group("", alert("huge", `,"annotations":{"summary":"`+Secret+repeat("x", large)+`"}`)), 202)
	add("an annotation of escapes", group("", alert("escapes", `,"annotations":{"summary":"`+repeat(`\u001b`, large)+`"}`)), 202)
	add("one alert too many", group("", several(5001, "")...), 413)
	add("alerts by hundred thousands", group("", list("{}", large)), 400, 413)
	add("thousands of bad alerts", group("", strings.Repeat("{},", 4000)+"{}"), 400)
	add("no alerts", group(""), 400)
	add("alerts twice", group(`,"alerts":[`+alert("a", "")+"]", alert("b", "")), 400)
	add("alerts that are no list", `{"version":"4","receiver":"r","alerts":{}}`, 400)
	add("alerts that are nothing", `{"version":"4","receiver":"r","alerts":null}`, 400)
	add("a label that is a list", group("", alert("list", `,"labels":{"a":[]}`)), 400)
	add("a fingerprint of 1 MB", group("", alert(repeat("f", min(large, 1<<20)), "")), 400)
	add("a line break in a fingerprint", group("", alert(`a\nb`, "")), 400)
	add("an escape sequence for a name", group("", alert("name", `,"labels":{"alertname":"\u001b[2J"}`)), 400)
	add("a name of 1 MB", group("", alert("long name", `,"labels":{"alertname":"`+repeat("n", min(large, 1<<20))+`"}`)), 400)
	add("a time of 1 MB", strings.Replace(group("", alert("time", "")), "2026-03-01T02:00:00Z", repeat("9", min(large, 1<<20)), 1), 400)
	add("a time before time of an alert", strings.Replace(group("", alert("before", "")), "2026", "0001", 1), 400)
	add("a status of 1 MB", strings.Replace(group("", alert("status", "")), "firing", repeat("s", min(large, 1<<20)), 1), 400)
	add("a version of 1 MB", strings.Replace(group("", alert("version", "")), `"4"`, `"`+repeat("4", min(large, 1<<20))+`"`, 1), 400)
	add("a receiver of 1 MB", strings.Replace(group("", alert("receiver", "")), "hostile", repeat("r", min(large, 1<<20)), 1), 400)
	add("empty arrays in a field of its own", group(`,"more":`+list("[]", large), alert("own", "")), 413)
	add("nesting in a field of its own", group(`,"more":`+repeat("[", large), alert("nested", "")), 400)
	add("a huge exponent in a field of its own", group(`,"more":1e100000`, alert("exponent", "")), 400)
	add("bad UTF-8 in an alert", group("", alert("\xff", "")), 400)
	add("an alert cut short", group("", alert("cut", ""))[:60], 400)
	return out
}
