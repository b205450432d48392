package demo

import (
	"fmt"
	"regexp"
	"time"
)

// studyPace shortens what the agents of a case study wait for by the demo's speed. Its
// floors are the least that a Prometheus that scrapes each half second and a process that starts
// need.
func studyPace(o *Options) pace {
	return pace{by: o.Speed, interval: time.Second, window: leastRate, param: time.Second}
}

// setParam gives a parameter of an agent's manifest another number. A comment behind it
// goes.
func setParam(raw []byte, name, value string) []byte {
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^(\s+%s:).*$`, regexp.QuoteMeta(name)))
	return line.ReplaceAll(raw, []byte("${1} "+value))
}
