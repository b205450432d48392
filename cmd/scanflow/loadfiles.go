package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkEmpty refuses flags with an empty value, such as an unset shell variable, which
// would have no effect.
func (p *loadPlan) checkEmpty() {
	for _, v := range []struct{ flag, value, what string }{
		{"trace", p.trace, "a file"}, {"schedule", p.schedule, "phases"}, {"body", p.body, "a file"}, {"content-type", p.contentType, "a type"}, {"plot", p.plot, "a file"},
	} {
		if p.changed(v.flag) && v.value == "" {
			p.errorf("--%s: it is empty; name %s, or leave it out", v.flag, v.what)
		}
	}
}

// checkPlotFile refuses a --plot that can't be written, before a run that may take long.
func (p *loadPlan) checkPlotFile() {
	if p.plot == "" {
		return
	}
	before, _ := os.Stat(p.plot)
	for flag, name := range map[string]string{"body": p.body, "trace": p.trace} {
		if other, err := os.Stat(name); err == nil && before != nil && os.SameFile(before, other) {
			p.errorf("--plot: it is the file of --%s, and would be written over; name another", flag)
			return
		}
	}
	if err := checkWritable("plot", p.plot); err != nil {
		p.errs = append(p.errs, err)
	}
}

// checkWritable returns an error if the file of a flag can't be written. It leaves no new
// file behind.
func checkWritable(flag, name string) error {
	_, err := os.Stat(name)
	isNew := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	_ = f.Close()
	if isNew {
		_ = os.Remove(name)
	}
	return nil
}
